"""Lay the model's graph over another one and say what differs, both ways.

Why so: only classes that both sides can show are compared, and which those are is written down per
class (``modelled``, ``lockdep`` in ``classes.toml``), not read off the graphs: a model that lost
its last acquisition of a class must be missed, not pass for one without the class.  A difference
is either explained by an entry of ``compare.toml``, with its reason, or it is unexplained.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from powercut.checkers.locks.graph import (
    LockClass,
    LockGraph,
    Seen,
    base_of,
    known_classes,
    same_lock,
)
from powercut.checkers.locks.lockdep import NameRule

MISSING, EXTRA = "missing", "extra"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a difference is as it should be."""

    side: str
    source: str
    target: str
    reason: str
    against: str = ""
    when: str = ""

    def fits(self, side: str, source: str, target: str, against: str) -> bool:
        """Whether this explains the difference."""
        return (
            self.side == side
            and self.source in ("*", base_of(source), source)
            and self.target in ("*", base_of(target), target)
            and self.against in ("", against)
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """An edge that one side has and the other lacks."""

    side: str
    source: str
    target: str
    seen: Seen
    reason: str = ""

    @property
    def explained(self) -> bool:
        """Whether there is a reason for it."""
        return bool(self.reason)


@dataclass(slots=True)
class Comparison:
    """What two graphs differ in, and which classes were compared at all."""

    compared: list[str]
    missing: list[Difference] = field(default_factory=list)
    extra: list[Difference] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    agreed: int = 0

    @property
    def unexplained(self) -> list[Difference]:
        """The differences nobody has a reason for."""
        return [d for d in (*self.missing, *self.extra) if not d.explained]


@cache
def explanations() -> tuple[Explanation, ...]:
    """Return the known differences."""
    text = files("powercut.checkers.locks").joinpath("compare.toml").read_text(encoding="utf-8")
    return tuple(
        Explanation(
            entry["side"],
            entry["from"],
            entry["to"],
            entry["reason"],
            entry.get("against", ""),
            entry.get("when", ""),
        )
        for entry in tomllib.loads(text)["explanation"]
    )


def compare(
    model_graph: LockGraph,
    real_graph: LockGraph,
    name_map: Iterable[NameRule] | None = None,
    known: Sequence[Explanation] | None = None,
) -> Comparison:
    """Compare the model's graph with another one.

    With ``name_map`` the other one is of a kernel's lockdep: only classes that the map names are
    compared, and edges the model has for a wait are none there.  Without, it is of C source.
    """
    against = "lockdep" if name_map is not None else "source"
    mapped = {rule.lock for rule in name_map} if name_map is not None else None
    wanted = _comparable(mapped)
    result = Comparison(sorted(wanted))
    known = explanations() if known is None else known
    given = real_graph.functions
    ours, theirs = _pairs(model_graph, wanted), _pairs(real_graph, wanted)
    for pair, seen in sorted(theirs.items()):
        if _has(ours, pair):
            result.agreed += 1
        else:
            reason = _reason(known, MISSING, pair, against, seen, given)
            result.missing.append(Difference(MISSING, *pair, seen, reason))
    for pair, seen in sorted(ours.items()):
        if not _has(theirs, pair):
            reason = _reason(known, EXTRA, pair, against, seen, given)
            result.extra.append(Difference(EXTRA, *pair, seen, reason))
    names = {lock.name for graph in (model_graph, real_graph) for lock in graph.classes()}
    result.not_compared = sorted({base_of(name) for name in names} - wanted)
    return result


def _comparable(mapped: set[str] | None) -> set[str]:
    classes: Iterable[LockClass] = known_classes().values()
    return {
        lock.name
        for lock in classes
        if lock.modelled and (mapped is None or (lock.lockdep and lock.name in mapped))
    }


def _pairs(graph: LockGraph, wanted: set[str]) -> dict[tuple[str, str], Seen]:
    found: dict[tuple[str, str], Seen] = {}
    for seen in graph.seen():
        edge = seen.edge
        pair = (edge.source, edge.target)
        if {base_of(pair[0]), base_of(pair[1])} <= wanted and edge.blocking:
            found.setdefault(pair, seen)
    return found


def _has(pairs: dict[tuple[str, str], Seen], pair: tuple[str, str]) -> bool:
    """Whether an edge is there, where a name without inode class means any."""
    if pair in pairs:
        return True
    return any(same_lock(pair[0], other[0]) and same_lock(pair[1], other[1]) for other in pairs)


def _reason(
    known: Sequence[Explanation],
    side: str,
    pair: tuple[str, str],
    against: str,
    seen: Seen,
    given: frozenset[str],
) -> str:
    for entry in known:
        if not entry.fits(side, *pair, against):
            continue
        if entry.when == "path not given" and any(w.function in given for w in seen.where):
            continue
        return entry.reason
    return ""
