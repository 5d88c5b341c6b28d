"""Swarms: members differ, their overlap is measured, an exhausted member ends all doubt."""

from dataclasses import replace
from random import Random

import pytest

from powercut.checkers.engine.lockstep import run_schedule
from powercut.checkers.engine.search.c import CDepthFirst
from powercut.checkers.engine.search.coverage import Sample, coverage
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.search.strategy import Swarm
from powercut.checkers.engine.search.swarm import SwarmSearch
from powercut.checkers.engine.system import System
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from tests.engine import programs
from tests.engine.toys import closed, system_of

FEW = Limits(max_states=1_500)
WIDE = closed(programs.COUNTERS, rounds=4, threads=6)
SIZE = 5**6

both = pytest.mark.parametrize("engine", ["python", "c"])


def member(system: System, limits: Limits, seed: int, engine: str = "c") -> Sample:
    """Run one member and return what it saw."""
    search = SwarmSearch(engine, system, Watch(), limits, [system.initial], Swarm(seed))
    found = search.run().sample
    assert found is not None
    return found


@both
def test_members_are_repeatable_and_every_one_differs(engine: str) -> None:
    samples = [member(WIDE, FEW, seed, engine) for seed in range(1, 9)]
    assert samples[2] == member(WIDE, FEW, 3, engine)
    assert len({sample.states for sample in samples}) == 8
    assert all(not sample.whole for sample in samples)


def sample(seed: int, states: range, *, whole: bool = False) -> Sample:
    return Sample(seed, "c", 0, frozenset(states), frozenset(), whole)


def test_the_bound_by_hand() -> None:
    found = coverage([sample(1, range(60)), sample(2, range(30, 90))])
    assert (found.states, found.at_least) == (90, 60 * 60 // 30)
    assert found.covered_at_most == 90 / 120
    assert found.overlap == 0.5
    apart = coverage([sample(1, range(10)), sample(2, range(10, 20))])
    assert (apart.overlap, apart.at_least) == (0.0, 100)
    same = coverage([sample(1, range(10)), sample(2, range(10))])
    assert (same.overlap, same.at_least, same.covered_at_most) == (1.0, 10, 1.0)


def test_independent_members_give_the_size() -> None:
    """Where all states are equally easy to see, the bound is an estimate."""
    chance = Random(1)
    drawn = [frozenset(chance.sample(range(10_000), 1_000)) for _ in range(10)]
    members = [replace(sample(n + 1, range(0)), states=states) for n, states in enumerate(drawn)]
    assert 9_500 < coverage(members).at_least < 10_500


@pytest.mark.parametrize("name", ["eof-mmap", "cookie-race", "two-mounts-truncate"])
def test_the_bound_is_below_the_truth(name: str) -> None:
    system = Mount.of(Question(DESIGNS["seed"], SCOPES[name])).system
    size = CDepthFirst(system, Watch(), Limits()).run().states
    few = Limits(max_states=size // 40)
    members = [member(system, few, seed) for seed in range(1, 33)]
    before = 0
    for found in (coverage(members[:count]) for count in (4, 8, 16, 32)):
        assert before < found.states <= found.at_least <= size
        assert found.states / size <= found.covered_at_most <= 1
        before = found.states


def test_the_same_member_counts_once() -> None:
    one = member(WIDE, FEW, 7)
    assert coverage([one, one]) == coverage([one])


@both
def test_an_exhausted_member_covers_everything(engine: str) -> None:
    one = member(WIDE, Limits(max_states=SIZE + 1), 1, engine)
    found = coverage([one, member(WIDE, FEW, 2, engine)])
    assert found.whole
    assert (found.states, found.at_least, found.covered_at_most) == (SIZE, SIZE, 1.0)


def test_digests_of_two_engines_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same engine"):
        coverage([member(WIDE, FEW, 1, "c"), member(WIDE, FEW, 2, "python")])


def test_no_member_covers_nothing() -> None:
    assert coverage([]).states == 0
    assert coverage([]).covered_at_most == 0.0


def test_a_seed_is_needed() -> None:
    with pytest.raises(ValueError, match="from 1 up"):
        member(WIDE, FEW, 0)


@both
def test_findings_have_a_schedule(engine: str) -> None:
    system = system_of("deadlock")
    search = SwarmSearch(engine, system, Watch(), Limits(), [system.initial], Swarm(3))
    found = search.run().found["deadlock"]
    assert not system.enabled(run_schedule(system, found.start, found.schedule)[-1])


@both
def test_several_starts_share_the_limit(engine: str) -> None:
    later = WIDE.step(WIDE.initial, 0)
    search = SwarmSearch(engine, WIDE, Watch(), FEW, [WIDE.initial, later, later], Swarm(1))
    outcome = search.run()
    assert outcome.stopped == "limit of 750 states reached"
    assert 1_500 <= outcome.states < 1_520


def test_mounts_stay_apart() -> None:
    one, other = sample(1, range(10)), sample(1, range(10), whole=True)
    joined = one.joined(other, 1)
    assert len(joined.states) == 20
    assert not joined.whole


def test_seeds_see_the_same_model() -> None:
    system = Mount.of(Question(DESIGNS["seed"], SCOPES["eof-truncate-up"])).system
    exact = [member(system, FEW, seed, engine) for engine in ("c", "python") for seed in (1, 2)]
    assert [len(one.states) for one in exact] == [1059] * 4
