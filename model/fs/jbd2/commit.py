"""The commit in its phases, and what it does with ordered data.

Mirrors fs/jbd2/commit.c as far as waits and durability go: a commit waits for every open handle,
freezes the metadata, flushes the device cache and makes its record durable in one FUA write; blocks
freed by the transaction come back only after that.

data=ordered: for the inodes on its list the commit thread takes folio locks, waits for earlier
writeback under them, submits buffers that are already mapped, never starts a handle, and waits for
the writeback of every folio before the record is written.  The kernel reaches ext4 through the
journal's callbacks; here the commit calls it directly.  Iomap inodes must never be on the list.

A transaction is at most one running and one committing.  Not modelled: fast commits, revoke
records, barriers (lock_updates), an external journal, buffer-level conflicts (BH_Shadow).
"""

from powercut.model.block.blk_flush import blkdev_issue_flush
from powercut.model.fs.ext4.inode.buffers import mpage_submit_folio
from powercut.model.fs.ext4.mballoc import ext4_process_freed_data
from powercut.model.kernel.primitives import folio_lock, folio_unlock, folio_wait_writeback
from powercut.model.language import Path
from powercut.model.oracle import note_commit_done, note_durable, note_frozen
from powercut.model.state import (
    BLOCK_FREED_COMMITTING,
    BLOCK_FREED_RUNNING,
    KJOURNALD,
    NR_CALLERS,
    T_COMMIT_CALLBACK,
    T_COMMIT_JFLUSH,
    T_COMMIT_RECORD,
    T_FLUSH,
    T_LOCKED,
    T_NONE,
    TID_COMMITTING,
    TID_DONE,
    TID_RUNNING,
    Inode,
    InodeImage,
    Kernel,
)


def shift_tids(k: Kernel, source: int, target: int) -> None:
    """What was transaction ``source`` is ``target`` from now on: relative tids move down."""
    for i in range(k.conf.nr_inodes):
        inode = k.inode[i]
        if inode.i_sync_tid == source:
            inode.i_sync_tid = target
        if inode.i_datasync_tid == source:
            inode.i_datasync_tid = target
    for c in range(NR_CALLERS):
        if k.caller[c].tid == source:
            k.caller[c].tid = target


def copy_image(k: Kernel, to: InodeImage, source: InodeImage) -> None:
    """Copy a journalled inode."""
    to.size = source.size
    to.orphan = source.orphan
    to.deleted = source.deleted
    for b in range(k.conf.nr_blocks):
        to.extent[b].state = source.extent[b].state
        to.extent[b].pblk = source.extent[b].pblk


def clear_image(k: Kernel, to: InodeImage) -> None:
    """Zero an image that no longer means anything, so that equal situations are equal states."""
    to.size = 0
    to.orphan = 0
    to.deleted = 0
    for b in range(k.conf.nr_blocks):
        to.extent[b].state = 0
        to.extent[b].pblk = 0


def freeze_transaction(k: Kernel) -> None:
    """T_SWITCH and T_FLUSH: freeze the metadata; new handles go to a new transaction."""
    for i in range(k.conf.nr_inodes):
        copy_image(k, k.inode[i].committing, k.inode[i].raw)
        note_frozen(k, i)
        k.inode[i].on_committing_list = k.inode[i].on_running_list
        k.inode[i].on_running_list = 0
    k.journal.committing_bitmap = k.journal.bitmap
    for p in range(k.conf.nr_phys):
        if k.block[p] == BLOCK_FREED_RUNNING:
            k.block[p] = BLOCK_FREED_COMMITTING
    shift_tids(k, TID_RUNNING, TID_COMMITTING)
    k.journal.running = T_NONE
    k.journal.commit_request = 0
    k.journal.committing = T_FLUSH


def has_ordered_data(k: Kernel, inode: Inode, f: int) -> int:
    """Whether the committing transaction writes and waits for folio ``f``."""
    first = f * k.conf.blocks_per_folio
    if inode.on_committing_list == 0 or inode.i_dirty_end <= first:
        return False
    return inode.i_dirty_start < first + k.conf.blocks_per_folio


def journal_submit_data_buffers(k: Kernel) -> Path[None]:
    """Write the mapped dirty data of the transaction's inodes, in their range of whole folios.

    kernel: same name, 6.1 to 7.3.
    """
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            if has_ordered_data(k, k.inode[i], f) and k.inode[i].folio[f].dirty:
                yield from folio_lock(k, KJOURNALD, k.inode[i].folio[f])
                if k.inode[i].folio[f].dirty:
                    yield from folio_wait_writeback(k, k.inode[i].folio[f])
                    mpage_submit_folio(k, k.inode[i], f, 0)
                folio_unlock(k, k.inode[i].folio[f])


def journal_finish_inode_data_buffers(k: Kernel) -> Path[None]:
    """Wait for the writeback of the transaction's inodes, in their range; then all leave the list.

    kernel: same name.  The range is forgotten unless the next transaction has the inode already.
    """
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            if has_ordered_data(k, k.inode[i], f):
                yield from folio_wait_writeback(k, k.inode[i].folio[f])
    for i in range(k.conf.nr_inodes):
        k.inode[i].on_committing_list = 0
        if k.inode[i].on_running_list == 0:
            k.inode[i].i_dirty_start = 0
            k.inode[i].i_dirty_end = 0


def make_record_durable(k: Kernel) -> None:
    """The FUA write of the commit record completes: recovery will find this transaction."""
    for i in range(k.conf.nr_inodes):
        copy_image(k, k.stable.inode[i].committed, k.inode[i].committing)
        note_durable(k, i)
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
    if not k.journal.aborted:
        blkdev_issue_flush(k)
    yield  # T_COMMIT_JFLUSH: record with PREFLUSH and FUA
    k.journal.committing = T_COMMIT_RECORD
    if not k.journal.aborted:
        make_record_durable(k)
    yield  # record durable
    k.journal.committing = T_COMMIT_CALLBACK
    for i in range(k.conf.nr_inodes):
        clear_image(k, k.inode[i].committing)
        note_commit_done(k, i)
    k.journal.committing_bitmap = 0
    shift_tids(k, TID_COMMITTING, TID_DONE)
    yield  # T_COMMIT_CALLBACK: freed blocks go to the buddy
    ext4_process_freed_data(k)
    k.journal.committing = T_NONE
