"""Mutual exclusion: Peterson's algorithm, and two ways to get it wrong.

    powercut check examples/mutual_exclusion.py

What stands between two yields is one step.  `yield` lets anybody else run, `yield lambda: ...`
waits for a condition, and the comment behind it is how reports call the step.
"""

from typing import Annotated

from powercut.model.language import (
    Array,
    Bit,
    Len,
    Max,
    Path,
    Program,
    Property,
    Protocol,
    Struct,
    Thread,
)


class Shared(Struct):
    """Who wants to enter, whose turn it is to wait, how many are inside."""

    wants: Annotated[Array[Bit], Len(2)]
    turn: Bit
    inside: Annotated[int, Max(2)]


def peterson(k: Shared, me: int) -> Path[None]:
    """Enter the critical section twice."""
    other = 1 - me
    for _ in range(2):
        yield  # ask
        k.wants[me] = 1
        yield  # let the other one go first
        k.turn = other
        yield lambda: k.wants[other] == 0 or k.turn == me  # enter
        k.inside += 1
        yield  # leave
        k.inside -= 1
        k.wants[me] = 0


def look_first(k: Shared, me: int) -> Path[None]:
    """Look whether the other one is interested, and say afterwards that this one is."""
    other = 1 - me
    yield lambda: k.wants[other] == 0  # nobody else wants in
    yield  # ask and enter
    k.wants[me] = 1
    k.inside += 1
    yield  # leave
    k.inside -= 1
    k.wants[me] = 0


def ask_first(k: Shared, me: int) -> Path[None]:
    """Say first that this one is interested, and have no turns."""
    other = 1 - me
    yield  # ask
    k.wants[me] = 1
    yield lambda: k.wants[other] == 0  # enter
    k.inside += 1
    yield  # leave
    k.inside -= 1
    k.wants[me] = 0


def crowded(k: Shared) -> int:
    """Both are inside."""
    return k.inside > 1


def both_want(k: Shared) -> int:
    """Both want to enter."""
    return k.wants[0] and k.wants[1]


EXCLUSION = Property("mutual-exclusion", "at most one thread is inside", crowded)

PETERSON = Protocol(
    Program(Shared, (Thread("process", peterson, 2),)),
    properties=(EXCLUSION,),
    situations={"both-want": both_want},
    summary="as Peterson has it",
)
LOOK_FIRST = Protocol(
    Program(Shared, (Thread("process", look_first, 2),)),
    properties=(EXCLUSION,),
    situations={"both-want": both_want},
    summary="the check comes before the claim",
)
ASK_FIRST = Protocol(
    Program(Shared, (Thread("process", ask_first, 2),)),
    properties=(EXCLUSION,),
    situations={"both-want": both_want},
    summary="nobody gives way",
)
