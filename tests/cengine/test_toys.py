"""Every construct of the language: same states, same order, same findings as in Python."""

from dataclasses import replace

import pytest

from powercut.checkers.engine import c_library
from powercut.checkers.engine.c_library import CannotCompile
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.c import (
    CBreadthFirst,
    CDepthFirst,
    NotCompiled,
    _Search,
)
from powercut.checkers.engine.search.depth import DepthFirst
from powercut.checkers.engine.search.outcome import Limits, Outcome, Watch
from powercut.checkers.engine.system import Build, System
from powercut.model.language import ASSERTION, LIVELOCK, Program, Thread
from tests.engine import programs
from tests.engine.toys import TOYS, Toy, closed, system_of
from tests.tiers import every

Calls = list[tuple[bytes, int]]

every_toy = pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
some_toys = pytest.mark.parametrize("toy", every(5, TOYS), ids=lambda toy: toy.name)


def depth_first(system: System, watch: Watch, limits: Limits) -> Outcome:
    return DepthFirst(system, watch, limits).run()


def c_depth_first(system: System, watch: Watch, limits: Limits, seed: int = 0) -> Outcome:
    return CDepthFirst(system, watch, limits, seed=seed).run()


def same(ours: Outcome, theirs: Outcome) -> None:
    """Everything but the clock is equal."""
    assert replace(ours, seconds=0) == replace(theirs, seconds=0)


def both(system: System, watch: Watch | None = None, limits: Limits | None = None) -> Outcome:
    """Search with both engines, compare all states in their order; return the outcome."""
    watch, limits = watch or Watch(find_stuck=True), limits or Limits()
    python, c = BreadthFirst(system, watch, limits), CBreadthFirst(system, watch, limits)
    expected, outcome = python.run(), c.run()
    same(outcome, expected)
    assert [c.state(n) for n in range(outcome.states)] == python.order
    last = outcome.states - 1
    assert c.schedule_to(last) == python.schedule_to(last)
    return outcome


@every_toy
def test_breadth_first_is_the_same(toy: Toy) -> None:
    outcome = both(system_of(toy.name))
    assert (outcome.states, outcome.transitions) == (toy.states, toy.transitions)


@some_toys
def test_a_checked_search_is_the_same(toy: Toy) -> None:
    outcome = both(system_of(toy.name, checked=True))
    assert (outcome.states, outcome.transitions) == (toy.states, toy.transitions)


@some_toys
def test_states_stored_in_pieces_are_the_same(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The states of toys are small enough to be stored whole; here they are not."""
    monkeypatch.setattr(c_library, "FLAGS", (*c_library.FLAGS, "-DPC_WHOLE=0"))
    build = Build(toy.program, dict(toy.dims))
    outcome = both(System(build, toy.constants, bytes(build.layout.shared_size)))
    assert outcome.states == toy.states


def test_dead_locals_are_not_for_c() -> None:
    with pytest.raises(CannotCompile, match="dead locals"):
        CBreadthFirst(system_of("scan", zero_dead=False), Watch(), Limits())


@every_toy
def test_depth_first_is_the_same(toy: Toy) -> None:
    system = system_of(toy.name)
    same(c_depth_first(system, Watch(), Limits()), depth_first(system, Watch(), Limits()))


WRONG = [
    closed(programs.HALLS, checked=True),
    closed(programs.ASSERTING_RACE, threads=3),
    closed(programs.QUEUE_WITHOUT_DAEMON),
    closed(programs.RETRY),
    closed(programs.COUNTERS, checked=True, threads=2, rounds=2),
]


@pytest.mark.parametrize("system", WRONG, ids=lambda system: system.threads[0].name)
@pytest.mark.parametrize("stop", [None, ASSERTION])
@pytest.mark.parametrize("states", [1, 2, 7, 1000])
def test_depth_first_is_the_same_where_something_is_wrong(
    system: System, stop: str | None, states: int
) -> None:
    watch = Watch(stop_when=frozenset({stop}) if stop else None)
    limits = Limits(max_states=states)
    ours, theirs = c_depth_first(system, watch, limits), depth_first(system, watch, limits)
    same(ours, theirs)
    if states == 1000 and not stop:
        assert both(system, Watch()).found.keys() == ours.found.keys()


def test_depth_first_sees_the_same_projections() -> None:
    seen: list[Calls] = []
    for search in (depth_first, c_depth_first):
        calls: Calls = []

        def note(projection: bytes, number: int, calls: Calls = calls) -> list[str]:
            calls.append((projection, number))
            return ["full"] if all(projection) else []

        assert "full" in search(system_of("disk"), Watch(on_projection=note), Limits()).found
        seen.append(calls)
    assert seen[0] == seen[1]


@every_toy
def test_a_seed_changes_the_order_and_nothing_else(toy: Toy) -> None:
    system = system_of(toy.name)
    for seed in (1, 2):
        outcome = c_depth_first(system, Watch(), Limits(), seed=seed)
        assert (outcome.states, outcome.transitions) == (toy.states, toy.transitions)


def test_a_livelock_has_the_same_lasso() -> None:
    assert set(both(closed(programs.RETRY)).found) == {LIVELOCK}
    assert not both(closed(programs.RETRY_ALONE)).found


def test_a_failed_assertion_speaks_python() -> None:
    found = both(closed(programs.ASSERTING_RACE, threads=2)).found[ASSERTION]
    assert "k.total == old" in found.detail


def peterson(program: Program) -> System:
    """Return Peterson's algorithm with two predicates."""
    build = Build(program, {}, (programs.crowded, programs.someone_waits))
    return System(build, b"", bytes(build.layout.shared_size))


@pytest.mark.parametrize("program", [programs.PETERSON, programs.IMPATIENT])
def test_predicates_are_seen_where_python_sees_them(program: Program) -> None:
    system = peterson(program)
    crowded, waits = system.predicates
    watch = Watch(invariants={"mutual exclusion": crowded}, situations={"waits": waits})
    outcome = both(system, watch)
    assert outcome.reached == {"waits"}
    assert bool(outcome.found) == (program is programs.IMPATIENT)
    same(c_depth_first(system, watch, Limits()), depth_first(system, watch, Limits()))
    stop = replace(watch, stop_when=frozenset({"mutual exclusion"}))
    assert bool(both(system, stop).stopped) == (program is programs.IMPATIENT)


def test_python_predicates_are_refused() -> None:
    watch = Watch(invariants={"anything": lambda _: 0})
    with pytest.raises(NotCompiled):
        CBreadthFirst(system_of("race"), watch, Limits())


def test_projections_come_in_order() -> None:
    system = system_of("disk")
    seen: list[Calls] = []
    for engine in (BreadthFirst, CBreadthFirst):
        calls: list[tuple[bytes, int]] = []

        def note(
            projection: bytes, number: int, calls: list[tuple[bytes, int]] = calls
        ) -> list[str]:
            calls.append((projection, number))
            return ["full"] if all(projection) else []

        outcome = engine(system, Watch(on_projection=note), Limits()).run()
        assert outcome.projections == len(calls)
        assert len(outcome.found["full"].schedule) > 0
        seen.append(calls)
    assert seen[0] == seen[1]


def test_several_initial_states() -> None:
    system = system_of("disk")
    first = BreadthFirst(system, Watch(), Limits())
    first.run()
    starts = [first.order[0], first.order[5], first.order[0], first.order[9]]
    ours = CBreadthFirst(system, Watch(on_projection=lambda p, n: []), Limits(), starts)
    theirs = BreadthFirst(system, Watch(on_projection=lambda p, n: []), Limits(), starts)
    same(ours.run(), theirs.run())
    assert [ours.state(n) for n in range(ours.outcome.states)] == theirs.order
    assert ours.schedule_to(40) == theirs.schedule_to(40)


@pytest.mark.parametrize("states", [1, 2, 30, 98, 99])
def test_a_limit_cuts_at_the_same_state(states: int) -> None:
    outcome = both(system_of("pool"), Watch(), Limits(max_states=states))
    assert outcome.exhaustive == (states > 98)


def test_an_interrupt_keeps_what_was_covered() -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    outcome = CBreadthFirst(system_of("pool"), Watch(on_progress=stop), Limits()).run()
    assert (outcome.stopped, outcome.states) == ("interrupted", 1)
    assert c_depth_first(system_of("pool"), Watch(on_progress=stop), Limits()).stopped == (
        "interrupted"
    )


def test_no_memory_is_inconclusive_and_no_crash() -> None:
    system = closed(programs.COUNTERS, rounds=4, threads=8)
    search = CBreadthFirst(system, Watch(), Limits(max_memory_mib=1))
    assert search.library.pc_new(b"", 100, search._watched, 0, 0, 0) is None
    outcome = search.run()
    assert outcome.stopped == "memory limit of 1 MiB reached"
    assert 0 < outcome.states < 5**8
    assert "memory limit" in c_depth_first(system, Watch(), Limits(max_memory_mib=1)).stopped


@pytest.mark.parametrize("flags", [(), ("-DPC_WHOLE=0",)])
def test_memory_may_end_anywhere(flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """From too little to start with to enough: cut short or complete, never wrong."""
    monkeypatch.setattr(c_library, "FLAGS", (*c_library.FLAGS, *flags))
    system = closed(programs.COUNTERS, rounds=4, threads=4)
    states, transitions = 5**4, 4 * 4 * 5**3
    ends = set()
    for room in range(0, 400_000, 3_001):
        monkeypatch.setattr(_Search, "_room", room)
        for search in (
            CBreadthFirst(system, Watch(find_stuck=True), Limits()),
            CDepthFirst(system, Watch(find_stuck=True), Limits()),
        ):
            outcome = search.run()
            ends.add((type(search), outcome.exhaustive))
            if outcome.exhaustive:
                assert (outcome.states, outcome.transitions) == (states, transitions)
            else:
                assert "memory limit" in outcome.stopped
                assert outcome.states <= states
            search.close()
    assert len(ends) == 4, "both searches were cut short and came to their end"


def test_a_wide_search_grows_its_tables() -> None:
    outcome = CBreadthFirst(
        closed(programs.COUNTERS, rounds=4, threads=7), Watch(find_stuck=True), Limits()
    ).run()
    assert (outcome.states, outcome.transitions) == (5**7, 7 * 4 * 5**6)
    assert outcome.exhaustive


def test_nothing_to_do_at_all() -> None:
    daemon = Program(programs.Queue, (Thread("consumer", programs.consume, daemon=True),))
    assert both(closed(daemon)).states == 1
    assert both(closed(Program(programs.Queue, ()))).states == 1
