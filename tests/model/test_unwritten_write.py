"""A write into an unwritten block: who turns it into a written one, and when."""

import pytest

from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.setups import Setup
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.ops import FSYNC, fallocate, store, write
from powercut.model.scope import Mount, Op, Scope, Timer
from powercut.model.state import UNWRITTEN, WRITTEN, ZERO


@pytest.mark.parametrize("op", [write(0), store(0)])
@pytest.mark.parametrize(
    ("design", "nodelalloc", "state"),
    [
        ("bh-ordered", True, WRITTEN),
        ("bh-ordered", False, UNWRITTEN),
        ("seed", True, UNWRITTEN),
        ("seed", False, UNWRITTEN),
    ],
)
def test_only_nodelalloc_on_the_buffer_head_path_converts_at_once(
    op: Op, design: str, nodelalloc: bool, state: int
) -> None:
    setup = Setup(
        design=DESIGNS[design], initial_size_cells=0, timer=Timer.NEVER, nodelalloc=nodelalloc
    )
    run = LiveRun(setup)
    for each in (fallocate(0, 2), op):
        run.start_op(0, each)
        while run.system.is_enabled(run.state, run.indexes["task"][0]):
            run.step(run.indexes["task"][0])
    inode = run.system.view(run.state).inode[0]
    assert inode.raw.extent[0].state == state
    assert inode.on_running_list == (state == WRITTEN)
    assert (inode.page[0], inode.page[1]) == (run.colour_of(0, 1), ZERO)


def _scope(*, max_errors: int, nodelalloc: bool) -> Scope:
    return Scope(
        "fallocated",
        "",
        (Mount(((fallocate(0, 2), write(0), FSYNC),)),),
        initial_size_cells=0,
        timer=Timer.ONCE,
        max_errors=max_errors,
        nodelalloc=nodelalloc,
    )


def test_the_commit_writes_the_data_first() -> None:
    result = run_scope(Question(DESIGNS["bh-ordered"], _scope(max_errors=0, nodelalloc=True)))
    assert result.verdict == "holds"


@pytest.mark.parametrize("nodelalloc", [True, False])
def test_a_failed_bio_shows_what_was_there_before(nodelalloc: bool) -> None:
    """With data_err=ignore the commit goes on; a block that is still unwritten shows nothing."""
    result = run_scope(Question(DESIGNS["bh-ordered"], _scope(max_errors=1, nodelalloc=nodelalloc)))
    assert ("stale-data" in {each.prop for each in result.violations}) is nodelalloc
