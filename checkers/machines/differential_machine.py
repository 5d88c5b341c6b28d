"""The differential machine: Hypothesis draws a workload, and two designs run it.

What: rules call the system calls of one or two tasks, one call at a time, and the jobs of the
background; one cuts the power where both designs can leave the same files, and mounts again.
Anything that differs fails, with both runs, unless it is in one of the two tables of
:mod:`~powercut.checkers.machines.differential`: what is legal, and what is wrong and known.
Why so: calls one at a time make reads, results and allocation comparable; what calls do to each
other is the crash machine's and the reference machine's business.
Rejected: overlapping calls (the designs take different locks, so their orders differ).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from powercut.checkers.crash.image import file_images
from powercut.checkers.machines.differential import (
    CRASH,
    FOUND,
    LEGAL,
    REST,
    RESULT,
    STUCK,
    SYNCED,
    Difference,
    Legal,
    Side,
    Wrong,
    differences,
)
from powercut.checkers.machines.reference import SYNCS
from powercut.checkers.machines.setups import Setup
from powercut.checkers.machines.tally import Tally
from powercut.checkers.weave.patch import ModelPatch
from powercut.model.designs import Design
from powercut.model.mutants import Mutant
from powercut.model.recovery import Disk, read_file, recover
from powercut.model.scope import Geometry, Op, OpCode, Timer

PASSES = 200
_IMAGES = 64
_CELLS = st.integers(0, 15)
_LENGTHS = st.integers(1, 4)
_TASKS = st.integers(0, 1)
_CODES = {"punch": OpCode.PUNCH, "zero": OpCode.ZERO_RANGE, "fallocate": OpCode.FALLOCATE}

JOBS = (Side.flush, Side.complete, Side.convert, Side.commit)
_JOBS = st.lists(st.sampled_from(JOBS), max_size=6)
_SOME_JOBS = st.lists(st.sampled_from(JOBS), min_size=1, max_size=6)

Jobs = Sequence[Callable[[Side], None]]
Files = tuple[tuple[int, ...], ...]


class Differs(AssertionError):
    """Two designs differ in a way that is not legal."""

    def __init__(self, difference: Difference, jobs: Sequence[str], sides: Sequence[Side]) -> None:
        self.difference = difference
        self.jobs = tuple(jobs)
        self.sides = tuple(sides)
        super().__init__(f"{difference.kind}: {self.told()}")

    def told(self) -> str:
        """Say what differs, after which calls and jobs, and who ran on either side."""
        stories = (f"  {side.run.setup.design.name}: {side.story()}" for side in self.sides)
        return "\n".join((self.difference.detail, f"  {'; '.join(self.jobs)}", *stories))


_CLASSES: dict[str, type[Differs]] = {}


def differs(difference: Difference, jobs: Sequence[str], sides: Sequence[Side]) -> Differs:
    """Return the exception for ``difference``: one class a kind, so that kinds do not mix."""
    kind = difference.kind
    if kind not in _CLASSES:
        name = "".join(word.capitalize() for word in kind.replace("_", "-").split("-"))
        _CLASSES[kind] = type(name, (Differs,), {})
    return _CLASSES[kind](difference, jobs, sides)


@st.composite
def pairs(
    draw: st.DrawFn,
    designs: tuple[Design, Design],
    mutant: Mutant | None,
    patches: tuple[ModelPatch, ...],
    geometries: Sequence[Geometry],
) -> tuple[Setup, Setup]:
    """Two set-ups that differ in the design, and in the mutant and the patches of the second."""
    geometry = draw(st.sampled_from(geometries))
    cells = min(geometry.nr_blocks, geometry.nr_phys) * geometry.cells_per_block
    setup = Setup(
        design=designs[0],
        geometry=geometry,
        initial_size_cells=draw(st.integers(0, cells)),
        timer=Timer.FREE,
        nodelalloc=draw(st.sampled_from((False, False, True))),
        flusher_passes=PASSES,
    )
    return setup, replace(setup, design=designs[1], mutant=mutant, patches=patches)


class DifferentialMachine(RuleBasedStateMachine):
    """Use :func:`differential_machine`; ``tally`` counts examples, steps, and what is known.

    ``legal`` and ``found`` are the two tables, ``passed_over`` kinds that are in neither and are
    not reported; ``first_failure`` becomes the number of the example that failed first,
    ``shortest`` the difference with the fewest jobs.
    """

    legal: ClassVar[Sequence[Legal]] = LEGAL
    found: ClassVar[Sequence[Wrong]] = FOUND
    passed_over: ClassVar[Collection[str]] = ()
    tally: ClassVar[Tally] = Tally()
    first_failure: ClassVar[int] = 0
    shortest: ClassVar[Differs | None] = None
    sides: tuple[Side, Side]

    @staticmethod
    def check() -> None:
        """Raise if the search has to end."""

    def begin(self, setups: tuple[Setup, Setup]) -> None:
        """Mount the same disk with both designs."""
        self.check()
        self.sides = (Side(setups[0]), Side(setups[1], place=1))
        self.jobs: list[str] = []
        self._over = False
        self.tally.examples += 1

    @rule(task=_TASKS, pos=_CELLS, length=_LENGTHS, jobs=_JOBS)
    def write(self, task: int, pos: int, length: int, jobs: Jobs) -> None:
        """write(2)."""
        self._call(task, OpCode.WRITE, pos, length, jobs)

    @rule(task=_TASKS, gap=st.integers(0, 2), length=_LENGTHS, jobs=_JOBS)
    def append(self, task: int, gap: int, length: int, jobs: Jobs) -> None:
        """write(2) at or behind EOF."""
        size = len(self.sides[0].look()[0].content)
        self._call(task, OpCode.WRITE, size + gap, length, jobs)

    @rule(task=_TASKS, pos=_CELLS, jobs=_JOBS)
    def store(self, task: int, pos: int, jobs: Jobs) -> None:
        """A store through a shared mapping."""
        self._call(task, OpCode.STORE, pos, 1, jobs)

    @rule(task=_TASKS, size=st.integers(0, 16), jobs=_JOBS)
    def truncate(self, task: int, size: int, jobs: Jobs) -> None:
        """truncate(2)."""
        self._call(task, OpCode.TRUNCATE, size, 0, jobs)

    @rule(
        task=_TASKS, name=st.sampled_from(sorted(_CODES)), pos=_CELLS, length=_LENGTHS, jobs=_JOBS
    )
    def change_range(self, task: int, name: str, pos: int, length: int, jobs: Jobs) -> None:
        """fallocate(2) in one of its modes."""
        self._call(task, _CODES[name], pos, length, jobs)

    @rule(task=_TASKS, data=st.booleans(), jobs=_JOBS)
    def sync(self, task: int, data: bool, jobs: Jobs) -> None:
        """fsync(2) or fdatasync(2)."""
        self._call(task, OpCode.FDATASYNC if data else OpCode.FSYNC, 0, 0, jobs)

    @rule(jobs=_SOME_JOBS)
    def background(self, jobs: Jobs) -> None:
        """Jobs of the background, one after the other."""
        for job in jobs:
            self._job(job)

    @rule()
    def rest(self) -> None:
        """Everything is written and committed."""
        self._job(Side.rest, phase=REST)

    @rule(which=st.integers(0, 7))
    def cut_power(self, which: int) -> None:
        """Cut the power where both can leave the same files, and mount them."""
        if self._over or not all(side.run.may_remount() for side in self.sides):
            return
        first, second = (_outcomes(side) for side in self.sides)
        common = sorted(first.keys() & second.keys())
        if common:
            files = common[which % len(common)]
            self.jobs.append(f"cut the power, leaving {files}")
            for side, outcomes in zip(self.sides, (first, second), strict=True):
                side.run.remount(outcomes[files])
            self.tally.power_cuts += 1
            self._compare(CRASH)

    def teardown(self) -> None:
        """Compare once more at rest."""
        if hasattr(self, "sides"):
            self._job(Side.rest, phase=REST)
            self.tally.steps += sum(side.run.steps for side in self.sides)

    def _job(self, job: Callable[[Side], None], phase: str = CRASH) -> None:
        if self._over:
            return
        self.jobs.append(job.__name__)
        for side in self.sides:
            job(side)
        at_rest = all(side.is_at_rest() for side in self.sides)
        self._compare(CRASH if phase == REST and not at_rest else phase)

    def _call(self, task: int, code: OpCode, pos: int, length: int, jobs: Jobs) -> None:
        geometry = self.sides[0].run.setup.geometry
        cells = geometry.nr_blocks * geometry.cells_per_block
        if code == OpCode.TRUNCATE:
            op = Op(code, pos % (cells + 1))
        else:
            start = pos % cells
            op = Op(code, start, min(length, cells - start)) if length else Op(code)
        task = min(task, self.sides[0].run.used_tasks())
        if self._over or not self.sides[0].run.room(task, op):
            return
        self.jobs.append(f"task {task}: {code.name.lower()} {op.pos_cells} {op.length_cells}")
        first, second = (side.call(task, op) for side in self.sides)
        if None in (first, second):
            self._over = True
        if (first is None) != (second is None):
            label = self.sides[0 if first is None else 1].label
            self._fail(Difference(f"{STUCK}-on-{label}", "the call does not return"))
        elif first != second:
            self._fail(Difference(RESULT, f"{first} and {second}"))
        if not self._over:
            self._compare(SYNCED if code in SYNCS and first == second == 0 else CRASH)
        for job in jobs:
            self._job(job)

    def _compare(self, phase: str) -> None:
        for difference in differences(self.sides, phase):
            self._fail(difference)

    def _fail(self, difference: Difference) -> None:
        reason = self.explains(difference.kind)
        if reason:
            design = self.sides[1].run.setup.design.name
            self.tally.known[design, difference.kind, reason] += 1
        elif difference.kind not in self.passed_over:
            machine = type(self)
            machine.first_failure = machine.first_failure or self.tally.examples
            error = differs(difference, self.jobs, self.sides)
            if machine.shortest is None or len(error.jobs) < len(machine.shortest.jobs):
                machine.shortest = error
            raise error

    def explains(self, kind: str) -> str:
        """Return why a difference of ``kind`` is no news in this mount; "" if it is."""
        for entry in self.legal:
            if entry.kind == kind:
                return entry.reason
        names = {side.run.setup.design.name for side in self.sides}
        for wrong in self.found:
            concerned = wrong.kind == kind and names & set(wrong.designs)
            if concerned and any(wrong.when(side.run) for side in self.sides):
                return wrong.finding
        return ""


def _outcomes(side: Side) -> dict[Files, Disk]:
    """Return the files that a power cut can leave, each with an image that does."""
    geometry = side.run.setup.geometry
    found: dict[Files, Disk] = {}
    for image in islice(file_images(side.run.crash_state()), _IMAGES):
        disk = recover(side.run.mount.next_disk(image), geometry)
        files = tuple(read_file(disk, geometry, i) for i in range(geometry.nr_inodes))
        found.setdefault(files, image)
    return found


def differential_machine(
    designs: tuple[Design, Design],
    geometries: Sequence[Geometry],
    mutant: Mutant | None = None,
    *,
    patches: tuple[ModelPatch, ...] = (),
    legal: Sequence[Legal] = LEGAL,
    found: Sequence[Wrong] = FOUND,
    passed_over: Collection[str] = (),
    tally: Tally | None = None,
    check: Callable[[], None] = DifferentialMachine.check,
) -> type[DifferentialMachine]:
    """Return the machine that compares two designs; the second has ``mutant`` and ``patches``."""

    @initialize(setups=pairs(designs, mutant, patches, tuple(geometries)))
    def mount(self: Any, setups: tuple[Setup, Setup]) -> None:
        self.begin(setups)

    members = {
        "mount": mount,
        "legal": tuple(legal),
        "found": tuple(found),
        "passed_over": passed_over,
        "tally": Tally() if tally is None else tally,
        "first_failure": 0,
        "shortest": None,
        "check": staticmethod(check),
    }
    return type("DifferentialMachine", (DifferentialMachine,), members)
