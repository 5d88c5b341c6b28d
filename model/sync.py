"""fsync(2), fdatasync(2) and sync(2): what they wait for, and what they promise when they return.

Mirrors ext4_sync_file(), and for sync(2) the three rounds of ksys_sync(): the flusher writes every
inode with WB_SYNC_ALL and the caller waits for all folio writeback (sync_inodes_sb()), then
ext4_sync_fs() without and with waiting.  sync(2) reports no error; it promises what fsync would
have promised for each file.  syncfs(2) is one more round of the same with an error to return, and
not told apart here.

Left out: the flusher's additional pass that sync(2) begins with (writing less than what follows),
and the writeback of the block device's own pages (nothing durable follows from it).
"""

from powercut.model.device_flush import blkdev_issue_flush
from powercut.model.jbd2 import (
    ext4_emergency_state,
    jbd2_complete_transaction,
    jbd2_log_start_commit,
    jbd2_trans_will_send_data_barrier,
)
from powercut.model.language import Path
from powercut.model.oracle import (
    note_result,
    note_sync_begins,
    note_sync_returns,
    note_syncfs_returns,
)
from powercut.model.primitives import folio_wait_writeback
from powercut.model.state import (
    EIO,
    OK,
    T_COMMIT_CALLBACK,
    T_NONE,
    TID_COMMITTING,
    TID_DONE,
    TID_RUNNING,
    Inode,
    Kernel,
)
from powercut.model.writeback import do_writepages, writeback_single_inode


def file_check_and_advance_wb_err(k: Kernel, current: int, inode: Inode) -> int:
    """Report a recorded writeback error once.  kernel: file_check_and_advance_wb_err()."""
    error = inode.wb_err & (1 << current)
    inode.wb_err &= ~(1 << current)
    return EIO if error else OK


def commit_for_sync(k: Kernel, current: int, inode: Inode, datasync: int) -> Path[int]:
    """Make the inode's last transaction and the device cache durable.

    kernel: ext4_fsync_journal().
    """
    tid = inode.i_datasync_tid if datasync else inode.i_sync_tid
    needs_barrier = not jbd2_trans_will_send_data_barrier(k, tid)
    if k.conf.mutant.fsync_no_commit_wait:
        tid = 0
    if k.conf.mutant.fsync_no_flush:
        needs_barrier = False
    yield from jbd2_complete_transaction(k, current, tid)
    if k.journal.aborted:
        return EIO
    if needs_barrier:
        yield  # flush the device
        blkdev_issue_flush(k)
    return OK


def ext4_sync_file(k: Kernel, current: int, i: int, datasync: int) -> Path[None]:
    """fsync(2) or fdatasync(2): write, wait, commit, flush.  kernel: ext4_sync_file()."""
    inode = k.inode[i]
    yield  # fsync entry
    error = ext4_emergency_state(k)
    if error:
        note_result(k, current, error)
        return
    note_sync_begins(k, current, i)
    error = yield from do_writepages(k, current, inode, 1, 0)
    if not k.conf.mutant.fsync_no_writeback_wait:
        for f in range(k.conf.nr_folios):
            yield from folio_wait_writeback(k, inode.folio[f])
    if error == OK and inode.wb_err & (1 << current) == 0:
        error = yield from commit_for_sync(k, current, inode, datasync)
    reported = file_check_and_advance_wb_err(k, current, inode)
    note_sync_returns(k, current, i, max(error, reported))


def jbd2_get_latest_transaction(k: Kernel) -> int:
    """Return the tid of what runs, or of what commits, or TID_DONE.  kernel: same name."""
    if k.journal.running != T_NONE:
        return TID_RUNNING
    if k.journal.committing != T_NONE and k.journal.committing < T_COMMIT_CALLBACK:
        return TID_COMMITTING
    return TID_DONE


def flush_workqueue(k: Kernel) -> Path[None]:
    """Wait for the conversions in rsv_conversion_wq.  kernel: same name.

    Work queued meanwhile is waited for as well.
    """
    yield lambda: k.rsv_conversion_wq == 0 and not any_work_queued(k)  # flush the conversion queue


def any_work_queued(k: Kernel) -> int:
    """Tell whether some inode's conversions are queued."""
    for i in range(k.conf.nr_inodes):
        if k.inode[i].work_queued:
            return 1
    return 0


def ext4_sync_fs(k: Kernel, current: int) -> Path[None]:
    """->sync_fs(), called without waiting and then with.  kernel: ext4_sync_fs().

    Whether the commit flushes the device for us is decided before it is waited for.
    """
    if ext4_emergency_state(k):
        return
    yield from flush_workqueue(k)
    jbd2_log_start_commit(k)
    yield from flush_workqueue(k)
    if ext4_emergency_state(k):
        return
    target = jbd2_get_latest_transaction(k)
    needs_barrier = not jbd2_trans_will_send_data_barrier(k, target)
    if k.conf.mutant.sync_no_commit_wait:
        target = TID_DONE
    yield from jbd2_complete_transaction(k, current, target)
    if needs_barrier and not k.conf.mutant.sync_no_barrier:
        yield  # flush the device
        blkdev_issue_flush(k)


def sync_inodes_sb(k: Kernel, current: int) -> Path[None]:
    """Have the flusher write every inode, and wait for all folio writeback.  kernel: same name."""
    k.sync_work |= 1 << current
    yield lambda: (k.sync_work >> current) & 1 == 0  # wait for the flusher
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            yield from folio_wait_writeback(k, k.inode[i].folio[f])


def ksys_sync(k: Kernel, current: int) -> Path[None]:
    """sync(2).  kernel: ksys_sync()."""
    yield  # sync entry
    for i in range(k.conf.nr_inodes):
        note_sync_begins(k, current, i)
    yield from sync_inodes_sb(k, current)
    yield from ext4_sync_fs(k, current)
    note_syncfs_returns(k, current)


def wb_workfn(k: Kernel, n: int) -> Path[None]:
    """The flusher of a mount in which somebody calls sync(2): one worker for both kinds of work.

    What sync(2) queued comes first, one caller a pass; the flusher's own passes wait for it.
    kernel: wb_workfn(), wb_do_writeback().
    """
    while True:
        yield lambda: k.sync_work or k.wb_passes < k.conf.flusher_passes  # wb_workfn
        caller = k.sync_work & ~(k.sync_work & (k.sync_work - 1))
        if caller == 0:
            k.wb_passes += 1
        for i in range(k.conf.nr_inodes):
            yield  # next inode
            yield from writeback_single_inode(k, k.inode[i], caller != 0)
        k.sync_work &= ~caller
