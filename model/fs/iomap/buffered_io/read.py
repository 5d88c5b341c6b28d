"""What brings a block of a folio into memory.

Mirrors the read side of fs/iomap/buffered-io.c, and ext4_mpage_readpages() for buffer_heads.  A
read, a fault or a write of a part of a block fills the block through the extent tree: a hole, an
unwritten block, or a block that begins at or behind i_size is zeros, a written one is what the
device holds.  A write of a whole block reads nothing.

The fill belongs to the step that takes the folio lock: whoever could change the blocks or their
content meanwhile has to wait for the folio (a clean folio has no bio), and the disk read waits for
nobody.

Not modelled: failing reads; readahead of neighbours (a folio may come back at any time anyway).
"""

from powercut.model.oracle import note_filled
from powercut.model.state import WRITTEN, ZERO, Folio, Inode, Kernel


def blocks_of_folio(k: Kernel, f: int) -> int:
    """Return the mask of the blocks that folio ``f`` has."""
    first = f * k.conf.blocks_per_folio
    return (1 << (min(first + k.conf.blocks_per_folio, k.conf.nr_blocks) - first)) - 1


def is_cached(k: Kernel, inode: Inode, f: int) -> int:
    """Tell whether the page cache has folio ``f``."""
    return inode.folio[f].absent != blocks_of_folio(k, f)


def is_absent(k: Kernel, inode: Inode, block: int) -> int:
    """Tell whether ``block`` is not up to date in memory."""
    folio = inode.folio[block // k.conf.blocks_per_folio]
    return (folio.absent >> (block % k.conf.blocks_per_folio)) & 1


def mark_block_uptodate(k: Kernel, folio: Folio, block: int) -> None:
    """Say that memory has ``block`` of ``folio``."""
    folio.absent &= ~(1 << (block % k.conf.blocks_per_folio))


def device_colour(k: Kernel, inode: Inode, block: int, c: int) -> int:
    """Return what a read of cell ``c`` of ``block`` brings.

    kernel: iomap_read_folio() and iomap_block_needs_zeroing(); ext4_mpage_readpages().
    """
    per_block = k.conf.cells_per_block
    if inode.raw.extent[block].state != WRITTEN or block * per_block >= inode.i_size:
        return ZERO
    colour = k.device.cached[inode.raw.extent[block].pblk * per_block + c]
    assert colour
    assert colour & (colour - 1) == 0
    return colour


def fill_block(k: Kernel, inode: Inode, block: int) -> None:
    """Make ``block`` of a locked folio up to date.  kernel: iomap_bio_read_folio_range_sync()."""
    if not is_absent(k, inode, block):
        return
    folio = inode.folio[block // k.conf.blocks_per_folio]
    mark_block_uptodate(k, folio, block)
    for c in range(k.conf.cells_per_block):
        cell = block * k.conf.cells_per_block + c
        colour = device_colour(k, inode, block, c)
        note_filled(k, inode, cell, colour)
        inode.page[cell] = colour


def fill_folio(k: Kernel, inode: Inode, f: int) -> None:
    """Make all of locked folio ``f`` up to date.  kernel: ->read_folio()."""
    first = f * k.conf.blocks_per_folio
    for b in range(first, min(first + k.conf.blocks_per_folio, k.conf.nr_blocks)):
        fill_block(k, inode, b)


def zero_new_block(k: Kernel, inode: Inode, block: int) -> None:
    """A block has just been allocated written: nothing of what is on disk may be read.

    kernel: ext4_block_write_begin(): what the write leaves out of a new block is zeroed,
    unless the folio is up to date.
    """
    folio = inode.folio[block // k.conf.blocks_per_folio]
    if not is_absent(k, inode, block):
        return
    mark_block_uptodate(k, folio, block)
    for c in range(block * k.conf.cells_per_block, (block + 1) * k.conf.cells_per_block):
        inode.page[c] = ZERO


def fill_for_write(k: Kernel, inode: Inode, start: int, stop: int) -> None:
    """Prepare the blocks of one locked folio for a write of cells ``start``..``stop``.

    kernel: __iomap_write_begin(), ext4_block_write_begin().
    """
    per_block = k.conf.cells_per_block
    for b in range(start // per_block, (stop - 1) // per_block + 1):
        whole = start <= b * per_block and (b + 1) * per_block <= stop
        if is_absent(k, inode, b) and whole:
            folio = inode.folio[b // k.conf.blocks_per_folio]
            mark_block_uptodate(k, folio, b)
            for c in range(b * per_block, (b + 1) * per_block):
                inode.page[c] = ZERO
        fill_block(k, inode, b)
