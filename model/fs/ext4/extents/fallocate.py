"""Zero range and fallocate: callers whose order of zeroing, handle and locks matters.

Mirrors ext4_zero_range() and ext4_fallocate() of 7.x with the series: the page cache of the range
is dropped first, partial blocks are zeroed in the page cache *before* the handle is started, and
only then the extents change under i_data_sem.  Zeroed edges are not ordered: a crash may show the
old bytes there until they are synced, and nothing here says otherwise.

Not modelled: KEEP_SIZE, collapse and insert range, restarts of a long transaction.
"""

from powercut.model.fs.ext4.balloc import ext4_should_retry_alloc, s_mb_free_pending
from powercut.model.fs.ext4.eof import raise_disksize_in_call
from powercut.model.fs.ext4.ext4 import end_whole_block, ext4_emergency_state, first_whole_block
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.extents_status import ext4_es_remove_extent
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.inode.map_blocks import allocate_blocks
from powercut.model.fs.ext4.inode.punch import ext4_update_disksize_before_punch
from powercut.model.fs.ext4.inode.zero import ext4_block_zero_eof, ext4_zero_partial_blocks
from powercut.model.fs.jbd2.journal.requests import jbd2_journal_force_commit_nested
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.mm.truncate import pagecache_isize_extended, truncate_pagecache_range
from powercut.model.oracle import (
    note_extension_begins,
    note_extension_ends,
    note_range_removal_begins,
    note_range_removed,
    note_removal_ends,
)
from powercut.model.state import ENOSPC, HOLE, OK, TID_RUNNING, UNWRITTEN, WRITTEN, Inode, Kernel


def make_unwritten(k: Kernel, i: int, first: int, end: int) -> None:
    """Turn written blocks into unwritten ones.  kernel: ext4_map_blocks(CONVERT_UNWRITTEN)."""
    inode = k.inode[i]
    ext4_es_remove_extent(k, inode, first, end - 1)
    for b in range(first, end):
        if inode.raw.extent[b].state == WRITTEN:
            inode.raw.extent[b].state = UNWRITTEN
    inode.i_datasync_tid = TID_RUNNING
    note_range_removed(k, i, first * k.conf.cells_per_block, end * k.conf.cells_per_block)


def ext4_zero_range(k: Kernel, current: int, i: int, pos: int, length: int) -> Path[None]:
    """Zero range: whole blocks become unwritten.  kernel: ext4_zero_range(), 7.x.

    The range ends with the EOF block at most.
    """
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    yield from down_write(k, current, inode.invalidate_lock)
    stop = min(pos + length, first_whole_block(k, inode.i_size) * k.conf.cells_per_block)
    if pos < stop and not ext4_emergency_state(k):
        note_range_removal_begins(k, i, pos, stop)
        yield from ext4_update_disksize_before_punch(k, current, inode, pos, stop)
        yield from truncate_pagecache_range(
            k, current, inode, first_whole_block(k, pos), end_whole_block(k, stop)
        )
        yield from ext4_zero_partial_blocks(k, current, inode, pos, stop)
        error = yield from ext4_journal_start(k, current)
        if error == OK:
            yield from down_write(k, current, inode.i_data_sem)
            if first_whole_block(k, pos) < end_whole_block(k, stop):
                make_unwritten(k, i, first_whole_block(k, pos), end_whole_block(k, stop))
            up_write(k, inode.i_data_sem)
            ext4_mark_inode_dirty(k, current, inode)
            ext4_journal_stop(k, current)
        note_removal_ends(k, i)
    up_write(k, inode.invalidate_lock)
    up_write(k, inode.i_rwsem)


def allocate_in_handle(k: Kernel, current: int, inode: Inode, first: int, last: int) -> Path[int]:
    """Allocate what blocks ``first``..``last`` lack, in a handle of its own, as unwritten.

    Returns OK, ENOSPC or EROFS.
    """
    error = yield from ext4_journal_start(k, current)
    if error:
        return error
    yield from down_write(k, current, inode.i_data_sem)
    error = allocate_blocks(k, inode, first, last, UNWRITTEN)
    up_write(k, inode.i_data_sem)
    ext4_mark_inode_dirty(k, current, inode)
    inode.i_datasync_tid = TID_RUNNING
    ext4_journal_stop(k, current)
    return error


def allocated_end(k: Kernel, inode: Inode, first: int, last: int) -> int:
    """Return the first of blocks ``first``..``last`` that is not allocated, or the one behind."""
    for b in range(first, last + 1):
        if inode.raw.extent[b].state == HOLE:
            return b
    return last + 1


def set_allocated_size(k: Kernel, current: int, inode: Inode, end: int) -> Path[None]:
    """Raise both sizes to ``end``, in a handle of their own.  kernel: ext4_update_inode_size().

    i_size moves without i_data_sem, under i_rwsem; i_disksize obeys the design's EOF rule.
    """
    error = yield from ext4_journal_start(k, current)
    if error:
        return
    old_size = inode.i_size
    inode.i_size = max(inode.i_size, end)
    if end > inode.i_disksize:
        yield from down_write(k, current, inode.i_data_sem)
        raise_disksize_in_call(k, inode, end)
        up_write(k, inode.i_data_sem)
    ext4_mark_inode_dirty(k, current, inode)
    inode.i_datasync_tid = TID_RUNNING
    ext4_journal_stop(k, current)
    if end > old_size:
        yield from pagecache_isize_extended(k, current, inode, old_size, end)


def ext4_alloc_file_blocks(
    k: Kernel, current: int, inode: Inode, pos: int, stop: int
) -> Path[None]:
    """Allocate, then raise the sizes as far as blocks were found.  kernel: same name, 7.x.

    The old EOF block is zeroed first.  The kernel takes a handle for each extent it gets; here one
    takes all there are.  On ENOSPC it commits and tries again where that may free blocks.
    """
    extends = stop > inode.i_size or stop > inode.i_disksize
    if stop > inode.i_size:
        yield from ext4_block_zero_eof(k, current, inode, inode.i_size, 1)
    first = pos // k.conf.cells_per_block
    last = first_whole_block(k, stop) - 1
    retries = 0
    while True:
        error = yield from allocate_in_handle(k, current, inode, first, last)
        if error != ENOSPC or not ext4_should_retry_alloc(k, retries):
            break
        retries += 1
        if s_mb_free_pending(k):
            yield from jbd2_journal_force_commit_nested(k, current)
    end = allocated_end(k, inode, first, last)
    if extends and end > first:
        yield from set_allocated_size(k, current, inode, min(end * k.conf.cells_per_block, stop))


def ext4_fallocate(k: Kernel, current: int, i: int, pos: int, length: int) -> Path[None]:
    """fallocate(2), mode 0.  kernel: ext4_fallocate(), ext4_do_fallocate()."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    error = ext4_emergency_state(k)
    if error == OK and pos + length > inode.i_size:
        note_extension_begins(k, i)
    if error == OK:
        yield from ext4_alloc_file_blocks(k, current, inode, pos, pos + length)
    note_extension_ends(k, i)
    up_write(k, inode.i_rwsem)
