"""The documented lock orders, and what a graph says about them.

Why so: the orders are data with their source, so that a comment that changes is one line here.  An
edge contradicts a documented order if that order has its two classes the other way round and no
order for the same inode class allows it.  If the order is about other inodes only, the edge is
reported as opposite: it is no mistake by itself, and it is what has to be guarded.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from powercut.checkers.locks.graph import Edge, LockGraph, Seen, Where, base_of, variant_of

CONTRADICTS, OPPOSITE, TWO_ORDERS = "contradicts", "opposite", "two orders"
ACCEPTED = "accepted"


_REGULAR = ("bh", "iomap")
"""The inode classes that the documents are about; others are inodes of ext4's own."""


@dataclass(frozen=True, slots=True)
class Order:
    """A documented chain, outermost first."""

    path: str
    chain: tuple[str, ...]
    inode: str = ""
    source: str = ""
    since: str = ""

    def before(self, first: str, second: str) -> bool:
        """Whether this order puts ``first`` outside ``second`` (base names)."""
        if first not in self.chain or second not in self.chain:
            return False
        return self.chain.index(first) < self.chain.index(second)

    def __str__(self) -> str:
        return " -> ".join(self.chain)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An observed edge that a documented order, or another path, has the other way round."""

    kind: str
    seen: Seen
    order: Order | None = None
    other: Seen | None = None
    allowed_by: Order | None = None
    reason: str = ""

    @property
    def edge(self) -> Edge:
        """The observed edge."""
        return self.seen.edge

    @property
    def where(self) -> list[Where]:
        """Where it was observed."""
        return self.seen.where

    @property
    def against(self) -> str:
        """What it is opposite to, in words."""
        if self.order:
            return f'documented for "{self.order.path}": {self.order}'
        return "another path of the same source"


@dataclass(slots=True)
class Observed:
    """How much of a documented order a graph shows."""

    order: Order
    seen: list[tuple[str, str]] = field(default_factory=list)
    unseen: list[tuple[str, str]] = field(default_factory=list)
    reversed: list[tuple[str, str]] = field(default_factory=list)


@cache
def documented_orders() -> tuple[Order, ...]:
    """Return every documented order."""
    return tuple(
        Order(
            entry["path"],
            tuple(entry["chain"]),
            entry.get("inode", ""),
            entry["source"],
            entry.get("since", ""),
        )
        for entry in _data()["order"]
    )


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Why an edge of a function that holds ``first`` does not contradict a document."""

    first: str
    second: str
    function: str
    reason: str


@cache
def documented_acceptances() -> tuple[Acceptance, ...]:
    """Return every edge of released kernels that is right although it seems not to be."""
    return tuple(Acceptance(**entry) for entry in _data()["accepted"])


@cache
def _data() -> dict[str, list[dict[str, str]]]:
    text = files("powercut.checkers.locks").joinpath("documented.toml").read_text(encoding="utf-8")
    found: dict[str, list[dict[str, str]]] = tomllib.loads(text)
    return found


def inode_of(edge: Edge) -> str:
    """Return the inode class that an edge is about, as far as its names or what is held say."""
    for name in (edge.source, edge.target, *edge.held):
        if base_of(name) in ("folio_lock", "folio_writeback") and variant_of(name):
            return variant_of(name)
    return ""


def find_contradictions(graph: LockGraph) -> list[Contradiction]:
    """Return what a graph has the other way round: against the documents, then against itself."""
    found = [*_against_documents(graph), *_against_itself(graph)]
    rank = {CONTRADICTS: 0, TWO_ORDERS: 1, OPPOSITE: 2, ACCEPTED: 3}
    return sorted(found, key=lambda c: (rank[c.kind], c.edge.key))


def _against_documents(graph: LockGraph) -> Iterator[Contradiction]:
    for seen in _one_each(graph):
        first, second = base_of(seen.edge.source), base_of(seen.edge.target)
        inode = inode_of(seen.edge)
        if any(variant_of(name) not in ("", *_REGULAR) for name in seen.edge.key[:2]):
            continue
        orders = documented_orders()
        allowing = [o for o in orders if o.before(first, second) and _about(o, inode)]
        allowing.sort(key=lambda o: not o.path.startswith("writepages"))
        allowed = allowing[0] if allowing else None
        for order in orders:
            if not order.before(second, first):
                continue
            if _about(order, inode) and allowed is None:
                why = _accepted(seen)
                kind = ACCEPTED if why else CONTRADICTS
                yield Contradiction(kind, seen, order, reason=why or _excuse(first, second))
                break
            if not _about(order, inode) and _is_writeback_pair(order, inode):
                yield Contradiction(
                    OPPOSITE, seen, order, allowed_by=allowed, reason=_excuse(first, second)
                )
                break


def _is_writeback_pair(order: Order, inode: str) -> bool:
    """Of the orders about other inodes, the one about writeback is the one to name."""
    return bool(inode) and order.path.startswith("writepages")


def _about(order: Order, inode: str) -> bool:
    return not order.inode or not inode or order.inode == inode


def _accepted(seen: Seen) -> str:
    """Return why an edge that contradicts a document is none, if every place of it is listed."""
    reasons = {
        (one.first, one.second, one.function): one.reason for one in documented_acceptances()
    }
    ends = (base_of(seen.edge.source), base_of(seen.edge.target))
    found = [reasons.get((*ends, holder), "") for holder in seen.holders]
    return found[0] if found and all(found) else ""


def _excuse(first: str, second: str) -> str:
    for entry in _data()["excuse"]:
        if {entry["first"], entry["second"]} == {first, second}:
            return entry["reason"]
    return ""


def _one_each(graph: LockGraph) -> Iterator[Seen]:
    """Yield one blocking edge for every ordered pair of classes."""
    done: set[tuple[str, str]] = set()
    for seen in graph.seen():
        pair = (seen.edge.source, seen.edge.target)
        if seen.edge.blocking and pair not in done and pair[0] != pair[1]:
            done.add(pair)
            yield seen


def _against_itself(graph: LockGraph) -> Iterator[Contradiction]:
    """Pairs of classes that are taken in both orders, inode classes apart or not."""
    by_pair: dict[tuple[str, str], Seen] = {}
    for seen in _one_each(graph):
        first, second = base_of(seen.edge.source), base_of(seen.edge.target)
        other = by_pair.get((second, first))
        keys = {graph.lock(seen.edge.source).order_key, graph.lock(seen.edge.target).order_key}
        sorted_together = len(keys) == 1 and keys != {None}
        if other is not None and first != second and not sorted_together:
            one, two = inode_of(seen.edge), inode_of(other.edge)
            kind = OPPOSITE if one and two and one != two else TWO_ORDERS
            yield Contradiction(kind, seen, other=other, reason=_excuse(first, second))
        by_pair.setdefault((first, second), seen)


def compare_documented(graph: LockGraph) -> list[Observed]:
    """Say for every documented order which of its pairs the graph has, lacks or turns round."""
    observed = []
    for order in documented_orders():
        result = Observed(order)
        for first, second in zip(order.chain, order.chain[1:], strict=False):
            if _has(graph, order, first, second):
                result.seen.append((first, second))
            elif _has(graph, order, second, first):
                result.reversed.append((first, second))
            else:
                result.unseen.append((first, second))
        observed.append(result)
    return observed


def _has(graph: LockGraph, order: Order, first: str, second: str) -> bool:
    return any(
        (base_of(seen.edge.source), base_of(seen.edge.target)) == (first, second)
        and _about(order, inode_of(seen.edge))
        for seen in _one_each(graph)
    )
