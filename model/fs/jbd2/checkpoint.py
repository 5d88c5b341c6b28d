"""Space in the log, and the checkpoint that makes it.

Mirrors fs/jbd2/checkpoint.c.  A transaction's log blocks count as one unit.
"""

from powercut.model.block.blk_flush import blkdev_issue_flush
from powercut.model.fs.jbd2.journal.requests import jbd2_complete_transaction, jbd2_journal_abort
from powercut.model.language import Path
from powercut.model.state import T_COMMIT_CALLBACK, T_NONE, TID_RUNNING, Kernel


def jbd2_log_space_left(k: Kernel) -> int:
    """Tell whether one more transaction fits.  kernel: jbd2_log_space_left()."""
    if k.conf.log_transactions == 0:
        return 1
    claimed = k.journal.log_used + 1
    if k.journal.committing != T_NONE and k.journal.committing < T_COMMIT_CALLBACK:
        claimed += 1
    return claimed <= k.conf.log_transactions


def jbd2_log_wait_for_space(k: Kernel, current: int) -> Path[None]:
    """Make room in the log.  kernel: __jbd2_log_wait_for_space(), jbd2_log_do_checkpoint().

    A buffer of the oldest transaction that a newer one has modified cannot be written home before
    that one commits, and here every transaction modifies the same inode block: so the commit in
    progress is waited for, and the running transaction is committed, before the home writes, the
    flush and the tail update.  With nothing to wait for, the journal is aborted.
    """
    yield lambda: k.journal.j_checkpoint_mutex == 0  # checkpoint mutex
    if jbd2_log_space_left(k) or k.journal.aborted:
        return
    if k.journal.committing:
        yield lambda: k.journal.committing == T_NONE  # log space: wait for the commit in progress
        return
    if k.journal.running != T_NONE:
        yield from jbd2_complete_transaction(k, current, TID_RUNNING)
        return
    if k.journal.log_used == 0:
        jbd2_journal_abort(k)
        return
    k.journal.j_checkpoint_mutex = current + 1
    yield  # home writes done, flush before the tail moves
    blkdev_issue_flush(k)
    k.journal.log_used = 0
    k.journal.j_checkpoint_mutex = 0
