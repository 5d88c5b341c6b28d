"""I/O completion of both paths: irq, per-inode list, worker.

Mirrors fs/ext4/page-io.c, for iomap inodes as the seed has it.  Completion of an ioend that needs a
conversion or a larger i_disksize is deferred to a work item on rsv_conversion_wq, which has one
slot; there a *normal* handle is started (a reserved one on the buffer_head path), the extent
converted, i_disksize raised, and only then folio writeback ends.
"""

from powercut.model.fs.ext4.eof import eof_bio_done, is_deferred, raise_disksize
from powercut.model.fs.ext4.ext4 import ext4_emergency_state
from powercut.model.fs.ext4.ext4_jbd2 import (
    ext4_journal_start,
    ext4_journal_start_reserved,
    ext4_journal_stop,
)
from powercut.model.fs.ext4.extents.tree import ext4_convert_unwritten_extents
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.inode.map_blocks import convert_blocks
from powercut.model.fs.iomap.ioend.finish import (
    first_worker_ioend,
    iomap_finish_ioends,
    iomap_ioend_try_merge,
)
from powercut.model.fs.jbd2.journal.requests import jbd2_journal_abort
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.state import (
    EIO,
    EOF_ORDERED_GAP,
    EOF_PENDING,
    IOEND_COMPLETED,
    IOEND_SUBMITTED,
    IOEND_WORKER,
    WORKER,
    Inode,
    Ioend,
    Kernel,
)


def ext4_end_bio(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> None:
    """Completion in irq: conversions and data_err=abort go to the worker.  kernel: same name."""
    if ioend.unwritten or (ioend.error and k.conf.data_err_abort):
        ioend.state = IOEND_COMPLETED
        inode.work_queued = 1
        return
    iomap_finish_ioends(k, inode, first, ioend, ioend.error)


def ext4_end_io_end(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> Path[None]:
    """Convert with the reserved handle, then end writeback.  kernel: ext4_end_io_end()."""
    failed = ioend.error
    if failed or k.journal.aborted:
        if ioend.error and k.conf.data_err_abort:
            jbd2_journal_abort(k)
        iomap_finish_ioends(k, inode, first, ioend, EIO)
        return
    yield from ext4_journal_start_reserved(k, WORKER)
    yield from down_write(k, WORKER, inode.i_data_sem)
    error = convert_blocks(k, inode, first, ioend.nr_blocks)
    ext4_mark_inode_dirty(k, WORKER, inode)
    up_write(k, inode.i_data_sem)
    ext4_journal_stop(k, WORKER)
    iomap_finish_ioends(k, inode, first, ioend, error)


def ext4_end_io_rsv_work(k: Kernel, i: int) -> Path[None]:
    """The work item of a buffer_head inode on the shared queue.  kernel: ext4_end_io_rsv_work()."""
    inode = k.inode[i]
    while True:
        yield lambda: inode.work_queued and k.rsv_conversion_wq == 0  # worker slot
        k.rsv_conversion_wq = WORKER + 1
        inode.work_queued = 0
        for b in range(k.conf.nr_blocks):
            if inode.ioend[b].state == IOEND_COMPLETED:
                inode.ioend[b].state = IOEND_WORKER
        while True:
            first = first_worker_ioend(k, inode)
            if first == k.conf.nr_blocks:
                break
            yield from ext4_end_io_end(k, inode, first, inode.ioend[first])
        k.rsv_conversion_wq = 0


def ext4_iomap_end_bio(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> None:
    """Decide in irq context whether the worker is needed.  kernel: same name, v3 09/22."""
    defer = ioend.unwritten or ioend.end > inode.i_disksize or k.conf.revision >= 5
    if ioend.error and k.conf.data_err_abort and not ext4_emergency_state(k):
        defer = 1
    if ioend.orders_eof:
        eof_bio_done(k, inode, first, ioend)
        defer = 1
    if not defer:
        iomap_finish_ioends(k, inode, first, ioend, ioend.error)
        return
    ioend.state = IOEND_COMPLETED
    inode.work_queued = 1


def ext4_iomap_wb_update_disksize(
    k: Kernel, current: int, inode: Inode, end: int, orders_eof: int
) -> Path[None]:
    """Raise i_disksize to ``end``, at most to i_size.  kernel: same name, v3 09/22.

    The first test is lockless and may be stale; a truncate in between wins under i_data_sem.
    """
    if end <= inode.i_disksize and not orders_eof:
        return
    yield from down_write(k, current, inode.i_data_sem)
    if orders_eof and (k.conf.eof_rule == EOF_ORDERED_GAP or k.conf.eof_rule == EOF_PENDING):
        raise_disksize(k, inode, inode.i_size)
    else:
        raise_disksize(k, inode, end)
    up_write(k, inode.i_data_sem)
    ext4_mark_inode_dirty(k, current, inode)


def ext4_iomap_wb_ordered_wait(k: Kernel, inode: Inode, first: int) -> Path[None]:
    """The worker waits for the ordered EOF block.  kernel: same name (the author's later tree).

    Skipped when i_disksize is block aligned or the ioend starts in the EOF block.
    """
    if inode.i_disksize % k.conf.cells_per_block == 0:
        return
    if first == inode.i_disksize // k.conf.cells_per_block:
        return
    if inode.i_ordered_lblk and first > inode.i_ordered_lblk - 1:
        yield lambda: inode.i_ordered_lblk == 0  # worker waits for the ordered EOF block


def ext4_iomap_wb_disksize_pending_wait(k: Kernel, inode: Inode, ioend: Ioend) -> Path[None]:
    """The worker of an ioend behind the pending block waits.  kernel: same name, v5."""
    per_block = k.conf.cells_per_block
    boundary = (inode.i_disksize + per_block - 1) // per_block * per_block
    if inode.disksize_grow_pending and ioend.end > boundary:
        yield lambda: inode.disksize_grow_pending == 0  # worker waits for the pending EOF block


def ext4_iomap_finish_ioend(
    k: Kernel, current: int, inode: Inode, first: int, ioend: Ioend
) -> Path[None]:
    """Convert, raise the size, end writeback.  kernel: ext4_iomap_finish_ioend(), v3 09/22."""
    if ioend.error:
        if k.conf.data_err_abort:
            jbd2_journal_abort(k)
        iomap_finish_ioends(k, inode, first, ioend, EIO)
        return
    if k.conf.eof_rule == EOF_ORDERED_GAP and not ioend.orders_eof:
        yield from ext4_iomap_wb_ordered_wait(k, inode, first)
    if k.conf.eof_rule == EOF_PENDING and not ioend.orders_eof:
        yield from ext4_iomap_wb_disksize_pending_wait(k, inode, ioend)
    error = yield from ext4_journal_start(k, current)
    if error == 0:
        if ioend.unwritten:
            error = yield from ext4_convert_unwritten_extents(
                k, current, inode, first, ioend.nr_blocks
            )
        if error == 0:
            yield from ext4_iomap_wb_update_disksize(k, current, inode, ioend.end, ioend.orders_eof)
        ext4_journal_stop(k, current)
    if ioend.early:
        ioend.early = 0
        ioend.unwritten = 0
        ioend.state = IOEND_SUBMITTED
    else:
        iomap_finish_ioends(k, inode, first, ioend, error)


def splice_ioends(k: Kernel, inode: Inode) -> None:
    """Move i_iomap_ioend_list to the worker's own list, but for what the EOF rule defers."""
    inode.work_queued = 0
    for b in range(k.conf.nr_blocks):
        if inode.ioend[b].state == IOEND_COMPLETED and not is_deferred(k, inode, inode.ioend[b]):
            inode.ioend[b].state = IOEND_WORKER


def ext4_iomap_end_io(k: Kernel, i: int) -> Path[None]:
    """The work item of inode ``i`` on rsv_conversion_wq.  kernel: ext4_iomap_end_io(), v3 09/22."""
    inode = k.inode[i]
    while True:
        yield lambda: inode.work_queued and k.rsv_conversion_wq == 0  # worker slot
        k.rsv_conversion_wq = WORKER + 1
        splice_ioends(k, inode)
        while True:
            first = first_worker_ioend(k, inode)
            if first == k.conf.nr_blocks:
                break
            iomap_ioend_try_merge(k, inode, first)
            yield from ext4_iomap_finish_ioend(k, WORKER, inode, first, inode.ioend[first])
        k.rsv_conversion_wq = 0
