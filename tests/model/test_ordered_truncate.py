"""What a commit in progress needs of a file is written before a truncate drops it."""

import pytest

from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.setups import Setup
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS, Mutant
from powercut.model.ops import truncate, write
from powercut.model.scope import Op, Timer
from powercut.model.state import FOREIGN, T_FLUSH


def committing(op: Op, mutant: Mutant | None = None) -> LiveRun:
    """New written blocks whose transaction is frozen, and their data not yet submitted."""
    setup = Setup(
        design=DESIGNS["bh-ordered"],
        mutant=mutant,
        initial_size_cells=0,
        timer=Timer.ONCE,
        nodelalloc=True,
    )
    run = LiveRun(setup)
    call(run, op)
    for kind in ("timer", "kjournald", "kjournald"):
        run.step(run.indexes[kind][0])
    k = run.system.view(run.state)
    assert k.journal.committing == T_FLUSH
    assert k.inode[0].on_committing_list
    return run


def call(run: LiveRun, op: Op) -> None:
    """Start ``op`` as the first task's, and run it for as long as it needs nobody else."""
    thread = run.indexes["task"][0]
    run.start_op(0, op)
    while run.system.is_enabled(run.state, thread):
        run.step(thread)


def finish_commit(run: LiveRun) -> None:
    """Let everybody go on until there is no commit."""
    while run.system.view(run.state).journal.committing:
        kinds = ("disk", "kjournald", "task")
        threads = [thread for kind in kinds for thread in run.indexes[kind]]
        run.step(next(t for t in threads if run.system.is_enabled(run.state, t)))


def shows_a_previous_owner(run: LiveRun) -> bool:
    state = run.crash_state()
    inode = state.inodes[0]
    return any(state.possible(inode, cell) & FOREIGN for cell in range(inode.size))


@pytest.mark.parametrize("mutant", [None, MUTANTS["no-ordered-truncate"]])
def test_a_truncate_writes_what_the_commit_needs(mutant: Mutant | None) -> None:
    run = committing(write(0), mutant)
    call(run, truncate(0))
    assert bool(run.system.view(run.state).inode[0].folio[0].writeback) == (mutant is None)
    finish_commit(run)
    assert run.crash_state().inodes[0].size == 1
    assert shows_a_previous_owner(run) == (mutant is not None)


def test_only_the_data_behind_the_new_size_is_written() -> None:
    run = committing(write(0, 4))
    call(run, truncate(2))
    folios = run.system.view(run.state).inode[0].folio
    assert [folios[f].writeback for f in range(2)] == [0, 1]
