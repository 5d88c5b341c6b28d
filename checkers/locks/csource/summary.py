"""What calling a function does to locks, for its callers.

Why so: a function is followed once, from nothing held; a caller adds what it holds itself.  An
event remembers which of the caller's locks had been given back before it, because what a function
waits for after dropping its caller's lock is not waited for under that lock.
"""

from dataclasses import dataclass, field
from typing import Literal

from powercut.checkers.locks.graph import WRITE, Mode, Where

Verb = Literal["acquire", "wait", "sleep"]

ATOMIC_KINDS = ("spinlock", "rwlock", "rcu", "irq")
UNORDERED_KINDS = ("rcu", "irq", "queued", "scope")
"""What is no lock: nothing is ordered by it.  ``queued`` is to be on a wait queue, where the next
``schedule()`` waits; ``scope`` is a promise of the task, such as not to enter file systems."""

SLEEPING_KINDS = ("rwsem", "percpu rwsem", "mutex", "semaphore", "bit lock", "handle", "wait")

MAX_CHAIN = 12


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that is held; the place of acquisition does not make it another one."""

    lock: str
    mode: Mode = WRITE
    kind: str = "lock"
    ident: str = ""
    scope: int = 0
    irqsafe: bool = field(default=False, compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class State:
    """What is held, in order, and what of the caller's has been given back."""

    held: tuple[Held, ...] = ()
    released: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in a function or below it, seen from outside.

    It does not happen to a caller that holds one of ``unless`` already.
    """

    verb: Verb
    lock: str
    mode: Mode = WRITE
    kind: str = "lock"
    trylock: bool = False
    irqsafe: bool = False
    unless: tuple[str, ...] = ()
    released: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event happens and how it is reached, outermost function first.

    ``given`` is what has to be true of the arguments, as in :class:`Outcome`.
    """

    where: Where
    chain: tuple[str, ...] = ()
    given: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way to return: what is held more, what is held less, what the result then is.

    Facts that start with ``@N`` are about argument N: the way is taken only if they are true.
    """

    added: tuple[Held, ...]
    released: tuple[str, ...]
    facts: tuple[tuple[str, bool], ...] = ()


@dataclass(slots=True)
class Summary:
    """Everything that a caller needs to know."""

    events: dict[Event, Place] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    ended: frozenset[str] = frozenset()
    """What some path gives back or ends without having taken it."""
    complete: bool = True
