"""Clean folios leave the page cache.

Mirrors what decides it in mm/vmscan.c and mm/truncate.c: memory reclaim, drop_caches and
invalidation take a folio only if it is unlocked, clean and not under writeback, and its buffers and
block bits go with it.  ``model.fs.iomap.buffered_io.read`` brings a folio back.

A bio that failed may have left old or new content; which one is decided before the folio may go
(``settle_failed_write``), because what was read once stays what it is.

Not modelled: the reference that an operation holds on a folio between looking it up and locking it
(were it evicted in between, the operation would look it up again).
"""

from powercut.model.fs.iomap.buffered_io.read import blocks_of_folio, is_cached
from powercut.model.language import Path
from powercut.model.state import WRITTEN, Inode, Kernel


def is_settled(k: Kernel, inode: Inode, f: int) -> int:
    """Tell whether it is decided what the written blocks of folio ``f`` hold on the device."""
    per_block = k.conf.cells_per_block
    first = f * k.conf.blocks_per_folio
    for b in range(first, min(first + k.conf.blocks_per_folio, k.conf.nr_blocks)):
        if inode.raw.extent[b].state == WRITTEN:
            for c in range(per_block):
                colours = k.device.cached[inode.raw.extent[b].pblk * per_block + c]
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
