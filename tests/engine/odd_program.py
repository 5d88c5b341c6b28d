"""One more toy program: whatever the others do not have.

Plain loops inside a path, results passed on, pointers as arguments that are read from the state,
an array as an argument, code that never runs.
"""

from typing import Annotated

from powercut.model.language import Array, Bit, Len, Max, Path, Program, Struct, Thread
from tests.engine.programs import Cell


class Odds(Struct):
    """A bit of everything."""

    now: Bit
    total: Annotated[int, Max(99)]
    cell: Annotated[Array[int], Len(4), Max(9)]
    slot: Annotated[Array[Cell], Len(2)]


def add(k: Odds, n: int) -> int:
    """Add to the total and return it."""
    k.total += n
    if NEVER:
        return 0
    return k.total


def reset(k: Odds) -> None:
    """Set every cell to its number, until one was set before."""
    for i in range(4):
        if k.cell[i] > 0:
            return
        k.cell[i] = i


def walk_on(k: Odds, cell: Cell, n: int) -> Path[None]:
    """Count a parameter up while another, a pointer, stays."""
    while n < 2:
        n += 1
        yield
        cell.value = n


def sum_of(k: Odds, cells: Array[int], most: int) -> Path[int]:
    """Sum up part of an array in one step."""
    total = 0
    for i in range(4):
        if i == most:
            break
        if cells[i] == 2:
            continue
        last = cells[i]
        total += last
    yield
    return total


def passed_on(k: Odds) -> Path[int]:
    """Return what another path returns."""
    return (yield from sum_of(k, k.cell, 3))


NEVER = 0


def odds(k: Odds, _: int) -> Path[None]:
    """One thing after the other."""
    if NEVER:
        return
    reset(k)
    yield from walk_on(k, k.slot[k.now], 0)
    k.now = 1
    got = yield from sum_of(k, k.cell, 9)
    got = yield from passed_on(k)
    k.total = got
    n = 0
    while n < 4:
        for j in range(n):
            n += j
        n += 2
    yield lambda: k.total + n > 0
    here = k.slot[k.now]
    while True:
        if k.total > 3:
            break
        yield
        n = add(k, 2)
        here.value = 3
        here = k.slot[0]
    if k.total < 9:
        yield from walk_on(k, here, n - n)
        add(k, n)
        return


ODDS = Program(Odds, (Thread("odd", odds),))
