"""What keeps i_disksize from passing an EOF block whose tail on disk is not clean.

The bytes behind EOF on disk may be anything: an append that reached the disk but not the journal,
or a store through mmap, can be there.  They become visible when a later size passes them.  Which
rule applies is a switch of the design:

``EOF_UNORDERED`` (the patch as posted)
    None: any completed ioend raises i_disksize to its end.
``EOF_HOLD_BACK``
    An extension past an unaligned EOF marks the EOF block, with that EOF, if it has a physical
    block.  While a mark is set i_disksize is not raised beyond the marked EOF; the size is *held*.
    A write of the block submitted after the mark clears it when its bio completes, and that ioend,
    which always goes through the worker, raises the held size.  Nobody waits; a failed write
    leaves the mark.
``EOF_DEFERRED``
    The same marks, but an ioend that reaches behind a marked EOF stays on the inode's list, neither
    converted nor ended, until the mark is gone.  Nobody waits inside the worker here either.  The
    mark goes away on error too, because folio writeback behind it has to end.
``EOF_ORDERED_GAP``
    The author's later tree (v4 of the series): only a zeroed gap is ordered.  The zeroed block is
    submitted at once and recorded in i_ordered_lblk; workers of later ioends wait for its bio;
    system calls leave i_disksize alone meanwhile; the ordered ioend then sets it to i_size.
``EOF_PENDING`` (the series from v5 on)
    Zeroing the block that i_disksize ends in sets EXT4_STATE_DISKSIZE_GROW_PENDING if its folio is
    dirty then; nothing is submitted.  The bit stands for that block, which is derived from
    i_disksize: while it is set i_disksize is not raised, workers of ioends behind the block wait,
    and the next ioend that covers the block clears it when its bio completes (also on error) and
    then sets i_disksize to i_size.  Where the bit is cleared was not seen in code: a worker that
    waits for it holds the only slot, so only the bio's completion can.
"""

from powercut.model.state import (
    EOF_DEFERRED,
    EOF_HOLD_BACK,
    EOF_ORDERED_GAP,
    EOF_PENDING,
    HOLE,
    IOEND_COMPLETED,
    Inode,
    Ioend,
    Kernel,
)


def marks_eof(k: Kernel) -> int:
    """Tell whether the design marks EOF blocks."""
    return k.conf.eof_rule == EOF_HOLD_BACK or k.conf.eof_rule == EOF_DEFERRED


def mark_eof_block(k: Kernel, inode: Inode) -> None:
    """An extension begins to cover the EOF block: from now on its next write is needed.

    Called under the folio lock, before i_size moves.  An older mark that still waits for its write
    to be submitted stays where it is the stricter one; behind a truncate it may not be.
    """
    if not marks_eof(k) or inode.i_size % k.conf.cells_per_block == 0:
        return
    block = inode.i_size // k.conf.cells_per_block
    marked = inode.eof_needed[block]
    if marked and marked <= inode.i_size:
        return
    if inode.raw.extent[block].state != HOLE:
        inode.eof_needed[block] = inode.i_size


def unmark_from(k: Kernel, inode: Inode, first: int) -> None:
    """The marks of block ``first`` and of those behind it go."""
    for b in range(first, k.conf.nr_blocks):
        inode.eof_needed[b] = 0
        inode.eof_in_flight[b] = 0
    if k.conf.eof_rule == EOF_DEFERRED:
        wake_deferred(k, inode)


def wake_deferred(k: Kernel, inode: Inode) -> None:
    """What was left on the list for a mark that is gone has to be looked at again."""
    for b in range(k.conf.nr_blocks):
        if inode.ioend[b].state == IOEND_COMPLETED:
            inode.work_queued = 1


def unmark_all(k: Kernel, inode: Inode, size: int) -> None:
    """A truncate to at most i_disksize takes every mark, and the held size, with it."""
    unmark_from(k, inode, size // k.conf.cells_per_block)
    inode.held_size = 0


def unmark_cut(k: Kernel, inode: Inode, size: int) -> None:
    """A truncate to ``size``, above i_disksize, takes the marks of the blocks it cuts with it."""
    unmark_from(k, inode, (size + k.conf.cells_per_block - 1) // k.conf.cells_per_block)


def disksize_limit(k: Kernel, inode: Inode) -> int:
    """Return how far i_disksize may be raised, in cells: to the first marked EOF."""
    for b in range(k.conf.nr_blocks):
        if inode.eof_in_flight[b] and inode.eof_needed[b]:
            return min(inode.eof_in_flight[b], inode.eof_needed[b])
        if inode.eof_in_flight[b] or inode.eof_needed[b]:
            return max(inode.eof_in_flight[b], inode.eof_needed[b])
    return k.conf.nr_cells


def raise_disksize(k: Kernel, inode: Inode, size: int) -> None:
    """Raise i_disksize towards ``size``, holding back what a mark forbids.

    Called under i_data_sem (write).
    """
    if inode.disksize_grow_pending:
        return
    wanted = min(max(size, inode.held_size), inode.i_size)
    allowed = min(wanted, disksize_limit(k, inode))
    inode.held_size = 0
    if allowed < wanted:
        inode.held_size = wanted
    if allowed > inode.i_disksize:
        inode.i_disksize = allowed


def raise_disksize_in_call(k: Kernel, inode: Inode, size: int) -> None:
    """A system call raises i_disksize; while a zeroed gap is recorded its ioend does it instead.

    kernel: ext4_update_i_disksize(), ext4_update_inode_size() of the author's later tree.
    """
    if k.conf.eof_rule == EOF_ORDERED_GAP and inode.i_ordered_lblk:
        return
    raise_disksize(k, inode, size)


def is_deferred(k: Kernel, inode: Inode, ioend: Ioend) -> int:
    """Tell whether the ioend must stay on the list because it reaches behind a marked EOF."""
    return k.conf.eof_rule == EOF_DEFERRED and ioend.end > disksize_limit(k, inode)


def eof_submit(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> None:
    """An ioend goes out: note whether it is the write that an EOF block waits for."""
    for b in range(first, first + ioend.nr_blocks):
        if inode.eof_needed[b]:
            assert inode.eof_in_flight[b] == 0
            inode.eof_in_flight[b] = inode.eof_needed[b]
            inode.eof_needed[b] = 0
            ioend.orders_eof = 1
            ioend.own_end_io = 1
        if k.conf.eof_rule == EOF_ORDERED_GAP and inode.i_ordered_lblk == b + 1:
            ioend.orders_eof = 1
            ioend.own_end_io = 1
        if inode.disksize_grow_pending and inode.i_disksize // k.conf.cells_per_block == b:
            ioend.orders_eof = 1
            ioend.own_end_io = 1


def eof_bio_done(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> None:
    """The bio of an ordering ioend is complete (irq): later sizes may pass.

    On error only EOF_HOLD_BACK goes on waiting for a good write of the block.
    """
    if k.conf.eof_rule == EOF_ORDERED_GAP:
        inode.i_ordered_lblk = 0
        return
    if k.conf.eof_rule == EOF_PENDING:
        inode.disksize_grow_pending = 0
        return
    for b in range(first, first + ioend.nr_blocks):
        if inode.eof_in_flight[b]:
            if ioend.error and k.conf.eof_rule == EOF_HOLD_BACK:
                inode.eof_needed[b] = inode.eof_in_flight[b]
            inode.eof_in_flight[b] = 0
    if ioend.error:
        ioend.orders_eof = 0


def forget_pending(k: Kernel, inode: Inode, block: int, last: int) -> None:
    """Writeback drops blocks ``block``..``last`` of a folio: a pending block among them goes too.

    kernel: the discard of ->writeback_range(), v5.
    """
    pending = inode.i_disksize // k.conf.cells_per_block
    if inode.disksize_grow_pending and block <= pending and pending <= last:
        inode.disksize_grow_pending = 0


def first_after_disksize(k: Kernel, inode: Inode) -> int:
    """Return i_disksize rounded up to a block."""
    per_block = k.conf.cells_per_block
    return (inode.i_disksize + per_block - 1) // per_block * per_block


def submits_zeroed_gap(k: Kernel) -> int:
    """Tell whether the design submits a zeroed EOF block at once."""
    return k.conf.eof_rule == EOF_ORDERED_GAP
