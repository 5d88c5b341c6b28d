"""What one run of a litmus test shows, and how a line of text stands for a set of such outcomes.

Why so: an outcome reads like a note in a review, ``size=3 "oA|B"``: the size, then one letter a
cell with a bar between blocks.  Cells survive a power cut independently, so sets of outcomes are
mostly products, and a class of letters (``[oA]``, as in a shell pattern) keeps an exact set short
enough to be checked by eye.
Rejected: colours by name (a line a cell), hashes of outcomes (nobody can review them), and patterns
with a wildcard (the set would no longer be exact).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from powercut.model.state import FIRST_OP_COLOUR, FOREIGN, OLD, POLLUTION, ZERO

LETTERS = {
    ZERO: ".",
    FOREIGN: "x",
    POLLUTION: "p",
    OLD: "o",
    FIRST_OP_COLOUR: "A",
    FIRST_OP_COLOUR << 1: "B",
    FIRST_OP_COLOUR << 2: "C",
    FIRST_OP_COLOUR << 3: "D",
}
"""Zeros, a previous owner's data, data from behind EOF, old data, the writes of the mount."""
ORDER = "".join(LETTERS.values())

RESULTS = ("0", "EIO", "ENOSPC", "EROFS")
PENDING = "-"
"""The result of a call that had not returned when the power failed."""

FileContent = tuple[int, str]
"""Size in cells, and a letter for each cell."""


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """When the power may fail: once each task has returned from ``needs`` calls (0: at any time).

    With ``live`` it does not fail: what counts is what a read shows when all tasks are done.
    """

    needs: tuple[int, ...]
    live: bool = False

    def counts(self, returned: Sequence[int]) -> bool:
        """Tell whether a power cut counts after these numbers of calls have returned."""
        return all(seen >= need for seen, need in zip(returned, self.needs, strict=True))


@dataclass(frozen=True, slots=True)
class Observation:
    """What a litmus test looks at.

    ``points`` has one crash point a mount; ``syncs`` are the (task, operation) of the last mount,
    from 0, whose results are part of the outcome.
    """

    points: tuple[CrashPoint, ...]
    files: bool = True
    syncs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that can be seen: ``results`` as (call, result), and each file."""

    files: tuple[FileContent, ...] = ()
    results: tuple[tuple[str, str], ...] = ()


def outcome_of(
    seen: Observation, files: Iterable[tuple[int, Sequence[int]]], calls: Sequence[tuple[int, int]]
) -> Outcome:
    """Return what ``seen`` makes of files (size, colours) and calls (returned, results)."""
    contents = ((size, "".join(LETTERS[c] for c in colours)) for size, colours in files)
    results = []
    for task, op in seen.syncs:
        returned, bits = calls[task]
        result = RESULTS[bits >> (2 * op) & 3] if returned > op else PENDING
        results.append((f"{task + 1}.{op + 1}", result))
    return Outcome(tuple(contents) if seen.files else (), tuple(results))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A set of outcomes: fixed results and sizes, and the letters each cell may have."""

    files: tuple[tuple[int, tuple[str, ...]], ...] = ()
    results: tuple[tuple[str, str], ...] = ()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield every outcome of the set."""
        for cells in product(*("".join(letters) for _, file in self.files for letters in file)):
            rest = iter(cells)
            files = tuple((size, "".join(next(rest) for _ in file)) for size, file in self.files)
            yield Outcome(files, self.results)


def format_outcome(outcome: Outcome, cells_per_block: int) -> str:
    """Return one outcome as text."""
    files = tuple((size, tuple(cells)) for size, cells in outcome.files)
    return format_pattern(Pattern(files, outcome.results), cells_per_block)


def format_pattern(pattern: Pattern, cells_per_block: int) -> str:
    """Return ``pattern`` as text, for example ``1.2=0 size=3 "o[oA]|B"``."""
    words = [f"{call}={result}" for call, result in pattern.results]
    for number, (size, cells) in enumerate(pattern.files):
        if number:
            words.append(f"@{number}")
        words.append(f"size={size}")
        if size:
            words.append(f'"{_format_cells(cells, cells_per_block)}"')
    return " ".join(words)


def _format_cells(cells: Sequence[str], cells_per_block: int) -> str:
    shown = [letters if len(letters) == 1 else f"[{letters}]" for letters in cells]
    blocks = (shown[n : n + cells_per_block] for n in range(0, len(shown), cells_per_block))
    return "|".join("".join(block) for block in blocks)


def compress(outcomes: Iterable[Outcome]) -> list[Pattern]:
    """Return patterns that stand for exactly these outcomes, each once; sorted.

    Two patterns that differ in one cell become one, cell by cell from the last to the first; a
    product comes out as one pattern.
    """
    patterns = {
        Pattern(tuple((size, tuple(cells)) for size, cells in o.files), o.results) for o in outcomes
    }
    width = max((sum(size for size, _ in p.files) for p in patterns), default=0)
    before = -1
    while before != len(patterns):
        before = len(patterns)
        for at in reversed(range(width)):
            patterns = _merged_at(patterns, at)
    return sorted(patterns, key=_rank)


def _merged_at(patterns: Iterable[Pattern], at: int) -> set[Pattern]:
    groups: dict[tuple[object, ...], set[str]] = {}
    for pattern in patterns:
        flat = [letters for _, file in pattern.files for letters in file]
        here = flat[at] if at < len(flat) else ""
        flat[at : at + 1] = []
        sizes = tuple(size for size, _ in pattern.files)
        groups.setdefault((pattern.results, sizes, tuple(flat)), set()).update(here)
    return {_rebuilt(key, letters, at) for key, letters in groups.items()}


def _rebuilt(key: tuple[object, ...], letters: set[str], at: int) -> Pattern:
    results, sizes, flat = key
    assert isinstance(results, tuple)
    assert isinstance(sizes, tuple)
    assert isinstance(flat, tuple)
    cells = list(flat)
    if letters:
        cells.insert(at, ordered(letters))
    files = []
    for size in sizes:
        files.append((size, tuple(cells[:size])))
        del cells[:size]
    return Pattern(tuple(files), results)


def ordered(letters: Iterable[str]) -> str:
    """Return letters of a class in their usual order."""
    return "".join(sorted(set(letters), key=ORDER.index))


def _rank(pattern: Pattern) -> tuple[object, ...]:
    files = tuple((s, tuple([ORDER.index(c) for c in ls] for ls in f)) for s, f in pattern.files)
    return pattern.results, tuple(size for size, _ in files), files
