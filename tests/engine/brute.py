"""The toy programs once more, as plain functions over tuples: what the engine is measured against.

Nothing here comes from the engine: states are nested tuples, a program is a function from a state
to its successors, and a thread is ``(where it is parked, its live locals)``; ``()`` has finished.
"""

from collections.abc import Callable, Iterator
from math import gcd
from typing import Any

State = tuple[Any, ...]
Moves = Callable[[State], Iterator[State]]


def put(values: State, index: int, value: Any) -> State:
    """Return ``values`` with one element replaced."""
    return (*values[:index], value, *values[index + 1 :])


def explore(initial: State, moves: Moves) -> tuple[int, int, dict[State, int]]:
    """Return the number of states and of transitions, and the distance of every state."""
    distance = {initial: 0}
    queue = [initial]
    transitions = 0
    for state in queue:
        for successor in moves(state):
            transitions += 1
            if successor not in distance:
                distance[successor] = distance[state] + 1
                queue.append(successor)
    return len(distance), transitions, distance


def counters(state: State) -> Iterator[State]:
    for t, count in enumerate(state):
        if count < 4:
            yield put(state, t, count + 1)


def countdown(state: State) -> Iterator[State]:
    if state[0]:
        yield (state[0] - 1,)


def race(state: State) -> Iterator[State]:
    total, threads = state
    for t, thread in enumerate(threads):
        if thread == ("read",):
            yield total, put(threads, t, ("write", total))
        elif thread:
            yield thread[1] + 1, put(threads, t, ())


def relay(state: State) -> Iterator[State]:
    turn, baton, runners, heard = state
    for t, runner in enumerate(runners):
        if not runner:
            continue
        left, phase = runner
        if phase == "ready":
            yield turn, baton, put(runners, t, (left, "wait")), heard
        elif phase == "wait" and turn == t:
            yield turn, baton, put(runners, t, (left, baton)), heard
        elif phase != "wait":
            after = (left - 1, "ready") if left > 1 else ()
            yield 1 - t, (phase + t + 1) % 7, put(runners, t, after), heard
    if heard == baton:
        yield turn, baton, runners, {4: 3, 3: None}[heard]


def peterson(state: State) -> Iterator[State]:
    flags, turn, inside, threads = state
    for me, thread in enumerate(threads):
        if not thread:
            continue
        at, turns = thread
        if at == 1:
            yield put(flags, me, 1), turn, inside, put(threads, me, (2, turns))
        elif at == 2:
            yield flags, 1 - me, inside, put(threads, me, (3, turns))
        elif at == 3 and (not flags[1 - me] or turn == me):
            yield flags, turn, inside + 1, put(threads, me, (4, turns))
        elif at == 4:
            after = (1, turns + 1) if turns == 0 else ()
            yield put(flags, me, 0), turn, inside - 1, put(threads, me, after)


def locks(order: tuple[tuple[int, int], ...]) -> Moves:
    """Thread t takes the locks ``order[t]``."""

    def moves(state: State) -> Iterator[State]:
        owners, threads = state
        for t, taken in enumerate(threads):
            if taken == 2:
                continue
            wanted = order[t][taken]
            if owners[wanted] is None:
                now = (None, None) if taken == 1 else put(owners, wanted, t)
                yield now, put(threads, t, taken + 1)

    return moves


def retry(state: State) -> Iterator[State]:
    busy, ready, polling, tries, hog = state
    if polling:
        yield busy, ready, not ready, tries, hog
    if tries is not None:
        if not busy:
            yield busy, True, polling, None, hog
        else:
            yield busy, ready, polling, None if tries == 1 else tries + 1, hog
    if hog:
        yield hog == 2, ready, polling, tries, hog - 1


def queue(state: State) -> Iterator[State]:
    length, taken, produced, holding = state
    if produced < 3 and length < 2:
        yield length + 1, taken, produced + 1, holding
    if holding:
        yield length, taken + 1, produced, False
    elif length:
        yield length - 1, taken, produced, True


def pool(state: State) -> Iterator[State]:
    largest, slots, threads = state
    for me, thread in enumerate(threads):
        if thread == ("wait",):
            free = [s for s in (0, 1) if slots[s] is None]
            if free:
                yield largest, put(slots, free[0], (me, 0)), put(threads, me, ("fill", free[0]))
        elif thread and thread[0] == "fill":
            s = thread[1]
            yield largest, put(slots, s, (me, me + 1)), put(threads, me, ("read", s))
        elif thread:
            s = thread[1]
            yield max(largest, slots[s][1]), put(slots, s, None), put(threads, me, ())


def scan(state: State) -> Iterator[State]:
    stop, finished, count, skip, scanner, stopper, skipper = state

    def next_round(i: int) -> tuple[bool, State]:
        left = [n for n in range(i, 3) if not skip[n]]
        return (finished, ("outer", left[0])) if left else (True, ())

    if scanner and scanner[0] == "outer":
        done, after = (True, ()) if stop else (finished, ("inner", scanner[1], 0))
        yield stop, done, count, skip, after, stopper, skipper
    elif scanner:
        _, i, j = scanner
        if j == 0 and i != 1:
            done, after = finished, ("inner", i, 1)
        elif count + 1 >= 5:
            done, after = finished, ()
        else:
            done, after = next_round(i + 1)
        yield stop, done, count + 1, skip, after, stopper, skipper
    if stopper:
        yield True, finished, count, skip, scanner, False, skipper
    if skipper < 3:
        yield stop, finished, count, put(skip, skipper, True), scanner, stopper, skipper + 1


def claims(state: State) -> Iterator[State]:
    done, claimed, threads = state
    for t, n in enumerate(threads):
        if n is None:
            continue
        left = [m for m in range(n + 1, 7) if m not in claimed and gcd(m, 6) == 1]
        if left:
            yield done + 1, claimed | {left[0]}, put(threads, t, left[0])
        else:
            yield done + 1, claimed, put(threads, t, None)


def disk(state: State) -> Iterator[State]:
    cache, platter, flusher = state
    for b in (0, 1):
        if cache[b] < 2:
            yield put(cache, b, cache[b] + 1), platter, flusher
    if flusher is None:
        if cache != platter:
            yield cache, platter, 0 if cache[0] != platter[0] else 1
    else:
        stable = put(platter, flusher, cache[flusher])
        goes_on = flusher == 0 and cache[1] != platter[1]
        yield cache, stable, 1 if goes_on else None


def levels(state: State) -> Iterator[State]:
    level, marks, turns = state
    for t in (0, 1):
        if turns[t] == 2:
            continue
        up, mark = min(level + 2 - t, 5), marks
        if up > 2 and t == 0:
            up -= 1
        elif up > 2:
            mark = marks ^ 1 if marks & 2 else marks | 2
        elif turns[t] == 1 and up > 0:
            mark |= 4
        yield up, mark, put(turns, t, turns[t] + 1)


def names(state: State) -> Iterator[State]:
    out, seen, threads, stale = state
    for t, thread in enumerate(threads):
        if not thread:
            continue
        at, *values = thread
        if at == 0:
            now, first = out[t], out[t] + 1
            yield out, seen, put(threads, t, (1, now, first)), stale
        elif at == 1:
            now, first = values
            new = first * 10 + now
            yield put(out, t, new), seen, put(threads, t, (2, new + 1, first)), stale
        elif at == 2:
            now, first = values
            new = put(out, t, first * 10 + now)
            yield new, seen, put(threads, t, (3, first)), stale
        else:
            (first,) = values
            result = (first + 1) * 10 + 7
            yield put(out, t, (result + 1) * 2 + first + 1), seen, put(threads, t, ()), stale
    if stale is not None:
        turn, kept = stale
        yield out, kept + turn, threads, (1, kept) if turn == 0 else None
