"""A write-ahead log in small: the protocol both the engine and SPIN explore.

Writers take the log lock, reserve a slot, fill it in and wait until the flusher has made it
durable; the checkpointer copies durable entries home and frees their slots.  ``wal.pml`` is the
same protocol in Promela, step for step: what stands between two yields here is one ``d_step``
there.
"""

from dataclasses import dataclass
from typing import Annotated

from powercut.checkers.engine.system import Build, System
from powercut.model.language import Array, Byte, Len, Max, Path, Program, Struct, Thread


@dataclass(frozen=True)
class Size:
    """How many writers append how many entries each, through how many slots."""

    writers: int
    rounds: int
    slots: int

    def __str__(self) -> str:
        return f"{self.writers} writers, {self.rounds} rounds, {self.slots} slots"


class Geometry(Struct):
    """What stays the same during a run."""

    rounds: Byte
    slots: Byte


class Log(Struct):
    """The log: entries between ``applied`` and ``head`` occupy a slot."""

    lock: Annotated[int, Max("writers")]
    head: Byte
    flushed: Byte
    applied: Byte
    entry: Annotated[Array[int], Len("slots"), Max("writers")]


class State(Struct):
    """The log, and the file system it is checkpointed to (``home``: the last writer)."""

    conf: Geometry
    log: Log
    home: Annotated[int, Max("writers")]


def append(k: State, w: int) -> Path[None]:
    """Append one entry and wait until it is durable."""
    yield lambda: k.log.lock == 0 and k.log.head - k.log.applied < k.conf.slots
    k.log.lock = w + 1
    seq = k.log.head
    yield
    k.log.entry[seq % k.conf.slots] = w + 1
    k.log.head = seq + 1
    k.log.lock = 0
    yield lambda: k.log.flushed > seq


def writer(k: State, w: int) -> Path[None]:
    """Append ``rounds`` entries."""
    for _ in range(k.conf.rounds):
        yield from append(k, w)


def flusher(k: State, _: int) -> Path[None]:
    """Make everything up to the head durable; entries added meanwhile wait for the next flush."""
    while True:
        yield lambda: k.log.flushed < k.log.head
        target = k.log.head
        yield
        k.log.flushed = target


def checkpointer(k: State, _: int) -> Path[None]:
    """Copy the oldest durable entry home and free its slot."""
    while True:
        yield lambda: k.log.applied < k.log.flushed
        value = k.log.entry[k.log.applied % k.conf.slots]
        yield
        k.home = value
        k.log.applied = k.log.applied + 1


PROGRAM = Program(
    State,
    (
        Thread("writer", writer, "writers"),
        Thread("flusher", flusher, daemon=True),
        Thread("checkpointer", checkpointer, daemon=True),
    ),
    constant="conf",
)


def system(size: Size) -> System:
    """Compile the protocol and close it: everything starts at zero."""
    build = Build(PROGRAM, {"writers": size.writers, "slots": size.slots})
    constants = bytes([size.rounds, size.slots])
    return System(build, constants, bytes(build.layout.shared_size))
