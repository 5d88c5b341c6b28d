"""The ->write_begin() and ->write_end() of a buffer_head inode.

Mirrors ext4_da_write_begin() and ext4_da_write_end() of fs/ext4/inode.c, 7.x; with nodelalloc
ext4_write_begin() and ext4_write_end().
"""

from powercut.model.fs.buffer import dirty_block
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.inode.buffers import buffer_is_mapped, map_written_buffers
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.inode.map_blocks import (
    allocate_blocks,
    any_unwritten,
    convert_blocks,
    ext4_da_map_blocks,
)
from powercut.model.fs.ext4.truncate import ext4_truncate_failed_write
from powercut.model.fs.iomap.buffered_io.read import fill_for_write, zero_new_block
from powercut.model.fs.iomap.buffered_io.write import iomap_write_end
from powercut.model.fs.jbd2.transaction import jbd2_journal_file_inode
from powercut.model.kernel.primitives import down_write, folio_lock, folio_unlock, up_write
from powercut.model.language import Path
from powercut.model.mm.truncate import pagecache_isize_extended
from powercut.model.state import OK, UNWRITTEN, WRITTEN, Inode, Kernel


def ext4_da_should_update_i_disksize(k: Kernel, inode: Inode, stop: int) -> int:
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
            jbd2_journal_file_inode(k, inode, b)
            ext4_mark_inode_dirty(k, current, inode)
            if error:
                zero_new_buffer(k, inode, b)
    return error


def undo_failed_write(k: Kernel, current: int, i: int, f: int, stop: int) -> Path[None]:
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


def write_folio(
    k: Kernel, current: int, i: int, f: int, start: int, stop: int, colour: int
) -> Path[int]:
    """Get blocks, copy, unlock the folio.  kernel: ext4_da_write_begin(), ext4_da_write_end().

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
        yield from undo_failed_write(k, current, i, f, stop)
        return error
    old_size = inode.i_size
    fill_for_write(k, inode, start, stop)
    iomap_write_end(k, i, start, stop, colour)
    first = start // k.conf.cells_per_block
    map_written_buffers(k, inode, first, (stop - 1) // k.conf.cells_per_block)
    raised = ext4_da_should_update_i_disksize(k, inode, stop)
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
