"""Measure the engine: one line a ratio, marked where it misses what is required.

A ratio moves with whatever else runs on the machine, so a miss is for a reader to judge: the exit
code only says whether everything could be measured.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import native_search, spin, spin_steps, traces
from benchmarks.native_search import Measured
from benchmarks.wal import Size, system
from powercut.checkers.engine.c_library import CannotCompile, NoCompiler
from powercut.checkers.engine.lockstep import run_schedule
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.c import CBreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.system import System
from powercut.checkers.machines.search import PROFILES, search
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS

TRIES = 3
SMALL = Size(writers=3, rounds=2, slots=2)
LARGE = Size(writers=4, rounds=2, slots=3)
NATIVE_TIME_S = 3.0
NEEDED_VS_NATIVE = 20.0
NEEDED_VS_SPIN = 1 / 6
SCOPE = "span-truncate"
C_NEEDED_VS_PYTHON = 8.0
C_NEEDED_VS_SPIN = 1.5
C_NEEDED_VS_PROMELA = 2.0
CORPUS_SECONDS = 10.0
MACHINE_STEPS = 1_500


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


def c_engine(model: System) -> Measured:
    """Explore breadth first in C; return the fastest of several searches, in processor time."""
    runs = []
    for _ in range(TRIES):
        started = time.process_time()
        outcome = CBreadthFirst(model, Watch(), Limits()).run()
        assert outcome.exhaustive
        seconds = time.process_time() - started
        runs.append(Measured(outcome.states, outcome.transitions, seconds))
    return min(runs, key=lambda run: run.seconds)


def c_against_python() -> bool:
    """Compare the two engines on a scope of the model, crash checks and all."""
    runs = {
        engine: min(
            (
                run_scope(Question(DESIGNS["seed"], SCOPES[SCOPE], engine=engine))
                for _ in range(TRIES)
            ),
            key=lambda run: run.seconds,
        )
        for engine in ("python", "c")
    }
    python, c = runs["python"], runs["c"]
    assert (python.states, python.transitions) == (c.states, c.transitions)
    good = ratio(
        "C engine vs python engine, a whole run", python.seconds / c.seconds, C_NEEDED_VS_PYTHON
    )
    print(
        f"  seed, {SCOPE}: {c.states:,} states; C {c.states / c.seconds:,.0f} states/s, "
        f"python {python.states / python.seconds:,.0f}"
    )
    return good


def c_against_spin() -> bool:
    """Compare with SPIN that runs the same generated steps."""
    what = "C engine vs SPIN, identical steps"
    model = Mount.of(Question(DESIGNS["seed"], SCOPES[SCOPE])).system
    ours = c_engine(model)
    try:
        with tempfile.TemporaryDirectory() as folder:
            theirs = spin_steps.Shell(model.build, Path(folder)).explore(model, TRIES)
    except spin.Unavailable as reason:
        print(f"{what}: skipped, {reason}")
        return True
    if (theirs.states, theirs.transitions) != (ours.states, ours.transitions):
        print(f"{what}: not comparable, SPIN has {theirs}, we {ours}", file=sys.stderr)
        return False
    rates = ours.states / ours.seconds, theirs.states / theirs.seconds
    good = ratio(what, rates[0] / rates[1], C_NEEDED_VS_SPIN)
    print(
        f"  seed, {SCOPE}: {ours.states:,} states and {ours.transitions:,} transitions in both; "
        f"C {rates[0]:,.0f} states/s, SPIN {rates[1]:,.0f}"
    )
    return good


def c_against_promela() -> bool:
    """Compare with a hand-written Promela model under SPIN's default reduction."""
    what = "C engine vs hand-written Promela with SPIN's reduction, time to the verdict"
    ours = c_engine(system(LARGE))
    try:
        with tempfile.TemporaryDirectory() as folder:
            theirs = spin.verify(LARGE, Path(folder), TRIES, reduce=True)
    except spin.Unavailable as reason:
        print(f"{what}: skipped, {reason}")
        return True
    good = ratio(what, theirs.seconds / ours.seconds, C_NEEDED_VS_PROMELA)
    print(
        f"  {LARGE}: we {ours.states:,} states in {ours.seconds:.3f} s, SPIN {theirs.states:,} in "
        f"{theirs.seconds:.3f} s; each step of ours is one d_step there"
    )
    return good


def c_rows() -> bool:
    """Measure the C engine, if there is a compiler."""
    try:
        results = [c_against_python(), c_against_spin(), c_against_promela()]
    except (NoCompiler, CannotCompile) as reason:
        print(f"C engine: skipped, {reason}")
        return True
    return all(results)


def corpus() -> bool:
    """Replay the saved traces, first, while no model has been built."""
    count, steps, seconds = traces.replay_all()
    good = ratio("time allowed for the saved traces vs time taken", CORPUS_SECONDS / seconds, 1.0)
    print(f"  {count} traces, {steps} steps, the builds of the model included: {seconds:.1f} s")
    return good


def machines() -> bool:
    """Steps of the crash machine, every property judged at each, crash images included."""
    profile = replace(PROFILES["ci"], examples=100, rounds=1)
    search([DESIGNS["seed"]], replace(profile, examples=10), 1)
    best = explored = 0.0
    for number in range(TRIES):
        run = search([DESIGNS["seed"]], profile, 1 + number)
        best = max(best, run.tally.steps / run.seconds)
        explored = max(explored, run.tally.states / run.seconds)
    good = ratio(
        f"crash machine vs {MACHINE_STEPS:,} steps/s, all invariants on", best / MACHINE_STEPS, 1.0
    )
    print(
        f"  seed, profile ci, one process: {best:,.0f} steps/s walked, and beside them "
        f"{explored:,.0f} states/s explored, Hypothesis included"
    )
    return good


def main() -> int:
    """Run every benchmark."""
    good = corpus()
    good &= against_native()
    stepping()
    good &= against_spin()
    good &= c_rows()
    good &= machines()
    if not good:
        print("some ratios missed what is required; see the marked lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
