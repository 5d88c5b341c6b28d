"""The common form: lock classes, and edges "while this is held, that is taken or waited for".

Why so: an edge is recorded for *every* class held at the moment of acquisition, not only for the
one taken last, so that graphs which see different subsets of the classes stay comparable.  Edges
that differ only in the place they were seen are one edge with several places.  Inode classes are
part of a name (``folio_lock[iomap]``), because the same order is right for one kind of inode and
wrong for the other.  Rejected: instances as nodes (unbounded), and a union of inode classes with a
filter afterwards (it invents cycles that no inode can have).

networkx is imported when the first graph is made: it costs more than starting the program.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import networkx as nx

Mode = Literal["read", "write", "recursive_read"]
Kind = Literal["acquire", "wait"]

READ: Mode = "read"
WRITE: Mode = "write"
RECURSIVE_READ: Mode = "recursive_read"

TASK, WORKER, IRQ, KJOURNALD = "task", "worker", "irq", "kjournald"
CONTEXTS = (TASK, WORKER, IRQ, KJOURNALD)

MAX_PLACES = 24
"""Places and held sets kept for an edge; the rest is counted."""


@dataclass(frozen=True, slots=True)
class LockClass:
    """Something that is held or waited for.

    ``kind`` says what it is (``rwsem``, ``mutex``, ``spinlock``, ``bit lock``, ``wait``, …).
    ``order_key`` is what the kernel sorts instances of this class by, if it does: then taking a
    second instance while holding one is in order.
    """

    name: str
    kind: str = "lock"
    order_key: str | None = None
    lockdep: bool = True
    modelled: bool = False
    summary: str = ""

    @property
    def base(self) -> str:
        """The name without inode class or subclass."""
        return base_of(self.name)

    @property
    def variant(self) -> str:
        """The inode class (or other variant) in the name, or nothing."""
        return variant_of(self.name)

    @property
    def sleeps(self) -> bool:
        """Whether acquiring it may sleep."""
        return self.kind not in ("spinlock", "rwlock", "rcu")


def base_of(name: str) -> str:
    """Return the class name without its variant: ``folio_lock[bh]`` gives ``folio_lock``."""
    return name.partition("[")[0]


def variant_of(name: str) -> str:
    """Return the variant in a class name: ``folio_lock[bh]`` gives ``bh``."""
    return name.partition("[")[2].rstrip("]")


def same_lock(one: str, other: str) -> bool:
    """Whether two names can mean one lock: equal, or one of them says less."""
    if base_of(one) != base_of(other):
        return False
    return one == other or not variant_of(one) or not variant_of(other)


@cache
def known_classes() -> dict[str, LockClass]:
    """Return the classes that have a name of ours, by base name."""
    text = files("powercut.checkers.locks").joinpath("classes.toml").read_text(encoding="utf-8")
    return {
        name: LockClass(
            name,
            entry["kind"],
            entry.get("order_key"),
            entry.get("lockdep", True),
            entry.get("modelled", False),
            entry.get("summary", ""),
        )
        for name, entry in tomllib.loads(text).items()
    }


def lock_class(name: str, kind: str = "lock") -> LockClass:
    """Return the class called ``name``: what is known about its base, else one of ``kind``."""
    known = known_classes().get(base_of(name))
    return replace(known, name=name) if known else LockClass(name, kind)


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place in a source file."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.function} at {self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Edge:
    """While ``source`` was held in ``held_mode``, ``target`` was taken or waited for in ``mode``.

    A ``trylock`` never blocks: it is recorded and takes no part in cycles.  ``held`` is everything
    that was held, in order of acquisition.  ``chain`` is how the place was reached, outermost
    function first.
    """

    source: str
    target: str
    kind: Kind = "acquire"
    held_mode: Mode = WRITE
    mode: Mode = WRITE
    context: str = TASK
    where: Where | None = None
    held: tuple[str, ...] = ()
    trylock: bool = False
    chain: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str, str, str, bool]:
        """What makes two observations the same edge."""
        return (
            self.source,
            self.target,
            self.kind,
            self.held_mode,
            self.mode,
            self.context,
            self.trylock,
        )

    @property
    def blocking(self) -> bool:
        """Whether the target can make the holder of the source wait."""
        return not self.trylock

    @property
    def target_words(self) -> str:
        """The mode of the target in words."""
        return "trylock" if self.trylock else self.mode

    @property
    def shared(self) -> bool:
        """Whether the source is held for reading."""
        return self.held_mode != WRITE

    @property
    def recursive(self) -> bool:
        """Whether the target is taken so that a waiting writer does not block it."""
        return self.mode == RECURSIVE_READ


@dataclass(slots=True)
class Seen:
    """One edge of a graph with every place it was observed."""

    edge: Edge
    where: list[Where] = field(default_factory=list)
    held: list[tuple[str, ...]] = field(default_factory=list)
    holders: list[str] = field(default_factory=list)
    """The functions that held the source, as far as they are known."""
    count: int = 0

    def observe(self, edge: Edge) -> None:
        """Add an observation of the same edge."""
        self.count += 1
        if edge.where and edge.where not in self.where and len(self.where) < MAX_PLACES:
            self.where.append(edge.where)
        holder = edge.chain[0] if edge.chain else ""
        if holder and holder not in self.holders and len(self.holders) < MAX_PLACES:
            self.holders.append(holder)
        if edge.held and edge.held not in self.held and len(self.held) < MAX_PLACES:
            self.held.append(edge.held)


class LockGraph:
    """Classes and edges, stored in a networkx ``MultiDiGraph`` (:attr:`digraph`)."""

    def __init__(self, name: str = "") -> None:
        import networkx

        self.name = name
        self.digraph: nx.MultiDiGraph[str] = networkx.MultiDiGraph()
        self.functions: frozenset[str] = frozenset()
        """The functions it comes from, where that is known: others may do more."""

    def add_class(self, lock: LockClass) -> None:
        """Add a class; what is already known about it stays, unless it was only a guess."""
        known = self.digraph.nodes[lock.name]["lock"] if lock.name in self.digraph else None
        if known is None or known.kind == "lock":
            self.digraph.add_node(lock.name, lock=lock)

    def add(self, edge: Edge) -> None:
        """Record one observation."""
        for name in (edge.source, edge.target):
            if name not in self.digraph:
                self.add_class(lock_class(name, "wait" if edge.kind == "wait" else "lock"))
        if not self.digraph.has_edge(edge.source, edge.target, edge.key):
            self.digraph.add_edge(edge.source, edge.target, edge.key, seen=Seen(edge))
        seen: Seen = self.digraph.edges[edge.source, edge.target, edge.key]["seen"]
        seen.observe(edge)

    def merge(self, other: "LockGraph") -> None:
        """Add everything ``other`` has."""
        for lock in other.classes():
            self.add_class(lock)
        for seen in other.seen():
            places: list[Where | None] = [*seen.where] or [None]
            for number, where in enumerate(places):
                held = seen.held[number] if number < len(seen.held) else seen.edge.held
                self.add(replace(seen.edge, where=where, held=held))

    def classes(self) -> list[LockClass]:
        """Return every class, by name."""
        nodes = self.digraph.nodes
        return [nodes[name]["lock"] for name in sorted(nodes)]

    def lock(self, name: str) -> LockClass:
        """Return the class called ``name``."""
        found: LockClass = self.digraph.nodes[name]["lock"]
        return found

    def seen(self) -> list[Seen]:
        """Return every edge with its places, by its key."""
        found: list[tuple[Any, Seen]] = [
            (key, data["seen"]) for _, _, key, data in self.digraph.edges(keys=True, data=True)
        ]
        return [seen for _, seen in sorted(found, key=lambda pair: pair[0])]

    def edges(self) -> list[Edge]:
        """Return every edge once, with its first place."""
        return [
            replace(seen.edge, where=seen.where[0] if seen.where else None) for seen in self.seen()
        ]

    def between(self, source: str, target: str) -> list[Seen]:
        """Return the edges from ``source`` to ``target``, by their keys."""
        data = self.digraph.get_edge_data(source, target) or {}
        found: list[Seen] = [entry["seen"] for entry in data.values()]
        return sorted(found, key=lambda seen: seen.edge.key)

    def pairs(self, *, blocking: bool = True) -> set[tuple[str, str]]:
        """Return (source, target) of every edge; without those that never block by default."""
        return {
            (edge.source, edge.target) for edge in self.edges() if edge.blocking or not blocking
        }

    def __contains__(self, name: object) -> bool:
        return name in self.digraph

    def __len__(self) -> int:
        return int(self.digraph.number_of_edges())

    def __iter__(self) -> Iterator[Edge]:
        return iter(self.edges())


def merged(graphs: Iterable[LockGraph], name: str = "") -> LockGraph:
    """Return one graph that has everything the given ones have."""
    result = LockGraph(name)
    for graph in graphs:
        result.merge(graph)
    return result
