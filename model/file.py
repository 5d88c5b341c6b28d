"""System calls on a regular file: buffered write and truncate.

Mirrors ext4_buffered_write_iter(), ext4_setattr() and ext4_truncate() of a 7.x
kernel with the series' write path (v3): the old EOF block is zeroed before any handle, and buffered
writes never touch i_disksize.
"""

from powercut.model.eof import disksize_limit, mark_eof_block, unmark_all, unmark_cut
from powercut.model.extents import (
    allocate_blocks,
    any_unwritten,
    convert_blocks,
    ext4_da_map_blocks,
    ext4_es_remove_extent,
    ext4_es_status,
    ext4_ext_remove_space,
    unmapped_blocks,
)
from powercut.model.jbd2 import (
    ext4_emergency_state,
    ext4_journal_start,
    ext4_journal_stop,
    ext4_mark_inode_dirty,
    jbd2_journal_abort,
    jbd2_journal_force_commit_nested,
)
from powercut.model.language import Path
from powercut.model.mballoc import ext4_has_free_clusters, s_mb_free_pending
from powercut.model.oracle import (
    note_removal_begins,
    note_removal_ends,
    note_removed,
    note_write,
)
from powercut.model.ordered import buffer_is_mapped
from powercut.model.primitives import (
    down_write,
    folio_lock,
    folio_unlock,
    folio_wait_writeback,
    up_write,
)
from powercut.model.reclaim import fill_block, fill_for_write, is_cached, zero_new_block
from powercut.model.state import (
    ENOSPC,
    EOF_ORDERED_GAP,
    EOF_PENDING,
    HOLE,
    OK,
    UNWRITTEN,
    WRITTEN,
    ZERO,
    Inode,
    Kernel,
)
from powercut.model.writeback import (
    do_writepages,
    ext4_iomap_submit_zero_block,
    folio_end_cells,
    submits_zeroed_gap,
)


def dirty_block(k: Kernel, inode: Inode, block: int) -> None:
    """Set the dirty bit of one block."""
    folio = inode.folio[block // k.conf.blocks_per_folio]
    folio.dirty |= 1 << (block % k.conf.blocks_per_folio)


def map_written_buffers(k: Kernel, inode: Inode, first: int, last: int) -> None:
    """->get_block of a write: buffers over written blocks are mapped from now on.

    kernel: ext4_da_get_block_prep(): delayed and unwritten ones stay to be mapped by writeback.
    """
    for b in range(first, last + 1):
        if inode.raw.extent[b].state == WRITTEN:
            inode.folio[b // k.conf.blocks_per_folio].mapped |= 1 << (b % k.conf.blocks_per_folio)


def zero_in_block(k: Kernel, inode: Inode, start: int, stop: int) -> int:
    """Zero cells ``start``..``stop`` of one block in the page cache; 1 if the block is dirty now.

    kernel: ext4_iomap_block_zero_range(), iomap_zero_range(): a hole has nothing to zero, nor has a
    clean unwritten block.
    """
    block = start // k.conf.cells_per_block
    folio = inode.folio[block // k.conf.blocks_per_folio]
    status = ext4_es_status(k, inode, block)
    if status == HOLE:
        return 0
    if status == UNWRITTEN and folio.dirty == 0 and folio.writeback == 0:
        return 0
    fill_block(k, inode, block)
    if not k.conf.mutant.no_tail_zeroing:
        for c in range(start, stop):
            inode.page[c] = ZERO
    dirty_block(k, inode, block)
    if not inode.buffered_iomap:
        map_written_buffers(k, inode, block, block)
    return 1


def orders_data(k: Kernel, inode: Inode) -> int:
    """kernel: ext4_should_order_data(): false for inodes on the iomap path."""
    return not inode.buffered_iomap or k.conf.orders_iomap


def ext4_jbd2_inode_add_write(k: Kernel, current: int, inode: Inode) -> Path[None]:
    """File the inode on the running transaction, in a handle of its own.  kernel: same name."""
    error = yield from ext4_journal_start(k, current)
    if error == OK:
        inode.on_running_list = 1
        ext4_journal_stop(k, current)


def first_after_disksize(k: Kernel, inode: Inode) -> int:
    """Return i_disksize rounded up to a block."""
    per_block = k.conf.cells_per_block
    return (inode.i_disksize + per_block - 1) // per_block * per_block


def ext4_iomap_mark_disksize_pending(
    k: Kernel, current: int, inode: Inode, block: int
) -> Path[None]:
    """The zeroed EOF block has to be written before sizes may pass.  kernel: same name, v5.

    Writeback may have taken the zeroed folio before it is locked again: nothing is pending then.
    """
    folio = inode.folio[block // k.conf.blocks_per_folio]
    yield from folio_lock(k, current, folio)
    yield from folio_wait_writeback(k, folio)
    if folio.dirty:
        inode.disksize_grow_pending = 1
    folio_unlock(k, folio)


def ext4_block_zero_eof(
    k: Kernel, current: int, inode: Inode, size: int, extends: int
) -> Path[None]:
    """Zero the rest of the block that ``size`` ends in, no handle.  kernel: 7.x, same name."""
    if size % k.conf.cells_per_block == 0:
        return
    block = size // k.conf.cells_per_block
    yield from folio_lock(k, current, inode.folio[block // k.conf.blocks_per_folio])
    zeroed = zero_in_block(k, inode, size, (block + 1) * k.conf.cells_per_block)
    if zeroed and extends:
        mark_eof_block(k, inode)
    folio_unlock(k, inode.folio[block // k.conf.blocks_per_folio])
    if zeroed and orders_data(k, inode) and inode.raw.extent[block].state == WRITTEN:
        yield from ext4_jbd2_inode_add_write(k, current, inode)
    if zeroed and submits_zeroed_gap(k):
        yield from ext4_iomap_submit_zero_block(k, current, inode, block)
    if zeroed and k.conf.eof_rule == EOF_PENDING and inode.buffered_iomap:
        if size < first_after_disksize(k, inode):
            yield from ext4_iomap_mark_disksize_pending(k, current, inode, block)


def iomap_write_end(k: Kernel, i: int, start: int, stop: int, colour: int) -> None:
    """Copy cells ``start``..``stop`` into the locked folio, dirty them, move i_size.

    kernel: iomap_write_iter(), iomap_write_end().  An append within the EOF block counts as an
    extension for the hold-back rule: the rest of that block becomes part of the file.
    """
    inode = k.inode[i]
    if stop > inode.i_size and start <= inode.i_size:
        mark_eof_block(k, inode)
    for c in range(start, stop):
        inode.page[c] = colour
        note_write(k, i, c, colour)
        dirty_block(k, inode, c // k.conf.cells_per_block)
    inode.i_size = max(inode.i_size, stop)
    last = (stop - 1) // k.conf.cells_per_block
    if k.conf.mutant.disksize_at_write and inode.raw.extent[last].state == WRITTEN:
        inode.i_disksize = max(inode.i_disksize, stop)


def zero_exposed_range(k: Kernel, inode: Inode, f: int, start: int, stop: int) -> None:
    """Zero the part of a dirty folio that a size extension just made part of the file."""
    if inode.folio[f].dirty == 0:
        return
    for c in range(start, min(stop, folio_end_cells(k, f))):
        inode.page[c] = ZERO


def pagecache_isize_extended(
    k: Kernel, current: int, inode: Inode, start: int, stop: int
) -> Path[None]:
    """The size grew from ``start``, nothing is written up to ``stop``.  kernel: same name, 6.13+.

    Matters only for folios of several blocks: stores past EOF may sit in the blocks behind the EOF
    block.  Runs after i_size moved and the folio was unlocked.
    """
    per_block = k.conf.cells_per_block
    rounded = (start + per_block - 1) // per_block * per_block
    if k.conf.blocks_per_folio == 1 or stop <= rounded or rounded % k.conf.cells_per_folio == 0:
        return
    yield from folio_lock(k, current, inode.folio[start // k.conf.cells_per_folio])
    zero_exposed_range(k, inode, start // k.conf.cells_per_folio, start, stop)
    folio_unlock(k, inode.folio[start // k.conf.cells_per_folio])


def ext4_should_retry_alloc(k: Kernel, retries: int) -> int:
    """Tell whether another try may find space.  kernel: ext4_should_retry_alloc(), at most 3."""
    if retries == 3:
        return 0
    if s_mb_free_pending(k):
        return 1
    return ext4_has_free_clusters(k, 1)


def ext4_iomap_get_blocks(
    k: Kernel, current: int, inode: Inode, first: int, last: int
) -> Path[int]:
    """->iomap_begin of a nodelalloc write: allocate unwritten, and stop the handle again.

    kernel: same name; neither throttling nor the folio lock may be waited for under the handle (the
    mutant keeps it).  Returns OK, ENOSPC or EROFS.
    """
    if unmapped_blocks(k, inode, first, last) == 0:
        return OK
    error = yield from ext4_journal_start(k, current)
    if error:
        return error
    yield from down_write(k, current, inode.i_data_sem)
    error = allocate_blocks(k, inode, first, last, UNWRITTEN)
    up_write(k, inode.i_data_sem)
    ext4_mark_inode_dirty(k, current, inode)
    if error or not k.conf.mutant.write_keeps_handle:
        ext4_journal_stop(k, current)
    return error


def map_for_write(k: Kernel, current: int, inode: Inode, first: int, last: int) -> Path[int]:
    """One ->iomap_begin, delalloc or not."""
    if k.conf.nodelalloc:
        return (yield from ext4_iomap_get_blocks(k, current, inode, first, last))
    return (yield from ext4_da_map_blocks(k, current, inode, first, last))


def reserve_blocks(k: Kernel, current: int, inode: Inode, first: int, last: int) -> Path[int]:
    """->iomap_begin of a write: reserve or allocate, on ENOSPC force a commit and retry."""
    retries = 0
    while True:
        error = yield from map_for_write(k, current, inode, first, last)
        if error != ENOSPC or not ext4_should_retry_alloc(k, retries):
            return error
        retries += 1
        if s_mb_free_pending(k):
            yield from jbd2_journal_force_commit_nested(k, current)


def iomap_file_buffered_write(
    k: Kernel, current: int, i: int, pos: int, end: int, colour: int
) -> Path[None]:
    """Write cells ``pos``..``end`` folio by folio.  kernel: iomap_file_buffered_write()."""
    inode = k.inode[i]
    for f in range(k.conf.nr_folios):
        start = max(pos, f * k.conf.cells_per_folio)
        stop = min(end, (f + 1) * k.conf.cells_per_folio)
        if start < stop:
            error = yield from reserve_blocks(
                k, current, inode,
                start // k.conf.cells_per_block, (stop - 1) // k.conf.cells_per_block,
            )  # fmt: skip
            if error:
                return
            yield from folio_lock(k, current, inode.folio[f])
            old_size = inode.i_size
            fill_for_write(k, inode, start, stop)
            iomap_write_end(k, i, start, stop, colour)
            folio_unlock(k, inode.folio[f])
            if inode.raw.size < inode.i_disksize and k.conf.mutant.disksize_at_write:
                error = yield from ext4_journal_start(k, current)
                if error:
                    return
                ext4_mark_inode_dirty(k, current, inode)
            if k.journal.t_updates & (1 << current):
                ext4_journal_stop(k, current)
            if old_size < start:
                yield from pagecache_isize_extended(k, current, inode, old_size, start)


def writes_into_mapped_buffer(k: Kernel, inode: Inode, stop: int) -> int:
    """kernel: ext4_da_should_update_i_disksize(): the last buffer needs no mapping."""
    last = (stop - 1) // k.conf.cells_per_block
    return stop > inode.i_disksize and buffer_is_mapped(k, inode, last)


def zero_new_buffer(k: Kernel, inode: Inode, block: int) -> None:
    """A block that a failing write got stays, with zeros to write.

    kernel: folio_zero_new_buffers(); of an up-to-date folio nothing is zeroed.
    """
    dirty_block(k, inode, block)
    map_written_buffers(k, inode, block, block)


def get_written_block(k: Kernel, inode: Inode, block: int) -> int:
    """Make ``block`` a written one: allocate it, or convert it at once.

    kernel: ext4_get_block(), ext4_ext_convert_to_initialized(): only dioread_nolock, which needs
    delayed allocation, waits for the data.  What the new buffer has outside the write is zero.
    """
    zero_new_block(k, inode, block)
    if inode.raw.extent[block].state == UNWRITTEN:
        return convert_blocks(k, inode, block, 1)
    return allocate_blocks(k, inode, block, block, WRITTEN)


def get_blocks_for_write(k: Kernel, current: int, inode: Inode, first: int, last: int) -> Path[int]:
    """->write_begin under the folio lock: reserve, or with nodelalloc get *written* blocks.

    kernel: ext4_da_get_block_prep(); ext4_get_block(), which files the inode as ordered data.
    Returns OK or ENOSPC.
    """
    if not k.conf.nodelalloc:
        return (yield from ext4_da_map_blocks(k, current, inode, first, last))
    if not any_unwritten(k, inode, first, last):
        return OK
    yield from down_write(k, current, inode.i_data_sem)
    error = OK
    new = 0
    for b in range(first, last + 1):
        if error == OK and inode.raw.extent[b].state != WRITTEN:
            error = get_written_block(k, inode, b)
            if error == OK:
                new |= 1 << b
    up_write(k, inode.i_data_sem)
    for b in range(first, last + 1):
        if (new >> b) & 1:
            inode.on_running_list = 1
            ext4_mark_inode_dirty(k, current, inode)
            if error:
                zero_new_buffer(k, inode, b)
    return error


def ext4_truncate_failed_write(k: Kernel, current: int, i: int) -> Path[None]:
    """Take away what a failed write left behind i_size.  kernel: same name."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.invalidate_lock)
    yield from truncate_pagecache(k, current, inode, inode.i_size)
    yield from ext4_truncate(k, current, i)
    up_write(k, inode.invalidate_lock)


def ext4_write_failed(k: Kernel, current: int, i: int, f: int, stop: int) -> Path[None]:
    """->write_begin found no blocks for a write up to ``stop``: let go, and cut off what it got.

    kernel: the error paths of ext4_write_begin() and ext4_da_write_begin().  The blocks may be
    committed before the truncate, so the inode is an orphan from this handle on.
    """
    inode = k.inode[i]
    extended = stop > inode.i_size
    folio_unlock(k, inode.folio[f])
    if k.conf.nodelalloc:
        if extended:
            inode.raw.orphan = 1
        ext4_journal_stop(k, current)
    if extended:
        yield from ext4_truncate_failed_write(k, current, i)


def ext4_da_write_folio(
    k: Kernel, current: int, i: int, f: int, start: int, stop: int, colour: int
) -> Path[int]:
    """Get blocks and copy under the folio lock.  kernel: ext4_(da_)write_begin(), write_end().

    An append within a written block raises i_disksize at once; the inode is dirtied afterwards in a
    handle of its own.  With nodelalloc one handle is open around it all: handle, then folio lock.
    Returns OK, ENOSPC or EROFS.
    """
    inode = k.inode[i]
    if k.conf.nodelalloc:
        error = yield from ext4_journal_start(k, current)
        if error:
            return error
    yield from folio_lock(k, current, inode.folio[f])
    error = yield from get_blocks_for_write(
        k, current, inode, start // k.conf.cells_per_block, (stop - 1) // k.conf.cells_per_block
    )
    if error:
        yield from ext4_write_failed(k, current, i, f, stop)
        return error
    old_size = inode.i_size
    fill_for_write(k, inode, start, stop)
    iomap_write_end(k, i, start, stop, colour)
    first = start // k.conf.cells_per_block
    map_written_buffers(k, inode, first, (stop - 1) // k.conf.cells_per_block)
    raised = writes_into_mapped_buffer(k, inode, stop)
    if raised:
        yield from down_write(k, current, inode.i_data_sem)
        inode.i_disksize = max(inode.i_disksize, stop)
        up_write(k, inode.i_data_sem)
    folio_unlock(k, inode.folio[f])
    if k.conf.nodelalloc:
        ext4_mark_inode_dirty(k, current, inode)
        ext4_journal_stop(k, current)
        raised = 0
    if old_size < start:
        yield from pagecache_isize_extended(k, current, inode, old_size, start)
    if raised:
        error = yield from ext4_journal_start(k, current)
        if error == OK:
            ext4_mark_inode_dirty(k, current, inode)
            ext4_journal_stop(k, current)
    return OK


def generic_perform_write(
    k: Kernel, current: int, i: int, pos: int, end: int, colour: int
) -> Path[None]:
    """Write cells ``pos``..``end`` on the buffer_head path.  kernel: generic_perform_write()."""
    for f in range(k.conf.nr_folios):
        start = max(pos, f * k.conf.cells_per_folio)
        stop = min(end, (f + 1) * k.conf.cells_per_folio)
        if start < stop:
            retries = 0
            while True:
                error = yield from ext4_da_write_folio(k, current, i, f, start, stop, colour)
                if error == OK:
                    break
                if error != ENOSPC or not ext4_should_retry_alloc(k, retries):
                    return
                retries += 1
                if s_mb_free_pending(k):
                    yield from jbd2_journal_force_commit_nested(k, current)


def ext4_buffered_write_iter(
    k: Kernel, current: int, i: int, pos: int, length: int, colour: int
) -> Path[None]:
    """write(2) of ``length`` cells at ``pos``.  kernel: ext4_buffered_write_iter()."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    if not ext4_emergency_state(k):
        if pos + length > inode.i_size:
            inode.extending = inode.i_size + 1
        if pos > inode.i_size:
            yield from ext4_block_zero_eof(k, current, inode, inode.i_size, 1)
        if inode.buffered_iomap:
            yield from iomap_file_buffered_write(k, current, i, pos, pos + length, colour)
        else:
            yield from generic_perform_write(k, current, i, pos, pos + length, colour)
    inode.extending = 0
    up_write(k, inode.i_rwsem)


def needs_truncation(k: Kernel, inode: Inode, f: int, size: int) -> int:
    """Tell whether folio ``f`` has anything cached behind ``size``, mapped buffers included."""
    if inode.folio[f].dirty or inode.folio[f].writeback or inode.folio[f].mapped:
        return folio_end_cells(k, f) > size
    for c in range(size, folio_end_cells(k, f)):
        if c >= f * k.conf.cells_per_folio and inode.page[c] != ZERO:
            return 1
    return 0


def truncate_folio(k: Kernel, inode: Inode, f: int, size: int) -> None:
    """Zero the part of a partial folio behind ``size``, or drop a folio that is wholly behind.

    A partial invalidation discards the buffers of the cut blocks (block_invalidate_folio()) but
    leaves the ifs dirty bits set (iomap_invalidate_folio()).
    """
    for c in range(f * k.conf.cells_per_folio, folio_end_cells(k, f)):
        if c >= size:
            inode.page[c] = ZERO
    for b in range(k.conf.nr_blocks):
        if b // k.conf.blocks_per_folio == f and b * k.conf.cells_per_block >= size:
            inode.folio[f].mapped &= ~(1 << (b % k.conf.blocks_per_folio))
            if not inode.buffered_iomap:
                inode.folio[f].dirty &= ~(1 << (b % k.conf.blocks_per_folio))
    if f * k.conf.cells_per_folio >= size:
        inode.folio[f].dirty = 0


def truncate_pagecache(k: Kernel, current: int, inode: Inode, size: int) -> Path[None]:
    """Drop cached pages behind ``size``; waits for their writeback.  kernel: same name."""
    for f in range(k.conf.nr_folios):
        if not is_cached(k, inode, f):
            truncate_folio(k, inode, f, size)
        elif needs_truncation(k, inode, f, size):
            yield from folio_lock(k, current, inode.folio[f])
            if not k.conf.mutant.truncate_no_writeback_wait:
                yield from folio_wait_writeback(k, inode.folio[f])
            truncate_folio(k, inode, f, size)
            folio_unlock(k, inode.folio[f])


def set_disksize(k: Kernel, inode: Inode, size: int) -> None:
    """Set i_disksize for a truncate; a raise obeys the design's EOF rule."""
    if size <= inode.i_disksize:
        inode.i_disksize = size
        inode.disksize_grow_pending = 0
        unmark_all(k, inode, size)
        return
    if inode.disksize_grow_pending:
        return
    if k.conf.eof_rule == EOF_ORDERED_GAP and inode.i_ordered_lblk:
        return
    if size < inode.i_size:
        unmark_cut(k, inode, size)
    allowed = min(size, disksize_limit(k, inode))
    if allowed < size:
        inode.held_size = size
    inode.i_disksize = max(inode.i_disksize, allowed)


def ext4_set_inode_size(k: Kernel, current: int, inode: Inode, size: int) -> Path[None]:
    """i_disksize and i_size change in one i_data_sem section.  kernel: ext4_setattr(), 7.x."""
    yield from down_write(k, current, inode.i_data_sem)
    set_disksize(k, inode, size)
    if k.conf.mutant.split_size_update:
        up_write(k, inode.i_data_sem)
        yield from down_write(k, current, inode.i_data_sem)
    inode.i_size = size
    up_write(k, inode.i_data_sem)


def ext4_truncate(k: Kernel, current: int, i: int) -> Path[None]:
    """Zero the new tail and remove the blocks behind i_size.  kernel: ext4_truncate(), 7.x.

    ext4_ext_truncate() raises i_disksize to i_size, which matters only after a failed write.
    """
    inode = k.inode[i]
    error = OK
    if k.conf.mutant.zero_under_handle_truncate:
        error = yield from ext4_journal_start(k, current)
    yield from ext4_block_zero_eof(k, current, inode, inode.i_size, 0)
    if not k.conf.mutant.zero_under_handle_truncate:
        error = yield from ext4_journal_start(k, current)
    if error:
        return
    inode.raw.orphan = 1
    yield from down_write(k, current, inode.i_data_sem)
    if not inode.buffered_iomap:
        inode.i_disksize = inode.i_size
    first = (inode.i_size + k.conf.cells_per_block - 1) // k.conf.cells_per_block
    ext4_es_remove_extent(k, inode, first, k.conf.nr_blocks - 1)
    ext4_ext_remove_space(k, inode, first)
    up_write(k, inode.i_data_sem)
    inode.raw.orphan = inode.raw.deleted
    ext4_mark_inode_dirty(k, current, inode)
    ext4_journal_stop(k, current)


def ext4_begin_ordered_truncate(k: Kernel, current: int, inode: Inode, size: int) -> Path[int]:
    """Start to write what a commit in progress needs of the data behind ``size``.

    kernel: same name, jbd2_journal_begin_ordered_truncate(): only if the inode's transaction is the
    committing one.  Nothing is waited for but folios under writeback that are dirty again; who
    drops the pages then waits.  Returns OK or the error of writeback, which aborts the journal.
    """
    if k.conf.mutant.no_ordered_truncate or not orders_data(k, inode):
        return OK
    if inode.on_committing_list == 0:
        return OK
    error = yield from do_writepages(k, current, inode, 1, size // k.conf.cells_per_folio)
    if error:
        jbd2_journal_abort(k)
    return error


def ext4_setattr(k: Kernel, current: int, i: int, size: int) -> Path[None]:
    """truncate(2) to ``size``.  kernel: ext4_setattr(), 7.x; the inode is an orphan meanwhile."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    if size < inode.i_size:
        error = yield from ext4_begin_ordered_truncate(k, current, inode, size)
        if error:
            up_write(k, inode.i_rwsem)
            return
    yield from down_write(k, current, inode.invalidate_lock)
    if size < inode.i_size:
        note_removal_begins(k, i, size)
    elif size > inode.i_size:
        inode.extending = inode.i_size + 1
        yield from ext4_block_zero_eof(k, current, inode, inode.i_size, 1)
    error = yield from ext4_journal_start(k, current)
    if error == OK:
        old_size = inode.i_size
        shrinks = size <= old_size
        if shrinks and not k.conf.mutant.no_orphan:
            inode.raw.orphan = 1
        if size < old_size:
            note_removed(k, i, size)
        yield from ext4_set_inode_size(k, current, inode, size)
        ext4_mark_inode_dirty(k, current, inode)
        if k.conf.mutant.truncate_under_handle:
            yield from truncate_pagecache(k, current, inode, size)
        ext4_journal_stop(k, current)
        if size > old_size:
            yield from pagecache_isize_extended(k, current, inode, old_size, size)
        yield from truncate_pagecache(k, current, inode, size)
        if shrinks:
            yield from ext4_truncate(k, current, i)
    note_removal_ends(k, i)
    inode.extending = 0
    up_write(k, inode.invalidate_lock)
    up_write(k, inode.i_rwsem)
