"""What is printed, made fit for where it goes: the one place that encodes output.

What: characters that do not print (control characters, text direction marks, what stands for bytes
of a file name that are not UTF-8) and characters that the stream cannot take become ``\\uXXXX``.
Why so: a file name or a line of a script may carry a terminal's commands, and an ASCII stream is no
reason to fail.  That escape is JSON's own, so a document stays a document.
Rejected: Python's ``backslashreplace`` (``\\xd7`` is not JSON), escaping where a name is printed
(there is always one more place).
"""

import codecs
import re
from typing import cast

_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")
_KEPT = str.maketrans("", "", "\n\t")


def fit(text: str, encoding: str | None, *, colours: bool = False) -> str:
    """Return ``text`` for a stream of ``encoding``; with ``colours`` their codes are kept."""
    if colours and "\x1b" in text:
        parts = _COLOUR.split(text)
        return "".join(p if _COLOUR.fullmatch(p) else fit(p, encoding) for p in parts)
    if not text.translate(_KEPT).isprintable():
        text = "".join(c if c.isprintable() or c in "\n\t" else escape(c) for c in text)
    return text.encode(encoding, _HANDLER).decode(encoding) if encoding else text


def escape(text: str) -> str:
    """Return every character of ``text`` as JSON escapes it."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))


_HANDLER = "powercut.escape"


def _on_error(error: UnicodeError) -> tuple[str, int]:
    wrong = cast("UnicodeEncodeError", error)
    return escape(wrong.object[wrong.start : wrong.end]), wrong.end


codecs.register_error(_HANDLER, _on_error)
