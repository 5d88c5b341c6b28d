"""Measure the engine: one line a ratio.  Exits with 1 if a ratio misses what is required."""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import native_search, spin
from benchmarks.native_search import Measured
from benchmarks.wal import Size, system
from checkers.engine.bfs import BreadthFirst
from checkers.engine.outcome import Limits, Watch
from checkers.engine.system import System
from checkers.engine.walk import run_schedule

TRIES = 3
SMALL = Size(writers=3, rounds=2, slots=2)
LARGE = Size(writers=4, rounds=2, slots=3)
NATIVE_TIME_S = 3.0
NEEDED_VS_NATIVE = 20.0
NEEDED_VS_SPIN = 1 / 6


def compiled(model: System) -> Measured:
    """Explore breadth first; return the fastest of several searches."""
    runs = []
    for _ in range(TRIES):
        outcome = BreadthFirst(model, Watch(), Limits()).run()
        assert outcome.exhaustive
        assert not outcome.found
        runs.append(Measured(outcome.states, outcome.transitions, outcome.seconds))
    return min(runs, key=lambda run: run.seconds)


def ratio(what: str, value: float, needed: float) -> bool:
    """Print one ratio; tell whether it is as good as required."""
    good = value >= needed
    print(f"{what}: {value:.2f}x (required: {needed:.2f}x{'' if good else ', MISSED'})", flush=True)
    return good


def against_native() -> bool:
    """Compare exploration with and without compiling the paths."""
    model = system(SMALL)
    fast = compiled(model)
    slow = native_search.search(model, NATIVE_TIME_S)
    good = ratio(
        "compiled exploration vs native generators, transitions per second",
        (fast.transitions / fast.seconds) / (slow.transitions / slow.seconds),
        NEEDED_VS_NATIVE,
    )
    print(
        f"  {SMALL}: compiled {fast.transitions / fast.seconds:,.0f} transitions/s, native "
        f"(re-executing prefixes, state fingerprints) {slow.transitions / slow.seconds:,.0f}"
    )
    return good


def stepping() -> None:
    """Compare bare stepping along one run: what a replay costs, no search."""
    model = system(SMALL)
    chooser = random.Random(1)
    state, schedule = model.initial, []
    while enabled := model.enabled(state):
        schedule.append(chooser.choice(enabled))
        state = model.step(state, schedule[-1])

    def native() -> None:
        run = native_search.start(model)
        for thread in schedule:
            run.step(thread)

    def flat() -> None:
        run_schedule(model, model.initial, schedule)

    fast, slow = (len(schedule) * per_second(replay) for replay in (flat, native))
    print(f"compiled vs native, replaying one run of {len(schedule)} steps: {fast / slow:.2f}x")
    print(f"  compiled {fast:,.0f} steps/s, native {slow:,.0f} steps/s")


def per_second(action: Callable[[], None]) -> float:
    """Return how often ``action`` can be done in a second: the best of several tries."""
    best = 0.0
    for _ in range(TRIES):
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < 0.3:
            action()
            count += 1
        best = max(best, count / (time.perf_counter() - started))
    return best


def against_spin() -> bool:
    """Compare with SPIN on the same protocol; equal state spaces are part of the claim."""
    what = "python engine vs SPIN, identical steps"
    ours = compiled(system(LARGE))
    rate = ours.states / ours.seconds
    good = True
    try:
        with tempfile.TemporaryDirectory() as folder:
            theirs = spin.verify(LARGE, Path(folder), TRIES)
    except spin.Unavailable as reason:
        print(f"{what}: skipped, {reason}")
    else:
        # SPIN counts the arrival in the initial state as a transition.
        sizes = (theirs.states, theirs.transitions - 1)
        if sizes != (ours.states, ours.transitions):
            print(f"{what}: not comparable, SPIN has {sizes}, we {ours}", file=sys.stderr)
            return False
        good = ratio(what, rate / (theirs.states / theirs.seconds), NEEDED_VS_SPIN)
        print(
            f"  {LARGE}: {theirs.states:,} states and {ours.transitions:,} transitions in both "
            f"(SPIN counts one more); SPIN {theirs.states / theirs.seconds:,.0f} states/s"
        )
    print(f"python engine, breadth first: {rate:,.0f} states/s")
    print(f"  {LARGE}: {ours.states:,} states in {ours.seconds:.2f} s")
    return good


def main() -> int:
    """Run every benchmark."""
    good = against_native()
    stepping()
    return 0 if against_spin() and good else 1


if __name__ == "__main__":
    sys.exit(main())
