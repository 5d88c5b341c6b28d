"""Seeded random walks and the replay of schedules."""

import random
from collections.abc import Sequence

from powercut.checkers.engine.errors import STEP_ERRORS, NondeterminismError, ScheduleError
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.outcome import Budget, Found, Limits, Outcome, Watch
from powercut.checkers.engine.system import System
from powercut.model.language import ASSERTION, DEADLOCK


def random_walks(
    system: System, watch: Watch, limits: Limits, *, seed: int, runs: int, max_steps: int = 1_000
) -> Outcome:
    """Take ``runs`` random runs.  Never exhaustive: the outcome is always cut short.

    ``states`` counts visits, not different states.
    """
    outcome = Outcome(stopped=f"{runs} random runs, seed {seed}")
    budget = Budget(limits)
    chooser = random.Random(seed)
    seen: set[bytes] = set()
    try:
        for _ in range(runs):
            _one_walk(system, watch, outcome, chooser, max_steps, seen)
            reason = budget.exceeded(outcome.states)
            if reason:
                outcome.stopped = f"{reason}, seed {seed}"
                break
    except KeyboardInterrupt:
        outcome.stopped = f"interrupted, seed {seed}"
    outcome.projections = len(seen)
    outcome.seconds = budget.seconds
    return outcome


def _one_walk(
    system: System,
    watch: Watch,
    outcome: Outcome,
    chooser: random.Random,
    max_steps: int,
    seen: set[bytes],
) -> None:
    state = system.initial
    schedule: list[int] = []
    for _ in range(max_steps):
        outcome.states += 1
        for name, bad in watch.invariants.items():
            if name not in outcome.found and bad(state):
                outcome.found[name] = Found(name, system.initial, tuple(schedule))
        for name, reached in watch.situations.items():
            if reached(state):
                outcome.reached.add(name)
        projection = state[system.projected]
        if watch.on_projection is not None and projection not in seen:
            seen.add(projection)
            for name in watch.on_projection(projection, outcome.states):
                outcome.found.setdefault(name, Found(name, system.initial, tuple(schedule)))
        try:
            enabled = system.enabled(state)
        except STEP_ERRORS as error:
            found = Found(ASSERTION, system.initial, tuple(schedule), str(error))
            outcome.found.setdefault(ASSERTION, found)
            return
        if not enabled:
            if system.unfinished(state):
                outcome.found.setdefault(
                    DEADLOCK, Found(DEADLOCK, system.initial, tuple(schedule), "nobody can run")
                )
            return
        schedule.append(chooser.choice(enabled))
        try:
            state = system.step(state, schedule[-1])
        except STEP_ERRORS as error:
            found = Found(ASSERTION, system.initial, tuple(schedule), str(error))
            outcome.found.setdefault(ASSERTION, found)
            return
        outcome.transitions += 1
        outcome.depth = max(outcome.depth, len(schedule))


def run_schedule(system: System, start: bytes, schedule: Sequence[int]) -> list[bytes]:
    """Return the states along ``schedule``, ``start`` first.  Raises :class:`ScheduleError`."""
    states = [start]
    for number, thread in enumerate(schedule):
        if not 0 <= thread < len(system.threads):
            raise ScheduleError(f"step {number + 1}: there is no thread {thread}")
        if not system.is_enabled(states[-1], thread):
            name = system.threads[thread].name
            raise ScheduleError(f"step {number + 1}: {name} cannot run here")
        states.append(system.step(states[-1], thread))
    return states


def lockstep(system: System, native: NativeRun, schedule: Sequence[int], start: bytes) -> bytes:
    """Run ``schedule`` natively and compiled, comparing all variables and enabled sets.

    Returns the final compiled state.  Raises :class:`NondeterminismError` on any difference: the
    model reads something that is not in the state, or the compiler is wrong.
    """
    state = start
    for number, thread in enumerate(schedule):
        compare(system, state, native, number)
        native.step(thread)
        state = system.step(state, thread)
    compare(system, state, native, len(schedule))
    return state


def compare(system: System, state: bytes, native: NativeRun, number: int) -> None:
    """Raise :class:`NondeterminismError` if the two runs differ after ``number`` steps."""
    if system.shared(state) != bytes(native.variables):
        names = system.build.layout.names()
        pairs = zip(names, system.shared(state), native.variables, strict=True)
        differing = [f"{n}: compiled {a}, native {b}" for n, a, b in pairs if a != b]
        raise NondeterminismError(f"after step {number}: {'; '.join(differing)}")
    if system.enabled(state) != native.enabled():
        raise NondeterminismError(
            f"after step {number}: enabled compiled {system.enabled(state)}, "
            f"native {native.enabled()}"
        )


def assert_deterministic(system: System, states: Sequence[bytes]) -> None:
    """Step every given state twice and compare.  Raises :class:`NondeterminismError`."""
    for state in states:
        for thread, info in enumerate(system.threads):
            if _attempt(system, state, thread) != _attempt(system, state, thread):
                raise NondeterminismError(f"{info.name} gave two results from one state")


def _attempt(system: System, state: bytes, thread: int) -> bytes | str:
    """Return the state after a step, or what went wrong (nothing, if the thread has to wait)."""
    try:
        return system.step(state, thread) if system.is_enabled(state, thread) else ""
    except STEP_ERRORS as error:
        return str(error)
