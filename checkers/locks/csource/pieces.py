"""One side of a hunk becomes C that a parser takes.

Why so: a hunk starts and ends anywhere, often inside a function or a statement, and the parser
needs whole ones.  Each side is completed with the few tokens that it lacks (the head of the
function that the hunk names, closing braces) and marked as a part, so that nothing is concluded
from what is not there.  Hunks are kept apart: what lies between them was not seen.
The heading that git writes is only the last line above that begins with a letter: a label, a table
and the name alone of a function whose type stands on the line before are headings too.  So the
lines decide whether they are code, and a heading that says nothing else than that costs the name.
Rejected: guessing the function from the calls.
"""

import re
from collections.abc import Iterator

from powercut.checkers.locks.csource.chunk import UNNAMED, UNSEEN, Chunk, Numbered

_LITERAL_CHARS = 1000
_FUNCTION = re.compile(r"^(?:[A-Za-z_][\w\s*]*?[\s*]+)?\**([A-Za-z_]\w*)\s*\([^;]*$")
_NOT_A_FUNCTION = re.compile(
    r"^(struct|union|enum)\s+\w+\s*\{|^#|^typedef\b|=\s*\{?$|^__(acquires|releases|must_hold)\b"
)
_TABLE = re.compile(r"^[A-Za-z_][\w\s*\[\]]*=\s*\{$")
_TOP_LEVEL = re.compile(r"^[A-Za-z_](?!\w*:\s*$)")
_STATEMENT = re.compile(
    r"^(?:\s+(?:\}\s*)?(?:(?:if|for|while|switch|return|goto|else|do|break|continue)\b"
    r"|[\w>.\[\]*()-]+(?:\s*[-+|&]?=[^=]|\+\+|--).*"
    r"|(?!DEFINE|DECLARE)[A-Za-z_]\w*\s*\(.*[;,(]\s*$)"
    r"|[a-z_]\w*:\s*$)"
)
_HEAD_ALONE = re.compile(r"^[A-Za-z_]\w*\([^;]*$")
_ELSE = re.compile(r"^\s*else\b")
_OPERATOR = re.compile(r"^\s*(?:&&|\|\||[?:+|]\s|==|=\s|-\s)")
_IGNORED = re.compile(
    rf'"(?:\\.|[^"\\]){{0,{_LITERAL_CHARS}}}"'
    rf"|'(?:\\.|[^'\\]){{0,{_LITERAL_CHARS}}}'"
    r"|//.*|/\*.*?\*/|/\*.*"
)


def pieces(file: str, heading: str, lines: list[Numbered], lost: list[str]) -> Iterator[Chunk]:
    """Yield the parseable pieces of one side of a hunk; ``heading`` is what follows the ``@@``.

    What cannot be given to a function is added to ``lost``, with place and reason.
    """
    lines = _without_loose_ends(lines)
    if not any(line.text.strip() for line in lines):
        return
    opening = next((n for n, line in enumerate(lines) if line.text.startswith("{")), None)
    above = lines[:opening] if opening is not None else []
    if opening is not None and _is_rest_of_head(above):
        yield from _begun(file, heading, lines, opening, lost)
        return
    depths = list(_depths([line.text for line in lines]))
    lowest = min(depths, default=0)
    if lowest < 0:
        end = depths.index(lowest) + 1
        closed = lines[end - 1].text.startswith("}")
        head, rest = (lines[:end], lines[end:]) if closed else (lines, [])
        yield from _part(file, heading, head, -lowest - closed, lost, closed=closed)
        yield from _top_level(file, rest)
        return
    if any(_TOP_LEVEL.match(line.text) for line in lines):
        yield from _top_level(file, lines)
    else:
        yield from _part(file, heading, lines, 0, lost, closed=False)


def _is_rest_of_head(above: list[Numbered]) -> bool:
    """Whether the lines above a ``{`` in column 0 are the end of a list of parameters."""
    text = "\n".join(_masked(line.text) for line in above)
    return text.count(")") > text.count("(") and ";" not in text and "}" not in text


def _begun(
    file: str, heading: str, lines: list[Numbered], opening: int, lost: list[str]
) -> Iterator[Chunk]:
    """Yield a function of which only the start of the head is missing, and what follows."""
    name = function_of(heading) or _nameless(file, lines, heading, lost)
    first = lines[0]
    head = [Numbered(first.number, f"int {name}({first.text.strip()}"), *lines[1:]]
    yield from _top_level(file, head)


def _part(
    file: str,
    heading: str,
    lines: list[Numbered],
    inner: int,
    lost: list[str],
    *,
    closed: bool,
) -> Iterator[Chunk]:
    """Yield a part of a function or table, its head put in front, its end added if missing."""
    statements = any(_STATEMENT.match(line.text) for line in lines)
    if not statements and _TABLE.match(heading):
        yield _table(file, heading, lines, closed=closed)
        return
    name = function_of(heading)
    if not name and not statements:
        return
    if any(line.text.rstrip().endswith("\\") for line in lines):
        _lose(lost, file, lines, "part of a macro")
        return
    name = name or _nameless(file, lines, heading, lost)
    lines = _without_torn_statements(lines)
    head = f"int {name}() {{" + f" if ({UNSEEN}) {{" * inner
    first_code = next((line.text for line in lines if line.text.strip()), "")
    if _ELSE.match(first_code):
        head += f" if ({UNSEEN}) ;"
    depth = 1 + inner + sum(_balance(line.text) for line in lines)
    tail = "" if closed else ";" + "}" * max(depth, 0)
    text = "\n".join([head, *(line.text for line in lines), tail])
    numbers = [lines[0].number, *(line.number for line in lines), lines[-1].number]
    missing = "its beginning is" if closed else "its beginning and its end are"
    yield Chunk(file, text, numbers, {name: f"{missing} outside the hunk"})


def _table(file: str, heading: str, lines: list[Numbered], *, closed: bool) -> Chunk:
    depth = 1 + sum(_balance(line.text) for line in lines)
    tail = "" if closed else "}" * max(depth, 0) + ";"
    text = "\n".join([heading, *(line.text for line in lines), tail])
    return Chunk(file, text, [lines[0].number, *(n.number for n in lines), lines[-1].number])


def _top_level(file: str, lines: list[Numbered]) -> Iterator[Chunk]:
    if not any(line.text.strip() for line in lines):
        return
    texts = [line.text for line in lines]
    first = next(number for number, text in enumerate(texts) if text.strip())
    if _HEAD_ALONE.match(texts[first]):
        texts[first] = f"int {texts[first]}"  # the type was on the line before
    depth = sum(map(_balance, texts))
    if depth > 0:
        texts = [line.text for line in _without_torn_end(_renumbered(lines, texts))]
        depth = sum(map(_balance, texts))
    partial = {"": "its end is outside the hunk"} if depth > 0 else {}
    text = "\n".join([*texts, ";" * (depth > 0) + "}" * max(depth, 0)])
    yield Chunk(file, text, [*(line.number for line in lines), lines[-1].number], partial)


def function_of(heading: str) -> str:
    """Return the function a hunk heading names, or nothing."""
    if not heading or _NOT_A_FUNCTION.search(heading):
        return ""
    match = _FUNCTION.match(heading)
    return match[1] if match else ""


def _nameless(file: str, lines: list[Numbered], heading: str, lost: list[str]) -> str:
    what = f'the heading "{heading.strip()[:40]}" names no function' if heading.strip() else ""
    _lose(lost, file, lines, what or "the hunk has no heading")
    return f"{UNNAMED}{lines[0].number}"


def _lose(lost: list[str], file: str, lines: list[Numbered], why: str) -> None:
    lost.append(f"{file}:{lines[0].number}: {why}: which function this is, is not known")


def _masked(text: str) -> str:
    return _IGNORED.sub(lambda match: " " * len(match[0]), text)


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


def _renumbered(lines: list[Numbered], texts: list[str]) -> list[Numbered]:
    return [
        Numbered(line.number, text, line.changed) for line, text in zip(lines, texts, strict=True)
    ]


def _without_torn_statements(lines: list[Numbered]) -> list[Numbered]:
    """Blank out the rest of a statement at the start, and the start of one at the end."""
    text = "\n".join(line.text for line in lines)
    masked = "\n".join(_masked(line.text) for line in lines)
    depth = lowest = 0
    start = 0
    for index, char in enumerate(masked):
        depth += (char == "(") - (char == ")")
        if depth < lowest:
            lowest, start = depth, index + 1
    if _OPERATOR.match(masked[start:]):
        found = re.search(r"[;{]", masked[start:])
        start = start + found.start() if found else len(text)
    blank = re.sub(r"[^\n]", " ", text[:start])
    return _without_torn_end(_renumbered(lines, (blank + text[start:]).split("\n")))


def _without_torn_end(lines: list[Numbered]) -> list[Numbered]:
    """Blank out a statement at the end whose brackets stay open."""
    text = "\n".join(line.text for line in lines)
    masked = "\n".join(_masked(line.text) for line in lines)
    open_at: list[int] = []
    for index, char in enumerate(masked):
        if char == "(":
            open_at.append(index)
        elif char == ")" and open_at:
            open_at.pop()
    if not open_at:
        return lines
    begin = max(masked.rfind(char, 0, open_at[0]) for char in ";{}\n") + 1
    blank = re.sub(r"[^\n]", " ", text[begin:])
    return _renumbered(lines, (text[:begin] + blank).split("\n"))


def _without_loose_ends(lines: list[Numbered]) -> list[Numbered]:
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
    return _renumbered(lines, _without_half_conditionals(texts))


def _without_half_conditionals(texts: list[str]) -> list[str]:
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
    return texts
