"""What need not be followed again after a change of the source.

Why so: a patch changes a few functions, and what callers see of a function is small and can be
compared; so a function is followed again only if its own text, the meaning of a name in it, or
something below it has changed.  Lines move all the same, so places in changed files are told anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from powercut.checkers.locks.csource.effects import Sleeping
from powercut.checkers.locks.csource.flow import Ended
from powercut.checkers.locks.csource.source import Function, Pointer
from powercut.checkers.locks.csource.summary import Place, Summary
from powercut.checkers.locks.graph import Edge, Where

if TYPE_CHECKING:
    import networkx as nx

LineMap = Callable[[int], int]


@dataclass(slots=True)
class Followed:
    """A function and everything found in it."""

    function: Function
    summary: Summary
    edges: list[Edge] = field(default_factory=list)
    sleeping: list[Sleeping] = field(default_factory=list)
    exits: list[Ended] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    errors: list[int] = field(default_factory=list)
    given_back: set[str] = field(default_factory=set)


class Followable(Protocol):
    """What is asked of a program: what was followed, who calls whom, what names mean."""

    followed: dict[int, Followed]
    call_graph: "nx.DiGraph[int]"
    keys: dict[int, str]
    by_name: dict[str, list[Function]]
    fields: dict[str, list[Pointer]]


def shape_of(done: Followed) -> object:
    """Return what callers see of a function, places apart."""
    given = {event: place.given for event, place in done.summary.events.items()}
    return given, set(done.summary.outcomes), done.summary.ended


class Reuse:
    """What need not be followed again, because nothing that a function depends on has changed."""

    def __init__(self, before: Followable, now: Followable, moved: Mapping[str, LineMap]) -> None:
        self.before, self.now, self.moved = before, now, moved
        self.counterparts = {done.function.key: done for done in before.followed.values()}
        self.changed: set[int] = set()
        old, new = _definitions(before), _definitions(now)
        self.names = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        put_before, put_now = _put_into_fields(before), _put_into_fields(now)
        self.names |= {f"*{field}" for field, _ in put_before ^ put_now}

    def take(self, members: list[int], by_id: dict[int, Function]) -> bool:
        """Take over what is known of a component, if nothing below it has changed."""
        for member in members:
            function = by_id[member]
            if member not in self.before.followed or function.calls & self.names:
                return False
            if self.changed.intersection(self.now.call_graph.successors(member)):
                return False
            if _called(self.before, member) != _called(self.now, member):
                return False
        for member in members:
            self.now.followed[member] = at_new_lines(self.before.followed[member], self.moved)
        return True

    def compare(self, members: list[int]) -> None:
        """Note which functions look different to their callers than before."""
        for member in members:
            done = self.now.followed[member]
            old = self.counterparts.get(done.function.key)
            if old is None or shape_of(old) != shape_of(done):
                self.changed.add(member)


def _called(program: Followable, member: int) -> set[str]:
    """Return the functions that are followed for a call of a function."""
    keys = program.keys
    return {keys[callee] for callee in program.call_graph.successors(member)}


def at_new_lines(done: Followed, moved: Mapping[str, LineMap]) -> Followed:
    """Return what was found in a function, with the lines that its callees have now."""
    places = [
        *(edge.where for edge in done.edges),
        *(p.where for p in done.summary.events.values()),
    ]
    if not any(where and where.file in moved for where in places):
        return done
    events = {event: _place_now(place, moved) for event, place in done.summary.events.items()}
    edges = [
        replace(edge, where=_where_now(edge.where, moved)) if edge.where else edge
        for edge in done.edges
    ]
    sleeping = [replace(one, place=_place_now(one.place, moved)) for one in done.sleeping]
    summary = replace(done.summary, events=events)
    return replace(done, summary=summary, edges=edges, sleeping=sleeping)


def _place_now(place: Place, moved: Mapping[str, LineMap]) -> Place:
    return replace(place, where=_where_now(place.where, moved))


def _where_now(where: Where, moved: Mapping[str, LineMap]) -> Where:
    return replace(where, line=moved[where.file](where.line)) if where.file in moved else where


def _definitions(program: Followable) -> dict[str, set[tuple[str, bool]]]:
    return {
        name: {(function.file, function.static) for function in found}
        for name, found in program.by_name.items()
    }


def _put_into_fields(program: Followable) -> set[tuple[str, str]]:
    return {(field, one.function) for field, found in program.fields.items() for one in found}
