"""The differential machine: the buffer_head path and an iomap design run the same operations.

What: two runs, one operation at a time, each by its own paths and in its own order: the task runs,
and whenever it has to wait, everybody else does.  After every call the results are compared: size,
what a read shows, what a sync returns; where both are at rest, also every file that a power cut
could leave.  Differences are counted by kind; one that :data:`LEGAL` does not list fails.
Why so: two implementations of one contract check each other without any oracle.  One operation at a
time keeps what is compared defined: with calls in flight both may be right and differ.
Rejected: comparing states (they share no bytes worth comparing), or one schedule for both (their
preemption points are not the same ones).
"""

from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from checkers.crash.image import file_images
from model.designs import DESIGNS, Design
from model.mutants import Mutant
from model.recovery import read_file, recover
from model.scope import Geometry, Op, OpCode, Timer
from properties.machines.crash_machine import KINDS
from properties.machines.live import LiveRun
from properties.machines.reference import SYNCS
from properties.machines.setups import Setup

READ_SIZE, READ_CONTENT, SYNC_RESULT = "read-size", "read-content", "sync-result"
CRASH_SIZES, CRASH_CONTENT = "crash-sizes", "crash-content"
MOST_STEPS = 2_000

Files = set[tuple[int, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Legal:
    """A difference that is none: ``when`` tells from both runs, ``reason`` is for the reader."""

    kind: str
    reason: str
    when: Callable[[LiveRun, LiveRun], bool]


def _codes(run: LiveRun) -> set[OpCode]:
    return {op.code for op in run.tasks[0]}


def _not_synced_last(old: LiveRun, new: LiveRun) -> bool:
    """Something ran after the last sync: then each may have committed as much as it likes."""
    return not old.tasks[0] or old.tasks[0][-1].code not in SYNCS


def _stored_in_folio(old: LiveRun, new: LiveRun) -> bool:
    return OpCode.STORE in _codes(old) and old.setup.geometry.blocks_per_folio > 1


LEGAL: tuple[Legal, ...] = (
    Legal(
        CRASH_SIZES, "the buffer_head path raises i_disksize with the allocation or in the write, "
        "the iomap path after the data is written: until a sync, either size may be found",
        _not_synced_last,
    ),
    Legal(
        CRASH_CONTENT, "what was not synced may be there or not; the paths write back, and commit, "
        "at different times",
        _not_synced_last,
    ),
    Legal(
        CRASH_CONTENT, "a store past EOF into a later block of the folio: the finding folio-tail, "
        "whose byte each path writes at its own time",
        _stored_in_folio,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs, in the older path's words and the newer one's."""

    kind: str
    old: str
    new: str


class Differs(AssertionError):
    """A difference that nobody listed."""

    def __init__(self, difference: Difference, runs: Sequence[LiveRun]) -> None:
        super().__init__(f"{difference.kind}: {difference.old} against {difference.new}")
        self.difference = difference
        self.runs = tuple(runs)


def finish_call(run: LiveRun) -> None:
    """Let the task run until its call returned, and others only while it waits."""
    task = run.indexes["task"][0]
    for _ in range(MOST_STEPS):
        if run.system.is_finished(run.state, task):
            return
        enabled = run.enabled()
        if not enabled:
            return
        run.step(task if task in enabled else enabled[0])


def come_to_rest(run: LiveRun, kinds: Container[str]) -> None:
    """Let the threads of these kinds run until none of them can."""
    for _ in range(MOST_STEPS):
        enabled = [t for t in run.enabled() if run.threads[t].kind in kinds]
        if not enabled:
            return
        run.step(enabled[0])


def crash_files(run: LiveRun) -> Files:
    """Return every file (size, colours) that a power cut now could leave."""
    geometry = run.setup.geometry
    found: Files = set()
    for image in file_images(run.crash_state()):
        disk = recover(image, geometry)
        found.add((disk.inodes[0].size, read_file(disk, geometry, 0)))
    return found


class DifferentialMachine(RuleBasedStateMachine):
    """Both runs side by side; use :func:`differential_machine`."""

    new_design: ClassVar[Design] = DESIGNS["seed"]
    old_design: ClassVar[Design] = DESIGNS["bh-ordered"]
    mutant: ClassVar[Mutant | None] = None
    counted: ClassVar[Counter[tuple[str, str]]] = Counter()
    old: LiveRun
    new: LiveRun

    def begin(self, setup: Setup) -> None:
        """Mount the same disk with both designs."""
        self.old = LiveRun(replace(setup, design=self.old_design), observes_calls=True)
        new = replace(setup, design=self.new_design, mutant=self.mutant)
        self.new = LiveRun(new, observes_calls=True, place=1)

    @rule(
        code=st.sampled_from([code for code in OpCode if OpCode.WRITE <= code <= OpCode.FALLOCATE]),
        pos=st.integers(0, 15), length=st.integers(1, 4),
    )  # fmt: skip
    def call(self, code: OpCode, pos: int, length: int) -> None:
        """One system call in both, to its end."""
        geometry = self.old.setup.geometry
        cells = geometry.nr_blocks * geometry.cells_per_block
        op = Op(code, pos % cells, min(length, cells - pos % cells))
        if code == OpCode.TRUNCATE:
            op = Op(code, pos % (cells + 1))
        elif code in SYNCS:
            op = Op(code)
        elif code == OpCode.STORE:
            op = Op(code, pos % cells, 1)
        if not self.old.room(0, op):
            return
        for run in (self.old, self.new):
            run.start_op(0, op)
            finish_call(run)
        self._compare_reads(op)
        self._compare_crashes()

    @rule()
    def write_back(self) -> None:
        """Everything but the commit timer comes to rest in both."""
        self._rest(set(KINDS) - {"timer"})

    @rule()
    def commit(self) -> None:
        """What can be committed is; nothing is written back for it but what the commit orders."""
        self._rest({"timer", "kjournald", "disk"})

    @rule()
    def settle(self) -> None:
        """Everything comes to rest in both."""
        self._rest(KINDS)

    def _rest(self, kinds: Container[str]) -> None:
        for run in (self.old, self.new):
            come_to_rest(run, kinds)
        self._compare_crashes()

    def _compare_reads(self, op: Op) -> None:
        old, new = (run.system.view(run.state) for run in (self.old, self.new))
        sizes = old.inode[0].i_size, new.inode[0].i_size
        self._compare(READ_SIZE, *sizes)
        shown = [tuple(k.inode[0].page[c] for c in range(min(sizes))) for k in (old, new)]
        self._compare(READ_CONTENT, *shown)
        if op.code in SYNCS:
            at = 2 * (len(self.old.tasks[0]) - 1)
            self._compare(SYNC_RESULT, *(k.stable.calls[0].results >> at & 3 for k in (old, new)))

    def _compare_crashes(self) -> None:
        old, new = crash_files(self.old), crash_files(self.new)
        self._compare(CRASH_SIZES, sorted({s for s, _ in old}), sorted({s for s, _ in new}))
        sizes = {s for s, _ in old} & {s for s, _ in new}
        self._compare(
            CRASH_CONTENT,
            sorted(file for file in old if file[0] in sizes),
            sorted(file for file in new if file[0] in sizes),
        )

    def _compare(self, kind: str, old: Any, new: Any) -> None:
        if old == new:
            return
        for entry in LEGAL:
            if entry.kind == kind and entry.when(self.old, self.new):
                self.counted[kind, entry.reason] += 1
                event(f"legal: {kind}")
                return
        raise Differs(Difference(kind, str(old), str(new)), (self.old, self.new))


GEOMETRIES = (Geometry(nr_phys=6), Geometry(blocks_per_folio=2, nr_phys=6))


def differential_machine(
    new: Design, old: Design = DESIGNS["bh-ordered"],
    mutant: Mutant | None = None, counted: Counter[tuple[str, str]] | None = None,
) -> type[DifferentialMachine]:  # fmt: skip
    """Return the machine that compares ``new``, with ``mutant``, with ``old``.

    ``counted`` receives the legal differences.  No block is missing and no bio fails.
    """

    @initialize(
        geometry=st.sampled_from(GEOMETRIES), size=st.integers(0, 4), passes=st.integers(0, 2)
    )
    def mount(self: Any, geometry: Geometry, size: int, passes: int) -> None:
        self.begin(
            Setup(
                geometry=geometry, initial_size_cells=size, timer=Timer.FREE, flusher_passes=passes
            )
        )

    members = {
        "mount": mount,
        "new_design": new,
        "old_design": old,
        "mutant": mutant,
        "counted": Counter() if counted is None else counted,
    }
    return type(DifferentialMachine.__name__, (DifferentialMachine,), members)
