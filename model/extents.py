"""Extent tree and extent-status tree: lookups, delayed extents, allocation, conversion, removal.

Mirrors fs/ext4/extents.c, extents_status.c and the ext4_map_blocks() family.  A block of the tree
is a hole, unwritten or written; a delayed block is a hole with a reservation.  The status tree's
other entries are a cache that agrees with the tree, so a lookup reads the tree.

All helpers here run inside one step; callers hold i_data_sem where the kernel does.
"""

from powercut.model.jbd2 import ext4_journal_get_write_access, ext4_mark_inode_dirty
from powercut.model.language import Path
from powercut.model.mballoc import (
    ext4_free_blocks,
    ext4_has_free_clusters,
    ext4_mb_mark_used,
    ext4_mb_new_block,
    first_free_block,
    free_run_length,
)
from powercut.model.primitives import down_write, up_write
from powercut.model.state import (
    DELAYED,
    ENOSPC,
    HOLE,
    NR_WRITERS,
    OK,
    TID_RUNNING,
    UNWRITTEN,
    WRITTEN,
    Inode,
    Kernel,
    MapBlocks,
)


def ext4_es_inc_seq(k: Kernel) -> None:
    """i_es_seq moves: every cached mapping becomes stale.  kernel: ext4_es_inc_seq()."""
    for c in range(NR_WRITERS):
        k.wpc[c].map.current_cookie = 0


def ext4_es_status(k: Kernel, inode: Inode, block: int) -> int:
    """Return HOLE, UNWRITTEN, WRITTEN or DELAYED.  kernel: ext4_es_lookup_extent()."""
    if inode.delayed[block]:
        return DELAYED
    return inode.raw.extent[block].state


def ext4_es_extent_length(k: Kernel, inode: Inode, block: int) -> int:
    """Return how many blocks from ``block`` on are one extent (same state, contiguous)."""
    status = ext4_es_status(k, inode, block)
    length = 1
    while block + length < k.conf.nr_blocks:
        if ext4_es_status(k, inode, block + length) != status:
            break
        if status == WRITTEN or status == UNWRITTEN:
            expected = inode.raw.extent[block].pblk + length
            if inode.raw.extent[block + length].pblk != expected:
                break
        length += 1
    return length


def ext4_map_query_blocks(k: Kernel, inode: Inode, map: MapBlocks) -> None:
    """Look up ``map.m_lblk``, at most ``map.m_len`` blocks.  kernel: ext4_map_blocks(NULL, ...)."""
    map.m_len = min(map.m_len, ext4_es_extent_length(k, inode, map.m_lblk))
    map.m_flags = ext4_es_status(k, inode, map.m_lblk)
    map.m_pblk = inode.raw.extent[map.m_lblk].pblk
    map.current_cookie = 1


def map_new_block(k: Kernel, inode: Inode, block: int, p: int, state: int) -> None:
    """Map ``block`` to the newly allocated ``p``; a reservation for it is used up."""
    ext4_mb_mark_used(k, p)
    inode.raw.extent[block].state = state
    inode.raw.extent[block].pblk = p
    if inode.delayed[block]:
        inode.delayed[block] = 0
        inode.i_reserved_data_blocks -= 1


def ext4_map_create_blocks(k: Kernel, current: int, inode: Inode, map: MapBlocks) -> int:
    """Allocate for the delayed blocks of ``map``, as unwritten.  kernel: ext4_map_create_blocks().

    May map fewer blocks than asked (``map.m_len`` is what it got).  Returns OK, ENOSPC or EROFS.
    """
    error = ext4_journal_get_write_access(k)
    if error:
        return error
    start = first_free_block(k)
    if start == k.conf.nr_phys:
        return ENOSPC
    map.m_len = free_run_length(k, start, map.m_len)
    map.m_pblk = start
    map.m_flags = UNWRITTEN
    if k.conf.mutant.written_allocation:
        map.m_flags = WRITTEN
    for n in range(map.m_len):
        map_new_block(k, inode, map.m_lblk + n, start + n, map.m_flags)
    ext4_es_inc_seq(k)
    map.current_cookie = 1
    ext4_mark_inode_dirty(k, current, inode)
    return OK


def unmapped_blocks(k: Kernel, inode: Inode, first: int, last: int) -> int:
    """Return how many of blocks ``first``..``last`` are plain holes."""
    count = 0
    for b in range(first, last + 1):
        if ext4_es_status(k, inode, b) == HOLE:
            count += 1
    return count


def any_unwritten(k: Kernel, inode: Inode, first: int, last: int) -> int:
    """Tell whether one of the blocks is a hole or unwritten."""
    for b in range(first, last + 1):
        if inode.raw.extent[b].state != WRITTEN:
            return 1
    return 0


def ext4_insert_delayed_blocks(k: Kernel, inode: Inode, first: int, last: int) -> int:
    """Reserve and insert delayed extents over the holes.  kernel: ext4_insert_delayed_blocks().

    Returns ENOSPC when free clusters do not cover all reservations (ext4_has_free_clusters()).
    """
    want = unmapped_blocks(k, inode, first, last)
    if not ext4_has_free_clusters(k, want):
        return ENOSPC
    if want == 0:
        return OK
    for b in range(first, last + 1):
        if ext4_es_status(k, inode, b) == HOLE:
            inode.delayed[b] = 1
            inode.i_reserved_data_blocks += 1
    ext4_es_inc_seq(k)
    return OK


def allocate_blocks(k: Kernel, inode: Inode, first: int, last: int, state: int) -> int:
    """Allocate every hole and delayed block of ``first``..``last`` as ``state``.

    kernel: ext4_map_blocks(CREATE), one block at a time: of a request that is too long
    ext4_mb_new_blocks() tries ever shorter ones, the caller the rest.
    Returns OK, ENOSPC or EROFS.
    """
    for b in range(first, last + 1):
        status = ext4_es_status(k, inode, b)
        if status == HOLE or status == DELAYED:
            error = ext4_journal_get_write_access(k)
            if error:
                return error
            p = ext4_mb_new_block(k, inode.delayed[b])
            if p == k.conf.nr_phys:
                return ENOSPC
            map_new_block(k, inode, b, p, state)
            if state == WRITTEN:
                inode.i_datasync_tid = TID_RUNNING
    ext4_es_inc_seq(k)
    return OK


def ext4_da_map_blocks(k: Kernel, current: int, inode: Inode, first: int, last: int) -> Path[int]:
    """Make sure blocks ``first``..``last`` are mapped or delayed.  kernel: ext4_da_map_blocks().

    Looks up without i_data_sem, and again under it before inserting.  Returns OK or ENOSPC.
    """
    if unmapped_blocks(k, inode, first, last) == 0:
        return OK
    yield from down_write(k, current, inode.i_data_sem)
    error = ext4_insert_delayed_blocks(k, inode, first, last)
    up_write(k, inode.i_data_sem)
    return error


def ext4_es_remove_extent(k: Kernel, inode: Inode, first: int, last: int) -> None:
    """Drop delayed blocks and their reservations.  kernel: ext4_es_remove_extent()."""
    for b in range(first, last + 1):
        if inode.delayed[b]:
            inode.delayed[b] = 0
            inode.i_reserved_data_blocks -= 1
    ext4_es_inc_seq(k)


def ext4_ext_remove_space(k: Kernel, inode: Inode, first: int) -> None:
    """Free every block from ``first`` on.  kernel: ext4_ext_remove_space()."""
    for b in range(first, k.conf.nr_blocks):
        if inode.raw.extent[b].state != HOLE:
            ext4_free_blocks(k, inode.raw.extent[b].pblk)
            inode.raw.extent[b].state = HOLE
            inode.raw.extent[b].pblk = 0


def convert_blocks(k: Kernel, inode: Inode, first: int, length: int) -> int:
    """Turn unwritten blocks into written ones; a hole gets a new unwritten block.

    kernel: ext4_map_blocks(IO_CONVERT_EXT), whose flags include create.
    Returns OK, ENOSPC or EROFS.
    """
    for b in range(first, first + length):
        if inode.raw.extent[b].state == UNWRITTEN:
            inode.raw.extent[b].state = WRITTEN
        elif inode.raw.extent[b].state == HOLE:
            error = ext4_journal_get_write_access(k)
            if error:
                return error
            p = ext4_mb_new_block(k, inode.delayed[b])
            if p == k.conf.nr_phys:
                return ENOSPC
            map_new_block(k, inode, b, p, UNWRITTEN)
    ext4_es_inc_seq(k)
    inode.i_datasync_tid = TID_RUNNING
    return OK


def ext4_convert_unwritten_extents(
    k: Kernel, current: int, inode: Inode, first: int, length: int
) -> Path[int]:
    """Convert a completed range, in the caller's handle.  kernel: same name."""
    yield from down_write(k, current, inode.i_data_sem)
    error = convert_blocks(k, inode, first, length)
    ext4_mark_inode_dirty(k, current, inode)
    up_write(k, inode.i_data_sem)
    return error
