"""data=ordered: what a commit does with the data of the inodes on its list.

Mirrors journal_submit_data_buffers() and journal_finish_inode_data_buffers() of fs/jbd2/commit.c
with ext4's callbacks: the commit thread takes folio locks, waits for earlier writeback under them,
submits buffers that are already mapped, never starts a handle, and waits for the writeback of every
folio before the record is written.  Iomap inodes must never be on the list.
"""

from powercut.model.language import Path
from powercut.model.primitives import folio_lock, folio_unlock, folio_wait_writeback
from powercut.model.state import (
    HOLE,
    IOEND_NONE,
    IOEND_SUBMITTED,
    KJOURNALD,
    UNWRITTEN,
    WRITTEN,
    ZERO,
    Folio,
    Inode,
    Kernel,
)


def block_is_dirty(k: Kernel, folio: Folio, block: int) -> int:
    """Tell whether the buffer of logical ``block`` is dirty."""
    return (folio.dirty >> (block % k.conf.blocks_per_folio)) & 1


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
    folio = inode.folio[block // k.conf.blocks_per_folio]
    return (folio.mapped >> (block % k.conf.blocks_per_folio)) & 1


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
            folio.dirty &= ~bit
            folio.absent &= ~bit
        elif block_is_dirty(k, folio, b) and buffer_is_mapped(k, inode, b):
            submit_buffer(k, inode, b, converts & bit)


def submit_buffer(k: Kernel, inode: Inode, block: int, convert: int) -> None:
    """Submit ``block`` alone as a bio.  kernel: io_submit_add_bh()."""
    folio = inode.folio[block // k.conf.blocks_per_folio]
    extent = inode.raw.extent[block]
    assert extent.state != HOLE
    ioend = inode.ioend[block]
    assert ioend.state == IOEND_NONE
    ioend.state = IOEND_SUBMITTED
    ioend.nr_blocks = 1
    ioend.pblk = extent.pblk
    ioend.unwritten = extent.state == UNWRITTEN and convert != 0
    ioend.own_end_io = 1
    folio.dirty &= ~(1 << (block % k.conf.blocks_per_folio))
    folio.writeback = 1
    folio.write_bytes_pending += 1


def journal_submit_data_buffers(k: Kernel) -> Path[None]:
    """Write the mapped dirty data of the transaction's inodes.  kernel: same name."""
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            if k.inode[i].on_committing_list and k.inode[i].folio[f].dirty:
                yield from folio_lock(k, KJOURNALD, k.inode[i].folio[f])
                if k.inode[i].folio[f].dirty:
                    yield from folio_wait_writeback(k, k.inode[i].folio[f])
                    mpage_submit_folio(k, k.inode[i], f, 0)
                folio_unlock(k, k.inode[i].folio[f])


def journal_finish_inode_data_buffers(k: Kernel) -> Path[None]:
    """Wait for the writeback of the transaction's inodes; only then all leave the list.

    kernel: same name.
    """
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            if k.inode[i].on_committing_list:
                yield from folio_wait_writeback(k, k.inode[i].folio[f])
    for i in range(k.conf.nr_inodes):
        k.inode[i].on_committing_list = 0
