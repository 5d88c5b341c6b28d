"""The JSON Schema of each verb's documents.

Why so: one table says which documents a verb prints, and the tests hold it against the verbs: a
verb that takes ``--json`` and is not in here fails them.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.json import schema_components

from powercut.documents.audit import AuditDocument
from powercut.documents.check import CheckDocument
from powercut.documents.document import Document
from powercut.documents.exam import ExamDocument, ExamGeneratedDocument
from powercut.documents.explore import ExploreDocument
from powercut.documents.fuzz import FuzzDocument, FuzzMutantsDocument
from powercut.documents.image import ImageDocument
from powercut.documents.kernel_conform import KernelConformDocument
from powercut.documents.kernel_log import KernelLogDocument
from powercut.documents.kernel_run import KernelRunDocument
from powercut.documents.list import ListDocument
from powercut.documents.litmus import LitmusDocument
from powercut.documents.locks import LocksDocument
from powercut.documents.locks_report import LocksReportDocument
from powercut.documents.protocol import ProtocolDocument
from powercut.documents.prove import ProveDocument, ProveWrongDocument
from powercut.documents.replay import ReplayDocument
from powercut.documents.sweep import SweepDocument
from powercut.documents.trace import (
    ConvertDocument,
    DiffDocument,
    MinimiseDocument,
    SchemaDocument,
    ShowDocument,
)

DOCUMENTS: dict[tuple[str, ...], tuple[type[Document], ...]] = {
    ("check",): (CheckDocument, ProtocolDocument, AuditDocument),
    ("exam",): (ExamDocument, ExamGeneratedDocument),
    ("explore",): (ExploreDocument,),
    ("fuzz",): (FuzzDocument, FuzzMutantsDocument),
    ("image",): (ImageDocument,),
    ("kernel", "log"): (KernelLogDocument,),
    ("kernel", "conform"): (KernelConformDocument,),
    ("kernel", "run"): (KernelRunDocument,),
    ("list",): (ListDocument,),
    ("litmus",): (LitmusDocument,),
    ("locks",): (LocksDocument, LocksReportDocument),
    ("prove",): (ProveDocument, ProveWrongDocument),
    ("replay",): (ReplayDocument,),
    ("sweep",): (SweepDocument,),
    ("trace", "show"): (ShowDocument,),
    ("trace", "minimise"): (MinimiseDocument,),
    ("trace", "diff"): (DiffDocument,),
    ("trace", "convert"): (ConvertDocument,),
    ("trace", "schema"): (SchemaDocument,),
}
"""By the words of the verb: what it may print with ``--json``."""


def verb_of(words: Sequence[str]) -> tuple[str, ...] | None:
    """Return the verb that a command line starts with, or ``None`` if none with a document does."""
    return next((verb for verb in DOCUMENTS if tuple(words[: len(verb)]) == verb), None)


def schema_of(verb: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON Schema of what a verb prints: any of its documents."""
    schemas, parts = schema_components(DOCUMENTS[verb], ref_template="#/$defs/{name}")
    any_of = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"powercut {' '.join(verb)} --json",
        **any_of,
        "$defs": parts,
    }
