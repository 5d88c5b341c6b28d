"""One report, whatever was looked at: the graph, what is wrong with it, how sure that is.

Why so: the text, the document and the pictures are made from this, so they cannot disagree.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from powercut.checkers.locks.cycles import REACHABLE, UNKNOWN, Cycle, find_cycles
from powercut.checkers.locks.documented import (
    CONTRADICTS,
    Contradiction,
    Observed,
    compare_documented,
    find_contradictions,
)
from powercut.checkers.locks.graph import LockGraph, Seen, Where

if TYPE_CHECKING:
    from powercut.checkers.locks.compare import Comparison
    from powercut.checkers.locks.csource.analyse import SourceReport
    from powercut.checkers.locks.lockdep import RealGraph

HOLDS, VIOLATED, INCONCLUSIVE = "holds", "violated", "inconclusive"


@dataclass(slots=True)
class Report:
    """Everything there is to say."""

    title: str
    graph: LockGraph
    cycles: list[Cycle] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    documented: list[Observed] = field(default_factory=list)
    source: "SourceReport | None" = None
    real: "RealGraph | None" = None
    comparison: "Comparison | None" = None
    compared_with: str = ""
    notes: list[str] = field(default_factory=list)
    decided: str = ""
    """The verdict of who looked at every state, if somebody did."""

    @property
    def verdict(self) -> str:
        """Violated for a mistake, a reachable cycle or an unexplained difference."""
        if self._broken():
            return VIOLATED
        if self.decided:
            return self.decided
        undecided = any(cycle.verdict == UNKNOWN for cycle in self.cycles)
        return INCONCLUSIVE if undecided or not len(self.graph) else HOLDS

    def _broken(self) -> bool:
        mistakes = self.source.new_mistakes if self.source else []
        return bool(
            mistakes
            or any(cycle.verdict == REACHABLE for cycle in self.cycles)
            or any(c.kind == CONTRADICTS for c in self.contradictions)
            or (self.comparison and self.comparison.unexplained)
        )


def report_on(title: str, graph: LockGraph) -> Report:
    """Return the report on a graph: its cycles and what it has against the documents."""
    return Report(
        title, graph, find_cycles(graph), find_contradictions(graph), compare_documented(graph)
    )


@dataclass(frozen=True, slots=True)
class MergedEdge:
    """Edges that differ in mode only."""

    source: str
    target: str
    kind: str
    context: str
    modes: tuple[tuple[str, str], ...]
    where: tuple[Where, ...]
    held: tuple[tuple[str, ...], ...]
    chain: tuple[str, ...]


def merged_edges(graph: LockGraph) -> list[MergedEdge]:
    """Return the edges of a graph, those that differ in mode only as one."""
    groups: dict[tuple[str, str, str, str], list[Seen]] = {}
    for seen in graph.seen():
        edge = seen.edge
        groups.setdefault((edge.source, edge.target, edge.kind, edge.context), []).append(seen)
    return [merged_edge(group) for group in groups.values()]


def merged_edge(group: list[Seen]) -> MergedEdge:
    """Return edges with the same ends, kind and context as one."""
    first = group[0].edge
    return MergedEdge(
        first.source,
        first.target,
        first.kind,
        first.context,
        tuple(dict.fromkeys((s.edge.held_mode, s.edge.target_words) for s in group)),
        tuple(dict.fromkeys(where for s in group for where in s.where)),
        tuple(dict.fromkeys(held for s in group for held in s.held)),
        first.chain,
    )
