"""Cycles of waiting threads in one state: the deadlock itself, with the classes it goes through.

Why so: "nobody can run" is seen only when everybody has stopped, and says nothing about why.  A
cycle of blocked threads, each waiting for something that the next one has, is the reason, and it is
there as soon as the last of them blocks.  Its pairs (what a thread has, what it waits for) are
edges of the lock graph, so a cycle of the graph can be said to be reached or not.

A resource with several holders (a folio with two ioends, a transaction with two handles) needs all
of them, so one blocked holder is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from powercut.checkers.locks.graph import KJOURNALD, READ, WRITE
from powercut.checkers.locks.model_state import (
    COMMIT,
    HANDLE,
    LOG_SPACE,
    Agent,
    Hold,
    LockView,
    Resource,
    Want,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Pair = tuple[str, str]


class Parked(NamedTuple):
    """A thread at its wait: what it holds, what it wants, whether it can go on."""

    agent: Agent
    holds: tuple[Hold, ...]
    want: Want | None
    blocked: bool
    for_log_space: bool


class Link(NamedTuple):
    """A thread of a cycle: others wait for ``has``, it waits for ``wants``."""

    thread: str
    has: Resource
    wants: Resource

    def __str__(self) -> str:
        return f"{self.thread} has {self.has} and waits for {self.wants}"


@dataclass(frozen=True, slots=True)
class WaitCycle:
    """Blocked threads in a circle; ``pairs`` are the classes each has and waits for."""

    links: tuple[Link, ...]
    pairs: frozenset[Pair]
    classes: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(str(link) for link in self.links)


def wait_cycles(view: LockView, state: Any, parked: Sequence[Parked]) -> list[WaitCycle]:
    """Return every cycle of blocked threads in ``state``, each once."""
    blocked = [number for number, here in enumerate(parked) if here.blocked and here.want]
    if not blocked:
        return []
    next_of = {number: list(_providers(view, state, parked, number)) for number in blocked}
    return [_cycle(parked, circle) for start in blocked for circle in _circles(next_of, start)]


def _providers(view: LockView, state: Any, parked: Sequence[Parked], number: int) -> Iterator[int]:
    """Threads without which the wait of thread ``number`` does not end."""
    want = parked[number].want
    assert want is not None
    target = want.resource
    for other, there in enumerate(parked):
        if target.name == HANDLE and want.mode == READ:
            if there.agent.kind == KJOURNALD and view.is_locked(state):
                yield other
            continue
        for hold in there.holds:
            both_read = want.mode == READ and hold.mode == READ
            if hold.resource == target and not both_read:
                yield other


def _circles(next_of: dict[int, list[int]], start: int) -> Iterator[tuple[int, ...]]:
    """Return the simple circles whose smallest member is ``start``."""
    stack: list[tuple[int, ...]] = [(start,)]
    while stack:
        path = stack.pop()
        for other in next_of.get(path[-1], ()):
            if other == start:
                yield path
            elif other > start and other not in path:
                stack.append((*path, other))


def _cycle(parked: Sequence[Parked], circle: tuple[int, ...]) -> WaitCycle:
    links: list[Link] = []
    pairs: set[Pair] = set()
    classes: list[str] = []
    for position, number in enumerate(circle):
        here, before = parked[number], parked[circle[position - 1]]
        assert here.want is not None
        assert before.want is not None
        has, wants = before.want.resource, here.want.resource
        links.append(Link(here.agent.info.name, _owned(here, has), wants))
        if has == wants and here.agent.kind == KJOURNALD:
            continue  # it only keeps new handles out until the open ones have stopped
        classes.append(has.name)
        pairs.add((has.name, wants.name))
        if here.for_log_space:
            pairs |= {(has.name, LOG_SPACE), (LOG_SPACE, wants.name)}
            classes.append(LOG_SPACE)
    return WaitCycle(tuple(links), frozenset(pairs), _rotated(classes))


def _owned(here: Parked, wanted: Resource) -> Resource:
    """What the others wait for, as the thread that has it would say: kjournald has the commit."""
    if wanted.name == HANDLE and Hold(Resource(COMMIT), WRITE) in here.holds:
        return Resource(COMMIT)
    return wanted


def _rotated(classes: list[str]) -> tuple[str, ...]:
    """Start at the smallest name, so that one circle is one whoever it is entered at."""
    turns = [tuple(classes[n:] + classes[:n]) for n in range(len(classes))]
    return min(turns)
