"""The plain specification of a file, and that it finds planted mistakes by itself."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from powercut.checkers.machines.factory import crash_machine
from powercut.checkers.machines.known import known
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.reference import FileSpec
from powercut.checkers.machines.reference_machine import (
    GEOMETRIES,
    NEEDS,
    ReferenceJudge,
    ReferenceMachine,
)
from powercut.checkers.machines.search import PROFILES, profile_settings, run_machine, search
from powercut.checkers.machines.setups import Setup
from powercut.checkers.machines.violated import Violated
from powercut.checkers.run.mount import build_of
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.ops import FSYNC as FSYNC_CALL
from powercut.model.ops import punch, write
from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope, Timer
from powercut.properties.crash import DURABILITY
from powercut.properties.kinds import CONTENT, CRASH

if TYPE_CHECKING:
    from powercut.checkers.machines.judge import Seen

A, B = 1, 2


def after(initial: list[int], *ops: tuple[Op, int]) -> FileSpec:
    spec = FileSpec(initial, cells_per_block=2)
    for op, value in ops:
        spec.begin(op, value)
        if op.code == OpCode.FSYNC:
            spec.synced()
    return spec


WRITE = (Op(OpCode.WRITE, 1, 1), B)
FSYNC = (Op(OpCode.FSYNC), 0)


def test_an_append_may_be_there_or_not() -> None:
    spec = after([A], WRITE)
    assert spec.versions[-1].cells == (A, B)
    assert not spec.wrong_after_crash([A])
    assert not spec.wrong_after_crash([A, B])
    assert spec.wrong_after_crash([])
    assert spec.wrong_after_crash([A, A])


def test_a_sync_promises_what_was_there() -> None:
    spec = after([A], WRITE, FSYNC)
    assert not spec.wrong_after_crash([A, B])
    assert spec.wrong_after_crash([A]).startswith("size")
    assert spec.wrong_after_crash([A, 0]).startswith("cell 1")


def test_what_a_truncate_cut_off_does_not_come_back() -> None:
    spec = after([A, A], (Op(OpCode.TRUNCATE, 1), 0), (Op(OpCode.TRUNCATE, 3), 0))
    assert not spec.wrong_after_crash([A, A])
    assert not spec.wrong_after_crash([A, 0, 0])
    assert spec.wrong_after_crash([A, A, 0])


def test_a_part_of_a_block_is_zeroed_in_place() -> None:
    """A write like any other, which a crash may take back; a punch up to EOF removes the block."""
    zeroed = after([A], (Op(OpCode.ZERO_RANGE, 0, 1), 0), WRITE)
    assert not zeroed.wrong_after_crash([A, B])
    assert not zeroed.wrong_after_crash([0, B])
    punched = after([A], (Op(OpCode.PUNCH, 0, 1), 0), WRITE)
    assert punched.wrong_after_crash([A, B]).startswith("cell 0")
    whole = after([A, A], (Op(OpCode.ZERO_RANGE, 0, 2), 0), (Op(OpCode.WRITE, 2, 1), B))
    assert whole.wrong_after_crash([A, A, B]).startswith("cell 0")


def test_a_size_without_its_data() -> None:
    assert after([A], WRITE).grew_without_data([A, 0])
    assert not after([A], WRITE).grew_without_data([A, B])
    gap = after([A], (Op(OpCode.WRITE, 2, 1), B))
    assert not gap.grew_without_data([A, 0])


def look(design: str, slug: str, examples: int) -> Violated | None:
    machine = crash_machine(
        [DESIGNS[design]], GEOMETRIES[:1], MUTANTS.get(slug), schedules=6, base=ReferenceMachine
    )
    chosen = profile_settings(PROFILES["dev"])
    for seed in range(examples // chosen.max_examples + 1):
        found = run_machine(machine, seed, chosen)
        if found is not None:
            return found
    return None


@pytest.mark.parametrize(
    "design", ["seed", pytest.param("bh-ordered", marks=pytest.mark.exhaustive)]
)
def test_designs_do_what_the_specification_says(design: str) -> None:
    assert look(design, "", 50) is None


def test_a_file_may_change_its_task_with_a_mount() -> None:
    """What a second mount does again of two tasks' calls need not begin with the first task's."""
    machine = crash_machine([DESIGNS["seed"]], GEOMETRIES[3:], base=ReferenceMachine)()
    machine.begin(Setup(geometry=GEOMETRIES[3], initial_size_cells=0), 0, 0)
    machine.run.start_op(0, Op(OpCode.WRITE, 0, 1, 1))
    machine.run.start_op(1, Op(OpCode.WRITE, 0, 2, 0))
    machine.settle()
    assert machine.run.system.view(machine.run.state).inode[1].i_size == 1


def test_the_specification_sees_a_late_bio_too() -> None:
    """And knows it: it is found as lost data, without a look at the bio."""
    geometry = Geometry(nr_blocks=4, blocks_per_folio=2, nr_phys=8)
    ops = (write(0), punch(0, 1), write(4, 2), FSYNC_CALL)
    scope = Scope(
        "late", "", (Mount((ops,)),), geometry=geometry, initial_size_cells=0, timer=Timer.ONCE
    )
    design = DESIGNS["seed"]
    result = run_scope(Question(design, scope, stop_at=DURABILITY))
    (lost,) = [each for each in result.violations if each.prop == DURABILITY]
    setup = Setup(design, geometry=geometry, initial_size_cells=0, timer=Timer.ONCE)
    run = LiveRun(setup, observes_calls=True)
    judge = ReferenceJudge(run)
    found: list[Seen] = []
    for op in ops:
        run.start_op(0, op)
    names = [info.name for info in build_of(scope, 0).threads]
    indexes = {info.name: n for n, info in enumerate(run.threads)}
    for thread in lost.epochs[-1].schedule:
        run.step(indexes[names[thread]])
        found += judge.look()
    assert {(seen.prop, seen.kind) for seen in found} == {(CRASH, CONTENT)}
    assert all(known(run, seen) for seen in found)


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", DESIGNS)
def test_every_design_does_what_the_specification_says(design: str) -> None:
    """What a seed draws depends on the modules that are loaded: one may miss a situation."""
    profile = replace(PROFILES["ci"], examples=150, rounds=1, needs=())
    missed, cuts = {*NEEDS, "synced"}, 0
    for seed in range(1, 7):
        result = search(
            [DESIGNS[design]], profile, seed, geometries=GEOMETRIES, base=ReferenceMachine
        )
        assert not result.failures
        missed -= {name for name in missed if result.tally.reached[name]}
        cuts += result.tally.power_cuts
        if not missed:
            break
    assert not missed
    assert cuts > 0


@pytest.mark.parametrize(
    "slug",
    [
        pytest.param("fsync-no-commit-wait", marks=pytest.mark.quality),
        pytest.param("no-preflush", marks=pytest.mark.quality),
        pytest.param("disksize-at-map", marks=pytest.mark.quality),
    ],
)
def test_the_specification_finds_mutants_by_itself(slug: str) -> None:
    found = look("seed", slug, 2_000)
    assert found is not None
    assert found.seen.prop.startswith("reference-")
