"""What delayed allocation has reserved is not there for anybody else."""

import pytest

from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.setups import Setup
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.fs.ext4.balloc import ext4_count_free_clusters, s_dirtyclusters_counter
from powercut.model.ops import FSYNC, fallocate, write
from powercut.model.scope import Geometry, Mount, Op, Scope, Timer
from powercut.model.state import HOLE, UNWRITTEN


def _run(design: str, *ops: Op) -> LiveRun:
    """Let one task make its calls in a pool of one block, with nobody else about."""
    geometry = Geometry(nr_phys=1)
    run = LiveRun(
        Setup(design=DESIGNS[design], geometry=geometry, initial_size_cells=0, timer=Timer.NEVER)
    )
    for op in ops:
        run.start_op(0, op)
        while run.system.is_enabled(run.state, run.indexes["task"][0]):
            run.step(run.indexes["task"][0])
    return run


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_fallocate_leaves_a_reserved_block_alone(design: str) -> None:
    k = (run := _run(design, write(0, 2), fallocate(2, 2))).system.view(run.state)
    assert k.inode[0].i_size == 2
    assert [k.inode[0].raw.extent[b].state for b in range(2)] == [HOLE, HOLE]
    assert (ext4_count_free_clusters(k), s_dirtyclusters_counter(k)) == (1, 1)


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_fallocate_uses_up_the_reservation_of_its_own_block(design: str) -> None:
    k = (run := _run(design, write(0, 2), fallocate(0, 4))).system.view(run.state)
    assert [k.inode[0].raw.extent[b].state for b in range(2)] == [UNWRITTEN, HOLE]
    assert (ext4_count_free_clusters(k), s_dirtyclusters_counter(k)) == (0, 0)


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_what_was_reserved_can_be_written(design: str) -> None:
    scope = Scope(
        "reserved",
        "",
        (Mount(((write(0, 2), fallocate(2, 2), FSYNC),)),),
        geometry=Geometry(nr_phys=1),
        initial_size_cells=0,
        timer=Timer.ONCE,
    )
    result = run_scope(Question(DESIGNS[design], scope))
    assert result.verdict == "holds"
    assert all(size in (0, 2) for size, _cells in result.files)
