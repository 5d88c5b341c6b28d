"""Cycles of a lock graph that can block, with the rule for readers that lockdep uses.

Why so: components first (linear), then a shortest search for every edge inside one, so that each
edge that lies on a cycle is explained by a short witness and nothing enumerates all cycles, of
which there can be exponentially many.

The rule for readers: a class that is taken so that waiting writers do not hold it up ("recursive
read") does not wait for other readers; so a path is broken where the class was reached that way
and is held for reading by the next one.  Plain readers do wait, for the writer that waits for an
earlier reader.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from powercut.checkers.locks.graph import Edge, LockGraph, Seen

REACHABLE, GUARDED, UNREACHABLE, UNKNOWN = "reachable", "guarded", "unreachable", "unknown"

MAX_CYCLES = 40


@dataclass(slots=True)
class Cycle:
    """A way to deadlock: the edges in order, the last one leads back to the source of the first.

    ``verdict`` says whether a schedule reaches it; it is unknown until somebody decides.
    ``guard`` names what prevents it, ``trace`` a schedule.
    """

    steps: tuple[Seen, ...]
    verdict: str = UNKNOWN
    guard: str = ""
    trace: Any = None
    notes: list[str] = field(default_factory=list)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges without their places."""
        return tuple(step.edge for step in self.steps)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in order, each once."""
        return tuple(edge.source for edge in self.edges)

    @property
    def inode_classes(self) -> set[str]:
        """The inode classes its folios belong to."""
        found = (name.partition("[")[2].rstrip("]") for name in self.classes)
        return {name for name in found if name}


def find_cycles(graph: LockGraph, through: set[tuple[str, str]] | None = None) -> list[Cycle]:
    """Return cycles that together cover every edge that lies on one, shortest first.

    With ``through``, only the edges between these pairs of classes are covered.
    """
    import networkx

    blocking: Any = networkx.DiGraph()
    for seen in graph.seen():
        if _can_block(graph, seen.edge):
            blocking.add_edge(seen.edge.source, seen.edge.target)
    found: dict[tuple[str, ...], Cycle] = {}
    for component in networkx.strongly_connected_components(blocking):
        out = _edges_inside(graph, component)
        for first in (seen for name in sorted(component) for seen in out[name]):
            if through is not None and (first.edge.source, first.edge.target) not in through:
                continue
            steps = shortest_strong_cycle(out, first)
            if steps:
                cycle = Cycle(_rotated(steps))
                _guard_by_order(graph, cycle)
                found.setdefault(cycle.classes, cycle)
    ordered = sorted(found.values(), key=lambda cycle: (len(cycle.steps), cycle.classes))
    return ordered[:MAX_CYCLES]


def shortest_strong_cycle(out: dict[str, list[Seen]], first: Seen) -> list[Seen]:
    """Return the shortest cycle through ``first`` that blocks, or nothing."""
    goal = first.edge.source
    if first.edge.target == goal:
        closes = not (first.edge.recursive and first.edge.shared)
        return [first] if closes else []
    start = (first.edge.target, first.edge.recursive)
    came_from: dict[tuple[str, bool], tuple[tuple[str, bool], Seen]] = {}
    visited, queue = {start}, deque([start])
    while queue:
        place = queue.popleft()
        for seen in _strong_steps(out, place):
            edge = seen.edge
            if edge.target == goal:
                if edge.recursive and first.edge.shared:
                    continue
                return [first, *_path_to(place, came_from), seen]
            after = (edge.target, edge.recursive)
            if after not in visited:
                visited.add(after)
                came_from[after] = (place, seen)
                queue.append(after)
    return []


def _strong_steps(out: dict[str, list[Seen]], place: tuple[str, bool]) -> Iterator[Seen]:
    name, by_recursive_read = place
    for seen in out.get(name, ()):
        if not (by_recursive_read and seen.edge.shared) and seen.edge.target != name:
            yield seen


def _path_to(
    place: tuple[str, bool], came_from: dict[tuple[str, bool], tuple[tuple[str, bool], Seen]]
) -> list[Seen]:
    path: list[Seen] = []
    while place in came_from:
        place, seen = came_from[place]
        path.append(seen)
    return path[::-1]


def _guard_by_order(graph: LockGraph, cycle: Cycle) -> None:
    """Classes that are sorted by one key cannot wait for each other in a circle."""
    keys = {graph.lock(name).order_key for name in cycle.classes}
    kinds = {name.partition("[")[2] for name in cycle.classes}
    key = keys.pop() if len(keys) == len(kinds) == 1 else None
    if key:
        cycle.verdict = GUARDED
        cycle.guard = f"all of them are taken in the order of one key: {key}"


def _can_block(graph: LockGraph, edge: Edge) -> bool:
    if not edge.blocking:
        return False
    return edge.source != edge.target or graph.lock(edge.source).order_key is None


def _edges_inside(graph: LockGraph, component: set[str]) -> dict[str, list[Seen]]:
    out: dict[str, list[Seen]] = {name: [] for name in component}
    for seen in graph.seen():
        edge = seen.edge
        if edge.source in component and edge.target in component and _can_block(graph, edge):
            out[edge.source].append(seen)
    return out


def _rotated(steps: list[Seen]) -> tuple[Seen, ...]:
    """Start at the smallest class name, so that a cycle found twice is the same one."""
    first = min(range(len(steps)), key=lambda n: steps[n].edge.source)
    return tuple(steps[first:] + steps[:first])
