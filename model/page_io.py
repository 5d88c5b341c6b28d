"""ext4's side of I/O completion on the iomap path: irq, per-inode list, worker.

Mirrors the seed's fs/ext4/page-io.c.  Completion of an ioend that needs a conversion or a larger
i_disksize is deferred to a work item on rsv_conversion_wq, which has one slot; there a *normal*
handle is started, the extent converted, i_disksize raised, and only then folio writeback ends.
"""

from powercut.model.buffer_head import ext4_end_bio
from powercut.model.eof import (
    eof_bio_done,
    ext4_iomap_wb_disksize_pending_wait,
    ext4_iomap_wb_ordered_wait,
    is_deferred,
    raise_disksize,
)
from powercut.model.extents import ext4_convert_unwritten_extents
from powercut.model.ioend import (
    end_writeback_of,
    first_worker_ioend,
    iomap_finish_ioends,
    iomap_ioend_try_merge,
)
from powercut.model.jbd2 import (
    ext4_emergency_state,
    ext4_journal_start,
    ext4_journal_stop,
    ext4_mark_inode_dirty,
    jbd2_journal_abort,
)
from powercut.model.language import Path
from powercut.model.primitives import down_write, up_write
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


def bio_endio(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> None:
    """Run bi_end_io of the ioend's bio: ext4's own if it was installed at submission.

    iomap's default completion ends writeback and never looks at data_err=abort.
    """
    if not inode.buffered_iomap:
        ext4_end_bio(k, inode, first, ioend)
        return
    if ioend.own_end_io:
        ext4_iomap_end_bio(k, inode, first, ioend)
        return
    iomap_finish_ioends(k, inode, first, ioend, ioend.error)


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
    if k.conf.mutant.writeback_ends_early:
        end_writeback_of(k, inode, first, ioend)


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
        if error == 0 and ioend.unwritten and k.conf.mutant.two_handles:
            ext4_journal_stop(k, current)
            error = yield from ext4_journal_start(k, current)
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
