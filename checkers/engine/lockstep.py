"""Run a schedule: compiled, and in lockstep with the native model.

Why so: the compiled system is what searches run, and the native one is what the model says; whoever
claims something about a schedule compares both after every step.
"""

from collections.abc import Callable, Sequence
from functools import partial

from powercut.checkers.engine.errors import STEP_ERRORS, NondeterminismError, ScheduleError
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.system import System


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
    compiled = _enabled(partial(system.is_enabled, state), len(system.threads))
    natively = _enabled(native.is_enabled, len(system.threads))
    if compiled != natively:
        raise NondeterminismError(
            f"after step {number}: enabled compiled {compiled}, native {natively}"
        )


def _enabled(is_enabled: Callable[[int], bool], count: int) -> list[int]:
    """Return the threads that may run; ``~thread`` if its guard fails, which its step will show."""
    enabled = []
    for thread in range(count):
        try:
            enabled += [thread] if is_enabled(thread) else []
        except STEP_ERRORS:
            enabled.append(~thread)
    return enabled


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
