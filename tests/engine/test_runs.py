"""Native and compiled runs agree step by step; replays and walks are repeatable."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercut.checkers.engine.errors import NondeterminismError, RangeError, ScheduleError
from powercut.checkers.engine.lockstep import assert_deterministic, lockstep, run_schedule
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Outcome, Watch
from powercut.checkers.engine.search.strategy import Walk
from powercut.checkers.engine.search.walk import RandomWalks
from powercut.checkers.engine.system import System
from tests.engine import programs
from tests.engine.toys import TOYS, Toy, closed, system_of

every_toy = pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)


def random_runs(system: System, watch: Watch, limits: Limits, walk: Walk) -> Outcome:
    return RandomWalks(system, watch, limits, [system.initial], walk).run()


def native(system: System) -> NativeRun:
    shared = bytes(system.build.layout.shared_size)
    return NativeRun(system.build, system.constants, shared)


def schedule_of(system: System, choices: list[int]) -> list[int]:
    """Turn numbers into a schedule that fits: each picks among those that can run."""
    state = system.initial
    schedule: list[int] = []
    for choice in choices:
        enabled = system.enabled(state)
        if not enabled:
            break
        schedule.append(enabled[choice % len(enabled)])
        state = system.step(state, schedule[-1])
    return schedule


def run_both(system: System, schedule: list[int]) -> None:
    run = native(system)
    end = lockstep(system, run, schedule, system.initial)
    assert run.unfinished() == system.unfinished(end)
    for thread in range(len(system.threads)):
        assert run.is_finished(thread) == system.is_finished(end, thread)
        if not run.is_finished(thread):
            place = system.place(end, thread)
            assert run.stack(thread)[-1] == (place.function, place.line)
            callers = [f"{name}:{line}" for name, line in run.stack(thread)[:-1]]
            assert list(place.callers) == callers


@every_toy
@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("zero_dead", [False, True])
def test_long_runs_in_lockstep(toy: Toy, checked: bool, zero_dead: bool) -> None:
    system = system_of(toy.name, checked=checked, zero_dead=zero_dead)
    chooser = random.Random(7)
    for _ in range(30):
        run_both(system, schedule_of(system, [chooser.randrange(12) for _ in range(60)]))


@pytest.mark.parametrize("name", ["relay", "relay-of-kinds"])
def test_counters_of_two_bytes_in_lockstep(name: str) -> None:
    system = system_of(name)
    assert [system.build.frames[t.kind].counter_size for t in system.threads] == [2, 2, 1]
    chooser = random.Random(7)
    for _ in range(2):
        run_both(system, schedule_of(system, [chooser.randrange(12) for _ in range(1000)]))


@every_toy
@given(choices=st.lists(st.integers(0, 11), max_size=50))
@settings(max_examples=60)
def test_drawn_runs_in_lockstep(toy: Toy, choices: list[int]) -> None:
    system = system_of(toy.name, checked=True)
    run_both(system, schedule_of(system, choices))


@every_toy
def test_every_state_has_the_same_successors_twice(toy: Toy) -> None:
    system = system_of(toy.name)
    chooser = random.Random(3)
    schedule = schedule_of(system, [chooser.randrange(12) for _ in range(60)])
    assert_deterministic(system, run_schedule(system, system.initial, schedule))


def test_steps_are_pure() -> None:
    system = system_of("pool")
    before = bytes(system.initial)
    assert system.step(system.initial, 0) == system.step(system.initial, 0)
    assert system.initial == before
    assert isinstance(system.step(system.initial, 0), bytes)


def test_an_impure_step_is_noticed() -> None:
    system = closed(programs.RACE, threads=2)
    _, _, _, steps = system.table[0]
    honest = steps[2]
    assert honest is not None
    calls = 0

    def counting(state: bytes, frame: int, number: int) -> bytes | None:
        nonlocal calls
        calls += 1
        new = honest(state, frame, number)
        return new if new is None or calls % 2 else bytes([0]) + new[1:]

    steps[2] = counting
    states = run_schedule(system, system.initial, (0,))
    with pytest.raises(NondeterminismError, match="adder0 gave two results from one state"):
        assert_deterministic(system, states)
    with pytest.raises(NondeterminismError, match="adder0 gave two results from one state"):
        BreadthFirst(system, Watch(), Limits(), states[1:]).run()


def test_a_hidden_variable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    system = system_of("levels")
    monkeypatch.setattr(programs, "LIMIT", 1)  # a module variable that changes behind the state
    with pytest.raises(NondeterminismError, match="after step 1: level: compiled 2, native 1"):
        lockstep(system, native(system), [0, 0], system.initial)


def test_a_difference_in_who_can_run_is_noticed() -> None:
    system = system_of("race")
    run = native(system)
    with pytest.raises(NondeterminismError, match="after step 0: enabled compiled"):
        lockstep(system, run, [], b"\0" * system.build.size)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ((0, 0, 0), "step 3: task0 cannot run here"),
        ((0, 1, 0), "step 3: task0 cannot run here"),
        ((2,), "step 1: there is no thread 2"),
        ((0, -1), "step 2: there is no thread -1"),
    ],
)
def test_a_schedule_that_does_not_fit(schedule: tuple[int, ...], message: str) -> None:
    system = system_of("deadlock")
    with pytest.raises(ScheduleError, match=f"^{message}$"):
        run_schedule(system, system.initial, schedule)


def test_a_native_run_refuses_a_step_that_does_not_fit() -> None:
    run = native(system_of("deadlock"))
    run.step(0)
    run.step(1)
    assert run.enabled() == []
    with pytest.raises(ScheduleError, match="task1 cannot run here"):
        run.step(1)
    for thread in (2, -1):
        with pytest.raises(ScheduleError, match=f"there is no thread {thread}"):
            run.step(thread)


def test_a_native_run_checks_ranges() -> None:
    system = closed(programs.COUNTERS, threads=1, rounds=2)
    run = native(system)
    run.step(0)
    run.step(0)
    with pytest.raises(RangeError, match=r"^count\[0\] = 3: outside 0\.\.2$"):
        run.step(0)


def test_random_walks_are_seeded() -> None:
    def walks(seed: int) -> list[bytes]:
        trail: list[bytes] = []

        def look(state: bytes) -> int:
            trail.append(state)
            return 0

        watch = Watch(invariants={"look": look})
        outcome = random_runs(system_of("pool"), watch, Limits(), Walk(seed, 20))
        assert outcome.states == len(trail)
        assert outcome.transitions == len(trail) - 20
        assert outcome.depth == 9
        return trail

    assert walks(1) == walks(1)
    assert walks(1) != walks(2)


def test_random_walks_are_never_exhaustive() -> None:
    outcome = random_runs(system_of("counters"), Watch(), Limits(), Walk(5, 100))
    assert outcome.stopped == "100 random runs, seed 5"
    assert not outcome.exhaustive
    short = random_runs(system_of("counters"), Watch(), Limits(max_states=1), Walk(5, 100, 3))
    assert short.stopped == "limit of 1 states reached, seed 5"
    assert short.states == 3
