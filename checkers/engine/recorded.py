"""A state vector that remembers who read and wrote what, and numbers that remember where from.

Why so: "why does this byte have this value" is a question about the model's own statements, and the
native model runs as plain Python over a vector of bytes.  So the vector hands out numbers that
carry the writes they were made from; arithmetic keeps that, and a store logs it.
Rejected: an analysis of the source (it would not know which branch was taken), and the reads of a
step taken as the sources of all its writes (a commit copies everything in one step).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

NOTHING: frozenset[int] = frozenset()


class Sourced(int):
    """A number with the writes that its value was made from; conditions are not among them."""

    sources: frozenset[int]

    def __new__(cls, value: int, sources: frozenset[int]) -> Self:
        self = super().__new__(cls, value)
        self.sources = sources
        return self

    def __hash__(self) -> int:
        return int.__hash__(self)


def sources_of(value: int) -> frozenset[int]:
    """Return the writes that ``value`` was made from."""
    return value.sources if isinstance(value, Sourced) else NOTHING


def _binary(name: str) -> Callable[[Any, Any], Any]:
    plain = getattr(int, name)

    def operate(self: Sourced, other: Any) -> Any:
        result = plain(self, other)
        if result is NotImplemented:
            return result
        return Sourced(result, self.sources | sources_of(other))

    return operate


def _unary(name: str) -> Callable[[Any], Any]:
    plain = getattr(int, name)
    return lambda self: Sourced(plain(self), self.sources)


for _name in ("add", "sub", "mul", "floordiv", "mod", "and", "or", "xor", "lshift", "rshift"):
    for _each in (f"__{_name}__", f"__r{_name}__"):
        setattr(Sourced, _each, _binary(_each))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Sourced, f"__{_name}__", _binary(f"__{_name}__"))
for _name in ("neg", "invert", "pos"):
    setattr(Sourced, f"__{_name}__", _unary(f"__{_name}__"))


@dataclass(frozen=True, slots=True)
class Write:
    """One store: into which byte, in which step, made from which writes."""

    byte: int
    step: int
    sources: frozenset[int]


@dataclass(slots=True)
class Accesses:
    """What one step did: bytes read that it had not written, and its last value of each byte.

    ``tail`` are the writes that were read after the last store of the step.
    """

    reads: dict[int, int] = field(default_factory=dict)
    writes: dict[int, int] = field(default_factory=dict)
    tail: set[int] = field(default_factory=set)


class RecordedBytes(bytearray):
    """A vector that logs; a write has a number, the value before any is write ``-1 - byte``."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.log: list[Write] = []
        self.latest: dict[int, int] = {}
        self.accesses = Accesses()
        self.step = 0

    def begin(self, step: int) -> Accesses:
        """Log what follows as ``step``."""
        self.step = step
        self.accesses = Accesses()
        return self.accesses

    def __getitem__(self, index: Any) -> Any:
        value = super().__getitem__(index)
        if isinstance(index, slice):
            return value
        byte = int(index)
        if byte not in self.accesses.writes:
            self.accesses.reads[byte] = value
        write = self.latest.get(byte, -1 - byte)
        self.accesses.tail.add(write)
        return Sourced(value, sources_of(index) | {write})

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        if isinstance(index, slice):
            return
        byte = int(index)
        self.accesses.writes[byte] = int(value)
        self.accesses.tail.clear()
        self.latest[byte] = len(self.log)
        self.log.append(Write(byte, self.step, sources_of(value) | sources_of(index)))
