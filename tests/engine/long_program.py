"""A toy with more preemption points a thread than one byte can count: a relay of many legs."""

from typing import Annotated

from powercut.model.language import Bit, Max, Path, Program, Struct, Thread

LEGS = 128
"""Of each runner; a leg has three preemption points."""


class Relay(Struct):
    """Whose turn it is, and a number that is handed over."""

    turn: Bit
    baton: Annotated[int, Max(6)]


def leg(k: Relay, t: int) -> Path[None]:
    """Get ready at any time, take over in turn, keep what was handed over, hand it on."""
    yield
    yield lambda: k.turn == t
    kept = k.baton
    yield
    k.baton = (kept + t + 1) % 7
    k.turn = 1 - t


def four(k: Relay, t: int) -> Path[None]:
    """Run four legs."""
    yield from leg(k, t)
    yield from leg(k, t)
    yield from leg(k, t)
    yield from leg(k, t)


def sixteen(k: Relay, t: int) -> Path[None]:
    """Run sixteen legs."""
    yield from four(k, t)
    yield from four(k, t)
    yield from four(k, t)
    yield from four(k, t)


def relay(k: Relay, t: int) -> Path[None]:
    """Run all legs."""
    yield from sixteen(k, t)
    yield from sixteen(k, t)
    yield from sixteen(k, t)
    yield from sixteen(k, t)
    yield from sixteen(k, t)
    yield from sixteen(k, t)
    yield from sixteen(k, t)
    yield from sixteen(k, t)


def home(k: Relay, _: int) -> Path[None]:
    """Run as the only thread of a kind: its frame stands at a fixed place."""
    yield from relay(k, 0)


def away(k: Relay, _: int) -> Path[None]:
    """Run against ``home``."""
    yield from relay(k, 1)


def shout(k: Relay, _: int) -> Path[None]:
    """Wait for a certain baton, as a kind with few points beside the one with many."""
    yield lambda: k.baton == 4
    yield lambda: k.baton == 3


RELAY = Program(Relay, (Thread("runner", relay, 2), Thread("coach", shout, daemon=True)))
OF_KINDS = Program(
    Relay, (Thread("home", home), Thread("away", away), Thread("coach", shout, daemon=True))
)
