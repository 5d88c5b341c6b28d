"""Run a scope with and without each reduction, and compare what was found.

A reduction is a claim: what it leaves out changes nothing that matters.  Each is argued where it is
made; here each is tried, one at a time, on scopes small enough for the plain search.  Compared are
the violated properties, the situations reached, the crash states of every mount and the files that
recovery gives.  The searches here share the compiled steps with
:mod:`~powercut.checkers.run.mount` and nothing else: the loop over mounts and images is written
again on purpose, plainly, with every reduction a switch, so that a mistake of the runner's loop
shows as a difference.

Rejected: switches in the runner itself (it would be slower, and the audit would test its own
switch); comparing numbers of states (a reduction is there to change them).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from powercut.checkers.crash.image import all_images, decode, file_images
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.c import CBreadthFirst
from powercut.checkers.engine.search.depth import DepthFirst
from powercut.checkers.engine.search.outcome import Limits, Outcome, Progress, Watch
from powercut.checkers.engine.system import Build, System
from powercut.checkers.run.mount import predicates_of
from powercut.checkers.weave.program import MODEL
from powercut.model.designs import Design
from powercut.model.language import LIVELOCK
from powercut.model.mutants import Mutant
from powercut.model.recovery import Disk, canonical, mkfs, read_file, recover
from powercut.model.scope import OpCode, Scope
from powercut.model.setup import configure, dimensions, mount_disk
from powercut.model.state import ANY_COLOUR, FIRST_OP_COLOUR, HOLE, OLD, POLLUTION, WRITTEN
from powercut.properties.catalog import PREDICATES
from powercut.properties.crash import factored, on_image
from powercut.properties.crash_state import CrashState

BREADTH, DIGESTS, IN_C = "breadth", "digests", "c"

_COLOURS = (ANY_COLOUR // FIRST_OP_COLOUR).bit_length()


@dataclass(frozen=True, slots=True)
class Variant:
    """Which reductions a search uses; the defaults are those of the Python engine."""

    zero_dead: bool = True
    lock_points: bool = False
    idle_threads: bool = False
    remembers_calls: bool = False
    memo: bool = True
    by_cell: bool = True
    readable_cells: bool = True
    canonical_starts: bool = True
    search: str = BREADTH


@dataclass(frozen=True, slots=True)
class Reduction:
    """One claim: ``used`` and ``plain`` must find the same, but for what is ``ignored``.

    A depth-first search looks for no livelock; the situation ``synced`` asks who wrote.  With
    ``renames``, crash states are compared as a reader of the files sees them, whatever the blocks'
    numbers and the colours of earlier mounts.
    """

    name: str
    leaves_out: str
    plain: Variant
    used: Variant = field(default_factory=Variant)
    ignored: frozenset[str] = frozenset()
    renames: bool = False


REDUCTIONS: tuple[Reduction, ...] = (
    Reduction("dead-locals", "locals that nobody reads again", Variant(zero_dead=False)),
    Reduction("lock-steps", "preemption right after taking a semaphore", Variant(lock_points=True)),
    Reduction(
        "idle-threads", "flushers and failing disks that cannot act", Variant(idle_threads=True)
    ),
    Reduction("calls", "which calls returned (litmus asks for it)", Variant(remembers_calls=True)),
    Reduction("projection-memo", "judging equal crash states again", Variant(memo=False)),
    Reduction("by-cell", "images: each cell is judged alone", Variant(by_cell=False)),
    Reduction(
        "readable-cells", "images that differ where no file reads", Variant(readable_cells=False)
    ),
    Reduction(
        "canonical-starts",
        "block numbers, who wrote before the crash",
        Variant(canonical_starts=False),
        ignored=frozenset({"synced"}),
        renames=True,
    ),
    Reduction(
        "digests",
        "all of a state but 64 bits (swarms)",
        Variant(),
        Variant(search=DIGESTS),
        frozenset({LIVELOCK}),
    ),
    Reduction("pieces-in-c", "pieces of states stored before (C)", Variant(), Variant(search=IN_C)),
)


@dataclass(slots=True)
class Observed:
    """What a search found.  ``crashes`` has a set of crash states for each mount."""

    states: int = 0
    stopped: str = ""
    violated: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    crashes: list[set[object]] = field(default_factory=list)
    renamed: list[set[object]] = field(default_factory=list)
    files: set[object] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One reduction in one run: sizes, and in words what differs (nothing, if it is sound)."""

    reduction: Reduction
    used: Observed
    plain: Observed

    @property
    def stopped(self) -> str:
        """Why one of the two searches was cut short, or an empty string."""
        return self.used.stopped or self.plain.stopped

    @property
    def differences(self) -> list[str]:
        """Say what one search found and the other did not."""
        ignored = self.reduction.ignored
        out = _only("violated", self.used.violated - ignored, self.plain.violated - ignored)
        out += _only("reached", self.used.reached - ignored, self.plain.reached - ignored)
        ours, theirs = self.used.crashes, self.plain.crashes
        if self.reduction.renames:
            ours, theirs = self.used.renamed, self.plain.renamed
        for mount, (one, other) in enumerate(zip(ours, theirs, strict=False), 1):
            out += _counted(f"crash states of mount {mount}", one, other)
        if len(ours) != len(theirs):
            out.append(f"{len(ours)} mounts with it, {len(theirs)} without")
        return out + _counted("recovered files", self.used.files, self.plain.files)


def _only(what: str, used: set[str], plain: set[str]) -> list[str]:
    out = [f"{what} only without it: {', '.join(sorted(plain - used))}"] if plain - used else []
    return out + (
        [f"{what} only with it: {', '.join(sorted(used - plain))}"] if used - plain else []
    )


def _counted(what: str, used: set[object], plain: set[object]) -> list[str]:
    if used == plain:
        return []
    return [f"{what}: {len(plain - used)} only without it, {len(used - plain)} only with it"]


def audit(
    design: Design,
    scope: Scope,
    mutant: Mutant | None,
    limits: Limits,
    *,
    reductions: Sequence[Reduction] = REDUCTIONS,
    on_progress: Callable[[Progress], None] | None = None,
) -> Iterator[Comparison]:
    """Compare each reduction in turn; equal variants are explored once.

    Raises as ``load_library`` does if C is compared and there is no compiler.
    """
    known: dict[Variant, Observed] = {}
    for reduction in reductions:
        for variant in (reduction.used, reduction.plain):
            if variant not in known:
                known[variant] = explore(design, scope, mutant, limits, variant, on_progress)
        yield Comparison(reduction, known[reduction.used], known[reduction.plain])


def explore(
    design: Design,
    scope: Scope,
    mutant: Mutant | None,
    limits: Limits,
    variant: Variant,
    on_progress: Callable[[Progress], None] | None = None,
) -> Observed:
    """Explore every mount of ``scope`` the way ``variant`` says."""
    seen = Observed()
    disks = [mkfs(scope)]
    for index in range(len(scope.mounts)):
        if not variant.canonical_starts and _writes_before(scope, index + 1) > _COLOURS:
            seen.stopped = f"mount {index + 1}: more writes over all mounts than there are colours"
            break
        judge = _Judge(scope, index, variant, seen)
        system = _system(design, scope, index, mutant, variant)
        judge.system = system
        starts = {system.start(_variables(system, disk, scope)): None for disk in disks}
        outcome = _search(system, judge.watch(on_progress), limits, variant, starts)
        seen.states += outcome.states
        seen.reached |= outcome.reached
        seen.violated |= outcome.found.keys()
        if outcome.stopped:
            seen.stopped = f"mount {index + 1}: {outcome.stopped}"
            break
        disks = list(judge.next)
    return seen


def _search(
    system: System, watch: Watch, limits: Limits, variant: Variant, starts: Iterable[bytes]
) -> Outcome:
    if variant.search == BREADTH:
        return BreadthFirst(system, watch, limits, starts).run()
    if variant.search == IN_C:
        search = CBreadthFirst(system, watch, limits, starts)
        outcome = search.run()
        search.close()
        return outcome
    total = Outcome()
    for start in starts:
        system.initial = start
        part = DepthFirst(system, watch, limits).run()
        total.states += part.states
        total.stopped = total.stopped or part.stopped
        total.reached |= part.reached
        total.found.update(part.found)
    return total


class _Judge:
    """Judges the crash states of one mount and collects the disks of the next."""

    def __init__(self, scope: Scope, index: int, variant: Variant, seen: Observed) -> None:
        self.scope = scope
        self.variant = variant
        self.seen = seen
        self.is_last = index + 1 == len(scope.mounts)
        self.shift = 0 if variant.canonical_starts else _writes_before(scope, index)
        self.next: dict[Disk, None] = {}
        self.system: System | None = None
        seen.crashes.append(set())
        seen.renamed.append(set())

    def watch(self, on_progress: Callable[[Progress], None] | None) -> Watch:
        """Return what the search is to look at."""
        assert self.system is not None
        invariants, situations = predicates_of(self.system)
        watch = Watch(invariants, situations, on_progress=on_progress, find_stuck=True)
        if self.variant.memo:
            watch.on_projection = lambda projection, _number: self.judge(projection)
        else:
            watch.invariants["every state"] = self._judge_state
        return watch

    def _judge_state(self, state: bytes) -> int:
        assert self.system is not None
        self.judge(state[self.system.projected])
        return 0

    def judge(self, projection: bytes) -> list[str]:
        """Judge one crash state; what is wrong with it goes to the observations."""
        assert self.system is not None
        geometry = self.scope.geometry
        state = decode(self.system.build.layout, projection, geometry)
        self.seen.crashes[-1].add((state.inodes, state.bitmap, state.may))
        self.seen.renamed[-1].add(_renamed(state, self.shift))
        for image in file_images(state) if self.variant.readable_cells else all_images(state):
            disk = recover(image, geometry)
            for i, inode in enumerate(disk.inodes):
                cells = read_file(disk, geometry, i)
                self.seen.files.add((inode.size, tuple(_class_of(c, self.shift) for c in cells)))
            if not self.is_last:
                start = canonical(image, geometry) if self.variant.canonical_starts else image
                self.next.setdefault(start)
        if self.variant.by_cell:
            findings = factored(state)
        else:
            findings = [f for image in all_images(state) for f in on_image(state, image)]
        self.seen.violated |= {finding.prop for finding in findings}
        return []


@lru_cache(maxsize=8)
def _build(dims: tuple[tuple[str, int], ...], zero_dead: bool) -> Build:
    return Build(MODEL, dict(dims), PREDICATES, zero_dead=zero_dead)


def _system(
    design: Design, scope: Scope, index: int, mutant: Mutant | None, variant: Variant
) -> System:
    mount = scope.mounts[index]
    dims = dimensions(scope, mount)
    if variant.idle_threads:
        dims.update(nr_flushers=1, nr_failing_disks=dims["nr_ioends"])
    build = _build(tuple(sorted(dims.items())), variant.zero_dead)
    constants = bytearray(build.layout.constant_size)
    conf = build.layout.view(bytearray(build.layout.shared_size), constants).conf
    configure(
        conf,
        scope,
        mount,
        design,
        mutant.number if mutant else 0,
        observes_calls=variant.remembers_calls,
    )
    conf.lock_yields = int(variant.lock_points)
    if not variant.canonical_starts:
        _shift_colours(conf, dims, _writes_before(scope, index))
    return System(build, bytes(constants), bytes(build.layout.shared_size))


def _variables(system: System, disk: Disk, scope: Scope) -> bytes:
    variables = bytearray(system.build.layout.shared_size)
    mount_disk(system.build.layout.view(variables, system.constants), disk, scope)
    return bytes(variables)


def _writes_before(scope: Scope, index: int) -> int:
    """Return how many colours the mounts before ``index`` use."""
    return sum(
        op.code in (OpCode.WRITE, OpCode.STORE)
        for mount in scope.mounts[:index]
        for task in mount.tasks
        for op in task
    )


def _shift_colours(conf: Any, dims: dict[str, int], shift: int) -> None:
    """Give writes colours that no earlier mount has used: its data keeps its colour here."""
    for t in range(dims["nr_tasks"]):
        for n in range(dims["nr_ops"]):
            slot = conf.task[t].op[n]
            if slot.colour:
                slot.colour <<= shift


def _class_of(mask: int, shift: int) -> int:
    """Return a colour set in which data of earlier mounts is ``OLD``, own writes start at 16."""
    if mask == ANY_COLOUR:
        return mask
    earlier = OLD | POLLUTION | ((1 << shift) - 1) * FIRST_OP_COLOUR
    own = (mask & ~earlier) // FIRST_OP_COLOUR >> shift
    low = mask & (FIRST_OP_COLOUR - 1) & ~earlier
    return low | (OLD if mask & earlier else 0) | own * FIRST_OP_COLOUR


def _renamed(state: CrashState, shift: int) -> object:
    """Return a crash state with blocks numbered in logical order and colours as classes.

    What no reader can see is left out: the cells of blocks that are not mapped as written.  (A
    canonical start takes them for foreign, which is stricter than what they may hold.)
    """
    per_block = state.geometry.cells_per_block
    numbers: dict[int, int] = {}
    inodes = []
    contents = []
    for inode in state.inodes:
        extents = []
        for kind, pblk in inode.extents:
            extents.append((kind, -1 if kind == HOLE else numbers.setdefault(pblk, len(numbers))))
            if kind == WRITTEN:
                cells = state.may[pblk * per_block : (pblk + 1) * per_block]
                contents.append(tuple(_class_of(mask, shift) for mask in cells))
        inodes.append(
            replace(
                inode,
                extents=tuple(extents),
                ever=tuple(_class_of(mask, shift) for mask in inode.ever),
                promise=tuple(_class_of(mask, shift) for mask in inode.promise),
            )
        )
    taken = tuple(state.bitmap >> pblk & 1 for pblk in numbers)
    others = state.bitmap.bit_count() - sum(taken)
    return tuple(inodes), tuple(contents), taken, others
