"""Zeroing in the page cache: the EOF block, and the edges of a range.

Mirrors ext4_block_zero_eof() and ext4_zero_partial_blocks() of fs/ext4/inode.c, 7.x: no handle is
open around them.
"""

from powercut.model.fs.buffer import dirty_block
from powercut.model.fs.ext4.eof import first_after_disksize, mark_eof_block, submits_zeroed_gap
from powercut.model.fs.ext4.ext4_jbd2 import ext4_jbd2_inode_add_write, ext4_should_order_data
from powercut.model.fs.ext4.extents_status import block_status
from powercut.model.fs.ext4.inode.buffers import map_written_buffers
from powercut.model.fs.ext4.inode.iomap_writepages import ext4_iomap_submit_zero_block
from powercut.model.fs.iomap.buffered_io.read import fill_block
from powercut.model.kernel.primitives import folio_lock, folio_unlock, folio_wait_writeback
from powercut.model.language import Path
from powercut.model.state import EOF_PENDING, HOLE, UNWRITTEN, WRITTEN, ZERO, Inode, Kernel


def zero_in_block(k: Kernel, inode: Inode, start: int, stop: int) -> int:
    """Zero cells ``start``..``stop`` of one block in the page cache; 1 if the block is dirty now.

    kernel: ext4_iomap_block_zero_range(), iomap_zero_range(): a hole has nothing to zero, nor has a
    clean unwritten block.
    """
    block = start // k.conf.cells_per_block
    folio = inode.folio[block // k.conf.blocks_per_folio]
    status = block_status(k, inode, block)
    if status == HOLE:
        return 0
    if status == UNWRITTEN and folio.dirty == 0 and folio.writeback == 0:
        return 0
    fill_block(k, inode, block)
    for c in range(start, stop):
        inode.page[c] = ZERO
    dirty_block(k, inode, block)
    if not inode.buffered_iomap:
        map_written_buffers(k, inode, block, block)
    return 1


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
    if zeroed and ext4_should_order_data(k, inode) and inode.raw.extent[block].state == WRITTEN:
        yield from ext4_jbd2_inode_add_write(k, current, inode, block)
    if zeroed and submits_zeroed_gap(k):
        yield from ext4_iomap_submit_zero_block(k, current, inode, block)
    if zeroed and k.conf.eof_rule == EOF_PENDING and inode.buffered_iomap:
        if size < first_after_disksize(k, inode):
            yield from ext4_iomap_mark_disksize_pending(k, current, inode, block)


def zero_edge(k: Kernel, current: int, inode: Inode, start: int, stop: int) -> Path[None]:
    """Zero a partial block under its folio lock, without a handle."""
    f = start // k.conf.cells_per_folio
    yield from folio_lock(k, current, inode.folio[f])
    zero_in_block(k, inode, start, stop)
    folio_unlock(k, inode.folio[f])


def ext4_zero_partial_blocks(
    k: Kernel, current: int, inode: Inode, start: int, stop: int
) -> Path[None]:
    """Zero the unaligned edges of cells ``start``..``stop``.  kernel: same name."""
    per_block = k.conf.cells_per_block
    if start % per_block:
        yield from zero_edge(
            k, current, inode, start, min(stop, (start // per_block + 1) * per_block)
        )
    if stop % per_block and (start // per_block != stop // per_block or start % per_block == 0):
        yield from zero_edge(k, current, inode, stop // per_block * per_block, stop)
