"""Litmus tests on a real kernel: every outcome that is seen must be in the model's exact set.

What: a litmus test becomes a situation that runs in rounds; each crash state of the log says which
outcome each round shows there, in the notation of litmus tests.  The set is not the one that the
file writes down but that of the same program with wider budgets: a kernel's commit timer, its
flusher and its log are not bounded as a small scope bounds them.
Why so: the other direction of the lab.  A reproduction says that the model's finding is real; this
says that what is real is in the model.
Rejected: the sets of the files (a second flusher pass would look like a mistake of the model), more
outcomes for "unknown" (what is not in the set is outside, whatever it is).
"""

import errno
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from powercut.checkers.kernel.block_log import BlockLog
from powercut.checkers.kernel.budgets import kernel_scopes
from powercut.checkers.kernel.crash_states import Coverage, CrashPoint, CrashStates
from powercut.checkers.kernel.errors import DamagedError
from powercut.checkers.kernel.guest.machine import Console
from powercut.checkers.kernel.judge import Returned, letters_of, marks_of, readings_of
from powercut.checkers.kernel.medium import BaseImage
from powercut.checkers.kernel.model_image import LETTERS as BYTES
from powercut.checkers.kernel.rounds import Batch, Situation, batches_of, file_name
from powercut.checkers.kernel.trial import (
    SECTOR_BYTES,
    Conditions,
    Laboratory,
    Shown,
    shown_by,
)
from powercut.checkers.kernel.volume import Volume
from powercut.checkers.litmus import Litmus
from powercut.checkers.run.observation import (
    LETTERS,
    PENDING,
    Observation,
    Outcome,
)
from powercut.checkers.run.observation import (
    CrashPoint as When,
)
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.scope import OpCode, Scope
from powercut.model.state import FOREIGN

UNKNOWN = "?"
"""Behind the last whole cell of a file; the result of a call that the model does not have."""
_SYNCS = (OpCode.FSYNC, OpCode.FDATASYNC)
_RESULTS = {0: "0", errno.EIO: "EIO", errno.ENOSPC: "ENOSPC", errno.EROFS: "EROFS"}
_OWN_LETTERS = dict(zip(BYTES.values(), LETTERS.values(), strict=True))
_FOUND_LETTERS = tuple(BYTES.values())[:4]
"""What a file may show that no call of its program wrote."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A litmus test that a kernel can be asked: what runs, what is looked at, what may be seen."""

    litmus: Litmus
    situation: Situation
    observation: Observation
    allowed: frozenset[Outcome]

    @property
    def when(self) -> When:
        """When a power cut counts."""
        return self.observation.points[-1]


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where an outcome was seen first: the crash state, or None for one without a power cut."""

    round: int
    point: CrashPoint | None


@dataclass(slots=True)
class Tally:
    """What the rounds of one litmus test showed, and where each outcome was seen first."""

    asked: Asked
    batch: Batch
    seen: dict[Outcome, Sighting] = field(default_factory=dict)
    looks: int = 0

    @property
    def outside(self) -> dict[Outcome, Sighting]:
        """The outcomes that the model does not have."""
        return {o: at for o, at in self.seen.items() if o not in self.asked.allowed}

    def add(self, outcome: Outcome, round_: int, point: CrashPoint | None) -> None:
        """Count a look at a round."""
        self.looks += 1
        if outcome not in self.seen:
            self.seen[outcome] = Sighting(round_, point)


@dataclass(slots=True)
class Conformed:
    """What one boot showed: a tally a litmus test, and the crash states that were looked at.

    ``unread`` counts states that no mount would accept; ``first_unread`` says why of the first.
    """

    console: Console
    tallies: tuple[Tally, ...]
    coverage: Coverage
    states: int = 0
    unread: int = 0
    first_unread: str = ""
    stopped: str = ""
    seconds: float = 0.0


def groups_of(asked: Iterable[Asked], most: int) -> list[list[Asked]]:
    """Return what can share a boot: the same block size and mount options, at most ``most``."""
    alike: dict[tuple[int, tuple[str, ...]], list[Asked]] = {}
    for each in asked:
        key = each.situation.block_bytes, each.situation.mount_options
        alike.setdefault(key, []).append(each)
    return [group[at : at + most] for group in alike.values() for at in range(0, len(group), most)]


def conform(
    laboratory: Laboratory,
    asked: Sequence[Asked],
    rounds: int,
    conditions: Conditions,
    on_state: Callable[[Conformed], None] = lambda _: None,
) -> Conformed:
    """Run litmus tests that can share a boot in rounds, and look at every crash state.

    Raises what :meth:`Laboratory.run` raises.
    """
    batches = batches_of([each.situation for each in asked], rounds)
    console = laboratory.run(batches, conditions)
    base, log = BaseImage.of_file(laboratory.base_path), BlockLog(laboratory.log_path)
    states = CrashStates(base, log, conditions.choice)
    tallies = tuple(Tally(a, b) for a, b in zip(asked, batches, strict=True))
    conformed = Conformed(console, tallies, states.coverage)
    looker = Looker(tallies, asked[0].situation.block_bytes, log)
    begun = time.monotonic()
    for point in states:
        conformed.states += 1
        try:
            looker.look(point)
        except DamagedError as error:
            conformed.unread += 1
            conformed.first_unread = conformed.first_unread or f"entry {point.before}: {error}"
        conformed.seconds = time.monotonic() - begun
        on_state(conformed)
        if conformed.seconds > conditions.time_limit_seconds:
            conformed.stopped = f"time limit of {conditions.time_limit_seconds:g} s"
            break
    looker.shown(shown_by(console))
    return conformed


def asked_of(litmus: Litmus, design: str) -> Asked:
    """Return the litmus test as a kernel can be asked, with the exact set of ``design``.

    Raises ValueError for a test that no kernel can be asked, or whose set is not complete.
    """
    scopes = kernel_scopes(litmus.scope)
    situation = Situation.of_scope(scopes[0])
    syncs = _sync_places(scopes[0])
    seen = replace(litmus.observation, files=True, syncs=syncs)
    outcomes: set[Outcome] = set()
    for scope in scopes:
        result = run_scope(Question(DESIGNS[design], scope, observation=seen))
        if not result.exhaustive:
            raise ValueError(f"the set of {design} is not complete: {result.states:,} states")
        outcomes.update(result.outcomes)
    return Asked(litmus, situation, seen, frozenset(outcomes))


def _sync_places(scope: Scope) -> tuple[tuple[int, int], ...]:
    return tuple(
        (t, n)
        for t, task in enumerate(scope.mounts[-1].tasks)
        for n, op in enumerate(task)
        if op.code in _SYNCS
    )


class Looker:
    """Says what the rounds of litmus tests show in the crash states of one log, in its order."""

    def __init__(self, tallies: Sequence[Tally], block_bytes: int, log: BlockLog) -> None:
        self._tallies = tallies
        self._block_bytes = block_bytes
        self._marks = marks_of(log)
        self._passed = 0
        self._last_round = -1
        self._results: dict[tuple[int, int], list[int]] = {}

    def look(self, point: CrashPoint) -> None:
        """Count what each round that has begun shows.  Raises :class:`DamagedError`."""
        while self._passed < len(self._marks) and self._marks[self._passed].entry < point.before:
            self._take(self._marks[self._passed])
            self._passed += 1
        volume = Volume(point.medium)
        for tally in self._tallies:
            if tally.asked.when.live or tally.batch.first > self._last_round + 1:
                continue
            for round_ in tally.batch.numbers:
                if round_ <= self._last_round + 1 and self._counts(tally, round_):
                    for outcome in self._outcomes(tally, round_, volume):
                        tally.add(outcome, round_, point)

    def shown(self, lines: Iterable[Shown]) -> None:
        """Count what the guest itself read when all tasks of a round were done."""
        for mark in self._marks[self._passed :]:
            self._take(mark)
        self._passed = len(self._marks)
        files: dict[tuple[int, int], Shown] = {(s.round, s.inode): s for s in lines}
        for tally in self._tallies:
            if tally.asked.when.live:
                for round_ in tally.batch.numbers:
                    self._add_shown(tally, round_, files)

    def _add_shown(self, tally: Tally, round_: int, files: dict[tuple[int, int], Shown]) -> None:
        shown = [files.get((round_, inode)) for inode in _inodes(tally)]
        contents = []
        for each in shown:
            if each is None:
                return
            sectors = bytes(0 if letter == "." else ord(letter) for letter in each.sectors)
            content = b"".join(bytes([byte]) * SECTOR_BYTES for byte in sectors)
            contents.append(self._contents(tally, each.size_bytes, content))
        for n in range(max(map(len, contents))):
            found = tuple(content[n % len(content)] for content in contents)
            tally.add(Outcome(found, self._calls(tally, round_)), round_, None)

    def _take(self, mark: Returned) -> None:
        self._results.setdefault((mark.round, mark.task), []).append(mark.errno)
        self._last_round = max(self._last_round, mark.round)

    def _returned(self, round_: int, task: int) -> Sequence[int]:
        return self._results.get((round_, task), ())

    def _counts(self, tally: Tally, round_: int) -> bool:
        tasks = range(len(tally.asked.situation.tasks))
        return tally.asked.when.counts([len(self._returned(round_, t)) for t in tasks])

    def _calls(self, tally: Tally, round_: int) -> tuple[tuple[str, str], ...]:
        calls = []
        for task, op in tally.asked.observation.syncs:
            results = self._returned(round_, task)
            result = _RESULTS.get(results[op], UNKNOWN) if op < len(results) else PENDING
            calls.append((f"{task + 1}.{op + 1}", result))
        return tuple(calls)

    def _outcomes(self, tally: Tally, round_: int, volume: Volume) -> Iterator[Outcome]:
        """Yield what a round shows: one outcome, more where a cell has several letters."""
        files = [self._file(tally, round_, i, volume) for i in _inodes(tally)]
        calls = self._calls(tally, round_)
        for n in range(max(map(len, files))):
            yield Outcome(tuple(found[n % len(found)] for found in files), calls)

    def _file(self, tally: Tally, round_: int, inode: int, volume: Volume) -> list[tuple[int, str]]:
        number = volume.root.get(file_name(inode, round_))
        if number is None:
            return [(0, "")]
        file = volume.file(number)
        return self._contents(tally, file.size_bytes, volume.read(file))

    def _contents(self, tally: Tally, size_bytes: int, content: bytes) -> list[tuple[int, str]]:
        """Return size and letters in cells, as often as a cell has letters."""
        situation = tally.asked.situation
        cell_bytes = self._block_bytes // situation.geometry.cells_per_block
        own = {*letters_of(situation.tasks).values(), *_FOUND_LETTERS}
        size, rest = divmod(size_bytes, cell_bytes)
        readings = readings_of(content, cell_bytes)
        rows = ("".join(_letter(each, own) for each in cells) for cells in readings)
        return [(size + bool(rest), row[:size] + UNKNOWN * bool(rest)) for row in rows]


def _inodes(tally: Tally) -> range:
    return range(len(tally.asked.situation.disk.inodes))


def _letter(byte: int, own: set[int]) -> str:
    """Return the letter of a cell; what belongs to neither program nor disk had another owner."""
    return _OWN_LETTERS[byte] if byte in own else LETTERS[FOREIGN]
