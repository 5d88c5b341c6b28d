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
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Op, OpCode, Scope

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


ONE_CALL = (Op(OpCode.WRITE, 0, 4), Op(OpCode.PUNCH, 0, 2), FSYNC)
EARLY_FSYNC = next(m for m in MUTANTS.values() if m.slug == "fsync-no-commit-wait")
"""With it an fsync breaks its promise, so that what an fsync adds can be seen."""


def shows(scope: Scope) -> list[tuple[object, ...]]:
    row, _ = explored(Question(DESIGNS["seed"], scope, EARLY_FSYNC))
    return sorted((s.prop, s.kind, s.steps, s.finding) for s in row.shown)


def with_tasks(background: str, *tasks: tuple[Op, ...]) -> Scope:
    base = next(of_shape(Shape("A; fsync", ("dirty-tail",), (background,))))
    (mount,) = base.mounts
    return replace(base, mounts=(replace(mount, tasks=tasks),))


@pytest.mark.parametrize("background", ["plain", "failing-bio"])
@pytest.mark.parametrize("call", ONE_CALL)
def test_an_fsync_that_is_left_out_shows_nothing_else(call: Op, background: str) -> None:
    tasks = ((call, FSYNC, FSYNC),)
    assert canonical(tasks) != tasks
    whole = shows(with_tasks(background, *tasks))
    assert whole == shows(with_tasks(background, *canonical(tasks)))


def test_what_the_comparison_shows_depends_on_an_fsync() -> None:
    write = ONE_CALL[0]
    assert shows(with_tasks("plain", (write, FSYNC))) != shows(with_tasks("plain", (write,)))


@pytest.mark.parametrize("call", ONE_CALL)
def test_the_order_of_tasks_shows_nothing_else(call: Op) -> None:
    tasks = ((call, FSYNC), (Op(OpCode.WRITE, 1, 1),))
    assert canonical(tasks) == canonical(tasks[::-1])
    assert shows(with_tasks("plain", *tasks)) == shows(with_tasks("plain", *tasks[::-1]))


def test_every_partition_is_covered_or_struck_out() -> None:
    assert all(bool(p.test) != bool(p.reason) for p in PARTITIONS)
    one_call = covered(workloads(1))
    two = covered(of_shape(Shape("A; fsync", ("block",), ("eviction",))))
    missing = [p.name for p, there in one_call.items() if not (there or two[p])]
    assert missing == []
