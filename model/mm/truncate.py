"""The page cache behind a truncate, a punch or an eviction; and in front of an extension.

Mirrors mm/truncate.c: folios go under their lock, after their writeback.
"""

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


def truncate_folio(k: Kernel, inode: Inode, f: int, size: int) -> None:
    """Zero the part of a partial folio behind ``size``, or drop a folio that is wholly behind.

    A partial invalidation discards the buffers of the cut blocks (block_invalidate_folio()) but
    leaves the ifs dirty bits set (iomap_invalidate_folio()).
    """
    for c in range(f * k.conf.cells_per_folio, end_of_folio(k, f)):
        if c >= size:
            inode.page[c] = ZERO
    for b in range(k.conf.nr_blocks):
        if b // k.conf.blocks_per_folio == f and b * k.conf.cells_per_block >= size:
            inode.folio[f].mapped &= ~(1 << (b % k.conf.blocks_per_folio))
            if not inode.buffered_iomap:
                inode.folio[f].dirty &= ~(1 << (b % k.conf.blocks_per_folio))
    if f * k.conf.cells_per_folio >= size:
        inode.folio[f].dirty = 0


def drop_range(k: Kernel, inode: Inode, f: int, first: int, end: int) -> None:
    """Invalidate blocks ``first``..``end`` of folio ``f``: zero, and drop the buffers.

    A partly invalidated iomap folio keeps its dirty bits (iomap_invalidate_folio()).
    """
    folio_first = f * k.conf.blocks_per_folio
    folio_end = min(folio_first + k.conf.blocks_per_folio, k.conf.nr_blocks)
    for b in range(max(first, folio_first), min(end, folio_end)):
        for c in range(k.conf.cells_per_block):
            inode.page[b * k.conf.cells_per_block + c] = ZERO
        if not inode.buffered_iomap:
            inode.folio[f].dirty &= ~(1 << (b - folio_first))
        inode.folio[f].mapped &= ~(1 << (b - folio_first))
    if first <= folio_first and folio_end <= end:
        inode.folio[f].dirty = 0


def truncate_pagecache(k: Kernel, current: int, inode: Inode, size: int) -> Path[None]:
    """Drop cached pages behind ``size``; waits for their writeback.  kernel: same name."""
    for f in range(k.conf.nr_folios):
        if not is_cached(k, inode, f):
            truncate_folio(k, inode, f, size)
        elif needs_truncation(k, inode, f, size):
            yield from folio_lock(k, current, inode.folio[f])
            if not k.conf.mutant.truncate_no_writeback_wait:
                yield from folio_wait_writeback(k, inode.folio[f])
            truncate_folio(k, inode, f, size)
            folio_unlock(k, inode.folio[f])


def truncate_pagecache_range(
    k: Kernel, current: int, inode: Inode, first: int, end: int
) -> Path[None]:
    """Drop cached blocks ``first``..``end``, after their writeback.  kernel: same name."""
    for f in range(k.conf.nr_folios):
        if f * k.conf.blocks_per_folio < end and first < (f + 1) * k.conf.blocks_per_folio:
            if not is_cached(k, inode, f):
                drop_range(k, inode, f, first, end)
                continue
            yield from folio_lock(k, current, inode.folio[f])
            yield from folio_wait_writeback(k, inode.folio[f])
            drop_range(k, inode, f, first, end)
            folio_unlock(k, inode.folio[f])


def truncate_inode_pages_final(k: Kernel, current: int, inode: Inode) -> Path[None]:
    """Drop every folio, after its writeback.  kernel: same name."""
    for f in range(k.conf.nr_folios):
        if is_cached(k, inode, f):
            yield from folio_lock(k, current, inode.folio[f])
            if not k.conf.mutant.evict_no_writeback_wait:
                yield from folio_wait_writeback(k, inode.folio[f])
            truncate_folio(k, inode, f, 0)
            folio_unlock(k, inode.folio[f])


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
