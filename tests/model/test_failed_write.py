"""A buffer_head write that runs out of blocks in the middle of a folio."""

import pytest

from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.setups import Setup
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.ops import FSYNC, truncate, write
from powercut.model.scope import Geometry, Mount, Op, Scope, Timer
from powercut.model.state import HOLE, WRITTEN, ZERO

FOLIO = Geometry(blocks_per_folio=2, nr_phys=1)


def _scope(size_cells: int, nr_phys: int, *ops: Op, timer: Timer = Timer.FREE) -> Scope:
    """One task and a flusher, without delayed allocation, in folios of two blocks."""
    return Scope(
        "full",
        "",
        (Mount((ops,), flusher_passes=1),),
        geometry=Geometry(blocks_per_folio=2, nr_phys=nr_phys),
        initial_size_cells=size_cells,
        timer=timer,
        nodelalloc=True,
    )


def test_blocks_behind_the_size_are_orphaned_until_they_are_gone() -> None:
    """It gets one block of two; whatever a commit saw of that, recovery finds nothing behind."""
    result = run_scope(Question(DESIGNS["bh-ordered"], _scope(0, 1, write(0, 4))))
    assert result.verdict == "holds"
    assert result.reached["orphan-committed"]
    assert result.files == {(0, ())}


def test_an_empty_file_stays_empty() -> None:
    run = _empty_file()
    _all_of(run, write(0, 4))
    inode = run.system.view(run.state).inode[0]
    assert (inode.i_size, inode.i_disksize, inode.raw.orphan) == (0, 0, 0)
    assert [inode.raw.extent[b].state for b in range(2)] == [HOLE, HOLE]
    assert (inode.folio[0].dirty, inode.folio[0].mapped) == (0, 0)


def test_a_block_within_the_size_stays_and_has_zeros_to_write() -> None:
    run = _empty_file()
    _all_of(run, truncate(2))
    _all_of(run, write(0, 4))
    inode = run.system.view(run.state).inode[0]
    assert inode.i_size == 2
    assert [inode.raw.extent[b].state for b in range(2)] == [WRITTEN, HOLE]
    assert (inode.folio[0].dirty, inode.folio[0].mapped, inode.on_running_list) == (1, 1, 1)
    assert [inode.page[c] for c in range(4)] == [ZERO] * 4


@pytest.mark.parametrize("size_cells", [0, 2])
def test_no_stale_data_and_no_lost_block(size_cells: int) -> None:
    scope = _scope(0, 1, truncate(size_cells), write(0, 4), FSYNC, timer=Timer.ONCE)
    result = run_scope(Question(DESIGNS["bh-ordered"], scope))
    assert result.verdict == "holds"


def test_blocks_that_a_commit_frees_are_found() -> None:
    scope = _scope(4, 2, truncate(0), write(0, 4), FSYNC, timer=Timer.NEVER)
    result = run_scope(Question(DESIGNS["bh-ordered"], scope))
    assert any(size == 4 for size, _cells in result.files)


def _empty_file() -> LiveRun:
    """A file of no blocks in a pool of one, without delayed allocation."""
    setup = Setup(
        design=DESIGNS["bh-ordered"],
        geometry=FOLIO,
        initial_size_cells=0,
        timer=Timer.NEVER,
        nodelalloc=True,
    )
    return LiveRun(setup)


def _all_of(run: LiveRun, op: Op) -> None:
    """Let the only task make one call, with nobody else about."""
    run.start_op(0, op)
    while run.system.is_enabled(run.state, run.indexes["task"][0]):
        run.step(run.indexes["task"][0])
