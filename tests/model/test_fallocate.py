"""What an extending fallocate leaves when it runs out of blocks, and what it does to the cache."""

import pytest

from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.setups import Setup
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.ops import fallocate, store, truncate
from powercut.model.scope import Geometry, Mount, Scope, Timer
from powercut.model.state import ZERO


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_the_size_covers_the_blocks_that_were_found(design: str) -> None:
    scope = Scope(
        "full",
        "",
        (Mount(((fallocate(0, 4),),)),),
        geometry=Geometry(nr_phys=1),
        initial_size_cells=0,
        timer=Timer.ONCE,
    )
    result = run_scope(Question(DESIGNS[design], scope))
    assert result.verdict == "holds"
    assert result.files == {(0, ()), (2, (ZERO, ZERO))}


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_blocks_that_a_commit_frees_are_found(design: str) -> None:
    scope = Scope(
        "freed",
        "",
        (Mount(((truncate(0), fallocate(0, 4)),)),),
        geometry=Geometry(nr_phys=2),
        initial_size_cells=4,
        timer=Timer.NEVER,
    )
    result = run_scope(Question(DESIGNS[design], scope))
    assert result.verdict == "holds"
    assert (0, ()) in result.files


def test_a_store_behind_eof_in_the_same_folio_is_zeroed() -> None:
    """pagecache_isize_extended(): the stored byte is behind the EOF block, in its folio."""
    geometry = Geometry(blocks_per_folio=2)
    run = LiveRun(Setup(geometry=geometry, initial_size_cells=1, timer=Timer.NEVER))
    for op in (store(3), fallocate(2, 2)):
        run.start_op(0, op)
        while run.system.is_enabled(run.state, run.indexes["task"][0]):
            run.step(run.indexes["task"][0])
    inode = run.system.view(run.state).inode[0]
    assert inode.i_size == 4
    assert [inode.page[c] for c in range(1, 4)] == [ZERO] * 3
