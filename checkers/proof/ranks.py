"""Lock order for any number of threads: a rank that every acquire and every wait increases.

What: the edges are the model's own (``checkers.locks.model_edges``): "whoever has the one may wait
for the other", with how the folio index of the wanted folio relates to that of the held one.  A
rank gives each class a level, and folio locks and folio writeback a folio index and an order within
one folio; z3 looks for one that every edge increases, and then proves each edge for all indices.
If every edge goes up in rank there is no circle of waiters, however many threads there are.
Why so: a search of interleavings bounds the number of threads, a rank does not.  What is still
bounded is where the edges come from: paths that the explored scopes do not take add none.
Rejected: levels written by hand (they would be of another graph soon), a topological order of the
classes alone (a folio lock is taken while earlier folios are under writeback, so classes alone have
a cycle).
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from powercut.checkers.locks.model_edges import Exploration, explore, observations
from powercut.checkers.locks.model_state import COMMIT, EOF_WRITE, HANDLE
from powercut.checkers.proof.answers import SAT, UNKNOWN, UNSAT, Undecided, ask, model_work
from powercut.checkers.proof.obligations import PROVED, REFUTED, Decision
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import Design
from powercut.model.mutants import Mutant

RANK_SCOPES = ("ordered-log", "enospc", "log-full", "eof-unsubmitted", "cookie-race", "punch-folio")
"""Small scopes of one file that together show every edge, which a test checks for every design."""

SAME = "same"
LATER = "later"
EARLIER = "earlier"
_ANY = ""
_RLIMIT = 5_000_000

ASCENDING = "iomap_writepages() visits folios in ascending order"
UNORDERED = (
    "no inode of the iomap path is on the ordered list: a commit waits for none of its folios"
)


@dataclass(frozen=True, slots=True, order=True)
class RankEdge:
    """``held`` → ``wanted``; ``folio`` relates the wanted folio to the held one, if both are."""

    held: str
    wanted: str
    folio: str = _ANY

    @property
    def name(self) -> str:
        """Return the edge's name in reports."""
        return f"lock-order/{self.held}/{self.wanted}{'/' + self.folio if self.folio else ''}"


@dataclass(slots=True)
class Edges:
    """The edges with a place where each was seen, and the scopes they come from."""

    where: dict[RankEdge, str]
    scopes: tuple[str, ...]
    exhaustive: bool


def edges_of(design: Design, mutant: Mutant | None = None, scopes: Iterable[str] = ()) -> Edges:
    """Return the edges of a design's model in :data:`RANK_SCOPES` and in ``scopes``."""
    names = tuple(dict.fromkeys((*RANK_SCOPES, *scopes)))
    found = []
    for name in names:
        with model_work():
            found.append(explore(design, SCOPES[name], mutant))
    where: dict[RankEdge, str] = {}
    for exploration in found:
        for edge in _edges(exploration):
            where.setdefault(edge, _place(exploration, edge))
    return Edges(where, names, all(not e.outcome.stopped for e in found))


def _edges(exploration: Exploration) -> Iterator[RankEdge]:
    for held, wanted in sorted(exploration.graph.pairs()):
        relations = {_ANY}
        if _indexed(held) and _indexed(wanted):
            relations = {_relation(grip) for grip in observations([exploration], (held, wanted))}
        for relation in sorted(relations):
            yield RankEdge(held, wanted, relation)


def _relation(grip: Any) -> str:
    if grip.has.inode != grip.wants.inode:
        return _ANY
    if grip.has.folio == grip.wants.folio:
        return SAME
    return LATER if grip.wants.folio > grip.has.folio else EARLIER


def _place(exploration: Exploration, edge: RankEdge) -> str:
    seen = exploration.graph.between(edge.held, edge.wanted)
    places = sorted({str(where.function) for s in seen for where in s.where})
    return ", ".join(f"{place}()" for place in places[:3])


def _indexed(name: str) -> bool:
    return name.startswith(("folio_lock[", "folio_writeback["))


def decisions(edges: Edges) -> Iterator[Decision]:
    """Yield a row an edge: its rank rises for every pair of folios that it relates.

    Without an answer of z3 the row is unknown.  A search that was cut short is a row of its own.
    """
    import z3

    left = sorted(edges.where)
    circles: dict[RankEdge, str] = {}
    undecided = ""
    rank: Rank | list[RankEdge] = {}
    try:
        rank = _rank(z3, left)
        while isinstance(rank, list):
            worst = _closing(rank)
            others = ", ".join(f"{e.held} → {e.wanted}" for e in rank if e != worst)
            circles[worst] = f"no rank: it closes a circle with {others}"
            left.remove(worst)
            rank = _rank(z3, left)
    except Undecided as error:
        undecided = str(error)
    if not edges.exhaustive:
        yield _cut_short(edges)
    for edge in sorted(edges.where):
        started = time.perf_counter()
        if edge in circles:
            result, reason = REFUTED, circles[edge]
        elif undecided or isinstance(rank, list):
            result, reason = UNKNOWN, undecided
        else:
            result, reason = _rises(z3, rank, edge)
            reason = reason or _guard(edge, edges)
        folio = f" of {'the same' if edge.folio == SAME else f'a {edge.folio}'} folio"
        yield Decision(
            edge.name,
            f"{edge.held} before {edge.wanted}{folio if edge.folio else ''}: {edges.where[edge]}",
            "lock-order",
            result,
            time.perf_counter() - started,
            f"z3 {z3.get_version_string()}",
            reason,
        )


def _cut_short(edges: Edges) -> Decision:
    return Decision(
        "lock-order/edges",
        f"the scopes {', '.join(edges.scopes)} show every edge",
        "lock-order",
        UNKNOWN,
        0.0,
        "search of the model",
        "a search was cut short: edges may be missing",
    )


def _guard(edge: RankEdge, edges: Edges) -> str:
    """What the argument rests on beside the order itself, where it does."""
    if edge.folio == LATER:
        return f"guard: {ASCENDING}"
    waits_for_folios = any(e.held == COMMIT and _indexed(e.wanted) for e in edges.where)
    if (edge.held, edge.wanted) == (COMMIT, HANDLE) and not waits_for_folios:
        return f"guard: {UNORDERED}"
    return ""


def _closing(circle: Sequence[RankEdge]) -> RankEdge:
    """Return the edge of a circle to report: a wait for an EOF block's write before others."""
    return max(circle, key=lambda edge: (edge.wanted == EOF_WRITE, edge.held == HANDLE, edge))


Rank = dict[str, tuple[int, int]]


def _rank(z3: Any, edges: Sequence[RankEdge]) -> Rank | list[RankEdge]:
    """Return a level and an order within a folio for every class, or edges that forbid one.

    Raises :class:`Undecided`.
    """
    classes = sorted({name for edge in edges for name in (edge.held, edge.wanted)})
    level = {name: z3.Int(f"level {name}") for name in classes}
    within = {name: z3.Int(f"within {name}") for name in classes}
    solver = z3.Solver()
    solver.set("rlimit", _RLIMIT)
    solver.set("core.minimize", True)
    names = {}
    for edge in edges:
        lower = level[edge.held] < level[edge.wanted]
        if edge.folio in (SAME, LATER):
            order = within[edge.held] < within[edge.wanted] if edge.folio == SAME else z3.BoolVal(1)
            lower = z3.Or(lower, z3.And(level[edge.held] == level[edge.wanted], order))
        names[edge.name] = edge
        solver.assert_and_track(lower, edge.name)
    answer = ask(solver)
    if answer.kind == SAT:
        model = solver.model()
        value = lambda term: model.eval(term, True).as_long()  # noqa: E731
        return {name: (value(level[name]), value(within[name])) for name in classes}
    if answer.kind == UNSAT:
        return [names[str(name)] for name in solver.unsat_core()]
    raise Undecided(f"whether there is a rank: {answer.reason}")


def _rises(z3: Any, rank: Rank, edge: RankEdge) -> tuple[str, str]:
    """Decide whether (level, folio, within) rises lexicographically, whatever the indices are.

    Return the result, and z3's reason where that is "unknown".
    """
    f, g = z3.Ints("f g")
    relation = {SAME: f == g, LATER: f < g, EARLIER: g < f}.get(edge.folio, z3.BoolVal(True))
    (low, inner), (high, outer) = rank[edge.held], rank[edge.wanted]
    below = (low, f if _indexed(edge.held) else z3.IntVal(0), inner)
    above = (high, g if _indexed(edge.wanted) else z3.IntVal(0), outer)
    rises = z3.BoolVal(False)
    for a, b in reversed(list(zip(below, above, strict=True))):
        rises = z3.Or(z3.IntVal(0) + a < z3.IntVal(0) + b, z3.And(a == b, rises))
    solver = z3.Solver()
    solver.set("rlimit", _RLIMIT)
    solver.add(relation, f >= 0, g >= 0, z3.Not(rises))
    answer = ask(solver)
    return {UNSAT: PROVED, SAT: REFUTED}.get(answer.kind, UNKNOWN), answer.reason
