"""Swarms: members differ, their overlap is measured, an exhausted member ends all doubt."""

import pytest

from checkers.engine.c_search import c_depth_first
from checkers.engine.outcome import Limits, Watch
from checkers.engine.swarm import coverage, findings, search_member
from checkers.engine.walk import run_schedule
from model.designs import DESIGNS
from model.scopes import SCOPES
from properties.runner import make_system
from tests.engine import programs
from tests.engine.toys import closed, system_of

FEW = Limits(max_states=1_500)
WIDE = closed(programs.COUNTERS, rounds=4, threads=6)
SIZE = 5**6


def test_members_are_repeatable_and_differ() -> None:
    one, again, other = (search_member(WIDE, Watch(), FEW, seed, bits=2) for seed in (1, 1, 2))
    assert one.sample == again.sample
    assert one.sample != other.sample
    assert one.outcome.stopped == "limit of 1500 states reached"


def test_coverage_grows_with_the_members() -> None:
    members = [search_member(WIDE, Watch(), FEW, seed, bits=2) for seed in range(1, 13)]
    few, many = coverage(members[:3], bits=2), coverage(members, bits=2)
    assert few.states < many.states <= SIZE * 1.1
    assert 0 <= few.overlap < many.overlap < 1
    assert many.states <= many.total < SIZE * 2
    assert 0 < many.covered <= 1


def test_the_same_member_counts_once() -> None:
    member = search_member(WIDE, Watch(), FEW, 7, bits=2)
    assert coverage([member, member], bits=2) == coverage([member], bits=2)


def test_an_exhausted_member_covers_everything() -> None:
    member = search_member(WIDE, Watch(), Limits(), 1)
    found = coverage([member])
    assert (found.states, found.total, found.covered) == (SIZE, SIZE, 1.0)


def test_no_member_covers_nothing() -> None:
    assert coverage([]).states == 0


def test_a_seed_is_needed() -> None:
    with pytest.raises(ValueError, match="from 1 up"):
        search_member(WIDE, Watch(), FEW, 0)


def test_the_shortest_finding_is_kept() -> None:
    system = system_of("deadlock")
    members = [search_member(system, Watch(), Limits(), seed) for seed in range(1, 5)]
    found = findings(members)["deadlock"]
    assert len(found.schedule) == 2
    assert not system.enabled(run_schedule(system, found.start, found.schedule)[-1])


def test_seeds_see_the_same_model() -> None:
    system = make_system(SCOPES["eof-truncate-up"], 0, DESIGNS["seed"], None)
    sizes = {c_depth_first(system, Watch(), Limits(), seed=seed).states for seed in (0, 1, 2)}
    assert sizes == {1059}
