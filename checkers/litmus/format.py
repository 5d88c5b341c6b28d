"""Reading a litmus file: a workload, when the power may fail, what is looked at, what is allowed.

Why so: everything above the first ``allowed`` is a workload with three directives more, so it goes
through the reader of workloads (same operations, same messages, same places); what follows are
sets of outcomes, one block for each group of designs that must show exactly the same.
Rejected: a grammar of its own for set-up and threads (two dialects of one thing), outcomes in a
file beside the test (they would be regenerated unread), and "forbidden" lists as other litmus
tools have them (they do not notice an outcome that went missing).
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from math import prod

from powercut.checkers.run.observation import (
    LETTERS,
    ORDER,
    PENDING,
    RESULTS,
    CrashPoint,
    Observation,
    Outcome,
    Pattern,
    ordered,
)
from powercut.checkers.workload import Place, WorkloadError, parse_workload
from powercut.checkers.workload.errors import quote
from powercut.checkers.workload.limits import DATA_OPS, total_cells
from powercut.checkers.workload.text import DIRECTIVES, OPERATIONS
from powercut.checkers.workload.words import (
    BLANKS,
    Line,
    Word,
    read_lines,
    whole_number,
    without_comment,
)
from powercut.model.designs import DESIGNS
from powercut.model.scope import Mount, OpCode, Scope

SUFFIX = ".litmus"
SYNCS = (OpCode.FSYNC, OpCode.FDATASYNC)
_HEADER = ("source", "crash", "observe")
_ALLOWED = "allowed"
_VIOLATES = "violates"
_OBSERVED = ("file", "fsync", "properties")
_LONGEST_CALL = 5
MAX_LINE_OUTCOMES = 4096
"""How many outcomes one line may stand for."""


@dataclass(frozen=True, slots=True)
class AllowedLine:
    """One line of an allowed set, and the number of the line (from 1)."""

    pattern: Pattern
    line: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """What some designs must show: all of ``lines``, nothing else; properties they violate.

    ``first`` and ``last`` are the lines of the block, ``violates_line`` that of its properties.
    """

    designs: tuple[str, ...]
    lines: tuple[AllowedLine, ...]
    violates: tuple[str, ...]
    first: int
    last: int
    violates_line: int = 0

    def outcomes(self) -> dict[Outcome, int]:
        """Return every allowed outcome with the number of its line."""
        return {outcome: line.line for line in self.lines for outcome in line.pattern.outcomes()}


@dataclass(frozen=True, slots=True)
class Litmus:
    """A litmus test; ``judges_properties`` says whether violated properties count."""

    name: str
    file: str
    text: str
    source: str
    scope: Scope
    observation: Observation
    judges_properties: bool
    blocks: tuple[Allowed, ...]

    @property
    def designs(self) -> tuple[str, ...]:
        """The designs for which the file says what is allowed."""
        return tuple(design for block in self.blocks for design in block.designs)

    @property
    def looks_at_outcomes(self) -> bool:
        """Whether there is anything to see but properties."""
        return self.observation.files or bool(self.observation.syncs)

    def block_of(self, design: str) -> Allowed | None:
        """Return the block that names ``design``."""
        return next((block for block in self.blocks if design in block.designs), None)


@dataclass(slots=True)
class _BlockDraft:
    head: Line
    lines: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class _Draft:
    """What the first pass collects: everything that is not a line of the workload."""

    source: str = ""
    crash: dict[int, Line] = field(default_factory=dict)
    observe: Line | None = None
    blocks: list[_BlockDraft] = field(default_factory=list)
    mounts: int = 0


def parse_litmus(text: str, name: str, properties: Collection[str]) -> Litmus:
    """Return the litmus test in ``text``; ``name`` is its file, ``properties`` those that exist.

    A file without any ``allowed`` block is returned with no blocks.  Raises
    :class:`~powercut.checkers.workload.WorkloadError` with line and column at the first mistake.
    """
    draft = _Draft()
    kept = text.split("\n")
    for line in read_lines(text, name, alone=";"):
        if _is_ours(draft, line):
            kept[line.words[0].place.line - 1] = ""
    scope = parse_workload("\n".join(kept), name)
    if not draft.source:
        raise WorkloadError(
            Place(name, 1, 1), 'no source; add a "source" line: the program, test or bug it mirrors'
        )
    observed = _observed(draft.observe)
    observation = Observation(
        points=tuple(
            _crash_point(draft.crash.get(n), mount, n + 1 == len(scope.mounts))
            for n, mount in enumerate(scope.mounts)
        ),
        files="file" in observed,
        syncs=_syncs(scope, draft.observe) if "fsync" in observed else (),
    )
    reader = _OutcomeReader(scope, observation, "properties" in observed, properties)
    blocks = tuple(reader.block(block) for block in draft.blocks)
    _check_designs(draft.blocks)
    return Litmus(
        scope.name, name, text, draft.source, scope, observation, "properties" in observed, blocks
    )


def _is_ours(draft: _Draft, line: Line) -> bool:
    """Collect a line that is not the workload's; say whether it was one."""
    head = line.words[0]
    keyword = head.text
    short = Line(line.raw, without_comment(line.words))
    if keyword == _ALLOWED:
        draft.blocks.append(_BlockDraft(short))
        return True
    if draft.blocks:
        if keyword in _HEADER or _directive(keyword) in DIRECTIVES:
            raise head.fail(f'"{keyword}" belongs above the first "allowed"; move this line up')
        draft.blocks[-1].lines.append(short)
        return True
    if keyword == "mount":
        draft.mounts += 1
    if keyword in _HEADER:
        _read_header(draft, short)
        return True
    if keyword == _VIOLATES or keyword.startswith(("size=", "@")):
        raise head.fail(f'outcome outside a set; put an "{_ALLOWED} DESIGN ..." line above it')
    if _directive(keyword) not in DIRECTIVES and keyword not in OPERATIONS:
        known = ", ".join([*DIRECTIVES, *_HEADER, _ALLOWED])
        raise head.fail(f"unknown directive {quote(keyword)}; expected one of {known}")
    return False


def _directive(keyword: str) -> str:
    return "data_err" if keyword.startswith("data_err=") else keyword


def _read_header(draft: _Draft, line: Line) -> None:
    head = line.words[0]
    if head.text == "source":
        if draft.source:
            raise head.fail('second "source"; keep one of them')
        start = head.place.column - 1 + len(head.text)
        draft.source = line.raw[start:].strip(BLANKS)
        if not draft.source:
            raise head.fail_after("text missing; say which program, test or bug it mirrors")
    elif head.text == "observe":
        if draft.observe is not None:
            raise head.fail('second "observe"; keep one of them')
        draft.observe = line
    else:
        if not draft.mounts:
            raise head.fail('"crash" outside a mount; put it below the tasks of its "mount"')
        if draft.mounts - 1 in draft.crash:
            raise head.fail('second "crash" in this mount; keep one of them')
        draft.crash[draft.mounts - 1] = line


# ---- when the power fails, what is looked at ----------------------------------------------------


def _crash_point(line: Line | None, mount: Mount, is_last: bool) -> CrashPoint:
    """Read ``crash anywhere``, ``none``, ``after all`` or ``after TASK.OP ...``."""
    anywhere = (0,) * len(mount.tasks)
    if line is None:
        return CrashPoint(anywhere)
    head, *words = line.words
    expected = 'expected "anywhere", "none", "after all" or "after TASK.OPERATION"'
    if not words:
        raise head.fail_after(f"when is missing; {expected}")
    kind, *more = words
    if kind.text == "after" and more:
        if more[0].text == "all" and len(more) == 1:
            return CrashPoint(tuple(len(task) for task in mount.tasks))
        return CrashPoint(_after(more, mount))
    if kind.text not in ("anywhere", "none"):
        raise kind.fail(f"unknown crash point; {expected}")
    if more:
        raise more[0].fail(f'unexpected {quote(more[0].text)}; end the line after "{kind.text}"')
    if kind.text == "none" and not is_last:
        raise kind.fail('only the last mount can end without a power cut; write "after all"')
    return CrashPoint(anywhere, live=kind.text == "none")


def _after(words: list[Word], mount: Mount) -> tuple[int, ...]:
    needs = [0] * len(mount.tasks)
    for word in words:
        task, _, op = word.text.partition(".")
        if not (task.isdecimal() and op.isdecimal() and len(word.text) <= _LONGEST_CALL):
            raise word.fail(f"{quote(word.text)} names no operation; write TASK.OPERATION, as 1.2")
        if not 1 <= int(task) <= len(mount.tasks):
            raise word.fail(f"there is no task {int(task)}; tasks are 1..{len(mount.tasks)}")
        count = len(mount.tasks[int(task) - 1])
        if not 1 <= int(op) <= count:
            raise word.fail(
                f"task {int(task)} has no operation {int(op)}; its operations are 1..{count}"
            )
        needs[int(task) - 1] = int(op)
    return tuple(needs)


def _observed(line: Line | None) -> tuple[str, ...]:
    if line is None:
        return ("file", "properties")
    head, *words = line.words
    if not words:
        raise head.fail_after(f"what is missing; expected some of {', '.join(_OBSERVED)}")
    for word in words:
        if word.text not in _OBSERVED:
            raise word.fail(
                f"unknown observation {quote(word.text)}; expected {', '.join(_OBSERVED)}"
            )
    return tuple(word.text for word in words)


def _syncs(scope: Scope, line: Line | None) -> tuple[tuple[int, int], ...]:
    found = tuple(
        (t, n)
        for t, task in enumerate(scope.mounts[-1].tasks)
        for n, op in enumerate(task)
        if op.code in SYNCS
    )
    if not found:
        assert line is not None
        raise line.words[0].fail('no fsync in the last mount to observe; drop "fsync"')
    return found


# ---- what is allowed ----------------------------------------------------------------------------


def _check_designs(drafts: list[_BlockDraft]) -> None:
    """Every block names designs that exist, and each of them is named once."""
    seen: dict[str, int] = {}
    for draft in drafts:
        head, *words = draft.head.words
        if not words:
            raise head.fail_after(f"designs missing; expected some of {', '.join(DESIGNS)}")
        for word in words:
            if word.text not in DESIGNS:
                known = ", ".join(DESIGNS)
                raise word.fail(f"unknown design {quote(word.text)}; expected some of {known}")
            if word.text in seen:
                raise word.fail(f'second set for "{word.text}" (line {seen[word.text]}); keep one')
            seen[word.text] = word.place.line


class _OutcomeReader:
    """Reads the lines of allowed sets of one test."""

    def __init__(
        self, scope: Scope, seen: Observation, judges: bool, properties: Collection[str]
    ) -> None:
        self.scope = scope
        self.seen = seen
        self.judges = judges
        self.properties = properties
        data = sum(op.code in DATA_OPS for task in scope.mounts[-1].tasks for op in task)
        self.letters = ORDER[: len(LETTERS) - 4 + data]

    def block(self, draft: _BlockDraft) -> Allowed:
        """Return the block with its lines."""
        lines: list[AllowedLine] = []
        violates: tuple[str, ...] | None = None
        violates_line = 0
        taken: dict[Outcome, int] = {}
        for line in draft.lines:
            head = line.words[0]
            if head.text == _VIOLATES:
                if violates is not None:
                    raise head.fail('second "violates" in this set; keep one of them')
                violates, violates_line = self._violates(line), head.place.line
                continue
            entry = AllowedLine(self._pattern(line.words), head.place.line)
            for outcome in entry.pattern.outcomes():
                if outcome in taken:
                    raise head.fail(f"part of it is already allowed in line {taken[outcome]}")
                taken[outcome] = entry.line
            lines.append(entry)
        first = draft.head.words[0].place.line
        last = max([first, *(line.words[0].place.line for line in draft.lines)])
        names = tuple(word.text for word in draft.head.words[1:])
        return Allowed(names, tuple(lines), violates or (), first, last, violates_line)

    def _violates(self, line: Line) -> tuple[str, ...]:
        head, *words = line.words
        if not self.judges:
            raise head.fail('properties are not observed; add "properties" to the "observe" line')
        if not words:
            raise head.fail_after("properties missing; drop the line if none is violated")
        for word in words:
            if word.text not in self.properties:
                known = ", ".join(self.properties)
                raise word.fail(f"unknown property {quote(word.text)}; expected {known}")
        return tuple(sorted({word.text for word in words}))

    def _pattern(self, words: tuple[Word, ...]) -> Pattern:
        rest = list(words)
        results = tuple(self._result(rest, words[-1], t, n) for t, n in self.seen.syncs)
        files: list[tuple[int, tuple[str, ...]]] = []
        if self.seen.files:
            for number in range(self.scope.geometry.nr_inodes):
                if number:
                    self._expect(rest, words[-1], f"@{number}")
                files.append(self._file(rest, words[-1]))
        if prod(len(letters) for _, file in files for letters in file) > MAX_LINE_OUTCOMES:
            raise words[0].fail(f"more than {MAX_LINE_OUTCOMES} outcomes in one line; split it")
        if rest:
            raise rest[0].fail(f"unexpected {quote(rest[0].text)}; end the outcome before it")
        return Pattern(tuple(files), results)

    def _result(self, rest: list[Word], last: Word, task: int, op: int) -> tuple[str, str]:
        call = f"{task + 1}.{op + 1}"
        known = (*RESULTS, PENDING)
        if not rest:
            raise last.fail_after(f"result missing; write {call}= and one of {', '.join(known)}")
        word = rest.pop(0)
        name, _, result = word.text.partition("=")
        if name != call or result not in known:
            raise word.fail(f"expected {call}= and one of {', '.join(known)}")
        return call, result

    def _expect(self, rest: list[Word], last: Word, text: str) -> None:
        if not rest:
            raise last.fail_after(f'file missing; write "{text}" and what it shows')
        word = rest.pop(0)
        if word.text != text:
            raise word.fail(f'unexpected {quote(word.text)}; expected "{text}" and what it shows')

    def _file(self, rest: list[Word], last: Word) -> tuple[int, tuple[str, ...]]:
        """Read ``size=N "cells"``."""
        if not rest:
            raise last.fail_after("size missing; write size= and a number of cells")
        word = rest.pop(0)
        key, equals, _ = word.text.partition("=")
        if key != "size" or not equals:
            expected = 'expected an outcome, as size=3 "oA|B"'
            raise word.fail(f"unexpected {quote(word.text)}; {expected}")
        size = whole_number(word.tail(len("size=")), "size")
        if not 0 <= size <= total_cells(self.scope.geometry):
            raise word.fail(f"size must be 0..{total_cells(self.scope.geometry)}")
        if not rest or not rest[0].text.startswith('"'):
            if size:
                raise word.fail_after(f"content missing; write {size} cells in double quotes")
            return 0, ()
        return size, self._cells(rest.pop(0), size)

    def _cells(self, word: Word, size: int) -> tuple[str, ...]:
        text = word.text
        if len(text) < 2 or not text.endswith('"'):
            raise word.fail("content without an end; close it with a double quote, without blanks")
        cells: list[str] = []
        bars: list[int] = []
        at, end = 1, len(text) - 1
        while at < end:
            if text[at] == "|":
                bars.append(len(cells))
                at += 1
                continue
            letters, used = self._letters(word.tail(at), text[at:end])
            cells.append(letters)
            at += used
        if len(cells) != size:
            raise word.fail(f"{len(cells)} cells, and size={size} needs {size}; change one of them")
        per_block = self.scope.geometry.cells_per_block
        if bars and bars != list(range(per_block, size, per_block)):
            raise word.fail(f"bars stand between blocks, after every {per_block} cells; move them")
        return tuple(cells)

    def _letters(self, word: Word, text: str) -> tuple[str, int]:
        """Return the letters of the next cell and how many characters that took."""
        letters, used = text[0], 1
        if letters == "[":
            letters, closed, _ = text[1:].partition("]")
            if not closed or not letters:
                raise word.fail("class of letters without an end; write it as [oA]")
            used = len(letters) + 2
        wrong = next((c for c in letters if c not in self.letters), "")
        if wrong:
            raise word.fail(
                f"unknown content {quote(wrong)}; expected one of {' '.join(self.letters)}"
            )
        if len(set(letters)) != len(letters):
            raise word.fail("a letter twice in one class; keep one of them")
        return ordered(letters), used
