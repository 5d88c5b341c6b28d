"""A store through a mapping without delayed allocation: the fault allocates, in either order."""

import pytest

from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.setups import Setup
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.fs.ext4.balloc import s_dirtyclusters_counter
from powercut.model.ops import FSYNC, store, truncate
from powercut.model.scope import Geometry, Mount, Op, Scope, Timer
from powercut.model.state import HOLE, UNWRITTEN, WRITTEN, ZERO


def _after(design: str, nr_phys: int, *ops: Op, nodelalloc: bool = True) -> LiveRun:
    """Let one task make its calls on an empty file, with nobody else about."""
    setup = Setup(
        design=DESIGNS[design],
        geometry=Geometry(blocks_per_folio=2, nr_phys=nr_phys),
        initial_size_cells=0,
        timer=Timer.NEVER,
        nodelalloc=nodelalloc,
    )
    run = LiveRun(setup)
    for op in ops:
        run.start_op(0, op)
        while run.system.is_enabled(run.state, run.indexes["task"][0]):
            run.step(run.indexes["task"][0])
    return run


@pytest.mark.parametrize(("design", "state"), [("bh-ordered", WRITTEN), ("seed", UNWRITTEN)])
def test_a_fault_allocates_every_hole_of_the_folio(design: str, state: int) -> None:
    k = (run := _after(design, 2, truncate(4), store(0))).system.view(run.state)
    inode = k.inode[0]
    assert [inode.raw.extent[b].state for b in range(2)] == [state, state]
    assert s_dirtyclusters_counter(k) == 0
    assert inode.on_running_list == (design == "bh-ordered")


@pytest.mark.parametrize("design", ["bh-ordered", "seed"])
def test_a_fault_still_reserves_with_delayed_allocation(design: str) -> None:
    k = (run := _after(design, 2, truncate(4), store(0), nodelalloc=False)).system.view(run.state)
    assert [k.inode[0].raw.extent[b].state for b in range(2)] == [HOLE, HOLE]
    assert s_dirtyclusters_counter(k) == 2


def test_a_fault_that_finds_too_few_blocks_stores_nothing() -> None:
    """What it got is inside the size: it stays, with zeros to write."""
    k = (run := _after("bh-ordered", 1, truncate(4), store(0))).system.view(run.state)
    inode = k.inode[0]
    assert [inode.raw.extent[b].state for b in range(2)] == [WRITTEN, HOLE]
    assert inode.folio[0].dirty == 1
    assert [inode.page[c] for c in range(4)] == [ZERO] * 4


@pytest.mark.parametrize("design", ["bh-ordered", "seed"])
def test_a_fault_beside_writeback_and_commits(design: str) -> None:
    scope = Scope(
        "fault",
        "",
        (Mount(((truncate(4), store(0), store(2), FSYNC),)),),
        geometry=Geometry(blocks_per_folio=2, nr_phys=2),
        initial_size_cells=0,
        timer=Timer.ONCE,
        nodelalloc=True,
    )
    result = run_scope(Question(DESIGNS[design], scope))
    assert result.verdict == "holds"


@pytest.mark.parametrize("design", ["bh-ordered", "seed"])
def test_blocks_that_a_commit_frees_are_found(design: str) -> None:
    """The iomap path commits with the folio locked, the buffer_head path without."""
    scope = Scope(
        "freed",
        "",
        (Mount(((truncate(0), truncate(2), store(0)),)),),
        geometry=Geometry(nr_phys=1),
        initial_size_cells=2,
        timer=Timer.NEVER,
        nodelalloc=True,
    )
    result = run_scope(Question(DESIGNS[design], scope))
    assert result.verdict == "holds"
    assert result.reached["commit-under-folio-lock"] == (design == "seed")
    assert any(any(cells) for _size, cells in result.files)
