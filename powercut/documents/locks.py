"""The document of ``powercut locks``, made from its report."""

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType, field

from powercut.checkers.locks.graph import LockGraph, Seen, Where
from powercut.checkers.locks.report import MergedEdge, Report, merged_edge, merged_edges
from powercut.checkers.traces.format import Trace
from powercut.documents.document import Document

if TYPE_CHECKING:
    from powercut.checkers.locks.compare import Difference
    from powercut.checkers.locks.csource.analyse import SourceReport
    from powercut.checkers.locks.csource.checks import Finding
    from powercut.checkers.locks.cycles import Cycle
    from powercut.checkers.locks.documented import Contradiction, Observed
    from powercut.checkers.locks.lockdep import RealGraph


class Class(Struct, frozen=True, kw_only=True):
    """A lock class, or what is waited for; ``lockdep`` says whether lockdep can see it."""

    name: str
    kind: str
    order_key: str | None
    lockdep: bool


class EdgeOfGraph(Struct, frozen=True, kw_only=True):
    """``target`` is taken while ``source`` is held; ``modes`` has how each of them is."""

    source: str = field(name="from")
    target: str = field(name="to")
    kind: str
    modes: list[tuple[str, str]]
    context: str
    where: list[Where]
    held: list[list[str]]
    path: list[str]


class CycleOfGraph(Struct, frozen=True, kw_only=True):
    """A way to deadlock, what prevents it, and a schedule that shows it."""

    classes: list[str]
    verdict: str
    guard: str | None
    trace: Trace | None
    notes: list[str]
    edges: list[EdgeOfGraph]


class Against(Struct, frozen=True, kw_only=True):
    """An edge that a documented order, or another path, has the other way round."""

    kind: str
    source: str = field(name="from")
    target: str = field(name="to")
    context: str
    where: list[Where]
    path: list[str]
    against: str
    order: list[str] | None
    documented_path: str | None
    other: EdgeOfGraph | None
    allowed_by: str | None
    reason: str | None


class DocumentedOrder(Struct, frozen=True, kw_only=True):
    """A documented order, and how much of it was seen."""

    path: str
    chain: list[str]
    source: str
    since: str | None
    observed: list[tuple[str, str]]
    not_observed: list[tuple[str, str]]
    reversed: list[tuple[str, str]]


class Mistake(Struct, frozen=True, kw_only=True):
    """A mistake in C source; ``before`` if it was there before the patch."""

    what: str
    lock: str
    message: str
    where: Where
    path: list[str]
    before: bool


class Source(Struct, frozen=True, kw_only=True):
    """What was found in C source."""

    kind: str
    files: int
    functions: int
    lines: int
    mistakes: list[Mistake]
    fixed: list[Mistake]
    added: list[EdgeOfGraph]
    removed: list[EdgeOfGraph]
    not_seen: list[str]
    unknown_calls: list[str]


class Lockdep(Struct, frozen=True, kw_only=True):
    """What a kernel's lockdep shows; ``names`` maps our names to its names."""

    names: dict[str, str]
    invisible: list[str]
    never_seen: list[str]
    other_classes: int


class GraphDifference(Struct, frozen=True, kw_only=True):
    """An edge that one of two graphs lacks."""

    source: str = field(name="from")
    target: str = field(name="to")
    explained: bool
    reason: str | None
    where: list[Where]
    context: str


class LocksDocument(Document, frozen=True, kw_only=True, tag="powercut.locks/1"):
    """The graph, and what is wrong with it.

    ``source`` is there for C source, ``lockdep`` for a kernel, ``compared_with`` and what follows
    it for a comparison.
    """

    title: str
    classes: list[Class]
    edges: list[EdgeOfGraph]
    cycles: list[CycleOfGraph]
    contradictions: list[Against]
    documented: list[DocumentedOrder]
    notes: list[str]
    source: Source | UnsetType = UNSET
    lockdep: Lockdep | UnsetType = UNSET
    compared_with: str | UnsetType = UNSET
    compared: list[str] | UnsetType = UNSET
    not_compared: list[str] | UnsetType = UNSET
    agreed: int | UnsetType = UNSET
    missing: list[GraphDifference] | UnsetType = UNSET
    extra: list[GraphDifference] | UnsetType = UNSET


def locks_document(report: Report, exit_code: int) -> LocksDocument:
    """Return the document of ``powercut locks --json``."""
    compared = report.comparison
    return LocksDocument(
        verdict=report.verdict,
        exit_code=exit_code,
        title=report.title,
        classes=_classes(report.graph),
        edges=[_edge(edge) for edge in merged_edges(report.graph)],
        cycles=[_cycle(cycle) for cycle in report.cycles],
        contradictions=[_contradiction(c) for c in report.contradictions],
        documented=[_observed(o) for o in report.documented],
        notes=report.notes,
        source=_source(report.source) if report.source else UNSET,
        lockdep=_lockdep(report.real) if report.real else UNSET,
        compared_with=report.compared_with if compared else UNSET,
        compared=compared.compared if compared else UNSET,
        not_compared=compared.not_compared if compared else UNSET,
        agreed=compared.agreed if compared else UNSET,
        missing=[_difference(d) for d in compared.missing] if compared else UNSET,
        extra=[_difference(d) for d in compared.extra] if compared else UNSET,
    )


def _classes(graph: LockGraph) -> list[Class]:
    return [
        Class(name=c.name, kind=c.kind, order_key=c.order_key, lockdep=c.lockdep)
        for c in graph.classes()
    ]


def _edge(edge: MergedEdge) -> EdgeOfGraph:
    return EdgeOfGraph(
        source=edge.source,
        target=edge.target,
        kind=edge.kind,
        modes=list(edge.modes),
        context=edge.context,
        where=list(edge.where),
        held=[list(held) for held in edge.held],
        path=list(edge.chain),
    )


def _edges(seen: list[Seen]) -> list[EdgeOfGraph]:
    return [_edge(merged_edge([each])) for each in seen]


def _cycle(cycle: "Cycle") -> CycleOfGraph:
    return CycleOfGraph(
        classes=list(cycle.classes),
        verdict=cycle.verdict,
        guard=cycle.guard or None,
        trace=cycle.trace,
        notes=cycle.notes,
        edges=_edges(list(cycle.steps)),
    )


def _contradiction(found: "Contradiction") -> Against:
    return Against(
        kind=found.kind,
        source=found.edge.source,
        target=found.edge.target,
        context=found.edge.context,
        where=list(found.where),
        path=list(found.edge.chain),
        against=found.against,
        order=list(found.order.chain) if found.order else None,
        documented_path=found.order.path if found.order else None,
        other=_edge(merged_edge([found.other])) if found.other else None,
        allowed_by=found.allowed_by.path if found.allowed_by else None,
        reason=found.reason or None,
    )


def _observed(found: "Observed") -> DocumentedOrder:
    return DocumentedOrder(
        path=found.order.path,
        chain=list(found.order.chain),
        source=found.order.source,
        since=found.order.since or None,
        observed=found.seen,
        not_observed=found.unseen,
        reversed=found.reversed,
    )


def _source(source: "SourceReport") -> Source:
    return Source(
        kind=source.kind,
        files=source.files,
        functions=source.functions,
        lines=source.lines,
        mistakes=[_mistake(m, m in source.old_mistakes) for m in source.mistakes],
        fixed=[_mistake(m, True) for m in source.fixed],
        added=_edges(source.added),
        removed=_edges(source.removed),
        not_seen=source.not_seen,
        unknown_calls=source.unknown_calls,
    )


def _mistake(found: "Finding", before: bool) -> Mistake:
    return Mistake(
        what=found.what,
        lock=found.lock,
        message=found.message,
        where=found.where,
        path=list(found.chain),
        before=before,
    )


def _lockdep(real: "RealGraph") -> Lockdep:
    return Lockdep(
        names=real.names,
        invisible=[lock.name for lock in real.invisible],
        never_seen=real.never_seen,
        other_classes=real.foreign,
    )


def _difference(found: "Difference") -> GraphDifference:
    return GraphDifference(
        source=found.source,
        target=found.target,
        explained=found.explained,
        reason=found.reason or None,
        where=list(found.seen.where),
        context=found.seen.edge.context,
    )
