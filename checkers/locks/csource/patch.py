"""A patch becomes pieces of C: for every hunk the text before and the text after, parseable.

Why so: a hunk starts and ends anywhere, often inside a function, and the parser needs whole ones.
Each side of a hunk is completed with the few tokens that it lacks (the head of the function that
the hunk names, closing braces) and marked as a part, so that nothing is concluded from what is not
there.  Hunks are kept apart: what lies between them was not seen.
"""

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from powercut.checkers.locks.errors import LocksError

C_SUFFIXES = (".c", ".h")

_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?(.*)", re.ASCII)
_HUNK_OF_LONG_NUMBERS = re.compile(r"@@ -[\d,]{10,} \+|@@ -[\d,]+ \+[\d,]{10,} ")
_HEADING_CHARS = 400
_LITERAL_CHARS = 1000
_HEADING = re.compile(r"^[A-Za-z_][\w\s*]*?\**\b([A-Za-z_]\w*)\s*\([^;]*$")
_NOT_A_FUNCTION = re.compile(r"^(struct|union|enum)\s+\w+\s*\{|^#|^typedef\b|=\s*\{?$")
_TABLE = re.compile(r"^[A-Za-z_][\w\s*\[\]]*=\s*\{$")
_TOP_LEVEL = re.compile(r"^[A-Za-z_](?!\w*:\s*$)")
_IGNORED = re.compile(
    rf'"(?:\\.|[^"\\]){{0,{_LITERAL_CHARS}}}"'
    rf"|'(?:\\.|[^'\\]){{0,{_LITERAL_CHARS}}}'"
    r"|//.*|/\*.*?\*/|/\*.*"
)
UNSEEN = "powercut_unseen"


@dataclass(slots=True)
class Chunk:
    """A piece of C that can be parsed; ``lines[n]`` is the line of the file it came from.

    ``partial`` says what is missing of its first or last function (by name), if anything is.
    """

    file: str
    text: str
    lines: list[int] | None = None
    partial: dict[str, str] = field(default_factory=dict)

    def line(self, row: int) -> int:
        """Return the line number in the file for a row (from 0) of the text."""
        if self.lines is None:
            return row + 1
        return self.lines[min(row, len(self.lines) - 1)] if self.lines else 0


@dataclass(slots=True)
class Patch:
    """What a patch does to C files: the pieces before and after, and what else it touches."""

    old: list[Chunk] = field(default_factory=list)
    new: list[Chunk] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    hunks: int = 0


@dataclass(slots=True)
class _Line:
    number: int
    text: str


def looks_like_patch(text: str) -> bool:
    """Whether ``text`` is a diff or a mail with one."""
    return bool(
        re.search(r"^--- .*\n\+\+\+ .*\n@@ ", text, re.MULTILINE)
        or re.search(r"^diff --git ", text, re.MULTILINE)
        or re.match(r"(From|Subject|Message-ID|Date|index) ?\S*:? ", text)
    )


def read_patch(name: str, data: bytes) -> Patch:
    """Return the C pieces of a patch.  Raises :class:`LocksError`."""
    lines = decoded(data).splitlines()
    patch = Patch()
    number, file = 0, ""
    while number < len(lines):
        line = lines[number]
        if line.startswith("--- ") and number + 1 < len(lines):
            following = lines[number + 1]
            if following.startswith("+++ "):
                file = _file_name(line, following)
                number += 2
                if file not in patch.files:
                    patch.files.append(file)
                continue
        if line.startswith("@@@ "):
            raise LocksError(f"{name}:{number + 1}", "a combined diff; give a plain unified diff")
        match = _HUNK.match(line)
        if not match and _HUNK_OF_LONG_NUMBERS.match(line):
            raise LocksError(
                f"{name}:{number + 1}", "a hunk with a number of more than 9 digits; give a patch"
            )
        if match and not file:
            raise LocksError(f"{name}:{number + 1}", "a hunk without a file name above it")
        if match:
            number = _hunk(patch, name, file, match, lines, number)
            continue
        number += 1
    patch.skipped = [file for file in patch.files if not file.endswith(C_SUFFIXES)]
    if not patch.hunks:
        raise LocksError(name, "no hunk in it; give a unified diff or a mail that contains one")
    if len(patch.skipped) == len(patch.files):
        raise LocksError(name, f"touches no C file (only {', '.join(patch.skipped[:3])})")
    return patch


def decoded(data: bytes) -> str:
    """Return the text of a patch; a mail in quoted-printable or base64 is decoded."""
    head = data[:8192].lower()
    if re.search(rb"^content-transfer-encoding:\s*(quoted-printable|base64)", head, re.MULTILINE):
        message = email.message_from_bytes(data, policy=email.policy.default)
        body = message.get_body(("plain",))
        content = body.get_content() if body else ""
        if isinstance(content, str) and content:
            return content.replace("\r\n", "\n")
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _file_name(old: str, new: str) -> str:
    for line in (new, old):
        name = line[4:].split("\t")[0].strip()
        if name != "/dev/null":
            return name[2:] if name[:2] in ("a/", "b/") else name
    return "/dev/null"


def _hunk(
    patch: Patch, name: str, file: str, match: re.Match[str], lines: list[str], number: int
) -> int:
    """Read the hunk at ``number`` and return the line after it."""
    old_left, new_left = int(match[2] or 1), int(match[4] or 1)
    old_number, new_number = int(match[1]), int(match[3])
    old: list[_Line] = []
    new: list[_Line] = []
    start = number
    while old_left > 0 or new_left > 0:
        number += 1
        if number >= len(lines) or lines[number][:1] not in ("", " ", "\t", "+", "-", "\\"):
            raise LocksError(
                f"{name}:{start + 1}",
                f"the hunk lacks {max(old_left, new_left)} of its lines; give the whole patch",
            )
        mark, text = lines[number][:1], lines[number][1:]
        if mark == "\\":
            continue
        if mark != "+":
            old.append(_Line(old_number, text))
            old_left, old_number = old_left - 1, old_number + 1
        if mark != "-":
            new.append(_Line(new_number, text))
            new_left, new_number = new_left - 1, new_number + 1
    patch.hunks += 1
    if file.endswith(C_SUFFIXES):
        heading = match[5][:_HEADING_CHARS]
        patch.old += pieces(file, heading, old)
        patch.new += pieces(file, heading, new)
    return number + 1


def pieces(file: str, heading: str, lines: list[_Line]) -> Iterator[Chunk]:
    """Yield the parseable pieces of one side of a hunk; ``heading`` is what follows the ``@@``."""
    lines = _without_loose_ends(lines)
    depths = list(_depths([line.text for line in lines]))
    lowest = min(depths, default=0)
    function = _function_of(heading)
    if lowest < 0:
        end = depths.index(lowest) + 1
        at_column_0 = lines[end - 1].text.startswith("}")
        inner = -lowest - (1 if at_column_0 else 0)
        if at_column_0:
            yield from _part(file, function, heading, lines[:end], inner, closed=True)
            yield from _top_level(file, lines[end:])
        else:
            yield from _part(file, function, heading, lines, inner, closed=False)
        return
    inside = not any(_TOP_LEVEL.match(line.text) for line in lines)
    has_code = any(line.text.strip() for line in lines)
    if inside and has_code and (function or _TABLE.match(heading)):
        yield from _part(file, function, heading, lines, 0, closed=False)
    else:
        yield from _top_level(file, lines)


def _part(
    file: str, function: str, heading: str, lines: list[_Line], inner: int, *, closed: bool
) -> Iterator[Chunk]:
    """Yield a part of a function or table, its head put in front, its end added if missing."""
    if not function and not _TABLE.match(heading):
        return
    head = f"int {function}() {{" if function else heading
    head += f" if ({UNSEEN}) {{" * inner if function else ""
    depth = 1 + inner + sum(_balance(line.text) for line in lines)
    tail = "" if closed else "}" * max(depth, 0) + ("" if function else ";")
    first = lines[0].number if lines else 0
    last = lines[-1].number if lines else 0
    text = "\n".join([head, *(line.text for line in lines), tail])
    numbers = [first, *(line.number for line in lines), last]
    missing = "its beginning is" if closed else "its beginning and its end are"
    yield Chunk(file, text, numbers, {function: f"{missing} outside the hunk"})


def _top_level(file: str, lines: list[_Line]) -> Iterator[Chunk]:
    if not any(line.text.strip() for line in lines):
        return
    depth = sum(_balance(line.text) for line in lines)
    partial: dict[str, str] = {}
    if depth > 0:
        partial = {"": "its end is outside the hunk"}
    text = "\n".join([*(line.text for line in lines), "}" * max(depth, 0)])
    numbers = [*(line.number for line in lines), lines[-1].number]
    yield Chunk(file, text, numbers, partial)


def _function_of(heading: str) -> str:
    """Return the function a hunk heading names, or nothing."""
    if not heading or _NOT_A_FUNCTION.search(heading):
        return ""
    match = _HEADING.match(heading)
    return match[1] if match else ""


def _balance(text: str) -> int:
    code = _IGNORED.sub("", text)
    return code.count("{") - code.count("}")


def _depths(texts: list[str]) -> Iterator[int]:
    """Yield the lowest depth that each line reaches."""
    depth = 0
    for text in texts:
        lowest = depth
        for char in _IGNORED.sub("", text):
            depth += (char == "{") - (char == "}")
            lowest = min(lowest, depth)
        yield lowest


def _without_loose_ends(lines: list[_Line]) -> list[_Line]:
    """Blank out halves of comments and of preprocessor conditionals."""
    texts = [line.text for line in lines]
    for number, text in enumerate(texts):
        if "*/" in text and "/*" not in text.split("*/")[0]:
            rest = text.partition("*/")[2]
            texts[: number + 1] = [""] * number + [rest]
            break
        if "/*" in text:
            break
    else:
        if texts and all(not t.strip() or t.lstrip().startswith("*") for t in texts):
            texts = [""] * len(texts)
    joined = "\n".join(texts)
    if joined.rfind("/*") > joined.rfind("*/"):
        texts = joined[: joined.rfind("/*")].split("\n")
        texts += [""] * (len(lines) - len(texts))
    stack: list[int] = []
    for number, text in enumerate(texts):
        directive = text.lstrip()
        if re.match(r"#\s*if", directive):
            stack.append(number)
        elif re.match(r"#\s*endif", directive):
            if stack:
                stack.pop()
            else:
                texts[number] = ""
        elif re.match(r"#\s*(else|elif)", directive) and not stack:
            texts[number] = ""
    for number in stack:
        texts[number] = ""
    return [_Line(line.number, text) for line, text in zip(lines, texts, strict=True)]
