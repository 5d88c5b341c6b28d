"""Punch hole: a caller whose order of zeroing, handle and locks matters.

Mirrors ext4_punch_hole() of fs/ext4/inode.c, 7.x with the series; ``model.fs.ext4.extents
.fallocate`` has ext4_zero_range(), to be read beside it.
"""

from powercut.model.fs.ext4.eof import raise_disksize_in_call
from powercut.model.fs.ext4.ext4 import end_whole_block, ext4_emergency_state, first_whole_block
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.extents.tree import ext4_ext_remove_space
from powercut.model.fs.ext4.extents_status import ext4_es_remove_extent
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.inode.zero import ext4_zero_partial_blocks
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.mm.filemap import filemap_write_and_wait_range
from powercut.model.mm.truncate import truncate_pagecache_range
from powercut.model.oracle import note_range_removal_begins, note_range_removed, note_removal_ends
from powercut.model.state import OK, TID_RUNNING, Inode, Kernel


def ext4_iomap_sync_zeroed_eof(
    k: Kernel, current: int, inode: Inode, start: int, stop: int
) -> Path[None]:
    """Write a pending EOF block that the range covers, so that sizes may pass.

    kernel: same name, v5.  Outside any handle, under i_rwsem.
    """
    per_block = k.conf.cells_per_block
    block = inode.i_disksize // per_block
    if (
        inode.disksize_grow_pending
        and start <= inode.i_disksize
        and (block + 1) * per_block <= stop
    ):
        yield from filemap_write_and_wait_range(
            k, current, inode, inode.i_disksize, (block + 1) * per_block
        )
        assert inode.disksize_grow_pending == 0


def ext4_update_disksize_before_punch(
    k: Kernel, current: int, inode: Inode, start: int, stop: int
) -> Path[None]:
    """Dirty data past the range that is dropped would never raise i_disksize: do it now."""
    yield from ext4_iomap_sync_zeroed_eof(k, current, inode, start, stop)
    if inode.i_disksize >= min(inode.i_size, stop):
        return
    error = yield from ext4_journal_start(k, current)
    if error:
        return
    yield from down_write(k, current, inode.i_data_sem)
    raise_disksize_in_call(k, inode, min(inode.i_size, stop))
    up_write(k, inode.i_data_sem)
    ext4_mark_inode_dirty(k, current, inode)
    ext4_journal_stop(k, current)


def end_of_hole(k: Kernel, inode: Inode, pos: int, length: int) -> int:
    """Return where a hole really ends; ``pos`` if it begins behind EOF.

    A hole that reaches i_size is *extended* to the end of that block, so that there is no tail to
    zero.
    """
    if pos >= inode.i_size:
        return pos
    if pos + length >= inode.i_size:
        return first_whole_block(k, inode.i_size) * k.conf.cells_per_block
    return pos + length


def remove_blocks(k: Kernel, i: int, first: int, end: int) -> None:
    """Take blocks ``first``..``end`` out of both trees, in the caller's handle."""
    inode = k.inode[i]
    ext4_es_remove_extent(k, inode, first, end - 1)
    ext4_ext_remove_space(k, inode, first, end)
    inode.i_datasync_tid = TID_RUNNING
    note_range_removed(k, i, first * k.conf.cells_per_block, end * k.conf.cells_per_block)


def ext4_punch_hole(k: Kernel, current: int, i: int, pos: int, length: int) -> Path[None]:
    """Punch hole: whole blocks leave the tree.  kernel: ext4_punch_hole(), 7.x.

    From v5 on a punch of an iomap inode lets no bio be in flight when blocks are removed.
    """
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    yield from down_write(k, current, inode.invalidate_lock)
    stop = end_of_hole(k, inode, pos, length)
    if pos < stop and not ext4_emergency_state(k):
        note_range_removal_begins(k, i, pos, stop)
        yield from ext4_update_disksize_before_punch(k, current, inode, pos, stop)
        yield from truncate_pagecache_range(
            k, current, inode, first_whole_block(k, pos), end_whole_block(k, stop)
        )
        yield from ext4_zero_partial_blocks(k, current, inode, pos, stop)
        if k.conf.revision >= 5 and inode.buffered_iomap:
            yield from filemap_write_and_wait_range(k, current, inode, pos, stop)
        error = yield from ext4_journal_start(k, current)
        if error == OK:
            yield from down_write(k, current, inode.i_data_sem)
            if first_whole_block(k, pos) < end_whole_block(k, stop):
                remove_blocks(k, i, first_whole_block(k, pos), end_whole_block(k, stop))
            up_write(k, inode.i_data_sem)
            ext4_mark_inode_dirty(k, current, inode)
            ext4_journal_stop(k, current)
        note_removal_ends(k, i)
    up_write(k, inode.invalidate_lock)
    up_write(k, inode.i_rwsem)
