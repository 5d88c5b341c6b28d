"""The reference machine: the same runs, judged by the plain specification and nothing else.

What: one task a file (after a power cut another one may have it), no failing device, room for every
block; after each call that returns, the page cache and the size must be the specification's
version; after each step, every file a power cut could leave must be one it allows.
Why so: with one program a file the specification is exact, and everything else (flusher, worker,
device, journal, timer) still runs in any order.
Rejected: comparing with the checkers' properties (what both miss would stay missed).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import ClassVar

from hypothesis import strategies as st

from powercut.checkers.crash.image import file_images
from powercut.checkers.machines.crash_machine import CrashMachine
from powercut.checkers.machines.judge import CRASHES, Judge, Seen
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.reference import SYNCS, ZEROS, FileSpec
from powercut.checkers.machines.setups import Setup
from powercut.model.designs import Design
from powercut.model.mutants import Mutant
from powercut.model.recovery import Disk, read_file, recover
from powercut.model.scope import Geometry, OpCode, Timer
from powercut.model.state import ZERO
from powercut.properties.kinds import ANY_KIND, CONTENT, CRASH, GROWN, READ, SIZE

_IMAGES = 64
NEEDS = ("data-in-flight", "completed-before-commit", "dirty-tail")
"""The situations that a search has to reach."""
GEOMETRIES = (
    Geometry(nr_phys=8),
    Geometry(blocks_per_folio=2, nr_phys=8),
    Geometry(nr_blocks=1, nr_phys=8, nr_inodes=2),
    Geometry(nr_blocks=2, nr_phys=8, nr_inodes=2),
)
"""With so many blocks no call fails: a task's four operations cannot use them up."""


@st.composite
def roomy_setups(
    draw: st.DrawFn,
    designs: Sequence[Design],
    mutant: Mutant | None,
    geometries: Sequence[Geometry],
) -> Setup:
    """Set-ups in which no block is missing and no bio fails."""
    geometry = draw(st.sampled_from(geometries))
    return Setup(
        design=draw(st.sampled_from(designs)),
        mutant=mutant,
        geometry=geometry,
        initial_size_cells=draw(st.integers(0, geometry.nr_blocks * geometry.cells_per_block)),
        timer=draw(st.sampled_from((Timer.FREE, Timer.NEVER, Timer.ONCE))),
        log_transactions=draw(st.sampled_from((0, 0, 2))),
        nodelalloc=draw(st.sampled_from((False, False, True))),
        flusher_passes=draw(st.sampled_from((1, 0, 2))),
    )


class ReferenceJudge(Judge):
    """Judges one run by the specification of each of its files."""

    def __init__(self, run: LiveRun) -> None:
        super().__init__(run)
        names = run.system.build.layout.names()
        self._returned = [
            names.index(f"stable.oracle.calls[{t}].returned") for t in range(len(run.tasks))
        ]
        self.rewind()

    def rewind(self) -> None:
        """The mount begins (again): the files are what recovery left."""
        super().rewind()
        run = self.run
        geometry = run.setup.geometry
        self._files = [
            FileSpec(_values(read_file(run.start_disk, geometry, i)), geometry.cells_per_block)
            for i in range(geometry.nr_inodes)
        ]
        self._done = [0] * geometry.nr_inodes

    def look(self) -> Iterator[Seen]:
        """Yield what the specification does not allow here."""
        for task, ops in enumerate(self.run.tasks):
            if ops:
                yield from self._follow(task, ops[0].inode)
        projection = self.run.state[self.run.system.projected]
        if projection != self._projection:
            self._projection = projection
            yield from self._crashed(projection)

    def _follow(self, task: int, i: int) -> Iterator[Seen]:
        """Note calls of file ``i`` that began or returned; what the last one left can be read."""
        run, ops, spec = self.run, self.run.tasks[task], self._files[i]
        returned = run.state[self._returned[task]]
        if returned > self._done[i]:
            yield from self._settled(task, i, returned)
        n = len(spec.begun)
        if n < min(returned + 1, len(ops)):
            spec.begin(ops[n], run.colour_of(task, n) if (task, n) in run.colours else ZEROS)

    def _settled(self, task: int, i: int, returned: int) -> Iterator[Seen]:
        self._done[i] = returned
        spec, op = self._files[i], self.run.tasks[task][returned - 1]
        k = self.run.system.view(self.run.state)
        result = k.stable.oracle.calls[task].results >> (2 * (returned - 1)) & 3
        if op.code in SYNCS and result == 0:
            spec.synced()
        inode = k.inode[i]
        shown = _values([inode.page[c] for c in range(inode.i_size)])
        wanted = spec.versions[-1].cells
        if tuple(shown) != wanted and (READ, ANY_KIND, i) not in self.muted:
            text = f"inode {i}: after {op.code.name} a read shows {shown}, expected {list(wanted)}"
            yield Seen(READ, ANY_KIND, text, inode=i)

    def _crashed(self, projection: bytes) -> Iterator[Seen]:
        run, geometry = self.run, self.run.setup.geometry
        state = run.mount.crash_of(projection)
        CRASHES.note(geometry, projection, state)
        for image in islice(file_images(state), _IMAGES):
            disk = recover(image, geometry)
            for i, spec in enumerate(self._files):
                yield from self._judge_file(i, spec, read_file(disk, geometry, i), image)

    def _judge_file(
        self, i: int, spec: FileSpec, colours: Sequence[int], image: Disk
    ) -> Iterator[Seen]:
        found = _values(colours)
        wrong = spec.wrong_after_crash(found)
        kind = SIZE if wrong.startswith(SIZE) else CONTENT
        if wrong and (CRASH, kind, i) not in self.muted:
            yield Seen(CRASH, kind, f"inode {i}: {wrong}", image, i)
        if spec.grew_without_data(found) and (GROWN, ANY_KIND, i) not in self.muted:
            yield Seen(GROWN, ANY_KIND, f"inode {i}: size {len(found)} covers no data", image, i)


def _values(colours: Sequence[int]) -> list[int]:
    return [ZEROS if colour == ZERO else colour for colour in colours]


class ReferenceMachine(CrashMachine):
    """The crash machine with one task a file and the specification as its judge."""

    setups: ClassVar[Callable[..., st.SearchStrategy[Setup]]] = staticmethod(roomy_setups)
    judge_class: ClassVar[type[Judge]] = ReferenceJudge
    explores: ClassVar[bool] = False
    observes_calls: ClassVar[bool] = True

    def _start(
        self, code: OpCode, task: int, inode: int, pos: int, length: int, turns: bytes
    ) -> None:
        task = min(task, self.run.used_tasks(), self.run.setup.geometry.nr_inodes - 1)
        super()._start(code, task, task, pos, length, turns)
