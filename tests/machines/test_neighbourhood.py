"""What the engine explores from a live run is what an exhaustive run of the scope sees."""

from random import Random

import pytest

from powercut.checkers.engine.search.outcome import Outcome
from powercut.checkers.machines.chance import KINDS, kinds_of, workload
from powercut.checkers.machines.judge import Judge
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.neighbourhood import Neighbourhood, explore, key_of
from powercut.checkers.machines.setups import GEOMETRIES, Setup
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.language import DEADLOCK
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Mount, Op, OpCode, Scope, Timer
from powercut.properties.kinds import ANY_KIND

MANY = 100_000


def live(scope: Scope, slug: str) -> tuple[LiveRun, Judge]:
    """A run with the operations of ``scope``, none begun."""
    mutant = MUTANTS[slug]
    setup = Setup(
        DESIGNS[mutant.design],
        mutant,
        scope.geometry,
        scope.initial_size_cells,
        timer=scope.timer,
        flusher_passes=scope.mounts[0].flusher_passes,
    )
    run = LiveRun(setup)
    for task, ops in enumerate(scope.mounts[0].tasks):
        for op in ops:
            run.start_op(task, op)
    return run, Judge(run)


def explored(run: LiveRun, judge: Judge, states: int = MANY) -> Neighbourhood:
    return explore(run, judge, {}, states, Random(1))


@pytest.mark.parametrize("slug", ["truncate-under-handle", "fsync-no-commit-wait"])
def test_it_finds_what_an_exhaustive_run_finds(slug: str) -> None:
    mutant = MUTANTS[slug]
    scope = SCOPES[mutant.scope]
    run, judge = live(scope, slug)
    seen = explored(run, judge)
    result = run_scope(Question(DESIGNS[mutant.design], scope, mutant))
    assert seen.whole
    assert {f.name.split()[0] for f in seen.found} == {v.prop for v in result.violations}
    shortest = {v.prop: v.steps for v in result.violations}
    for found in seen.found:
        assert len(found.schedule) >= shortest[found.name.split()[0]]
    assert min(len(f.schedule) for f in seen.found) == min(shortest.values())


def test_the_run_does_not_move_and_what_is_found_is_where_it_says() -> None:
    run, judge = live(SCOPES["span-truncate"], "truncate-under-handle")
    before = run.here()
    (found,) = [f for f in explored(run, judge).found if f.name == DEADLOCK]
    assert run.here() == before
    for thread in found.schedule:
        run.step(thread)
    stuck = judge.stuck()
    assert stuck is not None
    assert (stuck.prop, stuck.kind) == (DEADLOCK, ANY_KIND)


def test_what_is_muted_is_not_looked_for() -> None:
    run, judge = live(SCOPES["append-fsync"], "fsync-no-commit-wait")
    first = explored(run, judge).found
    judge.muted = {key_of(f.name) for f in first}
    assert first
    assert not explored(run, judge).found


def test_a_limit_is_a_limit() -> None:
    run, judge = live(SCOPES["append-fsync"], "fsync-no-commit-wait")
    seen = explored(run, judge, 200)
    assert not seen.whole
    assert Outcome().states < seen.states < MANY


def test_workloads_by_chance_are_small_and_inside_the_file() -> None:
    setup = Setup(geometry=GEOMETRIES["two-large-files"], evictions=1, syncs=True)
    choose, seen = Random(3), set()
    cells = setup.geometry.nr_blocks * setup.geometry.cells_per_block
    assert set(kinds_of(setup)) == {*KINDS, OpCode.SYNC, OpCode.READ}
    for _ in range(500):
        tasks = workload(setup, [3, 0], kinds_of(setup), choose)
        ops = [op for ops in tasks for op in ops]
        assert 1 <= len(ops) <= 4
        for op in ops:
            assert 0 <= op.pos_cells <= op.pos_cells + op.length_cells <= cells
            seen.add((op.code, op.inode))
    assert len(seen) == 2 * len(kinds_of(setup))


def test_workloads_by_chance_keep_to_the_kinds_they_are_given() -> None:
    choose, kinds = Random(3), [OpCode.TRUNCATE, OpCode.FSYNC]
    many = [workload(Setup(), [3], kinds, choose) for _ in range(200)]
    codes = {op.code for tasks in many for ops in tasks for op in ops}
    assert codes == {OpCode.WRITE, *kinds}


def test_an_error_during_a_sync_that_nobody_heard_of_is_no_promise() -> None:
    write, store = Op(OpCode.WRITE, 0, 1), Op(OpCode.STORE, 0, 1)
    mounts = (Mount(((Op(OpCode.SYNC),), (write, store)), flusher_passes=1),)
    failing = Scope(
        "failing-sync", "", mounts, initial_size_cells=0, timer=Timer.NEVER, max_errors=1
    )
    assert "durability" not in {
        v.prop for v in run_scope(Question(DESIGNS["seed"], failing)).violations
    }
    mutant = MUTANTS["sync-no-commit-wait"]
    broken = run_scope(Question(DESIGNS["seed"], failing, mutant))
    assert "durability" in {v.prop for v in broken.violations}


def test_a_truncate_that_takes_a_mark_wakes_what_was_left_for_it() -> None:
    truncated = (Op(OpCode.WRITE, 2, 1), Op(OpCode.TRUNCATE, 1))
    mounts = (Mount((truncated, (Op(OpCode.FSYNC),))),)
    scope = Scope("cut-mark-beside-fsync", "", mounts, initial_size_cells=1, timer=Timer.NEVER)
    result = run_scope(Question(DESIGNS["seed-eof-deferred"], scope))
    assert result.exhaustive
    assert not result.violations


def test_data_that_an_error_took_is_no_promise_of_an_fsync_that_writes_nothing() -> None:
    fsync = Op(OpCode.FSYNC)
    tasks = ((Op(OpCode.TRUNCATE, 4), fsync, fsync), (Op(OpCode.WRITE, 2, 1),))
    scope = Scope(
        "failing-truncate-up",
        "",
        (Mount(tasks),),
        initial_size_cells=3,
        timer=Timer.NEVER,
        max_errors=1,
    )
    design = DESIGNS["seed-eof-ordered"]
    result = run_scope(Question(design, scope))
    assert result.exhaustive
    assert "durability" not in {v.prop for v in result.violations}
    broken = run_scope(Question(design, scope, MUTANTS["fsync-no-commit-wait"]))
    assert "durability" in {v.prop for v in broken.violations}
