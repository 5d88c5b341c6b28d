"""What every JSON document of a verb is: a frozen record whose class names and versions it.

Why so: the keys are a contract with other programs, and ``powercut VERB --schema`` prints what the
classes say, so that the schema cannot say anything else than what is written.  Text reports are
made from the results, not from the documents, so that either can change its form alone.
Rejected: dicts (a schema beside them would be a second source).
"""

import json
import sys
from typing import Annotated

from msgspec import Meta, Struct, to_builtins

Verdict = Annotated[
    str, Meta(extra_json_schema={"enum": ["holds", "violated", "inconclusive", "error"]})
]
Seconds = Annotated[float, Meta(description="Seconds of wall-clock time.")]


class Document(Struct, frozen=True, kw_only=True, tag_field="schema"):
    """What every document begins with: the schema (its tag), the verdict in a word, the exit code.

    The verdict's words are those of the verb: see :data:`Verdict` for most of them.
    """

    verdict: str
    exit_code: int


def print_document(document: Document) -> None:
    """Print a document on standard output."""
    json.dump(to_builtins(document), sys.stdout, indent=1, ensure_ascii=False)
    print()
