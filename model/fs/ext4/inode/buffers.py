"""Buffers of a folio, and the submission of those that are mapped.

Mirrors mpage_submit_folio() of fs/ext4/inode.c.
"""

from powercut.model.fs.buffer import (
    block_is_dirty,
    buffer_mapped,
    clear_buffer_dirty,
    set_buffer_mapped,
)
from powercut.model.fs.ext4.page_io.submit import io_submit_add_bh
from powercut.model.fs.iomap.buffered_io.read import mark_block_uptodate
from powercut.model.state import WRITTEN, ZERO, Inode, Kernel


def first_block(k: Kernel, f: int) -> int:
    """Return the first block of folio ``f``."""
    return f * k.conf.blocks_per_folio


def end_block(k: Kernel, inode: Inode, f: int) -> int:
    """Return the block after the last one of folio ``f`` that EOF allows to be written."""
    eof = (inode.i_size + k.conf.cells_per_block - 1) // k.conf.cells_per_block
    return min((f + 1) * k.conf.blocks_per_folio, eof)


def length_to_write(k: Kernel, inode: Inode, f: int) -> int:
    """Return how much of folio ``f`` is written, in cells from its start.

    kernel: mpage_submit_folio(), since the folio conversion of 2023.  EOF's place in a folio is
    taken for that in any folio that ends behind it, so of one wholly behind EOF as much is written
    as of EOF's own.
    """
    if (f + 1) * k.conf.cells_per_folio <= inode.i_size:
        return k.conf.cells_per_folio
    return inode.i_size % k.conf.cells_per_folio


def buffer_is_mapped(k: Kernel, inode: Inode, block: int) -> int:
    """Tell whether logical ``block`` needs no mapping before it can be written.

    An iomap inode has no buffers; were it on an ordered list, a written extent would be enough.
    """
    if inode.buffered_iomap:
        return inode.raw.extent[block].state == WRITTEN
    return buffer_mapped(k, inode.folio[block // k.conf.blocks_per_folio], block)


def mpage_submit_folio(k: Kernel, inode: Inode, f: int, converts: int) -> None:
    """Submit the mapped dirty buffers of locked folio ``f``.  kernel: ext4_bio_write_folio().

    What is not to be written is zeroed in memory, its buffers clean; buffers that are not mapped
    stay dirty.  ``converts`` has the blocks whose io_end carries a reserved handle: they are
    converted, if unwritten, when the I/O is done.
    """
    folio = inode.folio[f]
    end = f * k.conf.cells_per_folio + length_to_write(k, inode, f)
    for c in range(end, min((f + 1) * k.conf.cells_per_folio, k.conf.nr_cells)):
        inode.page[c] = ZERO
    for b in range(first_block(k, f), min((f + 1) * k.conf.blocks_per_folio, k.conf.nr_blocks)):
        bit = 1 << (b % k.conf.blocks_per_folio)
        if b * k.conf.cells_per_block >= end:
            clear_buffer_dirty(k, folio, b)
            mark_block_uptodate(k, folio, b)
        elif block_is_dirty(k, folio, b) and buffer_is_mapped(k, inode, b):
            io_submit_add_bh(k, inode, b, converts & bit)


def map_written_buffers(k: Kernel, inode: Inode, first: int, last: int) -> None:
    """->get_block of a write: buffers over written blocks are mapped from now on.

    kernel: ext4_da_get_block_prep(): delayed and unwritten ones stay to be mapped by writeback.
    """
    for b in range(first, last + 1):
        if inode.raw.extent[b].state == WRITTEN:
            set_buffer_mapped(k, inode.folio[b // k.conf.blocks_per_folio], b)
