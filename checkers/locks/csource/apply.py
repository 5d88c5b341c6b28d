"""Patches are applied to files in memory.

Why so: a patch says what a function is like before and after only together with its tree.  A hunk
has to fit: at its line, or where the same lines are nearest, as ``patch`` does with an offset.
Blanks count only if mail programs leave them alone, so a second try compares words.  Rejected:
fuzz (a hunk whose context differs is for another tree), and the ``patch`` command (files would be
written).
"""

from collections.abc import Callable, Sequence

from powercut.checkers.locks.csource.chunk import C_SUFFIXES
from powercut.checkers.locks.csource.patch import Hunk, Patch
from powercut.checkers.locks.errors import LocksError


def applied(files: dict[str, str], patches: Sequence[Patch]) -> dict[str, str]:
    """Return the C files after ``patches``, which are applied in order; ``files`` stay as they are.

    Raises :class:`LocksError`, which names the hunk that does not fit.
    """
    after = dict(files)
    for patch in patches:
        by_file: dict[str, list[Hunk]] = {}
        for hunk in patch.parts:
            if hunk.file.endswith(C_SUFFIXES):
                by_file.setdefault(hunk.file, []).append(hunk)
        for file, hunks in by_file.items():
            old = hunks[0].old_file
            text = after.pop(old, None) if old != file else after.get(file)
            if text is None and not all(_creates(hunk) for hunk in hunks):
                raise LocksError(hunks[0].place, f"{old} is not in the tree; give its root folder")
            after[file] = _patched(file, text or "", hunks)
    return after


def _creates(hunk: Hunk) -> bool:
    return hunk.old_start == 0 and all(mark == "+" for mark, _ in hunk.lines)


def _patched(file: str, text: str, hunks: list[Hunk]) -> str:
    lines = text.split("\n")
    moved = 0
    for number, hunk in enumerate(hunks, 1):
        old = [line for mark, line in hunk.lines if mark != "+"]
        expected = max(hunk.old_start - 1, 0) + moved
        start = _place(lines, old, expected + (not old and hunk.old_start > 0))
        if start is None:
            raise LocksError(
                hunk.place,
                f"hunk {number} of {file} does not apply at line {hunk.old_start}; give the tree "
                "that the patch is for (--rev)",
            )
        new = _merged(lines[start : start + len(old)], hunk)
        lines[start : start + len(old)] = new
        moved = start - max(hunk.old_start - 1, 0) + len(new) - len(old)
    return "\n".join(lines)


def _merged(there: list[str], hunk: Hunk) -> list[str]:
    """Return the lines after a hunk; what it does not change is as the file has it."""
    result: list[str] = []
    position = 0
    for mark, line in hunk.lines:
        if mark == "+":
            result.append(line)
            continue
        if mark == " ":
            result.append(there[position])
        position += 1
    return result


def _place(lines: list[str], old: list[str], expected: int) -> int | None:
    """Return where ``old`` is in ``lines``, nearest to ``expected``."""
    if not old:
        return min(expected, len(lines))
    for same in (str, _words):
        found = _nearest([same(line) for line in lines], [same(line) for line in old], expected)
        if found is not None:
            return found
    return None


def _words(line: str) -> str:
    return " ".join(line.split())


def _nearest(lines: list[str], old: list[str], expected: int) -> int | None:
    last = len(lines) - len(old)
    starts = [n for n, line in enumerate(lines[: last + 1]) if line == old[0]] if last >= 0 else []
    fits: Callable[[int], bool] = lambda start: lines[start : start + len(old)] == old  # noqa: E731
    return min(filter(fits, starts), key=lambda start: abs(start - expected), default=None)


def line_map(before: str, after: str) -> Callable[[int], int]:
    """Return what gives the line after for a line before, for lines that both texts have."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
    blocks = matcher.get_matching_blocks()

    def moved(line: int) -> int:
        for block in blocks:
            if block.a <= line - 1 < block.a + block.size:
                return line + block.b - block.a
        return line

    return moved
