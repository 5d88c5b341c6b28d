"""The benchmarks' protocol: three explorers that share no code see the same state space."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import native_search, spin
from benchmarks.wal import Size, system
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from tests.engine.brute import Moves, State, explore, put

SIZES = [Size(1, 1, 1), Size(1, 2, 1), Size(2, 2, 2), Size(3, 1, 2)]


def wal(size: Size) -> tuple[State, Moves]:
    """Return the protocol as tuples: lock, head, flushed, applied, home, entries, threads."""

    def writers(state: State) -> Iterator[State]:
        lock, head, flushed, applied, home, entries, threads, others = state
        for w, (at, done, seq) in enumerate(threads):
            if at == 0 and done < size.rounds and not lock and head - applied < size.slots:
                after = put(threads, w, (1, done, head))
                yield w + 1, head, flushed, applied, home, entries, after, others
            elif at == 1:
                filled = put(entries, seq % size.slots, w + 1)
                after = put(threads, w, (2, done, seq))
                yield 0, seq + 1, flushed, applied, home, filled, after, others
            elif at == 2 and flushed > seq:
                after = put(threads, w, (0, done + 1, 0))
                yield lock, head, flushed, applied, home, entries, after, others

    def moves(state: State) -> Iterator[State]:
        yield from writers(state)
        lock, head, flushed, applied, home, entries, threads, (target, value) = state
        if target is not None:
            yield lock, head, target, applied, home, entries, threads, (None, value)
        elif flushed < head:
            yield lock, head, flushed, applied, home, entries, threads, (head, value)
        if value is not None:
            yield lock, head, flushed, applied + 1, value, entries, threads, (target, None)
        elif applied < flushed:
            found = entries[applied % size.slots]
            yield lock, head, flushed, applied, home, entries, threads, (target, found)

    start = (0, 0, 0, 0, 0, (0,) * size.slots, ((0, 0, 0),) * size.writers, (None, None))
    return start, moves


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes_are_exact(size: Size) -> None:
    states, transitions, _ = explore(*wal(size))
    outcome = BreadthFirst(system(size), Watch(find_stuck=True), Limits()).run()
    assert (outcome.states, outcome.transitions) == (states, transitions)
    assert not outcome.found


def test_a_size_known_from_before() -> None:
    outcome = BreadthFirst(system(Size(2, 2, 2)), Watch(), Limits()).run()
    assert (outcome.states, outcome.transitions) == (607, 1256)


@pytest.mark.parametrize("size", SIZES[2:], ids=str)
def test_spin_sees_the_same_states(size: Size, tmp_path: Path) -> None:
    try:
        theirs = spin.verify(size, tmp_path, tries=1)
    except spin.Unavailable as reason:
        pytest.skip(str(reason))
    ours = BreadthFirst(system(size), Watch(), Limits()).run()
    assert theirs.states == ours.states
    assert theirs.transitions == ours.transitions + 1  # SPIN counts the arrival in the first state


def test_native_search_sees_at_least_these_states() -> None:
    size = Size(2, 1, 1)
    ours = BreadthFirst(system(size), Watch(), Limits()).run()
    native = native_search.search(system(size), time_limit_s=60)
    assert native.states >= ours.states == 55  # generators keep their dead locals
    assert native.transitions >= ours.transitions
