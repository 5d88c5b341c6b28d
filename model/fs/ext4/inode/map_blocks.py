"""Lookups, delayed extents and allocation: the ext4_map_blocks() family.

Mirrors fs/ext4/inode.c.  All helpers here run inside one step; callers hold i_data_sem where the
kernel does.
"""

from powercut.model.fs.ext4.balloc import ext4_has_free_clusters
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_get_write_access
from powercut.model.fs.ext4.extents_status import block_status, ext4_es_inc_seq, extent_length
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.mballoc import (
    block_to_allocate,
    ext4_mb_mark_diskspace_used,
    first_free_block,
    free_run_length,
)
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.state import (
    DELAYED,
    ENOSPC,
    HOLE,
    OK,
    TID_RUNNING,
    UNWRITTEN,
    WRITTEN,
    Inode,
    Kernel,
    MapBlocks,
)


def map_new_block(k: Kernel, inode: Inode, block: int, p: int, state: int) -> None:
    """Map ``block`` to the newly allocated ``p``; a reservation for it is used up."""
    ext4_mb_mark_diskspace_used(k, p)
    inode.raw.extent[block].state = state
    inode.raw.extent[block].pblk = p
    if inode.delayed[block]:
        inode.delayed[block] = 0
        inode.i_reserved_data_blocks -= 1


def ext4_map_query_blocks(k: Kernel, inode: Inode, map: MapBlocks) -> None:
    """Look up ``map.m_lblk``, at most ``map.m_len`` blocks.  kernel: ext4_map_blocks(NULL, ...)."""
    map.m_len = min(map.m_len, extent_length(k, inode, map.m_lblk))
    map.m_flags = block_status(k, inode, map.m_lblk)
    map.m_pblk = inode.raw.extent[map.m_lblk].pblk
    map.current_cookie = 1


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
        if block_status(k, inode, b) == HOLE:
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
        if block_status(k, inode, b) == HOLE:
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
        status = block_status(k, inode, b)
        if status == HOLE or status == DELAYED:
            error = ext4_journal_get_write_access(k)
            if error:
                return error
            p = block_to_allocate(k, inode.delayed[b])
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
            p = block_to_allocate(k, inode.delayed[b])
            if p == k.conf.nr_phys:
                return ENOSPC
            map_new_block(k, inode, b, p, UNWRITTEN)
    ext4_es_inc_seq(k)
    inode.i_datasync_tid = TID_RUNNING
    return OK
