"""Livelock: a reachable cycle that no run can leave towards an end.

A state is *endless* when no continuation of it comes to rest, neither finished nor deadlocked.  The
witness is a lasso: a shortest way to an endless state that lies on a cycle, and once around it.

Rejected: fair-cycle search (Büchi automata).  Every daemon of the model acts only when it has
something to do, so "can still come to rest" needs no fairness assumption to be meaningful.
"""

from collections import deque
from collections.abc import Iterable, Sequence

Edges = Sequence[Sequence[int]]
"""The successors of every state, by number."""


def endless_states(edges: Edges, at_rest: Iterable[int]) -> list[int]:
    """Return the states from which none of ``at_rest`` can be reached, in order."""
    predecessors: list[list[int]] = [[] for _ in edges]
    for source, successors in enumerate(edges):
        for target in successors:
            predecessors[target].append(source)
    todo = list(at_rest)
    ends = bytearray(len(edges))
    for number in todo:
        ends[number] = 1
    while todo:
        for source in predecessors[todo.pop()]:
            if not ends[source]:
                ends[source] = 1
                todo.append(source)
    return [number for number, good in enumerate(ends) if not good]


def first_cycle(edges: Edges, endless: Sequence[int]) -> list[int]:
    """Return the states of a shortest cycle through the first endless state that is on one.

    The first state is repeated at the end; empty if there is no endless state.
    """
    for number in endless:
        cycle = _cycle_through(edges, number)
        if cycle:
            return cycle
    return []


def _cycle_through(edges: Edges, start: int) -> list[int]:
    came_from: dict[int, int] = {}
    queue = deque([start])
    while queue:
        source = queue.popleft()
        for target in edges[source]:
            if target in came_from:
                continue
            came_from[target] = source
            if target == start:
                return _way_back(came_from, start)
            queue.append(target)
    return []


def _way_back(came_from: dict[int, int], start: int) -> list[int]:
    way = [start]
    number = came_from[start]
    while number != start:
        way.append(number)
        number = came_from[number]
    way.append(start)
    return way[::-1]
