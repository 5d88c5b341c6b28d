"""ext4's handles.

Mirrors fs/ext4/ext4_jbd2.c and .h, with start_this_handle() and jbd2_journal_stop() of
fs/jbd2/transaction.c: a handle start waits while the running transaction is locked and while the
log is full.
"""

from powercut.model.fs.ext4.ext4 import ext4_emergency_state
from powercut.model.fs.jbd2.checkpoint import jbd2_log_space_left, jbd2_log_wait_for_space
from powercut.model.fs.jbd2.transaction import jbd2_journal_file_inode
from powercut.model.language import Path
from powercut.model.state import EROFS, OK, T_LOCKED, T_NONE, T_RUNNING, Inode, Kernel


def ext4_journal_get_write_access(k: Kernel) -> int:
    """Return EROFS if the journal aborted while the handle was open, else OK.

    kernel: jbd2_journal_get_write_access(), is_handle_aborted(): nothing can be changed any more,
    so nothing can be allocated, although the aborted commit has given its freed blocks back.
    """
    return ext4_emergency_state(k)


def ext4_journal_start(k: Kernel, current: int) -> Path[int]:
    """Start a handle; return OK or EROFS.  kernel: start_this_handle(), add_transaction_credits().

    Waits while the running transaction is locked (until the commit has taken it over, which needs
    every other handle to stop) and while the log has no space.
    """
    while True:
        yield lambda: k.journal.running != T_LOCKED or k.journal.aborted  # start handle
        if k.journal.aborted:
            return EROFS
        if jbd2_log_space_left(k):
            break
        yield from jbd2_log_wait_for_space(k, current)
    assert k.journal.t_updates & (1 << current) == 0
    k.journal.running = T_RUNNING
    k.journal.t_updates |= 1 << current
    return OK


def ext4_journal_start_reserved(k: Kernel, current: int) -> Path[None]:
    """Start the reserved handle: waits for neither T_LOCKED nor space.  kernel: same name."""
    yield  # start reserved handle
    if k.journal.running == T_NONE:
        k.journal.running = T_RUNNING
    k.journal.t_updates |= 1 << current


def ext4_journal_stop(k: Kernel, current: int) -> None:
    """Stop the handle of ``current``.  kernel: jbd2_journal_stop()."""
    assert k.journal.t_updates & (1 << current)
    k.journal.t_updates &= ~(1 << current)


def ext4_should_order_data(k: Kernel, inode: Inode) -> int:
    """kernel: ext4_should_order_data(): false for inodes on the iomap path."""
    return not inode.buffered_iomap or k.conf.orders_iomap


def ext4_jbd2_inode_add_write(k: Kernel, current: int, inode: Inode, block: int) -> Path[None]:
    """File a block of the inode in a handle of its own.  kernel: ext4_block_zero_eof(), 7.x."""
    error = yield from ext4_journal_start(k, current)
    if error == OK:
        jbd2_journal_file_inode(k, inode, block)
        ext4_journal_stop(k, current)
