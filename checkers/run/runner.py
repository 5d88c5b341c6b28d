"""Explore one scope under one design (and mutant), cut the power everywhere, judge every image.

A crash is not a transition of the search.  Every new projection of a state (what a power cut could
see) is checked once, for all images it stands for; the images that differ for the next mount become
the initial states of a second search, and so on for every mount of the scope.  Measured on a
prototype, crash transitions would add more edges than the whole search has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from powercut.checkers.crash.image import count_images, decode, file_images, image_with
from powercut.checkers.engine.bfs import BreadthFirst
from powercut.checkers.engine.engines import (
    AUTO,
    ENGINES,
    PYTHON,
    SMALL_STATES,
    CompactSearch,
    Search,
    best_engine,
    compact_with,
    needs_compiling,
    search_with,
)
from powercut.checkers.engine.outcome import Found, Limits, Outcome, Progress, Watch
from powercut.checkers.engine.swarm import Sample, SwarmSearch
from powercut.checkers.engine.system import Build, Predicate, System
from powercut.checkers.run.observation import CrashPoint, Observation, outcome_of
from powercut.checkers.run.observation import Outcome as Observed
from powercut.model.designs import Design
from powercut.model.fs.iomap.buffered_io.read import device_colour, is_absent
from powercut.model.kernel.tasks import PROGRAM
from powercut.model.mutants import Mutant
from powercut.model.recovery import Disk, canonical, mkfs, read_file, recover
from powercut.model.scope import Geometry, Scope
from powercut.model.setup import configure, dimensions, mount_disk
from powercut.model.state import WRITTEN
from powercut.properties.catalog import PREDICATES, PROPERTIES, SITUATIONS, STATE_PROPERTIES
from powercut.properties.crash import Finding, factored
from powercut.properties.crash_state import CrashState

HOLDS: Final = "holds"
VIOLATED: Final = "violated"
INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One mount of a counterexample: thread indexes in order, and the disk the crash left.

    ``crash`` is ``None`` where the violation is seen in the live state.
    """

    start: Disk
    schedule: tuple[int, ...]
    crash: Disk | None


@dataclass(frozen=True, slots=True)
class Violation:
    """A violated property with a shortest schedule (of its last mount) that leads there."""

    prop: str
    detail: str
    epochs: tuple[Epoch, ...]

    @property
    def steps(self) -> int:
        """Steps of all mounts together."""
        return sum(len(epoch.schedule) for epoch in self.epochs)


@dataclass(slots=True)
class RunResult:
    """What one run found, with its bound: counts add up over the mounts of the scope.

    ``files`` are the distinct recovered files (size in cells, colours) over all crash images.
    ``engine_note`` is one line for the user when the engine is not the one to be expected.
    ``outcomes`` is what an observed run shows, each with a shortest way to it.
    ``sample`` is what a member of a swarm saw, over all mounts.
    ``omission_probability`` bounds how likely a hash-compact search has left a state out.
    """

    design: str
    scope: str
    mutant: str
    properties: tuple[str, ...]
    engine: str = PYTHON
    engine_note: str = ""
    states: int = 0
    transitions: int = 0
    crash_projections: int = 0
    crash_images: int = 0
    recovered_files: int = 0
    initial_states: int = 0
    seconds: float = 0.0
    omission_probability: float = 0.0
    stopped: str = ""
    reached: dict[str, bool] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    observations: list[Violation] = field(default_factory=list)
    files: set[tuple[int, tuple[int, ...]]] = field(default_factory=set)
    outcomes: dict[Observed, tuple[Epoch, ...]] = field(default_factory=dict)
    sample: Sample | None = None

    @property
    def exhaustive(self) -> bool:
        """Whether every state of every mount was seen."""
        return not self.stopped

    @property
    def is_compact_to_the_end(self) -> bool:
        """Whether a hash-compact search came to its end."""
        return self.stopped == told_compact(self.omission_probability)

    @property
    def verdict(self) -> str:
        """``violated``, ``inconclusive`` (cut short) or ``holds`` (within this scope)."""
        if self.violations:
            return VIOLATED
        return HOLDS if self.exhaustive else INCONCLUSIVE

    def verdict_of(self, prop: str) -> str:
        """Return the verdict of one property."""
        if any(v.prop == prop for v in (*self.violations, *self.observations)):
            return VIOLATED
        return HOLDS if self.exhaustive else INCONCLUSIVE


OnProgress = Callable[[Progress], None]


@lru_cache(maxsize=32)
def build_for(dims: tuple[tuple[str, int], ...], *, checked: bool = False) -> Build:
    """Compile the model for the given array sizes; repeated calls share the build."""
    return Build(PROGRAM, dict(dims), PREDICATES, checked=checked)


def build_of(scope: Scope, mount_index: int, *, checked: bool = False) -> Build:
    """Return the compiled model for one mount of ``scope``."""
    dims = dimensions(scope, scope.mounts[mount_index])
    return build_for(tuple(sorted(dims.items())), checked=checked)


def make_system(
    scope: Scope,
    mount_index: int,
    design: Design,
    mutant: Mutant | None,
    *,
    checked: bool = False,
    observes_calls: bool = False,
) -> System:
    """Return the closed system of one mount of ``scope``, started from its first disk.

    With ``observes_calls`` a crash keeps which calls had returned, and what the syncs said.
    """
    mount = scope.mounts[mount_index]
    build = build_of(scope, mount_index, checked=checked)
    constants = bytearray(build.layout.constant_size)
    view = build.layout.view(bytearray(build.layout.shared_size), constants)
    switch = mutant.switch if mutant else ""
    configure(view.conf, scope, mount, design, switch, observes_calls=observes_calls)
    system = System(build, bytes(constants), bytes(build.layout.shared_size))
    system.initial = system.start(mounted(system, mkfs(scope), scope))
    return system


def mounted(system: System, disk: Disk, scope: Scope) -> bytes:
    """Return the variables of a fresh mount of ``disk``."""
    variables = bytearray(system.build.layout.shared_size)
    mount_disk(system.build.layout.view(variables, system.constants), disk, scope)
    return bytes(variables)


def cached_cells(system: System, state: bytes) -> list[int]:
    """Return what a flush of the device would persist, a colour set for each physical cell."""
    cached = system.view(state).device.cached
    return [cached[cell] for cell in range(len(cached))]


def predicates_of(system: System) -> tuple[dict[str, Callable[[bytes], int]], ...]:
    """Return the compiled state properties and situations by name."""
    names = (*STATE_PROPERTIES, *SITUATIONS)
    by_name = dict(zip(names, system.predicates, strict=True))
    return (
        {name: by_name[name] for name in STATE_PROPERTIES},
        {name: by_name[name] for name in SITUATIONS},
    )


def run_scope(
    design: Design,
    scope: Scope,
    mutant: Mutant | None = None,
    *,
    properties: Sequence[str] = (),
    limits: Limits | None = None,
    on_progress: OnProgress | None = None,
    stop_at: str = "",
    engine: str = AUTO,
    observation: Observation | None = None,
    seed: int = 0,
    compact: bool = False,
) -> RunResult:
    """Explore ``scope`` exhaustively, unless ``limits`` or an interrupt cut it short.

    ``properties`` restricts what decides the verdict (default: all but the advisory ones).
    ``stop_at`` names a property whose first violation ends the run (which is then not exhaustive).
    ``engine`` is one of ``ENGINES``; it changes how long it takes and nothing else.  ``"c"`` raises
    :class:`NoCompiler` or :class:`CannotCompile` where ``"auto"`` would take Python.
    ``observation`` fills ``outcomes`` of the result; where it says that the power does not fail,
    the Python engine explores, whatever ``engine`` says.
    A ``seed`` from 1 up makes it one member of a swarm: depth-first, in an order of chance, every
    mount up to the limit on states.
    ``compact`` keeps a digest of each state only: for what does not fit into memory.  Such a run
    never "holds": a state may have been left out, and livelocks are not looked for.
    """
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    limits = limits or Limits()

    def explore(engine: str, limits: Limits) -> RunResult:
        run = _Run(
            design,
            scope,
            mutant,
            properties,
            limits,
            on_progress,
            stop_at,
            engine,
            observation,
            seed,
            compact,
        )
        return run.run()

    if observation is not None and observation.points[-1].live:
        engine = PYTHON
    if engine != AUTO:
        return explore(engine, limits)
    builds = [build_of(scope, index) for index in range(len(scope.mounts))]
    if not (seed or compact) and needs_compiling(builds):
        few = replace(limits, max_states=min(limits.max_states, SMALL_STATES))
        result = explore(PYTHON, few)
        if few == limits or not result.stopped.endswith(f"limit of {SMALL_STATES} states reached"):
            return result
    chosen, note = best_engine(builds)
    result = explore(chosen, limits)
    result.engine_note = note
    return result


def told_compact(omission_probability: float) -> str:
    """Say what a hash-compact search that came to its end leaves open."""
    return (
        f"hash-compact: all states seen, unless digests collided (probability at most "
        f"{omission_probability:.1e}); livelocks not looked for"
    )


class _Run:
    def __init__(
        self,
        design: Design,
        scope: Scope,
        mutant: Mutant | None,
        properties: Sequence[str],
        limits: Limits,
        on_progress: OnProgress | None,
        stop_at: str,
        engine: str,
        observation: Observation | None,
        seed: int,
        compact: bool,
    ) -> None:
        self.design = design
        self.scope = scope
        self.mutant = mutant
        self.limits = limits
        self.on_progress = on_progress
        self.stop_at = stop_at
        self.engine = engine
        self.observation = observation
        self.seed = seed
        self.compact = compact
        wanted = tuple(properties) or tuple(n for n, p in PROPERTIES.items() if not p.advisory)
        self.result = RunResult(design.name, scope.name, mutant.slug if mutant else "", wanted)
        self.result.engine = engine
        self.result.reached = dict.fromkeys(SITUATIONS, False)
        self.origins: dict[Disk, tuple[Epoch, ...]] = {mkfs(scope): ()}

    def run(self) -> RunResult:
        for index in range(len(self.scope.mounts)):
            mount = _MountRun(self, index)
            outcome = mount.run()
            self._add(outcome)
            if isinstance(mount.search, SwarmSearch):
                self._sample(mount.search.sample(), index)
            for found in outcome.found.values():
                self._report(mount.violation(found))
            mount.search.close()
            if outcome.stopped:
                self.result.stopped = f"mount {index + 1}: {outcome.stopped}"
                if not self.seed or not outcome.stopped.startswith("limit of "):
                    break
            self.origins = mount.next_origins
        if self.compact and not self.result.stopped:
            self.result.stopped = told_compact(self.result.omission_probability)
        self.result.recovered_files = len(self.result.files)
        return self.result

    def _add(self, outcome: Outcome) -> None:
        result = self.result
        result.states += outcome.states
        result.transitions += outcome.transitions
        result.crash_projections += outcome.projections
        result.seconds += outcome.seconds
        result.omission_probability += outcome.omission_probability
        for name in outcome.reached:
            result.reached[name] = True

    def _sample(self, sample: Sample, index: int) -> None:
        earlier = self.result.sample
        self.result.sample = earlier.joined(sample, index) if earlier else sample

    def _report(self, violation: Violation) -> None:
        selected = violation.prop in self.result.properties
        target = self.result.violations if selected else self.result.observations
        if not any(v.prop == violation.prop for v in target):
            target.append(violation)


class _MountRun:
    """The search of one mount, from every disk the mount before may leave."""

    def __init__(self, run: _Run, index: int) -> None:
        self.parent = run
        self.point: CrashPoint | None = None
        if run.observation is not None:
            self.point = run.observation.points[index]
        self.system = make_system(
            run.scope, index, run.design, run.mutant, observes_calls=self.point is not None
        )
        self.is_last = index + 1 == len(run.scope.mounts)
        self.starts: dict[bytes, Disk] = {}
        self.next_origins: dict[Disk, tuple[Epoch, ...]] = {}
        self.evidence: dict[str, tuple[Finding, Disk]] = {}
        for disk in run.origins:
            state = self.system.start(mounted(self.system, disk, run.scope))
            self.starts.setdefault(state, disk)
        run.result.initial_states += len(self.starts)
        invariants, situations = predicates_of(self.system)
        if self.point is not None and self.point.live:
            invariants["live outcomes"] = self._live_reader()
        watch = Watch(
            invariants=invariants,
            situations={n: s for n, s in situations.items() if not run.result.reached[n]},
            on_projection=self._crash,
            on_progress=run.on_progress,
            find_stuck=True,
            stop_when=frozenset({run.stop_at}) if run.stop_at else None,
        )
        self.search: Search | CompactSearch | SwarmSearch
        if run.seed:
            self.search = SwarmSearch(
                run.engine, self.system, watch, run.limits, self.starts, run.seed
            )
        elif run.compact:
            self.search = compact_with(run.engine, self.system, watch, run.limits, self.starts)
        else:
            self.search = search_with(run.engine, self.system, watch, run.limits, self.starts)

    def run(self) -> Outcome:
        return self.search.run()

    def _crash(self, projection: bytes, number: int) -> list[str]:
        """Judge every image of a new projection; remember what the next mount may start from."""
        run = self.parent
        state = decode(self.system.build.layout, projection, run.scope.geometry)
        run.result.crash_images += count_images(state)
        counts = self._counts(state)
        for image in file_images(state):
            disk = recover(image, run.scope.geometry)
            files = [
                (inode.size, read_file(disk, run.scope.geometry, i))
                for i, inode in enumerate(disk.inodes)
            ]
            run.result.files.update(files)
            if counts and not self.is_last:
                self._register(image, number)
            elif counts and run.observation is not None:
                self._observe(outcome_of(run.observation, files, state.calls), number, image)
        findings = factored(state)
        for finding in findings:
            if finding.prop not in self.evidence:
                self.evidence[finding.prop] = (finding, evidence_image(state, finding))
        return list(dict.fromkeys(f.prop for f in findings))

    def _counts(self, state: CrashState) -> bool:
        """Tell whether a power cut here is one that is asked for."""
        if self.point is None:
            return True
        return not self.point.live and self.point.counts([done for done, _ in state.calls])

    def _observe(self, outcome: Observed, number: int, crash: Disk | None) -> None:
        found = self.parent.result.outcomes
        if outcome not in found:
            first, schedule = self.search.schedule_to(number)
            disk = self.starts[first]
            found[outcome] = (*self.parent.origins[disk], Epoch(disk, schedule, crash))

    def _live_reader(self) -> Predicate:
        """Return a check that never fails; it reads the files wherever every task is done."""
        tasks = [thread.frame for thread in self.system.threads if thread.kind == "task"]
        observation, geometry = self.parent.observation, self.parent.scope.geometry
        assert observation is not None

        def look(state: bytes) -> int:
            if any(state[frame] for frame in tasks):
                return 0
            k = self.system.view(state)
            files = [read_live(k, k.inode[i], geometry) for i in range(geometry.nr_inodes)]
            tasks_seen = [k.stable.oracle.calls[t] for t in range(len(tasks))]
            calls = [(seen.returned, seen.results) for seen in tasks_seen]
            assert isinstance(self.search, BreadthFirst)
            self._observe(outcome_of(observation, files, calls), len(self.search.order) - 1, None)
            return 0

        return look

    def _register(self, image: Disk, number: int) -> None:
        start = canonical(image, self.parent.scope.geometry)
        if start not in self.next_origins:
            first, schedule = self.search.schedule_to(number)
            disk = self.starts[first]
            epoch = Epoch(disk, schedule, image)
            self.next_origins[start] = (*self.parent.origins[disk], epoch)

    def violation(self, found: Found) -> Violation:
        """Turn what the search found into a violation with all its mounts."""
        disk = self.starts[found.start]
        crash: Disk | None = None
        detail = found.detail
        if found.name in self.evidence:
            finding, crash = self.evidence[found.name]
            detail = describe_finding(finding)
        epoch = Epoch(disk, found.schedule, crash)
        return Violation(found.name, detail, (*self.parent.origins[disk], epoch))


def read_live(k: Any, inode: Any, geometry: Geometry) -> tuple[int, tuple[int, ...]]:
    """Return what read(2) shows of ``inode`` now: size and colours, absent blocks off the disk."""
    colours = []
    for cell in range(inode.i_size):
        block, c = divmod(cell, geometry.cells_per_block)
        absent = is_absent(k, inode, block)
        colours.append(device_colour(k, inode, block, c) if absent else inode.page[cell])
    return inode.i_size, tuple(colours)


def evidence_image(state: CrashState, finding: Finding) -> Disk:
    """Return a crash image that shows ``finding``."""
    if finding.cell < 0:
        return image_with(state, ())
    per_block = state.geometry.cells_per_block
    kind, pblk = state.inodes[finding.inode].extents[finding.cell // per_block]
    if kind != WRITTEN:
        return image_with(state, ())
    return image_with(state, ((pblk * per_block + finding.cell % per_block, finding.colour),))


COLOUR_NAMES = {
    1: "zero",
    2: "a previous owner's data",
    4: "data from behind EOF",
    8: "old data",
    16: "data of write 1",
    32: "data of write 2",
    64: "data of write 3",
    128: "data of write 4",
}


def describe_finding(finding: Finding) -> str:
    """Say in one line what is wrong and where."""
    if finding.text:
        return f"inode {finding.inode}: {finding.text}"
    return f"inode {finding.inode}: cell {finding.cell} shows {COLOUR_NAMES[finding.colour]}"
