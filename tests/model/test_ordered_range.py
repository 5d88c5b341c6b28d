"""A commit writes and waits for the folios of the blocks that were filed, and for no others.

Linux 6.1 and 7.3 showed that: after an append in the block of EOF and one behind it, with
nodelalloc, the size and the new block were on disk and the block of EOF was not.
"""

from powercut.model.fs.jbd2.commit import has_ordered_data
from powercut.model.fs.jbd2.transaction import jbd2_journal_file_inode
from powercut.model.ops import write
from tests.model.test_ordered_truncate import call, committing, finish_commit


def test_the_range_is_that_of_all_filings_until_the_inode_is_on_no_list() -> None:
    run = committing(write(2))
    k = run.system.view(run.state)
    inode = k.inode[0]
    assert (inode.i_dirty_start, inode.i_dirty_end) == (1, 2)
    assert [bool(has_ordered_data(k, inode, f)) for f in range(2)] == [False, True]
    finish_commit(run)
    inode = run.system.view(run.state).inode[0]
    assert (inode.on_committing_list, inode.i_dirty_start, inode.i_dirty_end) == (0, 0, 0)


def test_a_filing_for_the_next_transaction_widens_the_range_that_is_committed() -> None:
    run = committing(write(2))
    k = run.system.view(run.state)
    inode = k.inode[0]
    jbd2_journal_file_inode(k, inode, 0)
    assert inode.on_running_list
    assert has_ordered_data(k, inode, 0)


def test_a_write_into_another_block_widens_the_range() -> None:
    run = committing(write(2))
    call(run, write(0))
    inode = run.system.view(run.state).inode[0]
    assert (inode.i_dirty_start, inode.i_dirty_end) == (0, 2)
