"""Cycles of a design's lock graph: a schedule that deadlocks, or what prevents it.

Why so: a cycle of classes says that a deadlock is not excluded by order.  Whether one happens is a
question about states, and the exploration that gave the edges has seen all of them: a circle of
blocked threads is the deadlock, with the schedule to it, even if no system call needs them yet.
Where there is none, the observations behind the edges say why: never the same instances (folios are
locked in order of their index), or both sides hold something that only one thread can hold.  What
is left is unreachable in scope, if one scope has every edge of the cycle and was explored whole;
edges that no scope has together prove nothing, and the verdict is unknown.

A graph without cycles is explained too: the rules below name the edges that must not be there, and
:func:`kept_open` says which cycle each of them would close.

Rejected: a verdict from "no deadlock found" over the union of scopes (nobody ran them together),
and guards found by reading the source (they must come from what was observed).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from powercut.checkers.engine.lockstep import run_schedule
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.locks.cycles import (
    GUARDED,
    REACHABLE,
    UNKNOWN,
    UNREACHABLE,
    Cycle,
    find_cycles,
)
from powercut.checkers.locks.graph import Edge, LockGraph, Seen, base_of, merged
from powercut.checkers.locks.model_edges import (
    Exploration,
    Grip,
    circles_in,
    explore,
    graph_name,
    observations,
)
from powercut.checkers.locks.model_state import COMMIT, EOF_WRITE, HANDLE, LOG_SPACE, SLOT
from powercut.checkers.run.mount import Epoch
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces.format import Origin
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.language import DEADLOCK
from powercut.model.recovery import mkfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from powercut.checkers.locks.model_waits import Pair, WaitCycle
    from powercut.checkers.traces.format import Trace
    from powercut.model.designs import Design
    from powercut.model.mutants import Mutant
    from powercut.model.scope import Scope


@dataclass(frozen=True, slots=True)
class Rule:
    """An order that must not occur: none of ``pairs`` (class held, class wanted) may be an edge.

    With ``together`` it takes all of the pairs to break it.
    """

    name: str
    statement: str
    pairs: tuple[Pair, ...]
    together: bool = False

    def broken_by(self, graph: LockGraph) -> list[Seen]:
        """Return the edges that break the rule, or nothing."""
        found = {pair: [s for s in graph.between(*pair) if s.edge.blocking] for pair in self.pairs}
        if self.together and not all(found.values()):
            return []
        return [seen for group in found.values() for seen in group]


_FOLIO = ("folio_lock[iomap]", "folio_writeback[iomap]")
_ANY_FOLIO = (*_FOLIO, "folio_lock[bh]", "folio_writeback[bh]")

RULES = (
    Rule(
        "no-folio-under-handle",
        "nobody waits for the lock or the writeback of an iomap inode's folio with a handle open",
        tuple((HANDLE, folio) for folio in _FOLIO),
    ),
    Rule(
        "no-iomap-data-in-commit",
        "a commit neither locks folios of iomap inodes nor waits for their writeback",
        tuple((COMMIT, folio) for folio in _FOLIO),
    ),
    Rule(
        "no-commit-wait-under-handle",
        "nobody waits for a commit or for log space with a handle open",
        ((HANDLE, COMMIT), (HANDLE, LOG_SPACE)),
    ),
    Rule(
        "handle-outside",
        "no handle is started under i_data_sem, nor under a buffer_head inode's folio lock",
        (("i_data_sem", HANDLE), ("folio_lock[bh]", HANDLE)),
    ),
    Rule(
        "worker-waits-for-no-folio",
        "the running conversion item waits for no folio and for no other item's I/O",
        tuple((SLOT, name) for name in (*_ANY_FOLIO, EOF_WRITE)),
    ),
    Rule(
        "reserved-not-behind-normal",
        "no conversion with a reserved handle queues behind one that starts a normal handle",
        ((SLOT, HANDLE), ("folio_writeback[bh]", SLOT)),
        together=True,
    ),
)
"""What keeps the two orders of folio lock and handle apart; none of it is visible to lockdep."""


@dataclass(slots=True)
class LockReport:
    """The lock graph of a design over some scopes, with a verdict for every cycle.

    ``unexplained`` are the scopes that deadlocked without a circle of waiters in the end state:
    somebody waits for something whose holder the graph does not know.
    """

    design: Design
    mutant: Mutant | None
    graph: LockGraph
    explorations: list[Exploration]
    cycles: list[Cycle] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """``violated``: a schedule deadlocks.  ``holds``: none does, within the scopes."""
        if self.unexplained or any(cycle.verdict == REACHABLE for cycle in self.cycles):
            return VIOLATED
        settled = all(cycle.verdict in (GUARDED, UNREACHABLE) for cycle in self.cycles)
        whole = all(exploration.exhaustive for exploration in self.explorations)
        return HOLDS if settled and whole else INCONCLUSIVE

    @property
    def acyclic(self) -> bool:
        """Whether no cycle is left once those with a known guard are taken away."""
        return all(cycle.verdict == GUARDED for cycle in self.cycles)

    @property
    def broken_rules(self) -> dict[str, list[Seen]]:
        """The rules that the graph breaks, by name, with the edges that do."""
        found = {rule.name: rule.broken_by(self.graph) for rule in RULES}
        return {name: seen for name, seen in found.items() if seen}

    @property
    def reachable(self) -> list[Cycle]:
        """The cycles with a deadlocking schedule."""
        return [cycle for cycle in self.cycles if cycle.verdict == REACHABLE]


LOCK_SCOPES = (
    "ordered-log",
    "enospc",
    "log-full",
    "two-files",
    "eof-unsubmitted",
    "eof-truncate-up",
    "folio-tail",
    "truncate-reuse",
    "cookie-race",
    "zero-truncate",
    "punch",
    "punch-folio",
    "zero-range",
    "fallocate",
    "truncate-nodelalloc",
    "cut-twice",
)
"""Scopes that together show every edge that any scope of one mount shows, for every design.

But for ``mixed``: there the iomap file may run out of space too (``unlink-reuse``).
"""


def lock_scopes() -> list[Scope]:
    """Return the scopes to look at a design's locks in."""
    return [SCOPES[name] for name in LOCK_SCOPES]


def decide(
    design: Design,
    scopes: Iterable[Scope],
    mutant: Mutant | None = None,
    limits: Limits | None = None,
) -> LockReport:
    """Explore ``scopes`` and give every cycle of the lock graph a verdict."""
    found = [explore(design, scope, mutant, limits) for scope in scopes]
    graph = merged([e.graph for e in found], graph_name(design, mutant))
    report = LockReport(design, mutant, graph, found)
    report.unexplained = [e.scope.name for e in found if _is_unexplained(e)]
    for cycle in find_cycles(graph):
        judge(cycle, found)
        report.cycles.append(cycle)
    told = {(e.source, e.target) for cycle in report.reachable for e in cycle.edges}
    for cycle in _circles(graph, found):
        if not {(edge.source, edge.target) for edge in cycle.edges} <= told:
            judge(cycle, found)
            report.cycles.append(cycle)
    return report


def _is_unexplained(exploration: Exploration) -> bool:
    dead = exploration.outcome.found.get(DEADLOCK)
    if dead is None:
        return False
    state = run_schedule(exploration.system, dead.start, dead.schedule)[-1]
    return not circles_in(exploration.system, state)


def _circles(graph: LockGraph, found: Iterable[Exploration]) -> Iterator[Cycle]:
    """Return the circles of waiters that were met as cycles of the graph, shortest first."""
    met = {circle.classes for exploration in found for circle in exploration.circles}
    for classes in sorted(met, key=lambda names: (len(names), names)):
        pairs = zip(classes, (*classes[1:], classes[0]), strict=True)
        steps = [next(iter(graph.between(*pair)), None) for pair in pairs]
        assert all(steps), f"a circle of waiters is no cycle of the graph: {classes}"
        yield Cycle(tuple(step for step in steps if step))


def judge(cycle: Cycle, found: Sequence[Exploration]) -> None:
    """Give ``cycle`` its verdict, with the schedule or the guard, from what was explored."""
    cycle.verdict, cycle.guard = UNKNOWN, ""
    pairs = {(edge.source, edge.target) for edge in cycle.edges}
    best = _shortest(pairs, found)
    if best is not None:
        exploration, circle = best
        cycle.verdict = REACHABLE
        cycle.trace = deadlock_trace(exploration, circle)
        cycle.notes.append(f"scope {exploration.scope.name}: {circle}")
        if cycle.trace is None:
            cycle.notes.append("no system call waits for this circle here, so there is no trace")
        return
    cycle.guard = structural_guard(cycle, found)
    if cycle.guard:
        cycle.verdict = GUARDED
        return
    together = [e for e in found if e.exhaustive and pairs <= e.grips.keys()]
    if together:
        cycle.verdict = UNREACHABLE
        states = sum(e.outcome.states for e in together)
        names = ", ".join(e.scope.name for e in together)
        cycle.guard = f"no circle of waiters in any of the {states:,} states of {names}"
    else:
        cycle.notes.append("no scope that was explored whole has all of these edges")


def _shortest(
    pairs: set[Pair], found: Iterable[Exploration]
) -> tuple[Exploration, WaitCycle] | None:
    """Return the circle with the shortest schedule that goes through all of ``pairs``."""
    fitting = [
        (len(schedule), number, exploration, circle)
        for number, exploration in enumerate(found)
        for circle, schedule in exploration.circles.items()
        if pairs <= circle.pairs
    ]
    if not fitting:
        return None
    best = min(fitting, key=lambda entry: entry[:2])
    return best[2], best[3]


def deadlock_trace(exploration: Exploration, circle: WaitCycle) -> Trace | None:
    """Return a schedule to the circle and on until nobody can run, as a trace.

    Nothing, if no system call is stuck then: a worker and kjournald may wait for each other while
    nobody needs them, which the property ``deadlock`` calls a run at rest.
    """
    system = exploration.system
    schedule = exploration.circles[circle]
    state = run_schedule(system, system.initial, schedule)[-1]
    watch = Watch(stop_when=frozenset({DEADLOCK}))
    dead = BreadthFirst(system, watch, Limits(), [state]).run().found.get(DEADLOCK)
    if dead is None:
        return None
    question = Question(
        exploration.design, exploration.scope, exploration.mutant, properties=(DEADLOCK,)
    )
    epoch = Epoch(mkfs(question.scope), (*schedule, *dead.schedule), None)
    return make_trace(question, DEADLOCK, (epoch,), str(circle), origin=Origin("locks"))


def structural_guard(cycle: Cycle, found: Sequence[Exploration]) -> str:
    """Return what makes the cycle impossible whatever the schedule, or nothing.

    Judged over every observation of every scope: if no choice of observations, one an edge, fits
    together, no run of the same paths can.
    """
    grips = [sorted(set(observations(found, (edge.source, edge.target)))) for edge in cycle.edges]
    if not all(grips):
        return ""
    if next(_chains(grips, exclusive=False), None) is None:
        return _instance_guard(cycle, grips)
    if next(_chains(grips, exclusive=True), None) is None:
        names = sorted(
            {
                base_of(resource.name)
                for chain in _chains(grips, exclusive=False)
                for one, other in _couples(chain)
                for resource in one.alone & other.alone
            }
        )
        return f"two of the waiters would hold the same {' or '.join(names)}"
    return ""


def _chains(grips: list[list[Grip]], *, exclusive: bool) -> Iterator[tuple[Grip, ...]]:
    """Return choices of one observation an edge in which each wants what the next one has.

    With ``exclusive``, no two of them hold the same thing that only one thread can hold.
    """

    def extend(chain: tuple[Grip, ...]) -> Iterator[tuple[Grip, ...]]:
        if len(chain) == len(grips):
            if chain[-1].wants == chain[0].has:
                yield chain
            return
        for grip in grips[len(chain)]:
            if chain and chain[-1].wants != grip.has:
                continue
            if exclusive and any(grip.alone & other.alone for other in chain):
                continue
            yield from extend((*chain, grip))

    return extend(())


def _couples(chain: Sequence[Grip]) -> Iterator[tuple[Grip, Grip]]:
    for number, one in enumerate(chain):
        for other in chain[number + 1 :]:
            yield one, other


def _instance_guard(cycle: Cycle, grips: list[list[Grip]]) -> str:
    rising = [
        grip.has.folio <= grip.wants.folio
        for group in grips
        for grip in group
        if grip.has.folio >= 0 and grip.wants.folio >= 0 and grip.has.inode == grip.wants.inode
    ]
    if rising and all(rising):
        return "folios are locked and waited for in the order of their index"
    names = sorted({base_of(name) for name in cycle.classes})
    return f"never the same instances of {', '.join(names)}"


def kept_open(graph: LockGraph) -> dict[str, Cycle]:
    """Return, for every rule the graph keeps, a cycle that breaking it would close.

    A rule that closes nothing here is not in the result.
    """
    found: dict[str, Cycle] = {}
    known = {cycle.classes for cycle in find_cycles(graph)}
    for rule in RULES:
        if rule.broken_by(graph):
            continue
        closed = (cycle for pair in rule.pairs for cycle in _closed_by(graph, pair))
        fresh = next((cycle for cycle in closed if cycle.classes not in known), None)
        if fresh is not None:
            found[rule.name] = replace(fresh, guard=rule.statement, verdict=GUARDED)
    return found


def _closed_by(graph: LockGraph, pair: Pair) -> list[Cycle]:
    """Return the cycles through an edge that is not there."""
    if graph.between(*pair) or not all(name in graph for name in pair):
        return []
    larger = merged([graph])
    larger.add(Edge(*pair))
    return [
        cycle
        for cycle in find_cycles(larger)
        if any((edge.source, edge.target) == pair for edge in cycle.edges)
    ]
