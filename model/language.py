"""The vocabulary in which the model declares its shared state.

The whole shared state is one record of small unsigned numbers, nested in structs and fixed-size
arrays, so that an engine can lay it out as one flat byte vector.  A declaration looks like the C
struct it stands for::

    class Folio(Struct):
        locked: Annotated[int, Max("nr_contexts")]
        dirty: Bit

Bounds and array lengths may name a *dimension* (``"nr_blocks"``); the dimensions get their values
when the state is laid out, so one declaration serves every geometry.

A declared class is never instantiated by the model.  An engine hands the paths an object that has
these attributes: a view over a byte vector when run natively, plain offsets when compiled.

Rejected: dataclasses as live state (ten times slower to hash and copy, measured on a prototype);
``ctypes.Structure`` (no ranges, no run-time array lengths).
"""

import typing
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

E = TypeVar("E")
T = TypeVar("T")

DEADLOCK = "deadlock"
LIVELOCK = "livelock"
ASSERTION = "assertion"
"""What can go wrong with any program of this language, whatever it is about."""

Guard = Callable[[], object]
"""A condition without side effects that a parked path waits for."""

Path = Generator[Any, None, T]
"""A kernel path: yields nothing (others may run) or a guard (wait until true), returns ``T``.

What it yields is checked by the engine's language rules, not by the type: a type checker that sees
``Guard | None`` refuses the bare ``yield`` that stands for a preemption point.
"""


class Struct:
    """Base of every declared record; subclasses only carry annotations."""


class Array(Generic[E]):
    """A fixed-size array of numbers or structs; its length is given by :class:`Len`."""

    def __getitem__(self, index: int) -> E:
        raise TypeError("declared arrays are accessed through an engine's view")

    def __setitem__(self, index: int, value: E) -> None:
        raise TypeError("declared arrays are accessed through an engine's view")


@dataclass(frozen=True, slots=True)
class Max:
    """Largest value of a number (inclusive): a number, or the name of a dimension."""

    bound: int | str


@dataclass(frozen=True, slots=True)
class Len:
    """Length of an array: a number, or the name of a dimension."""

    length: int | str


@dataclass(frozen=True, slots=True)
class Lock:
    """The field is a lock: its class, and its rank (a lower one is usually taken first).

    A struct has a ``writer`` (context + 1) and ``readers`` (a mask).  A number is its holder's
    context + 1, or with ``shared`` the mask of its holders.
    """

    name: str
    rank: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Hidden:
    """The field, and all below it, is left out where a step's changes are told."""

    why: str


@dataclass(frozen=True, slots=True)
class Oracle:
    """The field, and all below it, is the oracle's: no path reads or writes it."""


@dataclass(frozen=True, slots=True)
class Waits:
    """No lock, but who waits for whom depends on the field, and on all below it."""


Mark = Lock | Hidden | Oracle | Waits
"""What a declaration says of a field beyond its numbers."""

Bit = Annotated[int, Max(1)]
Byte = Annotated[int, Max(255)]


@dataclass(frozen=True, slots=True)
class Thread:
    """A kind of thread: its path, how many there are, and whether it may wait for ever.

    ``path`` takes the state and the thread's number within its kind.  ``count`` is a number or the
    name of a dimension.  A ``daemon`` blocked at a wait is a legal end of a run (a disk with
    nothing to do); any other blocked thread with nobody else enabled is a deadlock.
    """

    name: str
    path: Callable[..., Path[None]]
    count: int | str = 1
    daemon: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """A closed model: the declared state, its special regions and the threads that run over it.

    ``state`` is the root struct.  ``constant`` names its field that never changes during a run
    (configuration, kept once and not in every state); ``projected`` names its field that a crash
    keeps.  Either may be empty.
    """

    state: type[Struct]
    threads: tuple[Thread, ...]
    constant: str = ""
    projected: str = ""
    variants: "Variants | None" = None


class Variants(typing.Protocol):
    """What else a program can be: other texts of its paths, chosen by the constant part.

    ``key`` is another one for other texts.  The threads of a variant have the names and numbers of
    the program's own.
    """

    def __hash__(self) -> int: ...

    @property
    def key(self) -> str: ...

    def woven(self) -> Program:
        """Return one program that does what any of the texts does, as its constants say."""

    def native(self, root: Any) -> Program:
        """Return the program of the one text that the constants of the state ``root`` choose."""


@dataclass(frozen=True, slots=True)
class Property:
    """A statement about every state: ``check`` is a helper of the state, 0 where it holds."""

    name: str
    statement: str
    check: Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A program with its sizes, its start and what must hold: all that a check of it needs.

    - ``dims`` are the values of the dimensions that the program names.
    - ``setup`` writes the first values, the constant part included; all else starts at zero.  It is
      plain Python, called once for each run.
    - ``properties`` are about every state.  ``situations`` (helpers of the state, by name) are
      looked for, so that a property that held for want of them is seen.
    - ``recover`` is a helper that works on what a power cut leaves: the projected field, and zeros.
      ``crash_properties`` are about the state that it makes.
    """

    program: Program
    properties: tuple[Property, ...] = ()
    crash_properties: tuple[Property, ...] = ()
    situations: Mapping[str, Callable[[Any], int]] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    setup: Callable[[Any], None] | None = None
    recover: Callable[[Any], None] | None = None
    summary: str = ""
