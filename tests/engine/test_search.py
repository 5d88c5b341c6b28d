"""Explorers: exact sizes, shortest traces, and honest outcomes."""

from collections.abc import Callable

import pytest

from powercut.checkers.engine.lockstep import run_schedule
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.depth import DepthFirst, omission_probability
from powercut.checkers.engine.search.outcome import Limits, Outcome, Progress, Watch
from powercut.checkers.engine.search.strategy import Walk
from powercut.checkers.engine.search.walk import RandomWalks
from powercut.checkers.engine.system import Build, System
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK, Program, Thread
from tests.engine import programs
from tests.engine.brute import explore
from tests.engine.toys import TOYS, Toy, closed, system_of
from tests.tiers import fast_only

Search = Callable[[System, Watch, Limits], Outcome]


def breadth_first(system: System, watch: Watch, limits: Limits) -> Outcome:
    return BreadthFirst(system, watch, limits).run()


def depth_first(system: System, watch: Watch, limits: Limits) -> Outcome:
    return DepthFirst(system, watch, limits).run()


def walk(system: System, watch: Watch, limits: Limits) -> Outcome:
    return RandomWalks(system, watch, limits, [system.initial], Walk(1, 50)).run()


both = pytest.mark.parametrize("search", [breadth_first, depth_first])
every_toy = pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)


@both
@every_toy
@pytest.mark.parametrize("checked", [False, True])
def test_sizes_are_exact(toy: Toy, search: Search, checked: bool) -> None:
    states, transitions, _ = explore(toy.start, toy.moves)
    assert (states, transitions) == (toy.states, toy.transitions)
    outcome = search(system_of(toy.name, checked=checked), Watch(), Limits())
    assert outcome.exhaustive
    assert (outcome.states, outcome.transitions) == (states, transitions)


@every_toy
def test_breadth_first_depth_is_the_largest_distance(toy: Toy) -> None:
    _, _, distance = explore(toy.start, toy.moves)
    outcome = breadth_first(system_of(toy.name), Watch(), Limits())
    assert outcome.depth == max(distance.values())


@both
@every_toy
def test_only_the_toys_with_a_flaw_are_blamed(toy: Toy, search: Search) -> None:
    outcome = search(system_of(toy.name), Watch(), Limits())
    assert set(outcome.found) == ({DEADLOCK} if toy.name == "deadlock" else set())


@both
def test_crossed_locks_deadlock(search: Search) -> None:
    system = system_of("deadlock")
    found = search(system, Watch(), Limits()).found[DEADLOCK]
    end = run_schedule(system, found.start, found.schedule)[-1]
    assert system.enabled(end) == []
    assert len(system.unfinished(end)) == 2
    assert [system.place(end, t).function for t in (0, 1)] == ["take", "take"]
    assert system.place(end, 0).label == "wait for the lock"
    assert len(found.schedule) == 2
    assert "nobody can run" in found.detail


def test_a_deadlock_names_who_waits() -> None:
    found = breadth_first(system_of("deadlock"), Watch(), Limits()).found[DEADLOCK]
    assert found.detail == "nobody can run; waiting for ever: task0, task1"


@both
def test_a_blocked_daemon_is_a_legal_end(search: Search) -> None:
    assert not search(closed(programs.QUEUE), Watch(), Limits()).found
    outcome = search(closed(programs.QUEUE_WITHOUT_DAEMON), Watch(), Limits())
    assert set(outcome.found) == {DEADLOCK}
    assert "consumer" in outcome.found[DEADLOCK].detail or search is depth_first


@pytest.mark.parametrize("search", [breadth_first, depth_first, walk])
def test_a_deadlock_before_the_first_step(search: Search) -> None:
    program = Program(programs.Queue, (Thread("consumer", programs.consume),))
    assert search(closed(program), Watch(), Limits()).found[DEADLOCK].schedule == ()


def test_a_poller_that_nobody_answers_is_a_livelock() -> None:
    system = closed(programs.RETRY)
    outcome = breadth_first(system, Watch(find_stuck=True), Limits())
    assert set(outcome.found) == {LIVELOCK}
    found = outcome.found[LIVELOCK]
    names = [system.threads[t].name for t in found.schedule]
    assert names == ["hog", "maker", "maker", "poller"]
    assert not breadth_first(system, Watch(), Limits()).found
    alone = breadth_first(closed(programs.RETRY_ALONE), Watch(find_stuck=True), Limits())
    assert not alone.found


def test_a_deadlock_is_not_called_a_livelock_too() -> None:
    outcome = breadth_first(system_of("deadlock"), Watch(find_stuck=True), Limits())
    assert set(outcome.found) == {DEADLOCK}


def crowd_watch(program: Program) -> tuple[System, Watch]:
    predicates = (programs.crowded, programs.someone_waits)
    build = Build(program, {}, predicates)
    system = System(build, b"", bytes(build.layout.shared_size))
    crowded, waits = system.predicates
    return system, Watch(invariants={"mutual exclusion": crowded}, situations={"waits": waits})


@pytest.mark.parametrize("search", [breadth_first, depth_first, walk])
def test_invariants_and_situations(search: Search) -> None:
    outcome = search(*crowd_watch(programs.PETERSON), Limits())
    assert not outcome.found
    assert outcome.reached == {"waits"}
    system, watch = crowd_watch(programs.IMPATIENT)
    found = search(system, watch, Limits()).found["mutual exclusion"]
    assert watch.invariants["mutual exclusion"](
        run_schedule(system, found.start, found.schedule)[-1]
    )


def test_breadth_first_traces_are_shortest() -> None:
    system, watch = crowd_watch(programs.IMPATIENT)
    assert len(breadth_first(system, watch, Limits()).found["mutual exclusion"].schedule) == 4


@pytest.mark.parametrize(
    "toy", fast_only(TOYS, lambda toy: not toy.name.startswith("relay")), ids=lambda toy: toy.name
)
def test_every_state_is_reached_by_a_shortest_schedule(toy: Toy) -> None:
    _, _, distance = explore(toy.start, toy.moves)
    search = BreadthFirst(system_of(toy.name), Watch(), Limits())
    search.run()
    lengths = []
    for number, state in enumerate(search.order):
        start, schedule = search.schedule_to(number)
        assert run_schedule(search.system, start, schedule)[-1] == state
        lengths.append(len(schedule))
    assert lengths == sorted(distance.values())


def test_several_initial_states() -> None:
    system = system_of("counters")
    later = system.step(system.initial, 0)
    search = BreadthFirst(system, Watch(), Limits(), [system.initial, later, later])
    assert search.run().states == 25
    number = search.order.index(system.step(later, 0))
    assert search.schedule_to(number) == (later, (0,))


@pytest.mark.parametrize("search", [breadth_first, depth_first, walk])
def test_a_failed_assertion_is_a_finding(search: Search) -> None:
    system = closed(programs.ASSERTING_RACE, threads=2)
    outcome = search(system, Watch(), Limits())
    found = outcome.found[ASSERTION]
    assert "programs.py" in found.detail
    assert "k.total == old" in found.detail
    assert set(outcome.found) == {ASSERTION}
    run_schedule(system, found.start, found.schedule[:-1])
    if search is breadth_first:
        assert len(found.schedule) == 4


@pytest.mark.parametrize("search", [breadth_first, depth_first, walk])
def test_a_value_outside_its_range_is_a_finding(search: Search) -> None:
    system = closed(programs.COUNTERS, checked=True, threads=1, rounds=2)
    found = search(system, Watch(), Limits()).found[ASSERTION]
    assert found.schedule == (0, 0, 0)
    assert found.detail.endswith("k.count[t] = 3: outside 0..2")


@both
def test_a_failing_condition_keeps_nobody_else_from_running(search: Search) -> None:
    outcome = search(closed(programs.HALLS, checked=True), Watch(), Limits())
    assert outcome.exhaustive
    assert set(outcome.found) == {ASSERTION}
    assert "index 2 outside 0..1" in outcome.found[ASSERTION].detail
    # The asker has 4 places, the stroller 3; with the guest gone, the stroller has finished.
    assert outcome.states == 4 * 3 + 4
    assert outcome.transitions == 3 * 3 + 3 + 2 * 4 + 2
    assert outcome.found[ASSERTION].schedule == (1, 1, 0)


def projections(outcome: Outcome, seen: list[bytes]) -> bool:
    return len(set(seen)) == len(seen) == outcome.projections


@pytest.mark.parametrize("search", [breadth_first, depth_first, walk])
def test_every_projection_is_looked_at_once(search: Search) -> None:
    seen: list[bytes] = []

    def look(projection: bytes, _number: int) -> list[str]:
        seen.append(projection)
        return ["newest"] if projection == bytes([2, 2]) else []

    system = system_of("disk")
    outcome = search(system, Watch(on_projection=look), Limits())
    assert projections(outcome, seen)
    assert set(seen) == {bytes([a, b]) for a in range(3) for b in range(3)}
    found = outcome.found["newest"]
    end = run_schedule(system, found.start, found.schedule)[-1]
    assert end[system.projected] == bytes([2, 2])


@both
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_states=20), "limit of 20 states reached"),
        (Limits(time_limit_s=-1), "time limit of -1 s reached"),
        (Limits(max_memory_mib=0), "memory limit of 0 MiB reached"),
    ],
)
def test_a_limit_makes_the_outcome_inconclusive(
    search: Search, limits: Limits, reason: str
) -> None:
    system = closed(programs.COUNTERS, rounds=4, threads=6)
    outcome = search(system, Watch(), limits)
    assert outcome.stopped == reason
    assert not outcome.exhaustive
    assert 0 < outcome.states < 5**6
    if limits.max_states == 20:
        assert outcome.states <= 20 + len(system.threads)


@pytest.mark.parametrize("search", [breadth_first, depth_first, walk])
@pytest.mark.parametrize("after", [1, 40])
def test_an_interrupt_reports_what_is_known(search: Search, after: int) -> None:
    calls = 0

    def impatient(_state: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == after:
            raise KeyboardInterrupt
        return 0

    system = system_of("counters3")
    outcome = search(system, Watch(invariants={"patience": impatient}), Limits())
    assert outcome.stopped.startswith("interrupted")
    assert not outcome.exhaustive
    assert 0 < outcome.states <= after
    assert (outcome.transitions > 0) == (after > 1)


@both
def test_progress_is_reported(search: Search) -> None:
    reports: list[Progress] = []
    system = closed(programs.COUNTERS, rounds=4, threads=6)
    outcome = search(system, Watch(on_progress=reports.append), Limits())
    assert outcome.states == 5**6
    assert len(reports) >= 3
    assert [r.states for r in reports] == sorted(r.states for r in reports)
    last = reports[-1]
    assert 0 < last.states <= 5**6
    assert last.frontier > 0
    assert last.depth > 0
    assert last.transitions > 0
    assert last.rate > 0


@both
def test_stop_at_the_first_violation(search: Search) -> None:
    system, watch = crowd_watch(programs.IMPATIENT)
    everything = search(system, watch, Limits())
    watch.stop_when = frozenset({"mutual exclusion"})
    outcome = search(system, watch, Limits())
    assert outcome.stopped == "stopped at the first violation"
    assert set(outcome.found) == {"mutual exclusion"}
    assert outcome.states < everything.states


def test_the_omission_estimate() -> None:
    assert omission_probability(0) == 0.0
    assert omission_probability(2**20) == pytest.approx(2.0**-25)
    assert omission_probability(2**40) == 1.0
    exact = breadth_first(system_of("pool"), Watch(), Limits())
    compact = depth_first(system_of("pool"), Watch(), Limits())
    assert exact.omission_probability == 0.0
    assert compact.omission_probability == omission_probability(compact.states) > 0.0


@every_toy
def test_zeroing_dead_locals_changes_no_verdict(toy: Toy) -> None:
    zeroed = breadth_first(system_of(toy.name), Watch(find_stuck=True), Limits())
    kept = breadth_first(system_of(toy.name, zero_dead=False), Watch(find_stuck=True), Limits())
    assert set(zeroed.found) == set(kept.found)
    assert zeroed.states <= kept.states
    for name, found in zeroed.found.items():
        assert len(found.schedule) == len(kept.found[name].schedule)


def test_zeroing_dead_locals_is_worth_something() -> None:
    sizes = {
        zero_dead: breadth_first(system_of("pool", zero_dead=zero_dead), Watch(), Limits()).states
        for zero_dead in (True, False)
    }
    assert sizes == {True: 98, False: 176}
