"""A patch becomes hunks, and hunks become pieces of C: the text before and the text after.

Why so: whoever asks for a verdict must learn what it is not about, so a hunk that is not part of
the patch, or that cannot be given to a function, is kept with its place and the reason.  A line of
a hunk that has no mark of one is the rest of the line before it: mail programs wrap.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from powercut.checkers.locks.csource.chunk import C_SUFFIXES, Chunk, Numbered
from powercut.checkers.locks.csource.mail import Text, texts, unpacked
from powercut.checkers.locks.csource.pieces import pieces
from powercut.checkers.locks.errors import LocksError

_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?(.*)", re.ASCII)
_HUNK_OF_LONG_NUMBERS = re.compile(r"@@ -[\d,]{10,} \+|@@ -[\d,]+ \+[\d,]{10,} ")
_ABOVE_ROOT = re.compile(r"^(?:[ab]|linux[-\w.]*)/(?=.*/|[^/]*$)")
_HEADING_CHARS = 400
_MARKS = ("", " ", "\t", "+", "-", "\\")
_NEXT_PART = re.compile(r"diff --git |@@ -\d|Index: |From [0-9a-f]{40} |--$")


@dataclass(slots=True)
class Hunk:
    """One hunk: where it starts on both sides, and its lines with their marks."""

    file: str
    old_file: str
    place: str
    old_start: int
    new_start: int
    heading: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def side(self, mark: str) -> list[Numbered]:
        """Return the lines before (``-``) or after (``+``) with their numbers in the file."""
        number = self.old_start if mark == "-" else self.new_start
        found: list[Numbered] = []
        for kind, text in self.lines:
            if kind in (" ", mark):
                found.append(Numbered(number, text, kind == mark))
                number += 1
        return found


@dataclass(slots=True)
class Patch:
    """What a patch does to C files: the pieces before and after, and what else it touches.

    ``lost`` has what could not be attributed or read, each with place and reason; ``ignored``
    hunks that are no part of the patch.
    """

    subject: str = ""
    old: list[Chunk] = field(default_factory=list)
    new: list[Chunk] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    parts: list[Hunk] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def hunks(self) -> int:
        """How many hunks it has."""
        return len(self.parts)


def looks_like_patch(text: str) -> bool:
    """Whether ``text`` is a diff or a mail with one."""
    return bool(
        re.search(r"^(?:> ?)*--- .*\n(?:> ?)*\+\+\+ .*\n(?:> ?)*@@ ", text, re.MULTILINE)
        or re.search(r"^(?:> ?)*diff --git ", text, re.MULTILINE)
        or re.match(r"(From|Subject|Message-ID|Date|index) ?\S*:? ", text)
    )


def read_patches(name: str, data: bytes) -> list[Patch]:
    """Return the patches in ``data``, in order; mails without a patch are left out.

    Raises :class:`LocksError` if no C file is touched, or for what cannot be read.
    """
    parts = texts(unpacked(name, data))
    found = [patch for patch in (_read(name, part) for part in parts) if patch.hunks]
    if not found:
        raise LocksError(name, "no hunk in it; give a unified diff or a mail that contains one")
    touched = [file for patch in found for file in patch.files]
    if not any(file.endswith(C_SUFFIXES) for file in touched):
        raise LocksError(name, f"touches no C file (only {', '.join(touched[:3])})")
    return found


def read_patch(name: str, data: bytes) -> Patch:
    """Return the one patch in ``data``.  Raises :class:`LocksError`, also for a series."""
    found = read_patches(name, data)
    if len(found) > 1:
        raise LocksError(name, f"{len(found)} patches in it; give one")
    return found[0]


def _read(name: str, given: Text) -> Patch:
    lines = given.text.splitlines()
    patch = Patch(given.subject)
    begins = _begin_of_patch(lines)
    reader = _Reader(name, given, patch, lines)
    while reader.number < len(lines):
        reader.step(in_message=reader.number < begins)
    if patch.ignored and not patch.hunks and not begins:
        raise LocksError(patch.ignored[0].split(": ")[0], "a hunk without a file name above it")
    patch.skipped = [file for file in patch.files if not file.endswith(C_SUFFIXES)]
    for hunk in patch.parts:
        if hunk.file.endswith(C_SUFFIXES):
            patch.old += pieces(hunk.old_file, hunk.heading, hunk.side("-"), [])
            patch.new += pieces(hunk.file, hunk.heading, hunk.side("+"), patch.lost)
    return patch


def _begin_of_patch(lines: list[str]) -> int:
    """Return the line where the message ends: its ``---``, if a diff follows."""
    for number, line in enumerate(lines):
        if line.startswith("diff --git "):
            return 0
        if line.rstrip() == "---":
            rest = lines[number + 1 :]
            if any(one.startswith(("diff --git ", "--- a/", "--- /dev/null")) for one in rest):
                return number
    return 0


class _Reader:
    def __init__(self, name: str, given: Text, patch: Patch, lines: list[str]) -> None:
        self.name, self.patch, self.lines = name, patch, lines
        self.lenient = given.quoted
        self.first_line = given.first_line
        self.number = 0
        self.file = self.old_file = ""

    def place(self, number: int) -> str:
        return f"{self.name}:{number + self.first_line}"

    def step(self, *, in_message: bool) -> None:
        """Read what is at the line, and go on behind it."""
        line, number = self.lines[self.number], self.number
        following = self.lines[number + 1] if number + 1 < len(self.lines) else ""
        if line.startswith("--- ") and following.startswith("+++ "):
            if not in_message:
                self.file, self.old_file = _file_names(line, following)
                if self.file not in self.patch.files:
                    self.patch.files.append(self.file)
            self.number += 2
            return
        if line.startswith("@@@ "):
            raise LocksError(self.place(number), "a combined diff; give a plain unified diff")
        match = _HUNK.match(line)
        if not match and _HUNK_OF_LONG_NUMBERS.match(line):
            message = "a hunk with a number of more than 9 digits; give a patch"
            raise LocksError(self.place(number), message)
        self.number += 1
        if match and (in_message or not self.file):
            self.patch.ignored.append(f"{self.place(number)}: a hunk of the message, not applied")
        elif match:
            self._hunk(match, number)

    def _hunk(self, match: re.Match[str], start: int) -> None:
        old_left, new_left = int(match[2] or 1), int(match[4] or 1)
        hunk = Hunk(
            self.file, self.old_file, self.place(start), int(match[1]), int(match[3]), match[5]
        )
        while old_left > 0 or new_left > 0:
            line = self.lines[self.number] if self.number < len(self.lines) else None
            if line is None or (line[:1] not in _MARKS and _NEXT_PART.match(line)):
                return self._cut(start, max(old_left, new_left))
            if line[:1] not in _MARKS:
                if not hunk.lines and not hunk.heading:
                    return self._cut(start, max(old_left, new_left))
                _wrapped_back(hunk, line)
            elif line[:1] != "\\":
                mark = line[:1] if line[:1] in ("+", "-") else " "
                hunk.lines.append((mark, line[1:]))
                old_left -= mark != "+"
                new_left -= mark != "-"
            self.number += 1
        while self.number < len(self.lines) and _is_rest(self.lines[self.number], hunk):
            _wrapped_back(hunk, self.lines[self.number])
            self.number += 1
        hunk.heading = hunk.heading[:_HEADING_CHARS]
        self.patch.parts.append(hunk)
        return None

    def _cut(self, start: int, missing: int) -> None:
        text = f"the hunk lacks {missing} of its lines"
        if not self.lenient:
            raise LocksError(self.place(start), f"{text}; give the whole patch")
        self.patch.lost.append(f"{self.place(start)}: {text} (left out of the reply)")


def _is_rest(line: str, hunk: Hunk) -> bool:
    """Whether a line behind a hunk is the rest of its last line, which ends inside brackets."""
    if not line or line[:1] in _MARKS or _NEXT_PART.match(line) or not hunk.lines:
        return False
    last = hunk.lines[-1][1]
    return last.count("(") > last.count(")") and line.count(")") > line.count("(")


def _wrapped_back(hunk: Hunk, rest: str) -> None:
    """Join a line that a mail program wrapped to the one before."""
    if hunk.lines:
        mark, text = hunk.lines[-1]
        hunk.lines[-1] = (mark, f"{text.rstrip()} {rest}")
    else:
        hunk.heading = f"{hunk.heading.rstrip()} {rest}"


def _file_names(old: str, new: str) -> tuple[str, str]:
    """Return the name after and the name before; of a file that is not there, the other one."""
    names = [line[4:].split("\t")[0].strip() for line in (new, old)]
    plain = [_ABOVE_ROOT.sub("", name, count=1) for name in names]
    if plain[0] == "/dev/null":
        return plain[1], plain[1]
    return plain[0], plain[0] if plain[1] == "/dev/null" else plain[1]


def all_files(patches: Iterable[Patch]) -> list[str]:
    """Return the files that patches touch, each once."""
    return list(dict.fromkeys(file for patch in patches for file in patch.files))
