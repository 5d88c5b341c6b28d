"""fsync(2) and fdatasync(2): what they wait for, and what they promise when they return.

Mirrors ext4_sync_file() of fs/ext4/fsync.c.
"""

from powercut.model.block.blk_flush import blkdev_issue_flush
from powercut.model.fs.ext4.ext4 import ext4_emergency_state
from powercut.model.fs.jbd2.journal.requests import (
    jbd2_complete_transaction,
    jbd2_trans_will_send_data_barrier,
)
from powercut.model.kernel.primitives import folio_wait_writeback
from powercut.model.language import Path
from powercut.model.mm.filemap import file_check_and_advance_wb_err
from powercut.model.mm.page_writeback import do_writepages
from powercut.model.oracle import note_sync_begins, note_sync_refused, note_sync_returns
from powercut.model.state import EIO, OK, WB_SYNC_ALL, Inode, Kernel


def ext4_fsync_journal(k: Kernel, current: int, inode: Inode, datasync: int) -> Path[int]:
    """Make the inode's last transaction and the device cache durable.

    kernel: ext4_fsync_journal().
    """
    tid = inode.i_datasync_tid if datasync else inode.i_sync_tid
    needs_barrier = not jbd2_trans_will_send_data_barrier(k, tid)
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
        note_sync_refused(k, current, error)
        return
    note_sync_begins(k, current, i)
    error = yield from do_writepages(k, current, inode, WB_SYNC_ALL, 0)
    for f in range(k.conf.nr_folios):
        yield from folio_wait_writeback(k, inode.folio[f])
    if error == OK and inode.wb_err & (1 << current) == 0:
        error = yield from ext4_fsync_journal(k, current, inode, datasync)
    reported = file_check_and_advance_wb_err(k, current, inode)
    note_sync_returns(k, current, i, max(error, reported))
