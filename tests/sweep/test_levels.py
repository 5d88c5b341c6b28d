"""What a level contains: as many workloads as can be counted without making one."""

from dataclasses import replace
from itertools import islice

import pytest

from powercut.checkers.run.question import Question
from powercut.checkers.sweep.levels import (
    BACKGROUNDS,
    LEVELS,
    STARTS,
    Shape,
    calls,
    canonical,
    digest_of,
    of_shape,
    workloads,
)
from powercut.checkers.sweep.partitions import PARTITIONS, covered
from powercut.checkers.sweep.row import explored
from powercut.checkers.workload.limits import check_scope
from powercut.model.designs import DESIGNS
from powercut.model.scope import Op, OpCode

RANGES = 4 + 3 + 2 + 1
CALLS = 4 * RANGES + 4 + 5 + 4
"""Four calls with a range, a store of each cell, a truncate to each size; syncs and unlink."""
READS = 2
ONE_FILE = 9
"""Backgrounds of one file; one of them evicts, and has reads too."""
FSYNC = Op(OpCode.FSYNC)


def test_the_table_of_calls_has_every_position() -> None:
    assert len(calls()) == len(set(calls())) == CALLS
    assert len(calls(reads=True)) == CALLS + READS


def test_level_1_has_as_many_workloads_as_counted() -> None:
    plain = len(STARTS) * CALLS
    around = 2 * ((ONE_FILE - 1) * CALLS + READS)
    assert sum(1 for _ in workloads(1)) == plain + around


@pytest.mark.exhaustive
def test_level_2_has_as_many_workloads_as_counted() -> None:
    single = len(STARTS) * (ONE_FILE * CALLS + READS)
    # "A; B; fsync" and "A; fsync; B" have n(n - 1) each: with B = fsync both are single calls.
    pairs = 3 * (CALLS * (CALLS - 1) + CALLS * (CALLS - 1))
    beside = 2 * (CALLS * (CALLS + 1) // 2)  # orbits of pairs under the exchange of two tasks
    synced = CALLS * CALLS
    remounted = 2 * CALLS * CALLS
    around = 3 * (CALLS * CALLS - CALLS)
    two_files = 2 * 2 * CALLS
    counted = single + pairs + beside + synced + remounted + around + two_files
    found = sum(1 for _ in workloads(2))
    assert found == counted


@pytest.mark.parametrize("level", LEVELS)
def test_every_workload_is_within_the_limits_and_has_a_name_of_its_own(level: int) -> None:
    some = list(islice(workloads(level), 0, 6_000, 7))
    for scope in some:
        check_scope(scope)
    assert len({scope.name for scope in some}) == len(some)


def test_a_name_says_what_a_workload_is_and_nothing_else() -> None:
    first = next(workloads(1))
    assert digest_of(replace(first, name="other", summary="other")) == digest_of(first)
    assert digest_of(replace(first, max_errors=1)) != digest_of(first)


def test_every_name_of_a_shape_is_known_and_used() -> None:
    shapes = [shape for level in LEVELS.values() for shape in level]
    assert {name for shape in shapes for name in shape.starts} == set(STARTS)
    assert {name for shape in shapes for name in shape.backgrounds} == set(BACKGROUNDS)


SMALL = Shape("A; fsync | B", ("in-block",))
DROPPED_WRITES = (Op(OpCode.WRITE, 0, 1), Op(OpCode.PUNCH, 0, 2), FSYNC)


@pytest.mark.parametrize("a", DROPPED_WRITES)
@pytest.mark.parametrize("b", DROPPED_WRITES)
def test_what_is_dropped_shows_nothing_else(a: Op, b: Op) -> None:
    base = next(of_shape(SMALL))
    (mount,) = base.mounts
    as_written = replace(base, mounts=(replace(mount, tasks=((b,), (a, FSYNC))),))
    kept = replace(base, mounts=(replace(mount, tasks=canonical(((b,), (a, FSYNC)))),))
    assert shows(as_written) == shows(kept)


def shows(scope: object) -> tuple[object, ...]:
    row, _ = explored(Question(DESIGNS["seed"], scope))  # type: ignore[arg-type]
    return tuple(sorted((s.prop, s.kind, s.steps, s.finding) for s in row.shown))


def test_every_partition_is_covered_or_struck_out() -> None:
    assert all(bool(p.test) != bool(p.reason) for p in PARTITIONS)
    one_call = covered(workloads(1))
    two = covered(of_shape(Shape("A; fsync", ("block",), ("eviction",))))
    missing = [p.name for p, there in one_call.items() if not (there or two[p])]
    assert missing == []
