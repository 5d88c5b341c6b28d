"""Which locals are live where, and which frame slot each one gets.

A local that is dead at a preemption point must not be part of the state there, or equal situations
would count as different states (measured: 1.4 times as many states, and spurious final states).
So a slot is written only for locals that are live, and dead slots are zeroed.

Slots are shared by locals that are never live together at a point where values are saved: a
preemption point, or the head of a block that several places continue to (see ``emit_python``).
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from powercut.checkers.engine.graph import Block, Branch, End, Graph, Jump, Wait
from powercut.checkers.engine.trees import uses_in, uses_of

_NOTHING: frozenset[str] = frozenset()


@dataclass(slots=True)
class Liveness:
    """Live locals of a graph: at the start of every block, and while parked at every point."""

    at_block: list[frozenset[str]]
    at_point: dict[int, frozenset[str]]


@dataclass(slots=True)
class _Uses:
    """Names in the order of execution: ``reads`` before any write here, and all ``writes``."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)

    def read(self, names: Iterable[str]) -> None:
        self.reads |= set(names) - self.writes


def analyse(graph: Graph) -> Liveness:
    """Solve the usual backward data flow over the locals of ``graph``."""
    locals_ = local_names(graph)
    uses = [_block_uses(block, locals_) for block in graph.blocks]
    guards = {n: uses_of(p.guard).reads & locals_ for n, p in graph.points.items() if p.guard}
    live = [_NOTHING] * len(graph.blocks)
    before = _blocks_before(graph)
    todo = dict.fromkeys(range(len(graph.blocks)))
    while todo:
        index, _ = todo.popitem()
        out = _live_out(graph, graph.blocks[index], live, guards)
        new = uses[index].reads | (out - uses[index].writes)
        if new != live[index]:
            live[index] = frozenset(new)
            todo.update(dict.fromkeys(before[index]))
    at_point = {
        number: live[point.target] | guards.get(number, _NOTHING)
        for number, point in graph.points.items()
    }
    return Liveness(live, at_point)


def local_names(graph: Graph) -> set[str]:
    """Return every local a path of the graph assigns (the thread's parameter is not one)."""
    return set().union(*(uses_in(block.statements).writes for block in graph.blocks))


def _blocks_before(graph: Graph) -> list[list[int]]:
    """Return the blocks that each block's live locals flow back to."""
    out: list[list[int]] = [[] for _ in graph.blocks]
    for index, block in enumerate(graph.blocks):
        for target in _targets(graph, block):
            out[target].append(index)
    return out


def _targets(graph: Graph, block: Block) -> list[int]:
    end = block.end
    if isinstance(end, Jump):
        return [end.target]
    if isinstance(end, Branch):
        return [end.yes, end.no]
    return [graph.points[end.point].target] if isinstance(end, Wait) else []


def _live_out(
    graph: Graph, block: Block, live: list[frozenset[str]], guards: dict[int, frozenset[str]]
) -> frozenset[str]:
    end = block.end
    if isinstance(end, Jump):
        return live[end.target]
    if isinstance(end, Branch):
        return live[end.yes] | live[end.no]
    if isinstance(end, Wait):
        point = graph.points[end.point]
        return live[point.target] | guards.get(end.point, _NOTHING)
    assert isinstance(end, End)
    return frozenset()


def _block_uses(block: Block, locals_: set[str]) -> _Uses:
    uses = _Uses()
    for statement in block.statements:
        _statement_uses(statement, uses, locals_)
    if isinstance(block.end, Branch):
        uses.read(_reads(block.end.test, locals_))
    return uses


def _statement_uses(node: ast.stmt, uses: _Uses, locals_: set[str]) -> None:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        uses.read(_reads(node.value, locals_))
        uses.writes.add(node.targets[0].id)
        return
    if isinstance(node, ast.If):
        uses.read(_reads(node.test, locals_))
        yes, no = _copy(uses), _copy(uses)
        for inner in node.body:
            _statement_uses(inner, yes, locals_)
        for inner in node.orelse:
            _statement_uses(inner, no, locals_)
        uses.reads |= yes.reads | no.reads
        uses.writes |= yes.writes & no.writes
        return
    if isinstance(node, ast.For):
        assert isinstance(node.target, ast.Name)
        uses.read(_reads(node.iter, locals_))
        once = _copy(uses)
        once.writes.add(node.target.id)
        for inner in node.body:
            _statement_uses(inner, once, locals_)
        uses.reads |= once.reads
        return
    if isinstance(node, ast.While):
        uses.read(_reads(node.test, locals_))
        once = _copy(uses)
        for inner in node.body:
            _statement_uses(inner, once, locals_)
        uses.reads |= once.reads
        return
    uses.read(_reads(node, locals_))


def _copy(uses: _Uses) -> _Uses:
    return _Uses(set(uses.reads), set(uses.writes))


def _reads(node: ast.AST, locals_: set[str]) -> frozenset[str]:
    return uses_of(node).reads & locals_


def assign_slots(save_points: Iterable[frozenset[str]]) -> dict[str, int]:
    """Give every local that is ever saved a slot; locals saved together never share one."""
    groups = [frozenset(group) for group in save_points]
    conflicts: dict[str, set[str]] = {}
    for group in groups:
        for name in group:
            conflicts.setdefault(name, set()).update(group - {name})
    slots: dict[str, int] = {}
    for name in sorted(conflicts, key=lambda n: (-len(conflicts[n]), n)):
        taken = {slots[other] for other in conflicts[name] if other in slots}
        slot = 0
        while slot in taken:
            slot += 1
        slots[name] = slot
    return slots
