"""What of a graph is saved where, and which blocks are emitted once: what both back ends share."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from powercut.checkers.engine.errors import LanguageError
from powercut.checkers.engine.frames import MOST_POINTS, Frames
from powercut.checkers.engine.graph import Branch, Graph, HelperSet, Jump
from powercut.checkers.engine.liveness import Liveness, analyse, assign_slots

_SHARED_SIZE = 14
"""Blocks reached twice and longer than this many statements are emitted once."""


@dataclass(slots=True)
class Plan:
    """A graph with all that was decided about it; ``shared`` are the blocks emitted once."""

    graph: Graph
    liveness: Liveness
    shared: set[int]
    frames: Frames


@dataclass(slots=True)
class Lowered:
    """A whole program as the back ends take it; ``predicates`` are names of helpers."""

    plans: dict[str, Plan]
    helpers: HelperSet
    predicates: Sequence[str]
    zero_dead: bool


def plan_of(graph: Graph, *, zero_dead: bool = True) -> Plan:
    """Decide what is saved where.  Raises :class:`LanguageError` beyond 65,280 points.

    ``zero_dead=False`` keeps dead locals in the state (for measuring what zeroing is worth).
    """
    if len(graph.points) > MOST_POINTS:
        reason = f"{len(graph.points)} preemption points; at most {MOST_POINTS}"
        raise LanguageError(graph.kind, 0, reason)
    liveness = analyse(graph)
    shared = _shared_blocks(graph)
    save_points = [*liveness.at_point.values(), *(liveness.at_block[b] for b in shared)]
    slots = assign_slots(save_points)
    if not zero_dead:
        slots = assign_slots([frozenset(slots)])
    places = {number: point.place for number, point in graph.points.items()}
    return Plan(graph, liveness, shared, Frames(graph.kind, places, liveness.at_point, slots))


def _successors(graph: Graph, block: int) -> list[int]:
    end = graph.blocks[block].end
    if isinstance(end, Jump):
        return [end.target]
    if isinstance(end, Branch):
        return [end.yes, end.no]
    return []


def _shared_blocks(graph: Graph) -> set[int]:
    """Heads of yield-free loops, and long blocks that several places continue to."""
    shared: set[int] = set()
    state = [0] * len(graph.blocks)
    size = [0] * len(graph.blocks)
    incoming = [0] * len(graph.blocks)
    for block in range(len(graph.blocks)):
        for target in _successors(graph, block):
            incoming[target] += 1

    def visit(block: int) -> None:
        state[block] = 1
        total = sum(1 for s in graph.blocks[block].statements for _ in _statements(s))
        for target in _successors(graph, block):
            if state[target] == 1:
                shared.add(target)
                continue
            if state[target] == 0:
                visit(target)
            total += 1 if target in shared else size[target]
        size[block] = total + 1
        state[block] = 2
        if incoming[block] > 1 and size[block] > _SHARED_SIZE:
            shared.add(block)

    roots = [0, *(point.target for point in graph.points.values())]
    for root in roots:
        if state[root] == 0:
            visit(root)
    return shared


def _statements(node: ast.stmt) -> list[ast.AST]:
    return [n for n in ast.walk(node) if isinstance(n, ast.stmt)]
