"""Clean folios leave the page cache, and come back from the disk when somebody needs them.

Mirrors what decides it in mm/vmscan.c, mm/truncate.c and fs/iomap/buffered-io.c: memory reclaim,
drop_caches and invalidation take a folio only if it is unlocked, clean and not under writeback, and
its buffers and block bits go with it.  Then a read, a fault or a write of a part of a block fills
the block through the extent tree: a hole, an unwritten block, or a block that begins at or behind
i_size is zeros, a written one is what the device holds.  A write of a whole block reads nothing.

The fill belongs to the step that takes the folio lock: whoever could change the blocks or their
content meanwhile has to wait for the folio (a clean folio has no bio), and the disk read waits for
nobody.  A bio that failed may have left old or new content; which one is decided before the folio
may go (``settle_failed_write``), because what was read once stays what it is.

Not modelled: failing reads; readahead of neighbours (a folio may come back at any time anyway);
the reference that an operation holds on a folio between looking it up and locking it (were it
evicted in between, the operation would look it up again).
"""

from powercut.model.language import Path
from powercut.model.oracle import note_filled
from powercut.model.primitives import down_read, folio_lock, folio_unlock, up_read
from powercut.model.state import WRITTEN, ZERO, Inode, Kernel


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


def device_colour(k: Kernel, inode: Inode, block: int, c: int) -> int:
    """Return what a read of cell ``c`` of ``block`` brings.

    kernel: iomap_read_folio() and iomap_block_needs_zeroing(); ext4_mpage_readpages().
    """
    per_block = k.conf.cells_per_block
    if inode.raw.extent[block].state != WRITTEN or block * per_block >= inode.i_size:
        return ZERO
    colour = k.cached[inode.raw.extent[block].pblk * per_block + c]
    assert colour
    assert colour & (colour - 1) == 0
    return colour


def fill_block(k: Kernel, inode: Inode, block: int) -> None:
    """Make ``block`` of a locked folio up to date.  kernel: iomap_read_folio_sync()."""
    if not is_absent(k, inode, block):
        return
    folio = inode.folio[block // k.conf.blocks_per_folio]
    folio.absent &= ~(1 << (block % k.conf.blocks_per_folio))
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

    kernel: ext4_block_write_begin(): what the write leaves out of a buffer_new() block is zeroed,
    unless the folio is up to date.
    """
    folio = inode.folio[block // k.conf.blocks_per_folio]
    if k.conf.mutant.reads_new_block or not is_absent(k, inode, block):
        return
    folio.absent &= ~(1 << (block % k.conf.blocks_per_folio))
    for c in range(block * k.conf.cells_per_block, (block + 1) * k.conf.cells_per_block):
        inode.page[c] = ZERO


def fill_for_write(k: Kernel, inode: Inode, start: int, stop: int) -> None:
    """Prepare the blocks of one locked folio for a write of cells ``start``..``stop``.

    kernel: __iomap_write_begin(), ext4_block_write_begin().  The mutant takes every block for a new
    one, whose rest is zero.
    """
    per_block = k.conf.cells_per_block
    for b in range(start // per_block, (stop - 1) // per_block + 1):
        whole = start <= b * per_block and (b + 1) * per_block <= stop
        if is_absent(k, inode, b) and (whole or k.conf.mutant.new_over_written):
            folio = inode.folio[b // k.conf.blocks_per_folio]
            folio.absent &= ~(1 << (b % k.conf.blocks_per_folio))
            for c in range(b * per_block, (b + 1) * per_block):
                inode.page[c] = ZERO
        fill_block(k, inode, b)


def filemap_read(k: Kernel, current: int, inode: Inode, pos: int, length: int) -> Path[None]:
    """read(2) of ``length`` cells at ``pos``: read in what is not cached.  kernel: same name.

    Reading what is cached changes nothing and takes no lock.
    """
    for f in range(k.conf.nr_folios):
        start = max(pos, f * k.conf.cells_per_folio)
        stop = min(min(pos + length, inode.i_size), (f + 1) * k.conf.cells_per_folio)
        if start < stop and inode.folio[f].absent:
            yield from down_read(k, current, inode.invalidate_lock)
            yield from folio_lock(k, current, inode.folio[f])
            if f * k.conf.cells_per_folio < inode.i_size:
                fill_folio(k, inode, f)
            folio_unlock(k, inode.folio[f])
            up_read(k, current, inode.invalidate_lock)


def is_settled(k: Kernel, inode: Inode, f: int) -> int:
    """Tell whether it is decided what the written blocks of folio ``f`` hold on the device."""
    per_block = k.conf.cells_per_block
    first = f * k.conf.blocks_per_folio
    for b in range(first, min(first + k.conf.blocks_per_folio, k.conf.nr_blocks)):
        if inode.raw.extent[b].state == WRITTEN:
            for c in range(per_block):
                colours = k.cached[inode.raw.extent[b].pblk * per_block + c]
                if colours & (colours - 1):
                    return 0
    return 1


def may_evict(k: Kernel, inode: Inode, f: int) -> int:
    """Tell whether folio ``f`` can go.  kernel: mapping_evict_folio(), shrink_folio_list()."""
    folio = inode.folio[f]
    if k.evictions == k.conf.max_evictions or not is_cached(k, inode, f):
        return 0
    if folio.locked or folio.dirty or folio.writeback:
        return 0
    return f * k.conf.cells_per_folio < inode.i_size and is_settled(k, inode, f)


def reclaim(k: Kernel, n: int) -> Path[None]:
    """Reclaim folio ``n`` (numbered through all inodes), whenever it is clean."""
    i = n // k.conf.nr_folios
    f = n % k.conf.nr_folios
    while True:
        yield lambda: may_evict(k, k.inode[i], f)  # folio is reclaimed
        k.evictions += 1
        k.inode[i].folio[f].absent = blocks_of_folio(k, f)
        k.inode[i].folio[f].mapped = 0


def settle_failed_write(k: Kernel, n: int) -> Path[None]:
    """Decide what a failed write left in cell ``n / 2``: not the lowest colour, or only that."""
    cell = n // 2
    while True:
        yield (
            lambda: (
                k.evictions < k.conf.max_evictions and k.cached[cell] & (k.cached[cell] - 1) != 0
            )
        )  # content after a failed write is decided
        rest = k.cached[cell] & (k.cached[cell] - 1)
        if n % 2:
            k.cached[cell] &= ~rest
        else:
            k.cached[cell] = rest
