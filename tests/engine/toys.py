"""The toy programs with their sizes: made once, shared by the tests of this folder."""

from dataclasses import dataclass
from functools import cache

from powercut.checkers.engine.system import Build, System
from powercut.model.language import Program
from tests.engine import brute, long_program, odd_program, programs


@dataclass(frozen=True)
class Toy:
    """A program, how it starts, and the same as plain tuples."""

    name: str
    program: Program
    start: brute.State
    moves: brute.Moves
    states: int
    transitions: int
    dims: tuple[tuple[str, int], ...] = ()
    constants: bytes = b""


IN_ORDER = ((0, 1), (0, 1))
CROSSED = ((0, 1), (1, 0))
OPEN = ((None, None), (0, 0))
LEGS = ((long_program.LEGS, "ready"),) * 2
NOT_YET = (False, False, 0, (False, False, False), ("outer", 0), True, 1)

TOYS = (
    Toy(
        "counters",
        programs.COUNTERS,
        (0, 0),
        brute.counters,
        25,
        40,
        (("rounds", 4), ("threads", 2)),
    ),
    Toy(
        "counters3",
        programs.COUNTERS,
        (0, 0, 0),
        brute.counters,
        125,
        300,
        (("rounds", 4), ("threads", 3)),
    ),
    Toy("race", programs.RACE, (0, (("read",),) * 3), brute.race, 59, 99, (("threads", 3),)),
    Toy("peterson", programs.PETERSON, ((0, 0), 0, 0, ((1, 0), (1, 0))), brute.peterson, 90, 132),
    Toy("deadlock", programs.LOCKS, OPEN, brute.locks(CROSSED), 9, 10, (("threads", 2),), b"\0"),
    Toy("ordered", programs.LOCKS, OPEN, brute.locks(IN_ORDER), 8, 8, (("threads", 2),), b"\1"),
    Toy("retry", programs.RETRY, (False, False, True, 0, 2), brute.retry, 13, 23),
    Toy("queue", programs.QUEUE, (0, 0, 0, False), brute.queue, 15, 19),
    Toy(
        "pool",
        programs.POOL,
        (0, (None, None), (("wait",),) * 3),
        brute.pool,
        98,
        186,
        (("clients", 3),),
    ),
    Toy("scan", programs.SCAN, NOT_YET, brute.scan, 81, 147),
    Toy("claims", programs.CLAIMS, (0, frozenset({1, 5}), (1, 5)), brute.claims, 4, 4),
    Toy("disk", programs.DISK, ((0, 0), (0, 0), None), brute.disk, 72, 129, (), b"\2"),
    Toy("levels", programs.LEVELS, (0, 0, (0, 0)), brute.levels, 16, 17),
    Toy(
        "names",
        programs.NAMES,
        ((1, 1), 0, ((0,), (0,)), (0, 3)),
        brute.names,
        75,
        170,
        (("threads", 2),),
        b"\1",
    ),
    Toy("odds", odd_program.ODDS, (9,), brute.countdown, 10, 9, (("clients", 3),)),
    Toy("relay", long_program.RELAY, (0, 0, LEGS, 4), brute.relay, 4542, 7239),
    Toy("relay-of-kinds", long_program.OF_KINDS, (0, 0, LEGS, 4), brute.relay, 4542, 7239),
)

BY_NAME = {toy.name: toy for toy in TOYS}


@cache
def build_of(name: str, *, checked: bool = False, zero_dead: bool = True) -> Build:
    """Compile a toy, once for each way to compile it."""
    toy = BY_NAME[name]
    return Build(toy.program, dict(toy.dims), checked=checked, zero_dead=zero_dead)


def system_of(name: str, *, checked: bool = False, zero_dead: bool = True) -> System:
    """Return a fresh system of a toy; its variables start at zero."""
    build = build_of(name, checked=checked, zero_dead=zero_dead)
    return System(build, BY_NAME[name].constants, bytes(build.layout.shared_size))


def closed(
    program: Program, constants: bytes = b"", *, checked: bool = False, **dims: int
) -> System:
    """Compile a program and close it with zeros."""
    build = Build(program, dims, checked=checked)
    return System(build, constants, bytes(build.layout.shared_size))
