"""Bytes as they arrive become the texts of patches, in order.

What: a plain diff, a mail, a mailbox, the output of ``git format-patch``, a reply that quotes a
patch; each of them also compressed with gzip.
Why so: whoever reviews has the mail at hand, not a clean diff.  Nothing is repaired that could be
read in two ways: a reply is read as what it quotes, a line that starts with no mark of a hunk is
the rest of the line before (:mod:`.patch`), and what the message says before its ``---`` is no part
of the patch.
Rejected: the mailbox reader of the standard library (it wants a file, and takes any line that
starts with ``From`` for the start of a mail).
"""

import email
import email.policy
import re
import zlib
from dataclasses import dataclass

from powercut.checkers.locks.errors import LocksError

MAX_TEXT_BYTES = 64 << 20
_GZIP = b"\x1f\x8b"
_START = re.compile(
    r"^From \S+(?: at \S+)?\s+(?:[A-Z][a-z]{2} ){2}[ \d]\d [\d:]{8} .*\d{4}.*$", re.MULTILINE
)
_ENCODED = re.compile(
    r"^content-transfer-encoding:\s*(quoted-printable|base64)", re.MULTILINE | re.IGNORECASE
)
_SUBJECT = re.compile(r"^Subject:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
_QUOTED_HUNK = re.compile(r"^(?:> ?)+@@ -\d", re.MULTILINE)
_PLAIN_HUNK = re.compile(r"^@@ -\d", re.MULTILINE)
_QUOTE = re.compile(r"^((?:> ?)+)")
_SUBJECT_CHARS = 120


@dataclass(frozen=True, slots=True)
class Text:
    """One mail or diff: its text, its subject, and whether it was quoted in a reply.

    Line n (from 0) of ``text`` is line ``first_line`` + n of what was given.
    """

    text: str
    subject: str = ""
    quoted: bool = False
    first_line: int = 1


def unpacked(name: str, data: bytes) -> bytes:
    """Return ``data``, decompressed if it is gzip.  Raises :class:`LocksError`."""
    if not data.startswith(_GZIP):
        return data
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(data, MAX_TEXT_BYTES)
    except zlib.error:
        raise LocksError(name, "gzip that is damaged; give the whole file") from None
    if reader.unconsumed_tail:
        raise LocksError(name, f"more than {MAX_TEXT_BYTES >> 20} MiB when unpacked")
    if not reader.eof:
        raise LocksError(name, "gzip that ends early; give the whole file")
    return plain


def texts(data: bytes) -> list[Text]:
    """Return the mails in ``data`` (or the one diff), decoded, in order."""
    whole = data.decode("utf-8", "replace").replace("\r\n", "\n")
    starts = [match.start() for match in _START.finditer(whole)]
    if not starts:
        return [_text(data.decode("utf-8", "surrogateescape"), 1)]
    found: list[Text] = []
    for start, end in zip(starts, [*starts[1:], len(whole)], strict=True):
        line = whole.count("\n", 0, start) + 1
        part = whole[start:end].partition("\n")[2]
        found.append(_text(re.sub(r"^>(>*From )", r"\1", part, flags=re.MULTILINE), line + 1))
    return found


def _text(raw: str, first_line: int) -> Text:
    text = _decoded(raw)
    subject = _SUBJECT.search(raw.partition("\n\n")[0])
    title = " ".join(subject[1].split())[:_SUBJECT_CHARS] if subject else ""
    quoted = bool(_QUOTED_HUNK.search(text)) and not _PLAIN_HUNK.search(text)
    return Text(_unquoted(text) if quoted else text, title, quoted, first_line)


def _decoded(raw: str) -> str:
    """Return the text of a mail; quoted-printable and base64 are decoded."""
    data = raw.encode("utf-8", "surrogateescape")
    if _ENCODED.search(raw[:8192]):
        message = email.message_from_bytes(data, policy=email.policy.default)
        body = message.get_body(("plain",))
        content = body.get_content() if body else ""
        if isinstance(content, str) and content:
            return content.replace("\r\n", "\n")
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _unquoted(text: str) -> str:
    """Return what a reply quotes; the remarks between become empty lines outside of hunks.

    A remark inside a hunk would count as a line of it, so remarks are left out there; line numbers
    in messages are those of the quoted text.
    """
    depths = [match[1].count(">") for match in map(_QUOTE.match, text.split("\n")) if match]
    deepest = max(set(depths), key=depths.count) if depths else 1
    quote = re.compile(rf"^(?:> ?){{{deepest}}}")
    return "\n".join(quote.sub("", line) for line in text.split("\n") if quote.match(line))
