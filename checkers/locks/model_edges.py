"""The lock graph of the model, from exhaustive exploration and from native runs.

Why so: taking anything is a preemption point of the model, so the state in which a thread is parked
there shows everything it holds at that moment; exploring every state of a scope gives every edge of
the scope.  What a step takes without waiting (a percpu semaphore for reading) shows as a difference
between the two ends of the step.  Observations are remembered by everything they depend on (frame
of the thread, variables about locks), which few states differ in.

Waits are edges too, and whoever ends a wait "holds" it: folio writeback is held by the task that
has not submitted it, then by the work item, which wants the one slot of the queue; a commit is held
by kjournald, which waits for open handles and for ordered data; room in the log is had by waiting
for a commit.  A handle start waits for a locked transaction, that is for its open handles: it takes
``jbd2_handle`` for reading, and the commit takes it for writing.

Rejected: recording while searching through hooks in the model's primitives (every engine would have
to keep them), and edges derived from a deadlock alone (the point is to know the orders that are
only waiting for one).
"""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from powercut import model
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Outcome, Watch
from powercut.checkers.engine.system import Build, System
from powercut.checkers.locks.graph import READ, Edge, LockGraph, Where, base_of, merged
from powercut.checkers.locks.model_state import (
    COMMIT,
    EOF_WRITE,
    EOF_WRITE_CLASS,
    FOLIO_WRITEBACK,
    HANDLE,
    LOG_SPACE,
    Agent,
    Hold,
    LockView,
    Resource,
    Spot,
    Want,
    agents_of,
    variable_of,
)
from powercut.checkers.locks.model_waits import Pair, Parked, WaitCycle, wait_cycles
from powercut.checkers.weave.program import MODEL
from powercut.model.designs import Design
from powercut.model.recovery import mkfs
from powercut.model.scope import Scope
from powercut.model.setup import configure, dimensions, mount_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from powercut.model.mutants import Mutant

TRANSPARENT = frozenset(
    {
        "down_read",
        "down_write",
        "percpu_down_read",
        "folio_lock",
        "folio_wait_writeback",
        "ext4_journal_start",
        "ext4_journal_start_reserved",
        "jbd2_log_wait_for_space",
        "jbd2_complete_transaction",
        "jbd2_journal_force_commit_nested",
    }
)
"""Functions that take or wait on behalf of their caller: an edge's place is the caller."""


class Grip(NamedTuple):
    """One thread that has one instance and wants another; ``alone`` is what nobody shares."""

    thread: str
    has: Resource
    wants: Resource
    alone: frozenset[Resource]


@dataclass(slots=True)
class Exploration:
    """What one scope shows: the graph, the instances behind each pair, the circles of waiters.

    ``grips`` are the observations behind a pair of classes; ``circles`` every circle of blocked
    threads that was met, with a shortest schedule (thread indexes) to it; ``deadlocks`` schedules
    to states in which nobody could run, each with the circle in it, if there is one.
    """

    design: Design
    scope: Scope
    mutant: Mutant | None
    graph: LockGraph
    system: System
    outcome: Outcome = field(default_factory=Outcome)
    grips: dict[Pair, set[Grip]] = field(default_factory=dict)
    circles: dict[WaitCycle, tuple[int, ...]] = field(default_factory=dict)
    keys: int = 0

    @property
    def exhaustive(self) -> bool:
        """Whether every state of the scope was looked at."""
        return not self.stopped

    @property
    def stopped(self) -> str:
        """Why not every state was looked at, or nothing."""
        if not self.outcome.stopped and len(self.scope.mounts) > 1:
            return "only the first mount was looked at"
        return self.outcome.stopped


@lru_cache(maxsize=16)
def _build(dims: tuple[tuple[str, int], ...]) -> Build:
    return Build(MODEL, dict(dims))


def lock_system(design: Design, scope: Scope, mutant: Mutant | None = None) -> System:
    """Return the closed system of the first mount of ``scope``, without any predicate."""
    mount = scope.mounts[0]
    build = _build(tuple(sorted(dimensions(scope, mount).items())))
    constants = bytearray(build.layout.constant_size)
    variables = bytearray(build.layout.shared_size)
    configure(
        build.layout.view(bytearray(len(variables)), constants).conf,
        scope,
        mount,
        design,
        mutant.number if mutant else 0,
    )
    mount_disk(build.layout.view(variables, constants), mkfs(scope), scope)
    return System(build, bytes(constants), bytes(variables))


def edges_of(
    design: Design,
    scopes: Iterable[Scope],
    mutant: Mutant | None = None,
    limits: Limits | None = None,
) -> LockGraph:
    """Return the lock graph of ``design`` over all of ``scopes``, explored exhaustively.

    Raises :class:`ValueError` if a limit cut an exploration short: edges could be missing.
    """
    graphs: list[LockGraph] = []
    for scope in scopes:
        found = explore(design, scope, mutant, limits)
        if found.outcome.stopped:
            raise ValueError(f"{design.name}, {scope.name}: {found.outcome.stopped}")
        graphs.append(found.graph)
    return merged(graphs, graph_name(design, mutant))


def graph_name(design: Design, mutant: Mutant | None) -> str:
    """Return ``design`` or ``design with mutant``."""
    return f"{design.name} with {mutant.slug}" if mutant else design.name


def explore(
    design: Design, scope: Scope, mutant: Mutant | None = None, limits: Limits | None = None
) -> Exploration:
    """Explore the first mount of ``scope`` and collect edges, instances and circles."""
    system = lock_system(design, scope, mutant)
    result = Exploration(design, scope, mutant, _new_graph(graph_name(design, mutant)), system)
    recorder = _Recorder(result)
    recorder.watch_steps()
    search = BreadthFirst(system, Watch(), limits or Limits())
    result.outcome = search.run()
    for circle, number in recorder.look_at_all(search.order).items():
        result.circles[circle] = search.schedule_to(number)[1]
    result.keys = len(recorder.seen)
    return result


def circles_in(system: System, state: bytes) -> list[WaitCycle]:
    """Return the circles of blocked threads in one state of ``system``."""
    design, scope = Design("", ""), Scope("", "", ())
    return _Recorder(Exploration(design, scope, None, LockGraph(), system)).look_at(state)


def _new_graph(name: str) -> LockGraph:
    graph = LockGraph(name)
    graph.add_class(EOF_WRITE_CLASS)
    return graph


def native_edges(
    design: Design,
    scope: Scope,
    mutant: Mutant | None = None,
    *,
    seed: int = 1,
    runs: int = 20,
    max_steps: int = 400,
) -> LockGraph:
    """Return the edges that ``runs`` random native runs of ``scope`` happen to show.

    What a thread waits for is read off its Python stack here, not off the compiled wait.
    """
    system = lock_system(design, scope, mutant)
    result = Exploration(design, scope, mutant, _new_graph(f"{design.name}, native"), system)
    recorder = _Recorder(result)
    chooser = random.Random(seed)
    for _ in range(runs):
        run = NativeRun(system.build, system.constants, system.shared(system.initial))
        recorder.walk(run, chooser, max_steps)
    return result.graph


class _Reads:
    """Stands for a state while a wait is evaluated, and notes which variables it looks at."""

    def __init__(self, state: bytes, shared: int) -> None:
        self.state = state
        self.shared = shared
        self.read: list[int] = []

    def __getitem__(self, at: int) -> int:
        if at < self.shared:
            self.read.append(at)
        return self.state[at]


class _Recorder:
    """Turns parked threads into edges, each distinct situation once."""

    def __init__(self, result: Exploration) -> None:
        self.result = result
        self.system = system = result.system
        self.view = LockView(system.build.layout, system.constants)
        self.agents = agents_of(system.threads)
        self.shared = system.build.layout.shared_size
        self.seen: set[tuple[int, ...]] = set()
        self.steps_seen: set[tuple[Any, ...]] = set()
        self.parked: dict[tuple[Any, ...], Parked] = {}
        self.unknown: set[int] = set()
        self.frames = {a.thread: self._frame(a) for a in self.agents}
        self.holders = itemgetter(*self.view.holders)
        self._look_through(self.view.deciding)

    def _look_through(self, deciding: Iterable[int]) -> None:
        """Tell situations apart by these variables and the threads' frames."""
        self.deciding = sorted(set(deciding))
        offsets = [n for frame in self.frames.values() for n in range(frame.start, frame.stop)]
        self.decides = itemgetter(*self.deciding)
        self.situation = itemgetter(*self.deciding, *offsets)
        self.seen.clear()
        self.parked.clear()

    def look_at_all(self, states: Iterable[bytes]) -> dict[WaitCycle, int]:
        """Record every state; return each circle of waiters with the first state that has it.

        Begins again where a wait turns out to look at a variable that was not told apart by.
        """
        while True:
            found: dict[WaitCycle, int] = {}
            for number, state in enumerate(states):
                for circle in self.look_at(state):
                    found.setdefault(circle, number)
                if not self.unknown <= set(self.deciding):
                    break
            else:
                return found
            self._look_through((*self.deciding, *self.unknown))

    def _frame(self, agent: Agent) -> slice:
        frames = self.system.build.frames[agent.info.kind]
        return slice(agent.info.frame, agent.info.frame + frames.size)

    def watch_steps(self) -> None:
        """Look at every step for what it takes without waiting."""
        by_frame = {agent.info.frame: agent for agent in self.agents}
        self.system.table = tuple(
            (frame, number, guards, [self._watched(step, by_frame.get(frame)) for step in steps])
            for frame, number, guards, steps in self.system.table
        )

    def _watched(self, step: Callable[..., Any] | None, agent: Agent | None) -> Any:
        if step is None or agent is None:
            return step
        holders, seen = self.holders, self.steps_seen
        frames = self.system.build.frames[agent.info.kind]

        def run(state: bytes, at: int, number: int) -> bytes | None:
            new: bytes | None = step(state, at, number)
            if new is not None:
                before, after = holders(state), holders(new)
                if before != after:
                    key = (at, frames.point(state, at), before, after)
                    if key not in seen:
                        seen.add(key)
                        self._silent(state, new, agent)
            return new

        return run

    def look_at(self, state: bytes) -> list[WaitCycle]:
        """Record what every thread holds and wants; return the circles of blocked threads."""
        key = self.situation(state)
        if key in self.seen:
            return []
        self.seen.add(key)
        locks = self.decides(state)
        parked: list[Parked] = []
        for agent in self.agents:
            own = (agent.thread, state[self.frames[agent.thread]], locks)
            here = self.parked.get(own)
            if here is None:
                here = self.parked[own] = self._parked(state, agent)
            parked.append(here)
        return wait_cycles(self.view, state, parked)

    def _parked(self, state: bytes, agent: Agent) -> Parked:
        spot, place = self._spot(state, agent)
        holds = self.view.holds(state, agent, spot)
        want = self._want(state, agent, spot)
        if want is not None:
            self.add(agent, holds, want, place, spot)
        # Deferred items have no wait of their own: their guard is about being queued.
        blocked = want is not None and not self.system.is_enabled(state, agent.thread)
        return Parked(agent, holds, want, blocked, spot.waits_for_log_space)

    def _spot(self, state: bytes, agent: Agent) -> tuple[Spot, tuple[tuple[str, int], ...]]:
        """Return where the thread is parked, and its stack with lines, innermost last."""
        place = self.system.place(state, agent.thread)
        return _spot_of(place.function, place.line, place.label, place.callers)

    def _want(self, state: bytes, agent: Agent, spot: Spot) -> Want | None:
        frame, number, guards, _ = self.system.table[agent.thread]
        guard = guards[state[frame]]
        names: list[str] = []
        if guard is not None:
            reads: Any = _Reads(state, self.shared)
            guard(reads, frame, number)
            self.unknown.update(self.view.alike(reads.read))
            names = [self.view.names[at] for at in reads.read]
        return self.view.want(state, spot, names)

    def _silent(self, state: bytes, new: bytes, agent: Agent) -> None:
        """A step took more than it waited for: that came after what it waited for."""
        spot, _ = self._spot(state, agent)
        before = self.view.holds(state, agent, spot)
        after_spot, place = self._spot(new, agent)
        after = self.view.holds(new, agent, after_spot)
        want = self._want(state, agent, spot)
        waited = {want.resource} if want else set()
        had = {hold.resource for hold in before} | waited
        kept = tuple(hold for hold in after if hold.resource in had)
        for hold in after:
            if hold.resource in had or base_of(hold.resource.name) in _NOT_TAKEN:
                continue
            silent = Want(hold.resource, hold.mode, "acquire")
            self.add(agent, kept, silent, _call_on(place, "percpu_down_read"), spot)

    def add(
        self,
        agent: Agent,
        holds: tuple[Hold, ...],
        want: Want,
        stack: tuple[tuple[str, int], ...],
        spot: Spot,
    ) -> None:
        """Record the edges from everything held to what is wanted."""
        where, chain = _where(stack), tuple(name for name, _ in stack)
        if spot.waits_for_log_space and want.resource.name != LOG_SPACE:
            room = Want(Resource(LOG_SPACE), "write", "wait")
            self._add(agent, holds, room, where, chain)
            waiting = (Hold(Resource(LOG_SPACE), "write"),)
            self._add(agent, waiting, want, where, chain)
        self._add(agent, holds, want, where, chain)

    def _add(
        self,
        agent: Agent,
        holds: tuple[Hold, ...],
        want: Want,
        where: Where,
        chain: tuple[str, ...],
    ) -> None:
        alone = frozenset(hold.resource for hold in holds if _is_alone(hold))
        edge = Edge(
            "",
            want.resource.name,
            want.kind,
            mode=want.mode,
            context=agent.kind,
            where=where,
            held=tuple(hold.resource.name for hold in holds),
            trylock=want.trylock,
            chain=chain,
        )
        for hold in holds:
            name = hold.resource.name
            self.result.graph.add(replace(edge, source=name, held_mode=hold.mode))
            if not want.trylock:
                grip = Grip(agent.info.name, hold.resource, want.resource, alone)
                self.result.grips.setdefault((name, want.resource.name), set()).add(grip)

    def walk(self, run: NativeRun, chooser: random.Random, max_steps: int) -> None:
        """Take one random native run and record every parked thread on the way."""
        for _ in range(max_steps):
            for agent in self.agents:
                if not run.is_finished(agent.thread):
                    self._look_natively(run, agent)
            enabled = run.enabled()
            if not enabled:
                return
            run.step(chooser.choice(enabled))

    def _look_natively(self, run: NativeRun, agent: Agent) -> None:
        stack = tuple(run.stack(agent.thread))
        function, line = stack[-1]
        spot = Spot(function, tuple(name for name, _ in stack[:-1]), _label(function, line))
        state = run.variables
        variable = variable_of(spot, run.operands(agent.thread), agent)
        want = self.view.want(state, spot, [variable] if variable else [])
        if want is not None:
            self.add(agent, self.view.holds(state, agent, spot), want, stack, spot)


_NOT_EXCLUSIVE = (FOLIO_WRITEBACK, EOF_WRITE, HANDLE, LOG_SPACE)
_NOT_TAKEN = (*_NOT_EXCLUSIVE, COMMIT)
"""Held without a step that takes it, or always waited for first."""


def _is_alone(hold: Hold) -> bool:
    """Whether two threads can never hold this at the same time.

    A folio with two ioends is under writeback on account of both of their owners.
    """
    return hold.mode != READ and base_of(hold.resource.name) not in _NOT_EXCLUSIVE


def _spot_of(
    function: str, line: int, label: str, callers: tuple[str, ...]
) -> tuple[Spot, tuple[tuple[str, int], ...]]:
    outer = [caller.partition(":") for caller in callers]
    stack = tuple((name, int(at)) for name, _, at in outer)
    return Spot(function, tuple(name for name, _ in stack), label), (*stack, (function, line))


def _where(stack: tuple[tuple[str, int], ...]) -> Where:
    """Return the innermost place that is not a primitive."""
    for function, line in reversed(stack):
        if function not in TRANSPARENT:
            return Where(function, _file_of(function), line)
    function, line = stack[-1]
    return Where(function, _file_of(function), line)


def _call_on(stack: tuple[tuple[str, int], ...], callee: str) -> tuple[tuple[str, int], ...]:
    """Return the stack at which the innermost function of ``stack`` that calls ``callee`` does."""
    for depth in range(len(stack) - 1, -1, -1):
        function = stack[depth][0]
        for number, text in enumerate(_lines(function), _sources()[function][1]):
            if f"{callee}(" in text and not text.startswith("def "):
                return (*stack[:depth], (function, number))
    return stack


def _lines(function: str) -> list[str]:
    file, first, last = _sources().get(function, ("", 1, 0))
    return _text(file).splitlines()[first - 1 : last] if file else []


@cache
def _text(file: str) -> str:
    return (Path(model.__file__).parent.parent / file).read_text(encoding="utf-8")


@cache
def _sources() -> dict[str, tuple[str, int, int]]:
    """Return file, first and last line of every function of the model."""
    found: dict[str, tuple[str, int, int]] = {}
    folder = Path(model.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        name = f"model/{path.relative_to(folder).as_posix()}"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name] = (name, node.lineno, node.end_lineno or 0)
    return found


def _file_of(function: str) -> str:
    return _sources().get(function, ("", 0, 0))[0]


def _label(function: str, line: int) -> str:
    """Return the comment on a line of a function of the model."""
    first = _sources().get(function, ("", 0, 0))[1]
    lines = _lines(function)
    return lines[line - first].partition("# ")[2] if 0 <= line - first < len(lines) else ""


def observations(found: Iterable[Exploration], pair: Pair) -> Iterator[Grip]:
    """Return the instances behind a pair of classes in all of ``found``."""
    for exploration in found:
        yield from exploration.grips.get(pair, ())
