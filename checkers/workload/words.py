"""Lines and words of a workload file, each with its place.  Shared by both readers.

Why so: every message names line and column, so words keep their place from the start; after that
the readers only look at words.  Lines end at a line feed and nothing else: ``str.splitlines`` would
also split at characters an editor does not count as line ends, and line numbers would be wrong.
Rejected: a regular expression per line (no column for the part that failed to match), and a
parser generator (a dependency, for a grammar of eleven keywords).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from powercut.checkers.workload.errors import Place, WorkloadError, quote
from powercut.checkers.workload.limits import HUGE, MAX_NAME_CHARS, is_name_char

BLANKS = " \t"
COMMENT = "#"


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters without blanks, and where it starts."""

    text: str
    place: Place

    def fail(self, message: str) -> WorkloadError:
        """Return the error that points at the first character of this word."""
        return WorkloadError(self.place, message)

    def tail(self, skip: int) -> "Word":
        """Return this word without its first ``skip`` characters, with the place moved along."""
        place = Place(self.place.file, self.place.line, self.place.column + skip)
        return Word(self.text[skip:], place)

    def fail_after(self, message: str) -> WorkloadError:
        """Return the error that points just behind this word, where something is missing."""
        return self.tail(len(self.text)).fail(message)


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is neither blank nor a comment: its raw text and its words (at least one)."""

    raw: str
    words: tuple[Word, ...]


def read_lines(text: str, name: str, alone: str = "") -> Iterator[Line]:
    """Yield the lines of ``text`` that say something, with places in the file ``name``.

    A line whose first word starts with ``#`` is a comment.  The characters in ``alone`` are words
    by themselves.  Raises :class:`WorkloadError` at the first character that does not print.
    """
    for number, raw in enumerate(text.split("\n"), 1):
        raw = raw.removesuffix("\r")
        _check_characters(raw, name, number)
        words = tuple(_split(raw, name, number, alone))
        if words and not words[0].text.startswith(COMMENT):
            yield Line(raw, words)


def without_comment(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the words in front of the first one that begins a comment."""
    for index, word in enumerate(words):
        if word.text.startswith(COMMENT):
            return words[:index]
    return words


def whole_number(word: Word, what: str) -> int:
    """Return ``word`` as a decimal integer; an absurdly long one comes back as just above 10^9."""
    digits = word.text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise word.fail(f"{what} must be a whole number, not {quote(word.text)}")
    digits = digits.lstrip("0") or "0"
    value = int(digits) if len(digits) <= len(str(HUGE)) else HUGE + 1
    return -value if word.text.startswith("-") else value


def scope_name(file_name: str) -> str:
    """Return the name a scope gets from its file: the stem, with odd characters made ``-``."""
    stem = PurePath(file_name).stem
    clean = "".join(c if is_name_char(c) else "-" for c in stem)
    return clean[:MAX_NAME_CHARS] or "workload"


def _check_characters(raw: str, name: str, number: int) -> None:
    for column, char in enumerate(raw, 1):
        if not char.isprintable() and char != "\t":
            raise WorkloadError(
                Place(name, number, column),
                f"character U+{ord(char):04X} is not text; a workload is plain UTF-8 text",
            )


def _split(raw: str, name: str, number: int, alone: str) -> Iterator[Word]:
    """Yield the words of one line; a word ends at a blank or at a character of ``alone``."""
    start = 0
    while start < len(raw):
        end = start + 1
        if raw[start] in BLANKS:
            start = end
            continue
        if raw[start] not in alone:
            while end < len(raw) and raw[end] not in BLANKS + alone:
                end += 1
        yield Word(raw[start:end], Place(name, number, start + 1))
        start = end
