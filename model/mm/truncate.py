"""The page cache behind a truncate, a punch or an eviction; and in front of an extension.

Mirrors mm/truncate.c: folios go under their lock, after their writeback.
"""

from powercut.model.fs.buffer import clear_buffer_dirty, clear_buffer_mapped
from powercut.model.fs.ext4.ext4 import end_of_folio
from powercut.model.fs.iomap.buffered_io.read import is_cached
from powercut.model.kernel.primitives import folio_lock, folio_unlock, folio_wait_writeback
from powercut.model.language import Path
from powercut.model.state import ZERO, Inode, Kernel


def needs_truncation(k: Kernel, inode: Inode, f: int, size: int) -> int:
    """Tell whether folio ``f`` has anything cached behind ``size``, mapped buffers included."""
    if inode.folio[f].dirty or inode.folio[f].writeback or inode.folio[f].mapped:
        return end_of_folio(k, f) > size
    for c in range(size, end_of_folio(k, f)):
        if c >= f * k.conf.cells_per_folio and inode.page[c] != ZERO:
            return 1
    return 0


def drop_cells(k: Kernel, inode: Inode, f: int, start: int, stop: int) -> None:
    """Zero what folio ``f`` has of cells ``start``..``stop``, or drop one that is wholly inside.

    kernel: truncate_inode_partial_folio(), truncate_inode_folio().  A partial invalidation discards
    the buffers of the cut blocks (block_invalidate_folio()) but leaves the ifs dirty bits set
    (iomap_invalidate_folio()).
    """
    per_block = k.conf.cells_per_block
    folio_start = f * k.conf.cells_per_folio
    for c in range(max(start, folio_start), min(stop, end_of_folio(k, f))):
        inode.page[c] = ZERO
    for b in range(folio_start // per_block, end_of_folio(k, f) // per_block):
        if start <= b * per_block and (b + 1) * per_block <= stop:
            clear_buffer_mapped(k, inode.folio[f], b)
            if not inode.buffered_iomap:
                clear_buffer_dirty(k, inode.folio[f], b)
    if start <= folio_start and end_of_folio(k, f) <= stop:
        inode.folio[f].dirty = 0


def truncate_inode_pages_range(
    k: Kernel, current: int, inode: Inode, start: int, stop: int, skips_clean: int
) -> Path[None]:
    """Drop cached cells ``start``..``stop``, each folio after its writeback.  kernel: same name.

    With ``skips_clean`` a folio that would not change is not locked.  Of an inode that is being
    freed nobody looks at what is not cached.
    """
    for f in range(k.conf.nr_folios):
        if f * k.conf.cells_per_folio < stop and start < (f + 1) * k.conf.cells_per_folio:
            if not is_cached(k, inode, f):
                if not inode.i_freeing:
                    drop_cells(k, inode, f, start, stop)
            elif not skips_clean or needs_truncation(k, inode, f, start):
                yield from folio_lock(k, current, inode.folio[f])
                yield from folio_wait_writeback(k, inode.folio[f])
                drop_cells(k, inode, f, start, stop)
                folio_unlock(k, inode.folio[f])


def truncate_pagecache(k: Kernel, current: int, inode: Inode, size: int) -> Path[None]:
    """Drop what is cached behind ``size``.  kernel: same name."""
    yield from truncate_inode_pages_range(k, current, inode, size, k.conf.nr_cells, 1)


def truncate_pagecache_range(
    k: Kernel, current: int, inode: Inode, first: int, end: int
) -> Path[None]:
    """Drop cached blocks ``first``..``end``.  kernel: same name."""
    per_block = k.conf.cells_per_block
    yield from truncate_inode_pages_range(k, current, inode, first * per_block, end * per_block, 0)


def truncate_inode_pages_final(k: Kernel, current: int, inode: Inode) -> Path[None]:
    """Drop every folio.  kernel: same name."""
    yield from truncate_inode_pages_range(k, current, inode, 0, k.conf.nr_cells, 0)


def zero_exposed_range(k: Kernel, inode: Inode, f: int, start: int, stop: int) -> None:
    """Zero the part of a dirty folio that a size extension just made part of the file."""
    if inode.folio[f].dirty == 0:
        return
    for c in range(start, min(stop, end_of_folio(k, f))):
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
