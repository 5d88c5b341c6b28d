"""jbd2: handles, the commit in its phases, the log and its checkpoint, abort.

Mirrors fs/jbd2/{transaction,commit,checkpoint,journal}.c as far as waits and durability go: a
handle start waits while the running transaction is locked and while the log is full; a commit
waits for every open handle, freezes the metadata, flushes the device cache and makes its record
durable in one FUA write; blocks freed by the transaction come back only after that.

A transaction is at most one running and one committing.  Its log blocks count as one unit; the
record makes all of them durable together.  Not modelled: fast commits, revoke records, barriers
(lock_updates), an external journal, buffer-level conflicts (BH_Shadow).
"""

from powercut.model.device_flush import blkdev_issue_flush
from powercut.model.language import Path
from powercut.model.mballoc import ext4_process_freed_data
from powercut.model.oracle import clear_image, copy_image
from powercut.model.ordered import journal_finish_inode_data_buffers, journal_submit_data_buffers
from powercut.model.scope import Timer
from powercut.model.state import (
    BLOCK_FREED_COMMITTING,
    BLOCK_FREED_RUNNING,
    EROFS,
    NR_CALLERS,
    OK,
    T_COMMIT_CALLBACK,
    T_COMMIT_JFLUSH,
    T_COMMIT_RECORD,
    T_FLUSH,
    T_LOCKED,
    T_NONE,
    T_RUNNING,
    TID_COMMITTING,
    TID_DONE,
    TID_RUNNING,
    Inode,
    Kernel,
)


def ext4_emergency_state(k: Kernel) -> int:
    """Return EROFS once the journal is aborted.  kernel: ext4_emergency_state()."""
    return EROFS if k.journal.aborted else OK


def ext4_journal_get_write_access(k: Kernel) -> int:
    """Return EROFS if the journal aborted while the handle was open, else OK.

    kernel: jbd2_journal_get_write_access(), is_handle_aborted(): nothing can be changed any more,
    so nothing can be allocated, although the aborted commit has given its freed blocks back.
    """
    return ext4_emergency_state(k)


def jbd2_log_space_left(k: Kernel) -> int:
    """Tell whether one more transaction fits.  kernel: jbd2_log_space_left()."""
    if k.conf.log_transactions == 0:
        return 1
    claimed = k.journal.log_used + 1
    if k.journal.committing != T_NONE and k.journal.committing < T_COMMIT_CALLBACK:
        claimed += 1
    return claimed <= k.conf.log_transactions


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


def ext4_journal_stop(k: Kernel, current: int) -> None:
    """Stop the handle of ``current``.  kernel: jbd2_journal_stop()."""
    assert k.journal.t_updates & (1 << current)
    k.journal.t_updates &= ~(1 << current)


def ext4_mark_inode_dirty(k: Kernel, current: int, inode: Inode) -> None:
    """Copy i_disksize into the journalled inode.  kernel: ext4_do_update_inode()."""
    assert k.journal.t_updates & (1 << current)
    if inode.raw.size != inode.i_disksize:
        inode.i_datasync_tid = TID_RUNNING
    inode.raw.size = inode.i_disksize
    inode.i_sync_tid = TID_RUNNING


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


def jbd2_journal_abort(k: Kernel) -> None:
    """Abort the journal; nothing commits from now on.  kernel: jbd2_journal_abort()."""
    k.journal.aborted = 1
    if k.journal.running == T_RUNNING:
        k.journal.commit_request = 1


def jbd2_log_start_commit(k: Kernel) -> None:
    """Ask kjournald to commit the running transaction.  kernel: jbd2_log_start_commit()."""
    if k.journal.running == T_RUNNING:
        k.journal.commit_request = 1


def jbd2_complete_transaction(k: Kernel, current: int, tid: int) -> Path[None]:
    """Start (if running) and wait for the commit of ``tid``.  kernel: same name."""
    k.caller[current].tid = tid
    if tid == TID_RUNNING:
        jbd2_log_start_commit(k)
    if tid != TID_DONE:
        yield lambda: k.caller[current].tid == TID_DONE  # wait for the commit


def jbd2_journal_force_commit_nested(k: Kernel, current: int) -> Path[None]:
    """Commit what runs, or wait for what commits.  kernel: jbd2_journal_force_commit_nested()."""
    assert k.journal.t_updates & (1 << current) == 0
    tid = TID_DONE
    if k.journal.running != T_NONE:
        tid = TID_RUNNING
    elif k.journal.committing != T_NONE and k.journal.committing < T_COMMIT_CALLBACK:
        tid = TID_COMMITTING
    yield from jbd2_complete_transaction(k, current, tid)


def jbd2_trans_will_send_data_barrier(k: Kernel, tid: int) -> int:
    """Tell whether the commit of ``tid`` will still flush the device cache.

    kernel: jbd2_trans_will_send_data_barrier(): not if it is committed, nor from JFLUSH on.
    """
    if tid == TID_DONE:
        return 0
    return tid == TID_RUNNING or k.journal.committing < T_COMMIT_JFLUSH


def switch_tids(k: Kernel) -> None:
    """The running transaction becomes the committing one: relative tids move down."""
    for i in range(k.conf.nr_inodes):
        inode = k.inode[i]
        if inode.i_sync_tid == TID_RUNNING:
            inode.i_sync_tid = TID_COMMITTING
        if inode.i_datasync_tid == TID_RUNNING:
            inode.i_datasync_tid = TID_COMMITTING
    for c in range(NR_CALLERS):
        if k.caller[c].tid == TID_RUNNING:
            k.caller[c].tid = TID_COMMITTING


def finish_tids(k: Kernel) -> None:
    """j_commit_sequence advances: who waited for the committing transaction is done."""
    for i in range(k.conf.nr_inodes):
        inode = k.inode[i]
        if inode.i_sync_tid == TID_COMMITTING:
            inode.i_sync_tid = TID_DONE
        if inode.i_datasync_tid == TID_COMMITTING:
            inode.i_datasync_tid = TID_DONE
    for c in range(NR_CALLERS):
        if k.caller[c].tid == TID_COMMITTING:
            k.caller[c].tid = TID_DONE


def freeze_transaction(k: Kernel) -> None:
    """T_SWITCH and T_FLUSH: freeze the metadata; new handles go to a new transaction."""
    for i in range(k.conf.nr_inodes):
        copy_image(k, k.inode[i].committing, k.inode[i].raw)
        k.inode[i].on_committing_list = k.inode[i].on_running_list
        k.inode[i].on_running_list = 0
    k.journal.committing_bitmap = k.journal.bitmap
    for p in range(k.conf.nr_phys):
        if k.block[p] == BLOCK_FREED_RUNNING:
            k.block[p] = BLOCK_FREED_COMMITTING
    switch_tids(k)
    k.journal.running = T_NONE
    k.journal.commit_request = 0
    k.journal.committing = T_FLUSH


def make_record_durable(k: Kernel) -> None:
    """The FUA write of the commit record completes: recovery will find this transaction."""
    for i in range(k.conf.nr_inodes):
        copy_image(k, k.stable.inode[i].committed, k.inode[i].committing)
    k.stable.bitmap = k.journal.committing_bitmap
    if k.conf.log_transactions:
        k.journal.log_used += 1


def jbd2_journal_commit_transaction(k: Kernel) -> Path[None]:
    """Commit the running transaction.  kernel: jbd2_journal_commit_transaction().

    Ordered data is written and waited for in between; inodes on the iomap path have none.
    """
    k.journal.running = T_LOCKED
    yield lambda: k.journal.t_updates == 0  # T_LOCKED: wait for open handles
    freeze_transaction(k)
    yield from journal_submit_data_buffers(k)
    yield from journal_finish_inode_data_buffers(k)
    yield  # T_FLUSH, T_COMMIT: log blocks written and waited for
    k.journal.committing = T_COMMIT_JFLUSH
    if not k.journal.aborted and not k.conf.mutant.no_preflush:
        blkdev_issue_flush(k)
    yield  # T_COMMIT_JFLUSH: record with PREFLUSH and FUA
    k.journal.committing = T_COMMIT_RECORD
    if not k.journal.aborted:
        make_record_durable(k)
    yield  # record durable
    k.journal.committing = T_COMMIT_CALLBACK
    for i in range(k.conf.nr_inodes):
        clear_image(k, k.inode[i].committing)
    k.journal.committing_bitmap = 0
    finish_tids(k)
    yield  # T_COMMIT_CALLBACK: freed blocks go to the buddy
    ext4_process_freed_data(k)
    k.journal.committing = T_NONE


def kjournald2(k: Kernel, n: int) -> Path[None]:
    """The commit thread.  kernel: kjournald2()."""
    while True:
        yield lambda: k.journal.commit_request and k.journal.running == T_RUNNING  # commit asked
        yield from jbd2_journal_commit_transaction(k)


def commit_timer(k: Kernel, n: int) -> Path[None]:
    """The 5 s commit timer: at any time, or once (``conf.timer``).  kernel: commit_timeout()."""
    while True:
        yield (
            lambda: (
                k.journal.running == T_RUNNING
                and k.journal.commit_request == 0
                and (k.conf.timer == Timer.FREE or k.timer_fired == 0)
            )
        )  # timer expires
        if k.conf.timer == Timer.ONCE:
            k.timer_fired = 1
        k.journal.commit_request = 1
