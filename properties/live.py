"""Properties of live states, written in the model's language so that every engine can check them.

Each function takes the state root and returns 0 in a good state.  They are helpers of the model's
language: the compiled engines evaluate them on flat vectors, a native run on the view.
"""

from powercut.model.state import (
    HOLE,
    IOEND_COMPLETED,
    IOEND_NONE,
    IOEND_SUBMITTED,
    WRITTEN,
    ZERO,
    Inode,
    Kernel,
)


def is_quiescent(k: Kernel, inode: Inode) -> int:
    """Nothing in progress on the inode: no caller, nothing dirty, nothing in flight or queued."""
    if inode.i_freeing:
        return 0
    if inode.i_rwsem.writer or inode.i_data_sem.writer or inode.invalidate_lock.writer:
        return 0
    if inode.invalidate_lock.readers or inode.work_queued:
        return 0
    for f in range(k.conf.nr_folios):
        if inode.folio[f].dirty or inode.folio[f].writeback or inode.folio[f].locked:
            return 0
    for b in range(k.conf.nr_blocks):
        if inode.ioend[b].state != IOEND_NONE:
            return 0
    return k.rsv_conversion_wq == 0


def had_error(k: Kernel) -> int:
    """Some bio failed, the journal is aborted, or an allocation was given up."""
    return k.device.errors_injected or k.journal.aborted or k.oracle.failed_allocation


def sizes_broken(k: Kernel) -> int:
    """i_disksize <= i_size whenever nobody is changing them, and equal at rest without errors."""
    for i in range(k.conf.nr_inodes):
        inode = k.inode[i]
        if inode.i_rwsem.writer == 0 and inode.i_data_sem.writer == 0:
            if inode.i_disksize > inode.i_size:
                return 1
            if inode.i_disksize != inode.i_size and is_quiescent(k, inode) and not had_error(k):
                return 1
    return 0


def count_delayed(k: Kernel, inode: Inode) -> int:
    """Return the number of delayed blocks."""
    count = 0
    for b in range(k.conf.nr_blocks):
        if inode.delayed[b]:
            count += 1
    return count


def blocks_behind_eof(k: Kernel, inode: Inode) -> int:
    """Tell whether a block wholly behind i_size was allocated in this mount and kept."""
    first = (inode.i_size + k.conf.cells_per_block - 1) // k.conf.cells_per_block
    for b in range(first, k.conf.nr_blocks):
        if (
            inode.raw.extent[b].state != HOLE
            and (k.oracle.inode[inode.i_ino].mounted_behind_eof >> b) & 1 == 0
        ):
            return 1
    return 0


def accounting_broken(k: Kernel) -> int:
    """Reservations match the delayed blocks; at rest none is left, and nothing behind EOF.

    An aborted journal stops truncates half way, so nothing is said about rest after one.
    """
    for i in range(k.conf.nr_inodes):
        inode = k.inode[i]
        if inode.i_data_sem.writer == 0:
            if count_delayed(k, inode) != inode.i_reserved_data_blocks:
                return 1
            if is_quiescent(k, inode) and not k.journal.aborted:
                if inode.i_reserved_data_blocks or blocks_behind_eof(k, inode):
                    return 1
    return 0


def ioend_is_misplaced(k: Kernel, inode: Inode, first: int) -> int:
    """The bio would write a block that the file does not map there (any more)."""
    ioend = inode.ioend[first]
    if ioend.state != IOEND_SUBMITTED and not (ioend.state == IOEND_COMPLETED and ioend.early):
        return 0
    for n in range(ioend.nr_blocks):
        extent = inode.raw.extent[first + n]
        if extent.state == HOLE or extent.pblk != ioend.pblk + n:
            return 1
    return 0


def late_write(k: Kernel) -> int:
    """A bio in flight targets a block that was freed or given to somebody else."""
    for i in range(k.conf.nr_inodes):
        for b in range(k.conf.nr_blocks):
            if ioend_is_misplaced(k, k.inode[i], b):
                return 1
    return 0


def error_unreported(k: Kernel) -> int:
    """An fsync returned success although writeback of the file had failed before."""
    return k.oracle.fsync_missed_error


def results_broken(k: Kernel) -> int:
    """A sync failed, and nothing that its caller had not heard of had failed."""
    return k.oracle.failed_for_nothing


def abort_missing(k: Kernel) -> int:
    """With data_err=abort, a failed data bio must have aborted the journal once all is done."""
    if not k.conf.data_err_abort or k.device.errors_injected == 0 or k.journal.aborted:
        return 0
    for i in range(k.conf.nr_inodes):
        for b in range(k.conf.nr_blocks):
            if k.inode[i].ioend[b].state != IOEND_NONE:
                return 0
    return k.rsv_conversion_wq == 0


def device_may_show(k: Kernel, inode: Inode, cell: int) -> int:
    """Return the colours that reading ``cell`` from the device may give."""
    extent = inode.raw.extent[cell // k.conf.cells_per_block]
    if extent.state != WRITTEN:
        return ZERO
    return k.device.cached[extent.pblk * k.conf.cells_per_block + cell % k.conf.cells_per_block]


def block_differs(k: Kernel, inode: Inode, block: int) -> int:
    """Tell whether a cached block shows inside i_size what the device does not hold."""
    per_block = k.conf.cells_per_block
    for cell in range(block * per_block, min((block + 1) * per_block, inode.i_size)):
        if device_may_show(k, inode, cell) & inode.page[cell] == 0:
            return 1
    return 0


def is_reclaimable(k: Kernel, inode: Inode, f: int) -> int:
    """Nothing keeps folio ``f`` in memory: clean, unlocked, no invalidation or eviction."""
    folio = inode.folio[f]
    if folio.dirty or folio.locked or folio.writeback:
        return 0
    return inode.invalidate_lock.writer == 0 and inode.i_freeing == 0


def read_back_broken(k: Kernel) -> int:
    """A folio that memory reclaim may drop, or has dropped, does not read back as it was.

    A block whose last writeback failed is left out: its data may be nowhere.  So is everything once
    the journal is aborted: a call that dropped pages may not be able to change the extents then.
    """
    if k.journal.aborted:
        return 0
    if k.oracle.misread:
        return 1
    for i in range(k.conf.nr_inodes):
        inode = k.inode[i]
        for b in range(k.conf.nr_blocks):
            f = b // k.conf.blocks_per_folio
            gone = inode.folio[f].absent | (k.oracle.inode[i].lost >> (f * k.conf.blocks_per_folio))
            if (gone >> (b % k.conf.blocks_per_folio)) & 1 == 0:
                if is_reclaimable(k, inode, f) and block_differs(k, inode, b):
                    return 1
    return 0
