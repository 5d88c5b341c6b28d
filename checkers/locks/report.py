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
from powercut.checkers.locks.graph import Edge, LockGraph, Seen, Where

if TYPE_CHECKING:
    from powercut.checkers.locks.compare import Comparison
    from powercut.checkers.locks.csource.analyse import SourceReport
    from powercut.checkers.locks.csource.checks import Finding
    from powercut.checkers.locks.csource.difference import Change
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
        unread = bool(self.source and self.source.open_places)
        with_tree = bool(self.source and self.source.tree)
        nothing = not len(self.graph) and not with_tree
        return INCONCLUSIVE if undecided or unread or nothing else HOLDS

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


def report_on_source(title: str, source: "SourceReport") -> Report:
    """Return the report on source; of a patch with its tree, on what the patch changes."""
    if source.whole is None or source.whole_before is None:
        report = report_on(title, source.graph)
        report.source = source
        return report
    new = source.whole.pairs(blocking=False) - source.whole_before.pairs(blocking=False)
    contradictions = [
        found
        for found in find_contradictions(source.whole)
        if (found.edge.source, found.edge.target) in new
        or (found.other and (found.other.edge.source, found.other.edge.target) in new)
    ]
    cycles = find_cycles(source.whole, new) if new else []
    observed = compare_documented(source.graph)
    return Report(title, source.graph, cycles, contradictions, observed, source)


def document_of(report: Report, exit_code: int) -> dict[str, Any]:
    """Return the report as a document (``powercut locks --json``)."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "exit_code": exit_code,
        "title": report.title,
        "classes": [
            {"name": c.name, "kind": c.kind, "order_key": c.order_key, "lockdep": c.lockdep}
            for c in report.graph.classes()
        ],
        "edges": [edge_document(seen) for seen in merged_edges(report.graph)],
        "cycles": [cycle_document(cycle) for cycle in report.cycles],
        "contradictions": [_contradiction(c) for c in report.contradictions],
        "documented": [_observed(o) for o in report.documented],
        "notes": report.notes,
    }
    if report.source:
        document["source"] = _source(report.source)
    if report.real:
        document["lockdep"] = {
            "names": report.real.names,
            "invisible": [lock.name for lock in report.real.invisible],
            "never_seen": report.real.never_seen,
            "other_classes": report.real.foreign,
        }
    if report.comparison:
        document["compared_with"] = report.compared_with
        document["compared"] = report.comparison.compared
        document["not_compared"] = report.comparison.not_compared
        document["agreed"] = report.comparison.agreed
        document["missing"] = [_difference(d) for d in report.comparison.missing]
        document["extra"] = [_difference(d) for d in report.comparison.extra]
    return document


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


def edge_document(edge: MergedEdge) -> dict[str, Any]:
    """Return an edge as a document."""
    return {
        "from": edge.source,
        "to": edge.target,
        "kind": edge.kind,
        "modes": [list(pair) for pair in edge.modes],
        "context": edge.context,
        "where": [where_document(where) for where in edge.where],
        "held": [list(held) for held in edge.held],
        "path": list(edge.chain),
    }


def where_document(where: Where) -> dict[str, Any]:
    """Return a place as a document."""
    return {"function": where.function, "file": where.file, "line": where.line}


def cycle_document(cycle: Cycle) -> dict[str, Any]:
    """Return a cycle as a document."""
    return {
        "classes": list(cycle.classes),
        "verdict": cycle.verdict,
        "guard": cycle.guard or None,
        "trace": trace_document(cycle.trace),
        "notes": cycle.notes,
        "edges": [edge_document(merged_edge([step])) for step in cycle.steps],
    }


def trace_document(trace: Any) -> Any:
    """Return a trace as a document, like the file it can be saved to."""
    if trace is None:
        return None
    import msgspec

    return msgspec.to_builtins(trace)


def _contradiction(found: Contradiction) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "from": found.edge.source,
        "to": found.edge.target,
        "context": found.edge.context,
        "where": [where_document(where) for where in found.where],
        "path": list(found.edge.chain),
        "against": found.against,
        "order": list(found.order.chain) if found.order else None,
        "documented_path": found.order.path if found.order else None,
        "other": edge_document(merged_edge([found.other])) if found.other else None,
        "allowed_by": found.allowed_by.path if found.allowed_by else None,
        "reason": found.reason or None,
    }


def _observed(found: Observed) -> dict[str, Any]:
    return {
        "path": found.order.path,
        "chain": list(found.order.chain),
        "source": found.order.source,
        "since": found.order.since or None,
        "observed": [list(pair) for pair in found.seen],
        "not_observed": [list(pair) for pair in found.unseen],
        "reversed": [list(pair) for pair in found.reversed],
    }


def _source(source: "SourceReport") -> dict[str, Any]:
    return {
        "kind": source.kind,
        "files": source.files,
        "functions": source.functions,
        "lines": source.lines,
        "mistakes": [_mistake(m, m in source.old_mistakes) for m in source.mistakes],
        "fixed": [_mistake(m, True) for m in source.fixed],
        "added": [edge_document(merged_edge([seen])) for seen in source.added],
        "removed": [edge_document(merged_edge([seen])) for seen in source.removed],
        "changes": [_change(change) for change in source.changes],
        "open": source.open_places,
        "subjects": source.subjects,
        "tree": source.tree or None,
        "not_seen": source.not_seen,
        "unknown_calls": source.unknown_calls,
    }


def _change(change: "Change") -> dict[str, Any]:
    return {
        "kind": "unknown" if change.helpers else change.kind,
        "from": change.pair[0],
        "to": change.pair[1],
        "before": _path(change.before),
        "after": _path(change.after),
        "elsewhere": _path(change.elsewhere),
        "hidden_by": list(change.helpers),
        "functions": change.functions,
    }


def _path(edge: Edge | None) -> dict[str, Any] | None:
    if edge is None:
        return None
    where = where_document(edge.where) if edge.where else None
    return {"where": where, "path": list(edge.chain), "context": edge.context}


def _mistake(found: "Finding", before: bool) -> dict[str, Any]:
    return {
        "what": found.what,
        "lock": found.lock,
        "message": found.message,
        "where": where_document(found.where),
        "path": list(found.chain),
        "steps": list(found.steps),
        "before": before,
    }


def _difference(found: Any) -> dict[str, Any]:
    return {
        "from": found.source,
        "to": found.target,
        "explained": found.explained,
        "reason": found.reason or None,
        "where": [where_document(where) for where in found.seen.where],
        "context": found.seen.edge.context,
    }
