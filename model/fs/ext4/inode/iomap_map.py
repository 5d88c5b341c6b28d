"""The ->writeback_range() side of the seed: from a dirty block to a mapping, under the folio lock.

Mirrors fs/ext4/inode.c, v3 09/22.  Here the order is opposite to the buffer_head path's: the folio
is locked, and already under writeback, when the handle is started.
"""

from powercut.model.fs.ext4.balloc import ext4_count_free_clusters
from powercut.model.fs.ext4.eof import forget_pending
from powercut.model.fs.ext4.ext4 import ext4_emergency_state
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.extents_status import block_status, ext4_es_remove_extent, extent_length
from powercut.model.fs.ext4.inode.map_blocks import ext4_map_create_blocks, ext4_map_query_blocks
from powercut.model.fs.iomap.ioend.build import iomap_add_to_ioend
from powercut.model.fs.jbd2.journal.requests import jbd2_journal_force_commit_nested
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.oracle import note_allocation_given_up, note_written_back
from powercut.model.state import DELAYED, EIO, ENOSPC, OK, Inode, Kernel, MapBlocks


def ext4_iomap_map_one_extent(k: Kernel, current: int, inode: Inode, map: MapBlocks) -> Path[int]:
    """Allocate unwritten blocks for one delayed extent.  kernel: same name, v3 09/22.

    The extent is looked up again under i_data_sem: a truncate may have removed it meanwhile.
    Returns OK, ENOSPC or EROFS.
    """
    retval = yield from ext4_journal_start(k, current)
    if retval:
        return retval
    yield from down_write(k, current, inode.i_data_sem)
    map.m_len = min(map.m_len, extent_length(k, inode, map.m_lblk))
    map.m_flags = block_status(k, inode, map.m_lblk)
    map.m_pblk = inode.raw.extent[map.m_lblk].pblk
    map.current_cookie = 1
    if map.m_flags == DELAYED:
        retval = ext4_map_create_blocks(k, current, inode, map)
    up_write(k, inode.i_data_sem)
    ext4_journal_stop(k, current)
    return retval


def ext4_iomap_valid(k: Kernel, map: MapBlocks) -> int:
    """Tell whether the cached mapping's cookie is current.  kernel: ext4_iomap_valid()."""
    return map.current_cookie


def ext4_iomap_map_writeback_range(k: Kernel, current: int, inode: Inode, block: int) -> Path[int]:
    """Find or make a mapping for ``block`` in wpc.map.  kernel: same name, v3 09/22.

    On ENOSPC with free clusters counted, commits (with the folio lock held) and tries again,
    without limit, or from v5 on three times.  Returns OK, ENOSPC or EROFS.
    """
    if ext4_emergency_state(k):
        return ext4_emergency_state(k)
    map = k.wpc[current].map
    if map.m_lblk <= block and block < map.m_lblk + map.m_len and ext4_iomap_valid(k, map):
        return OK
    retries = 0
    while True:
        map.m_lblk = block
        map.m_len = k.conf.nr_blocks - block
        ext4_map_query_blocks(k, inode, map)
        if map.m_flags != DELAYED:
            return OK
        ret = yield from ext4_iomap_map_one_extent(k, current, inode, map)
        if ret == OK:
            return OK
        map.m_len = 0
        if ext4_emergency_state(k):
            return ret
        if ret != ENOSPC or ext4_count_free_clusters(k) == 0:
            return ret
        if k.conf.revision >= 5:
            retries += 1
            if retries > 3:
                return ret
        yield from jbd2_journal_force_commit_nested(k, current)


def ext4_iomap_discard_folio(
    k: Kernel, current: int, inode: Inode, block: int, last: int
) -> Path[None]:
    """Mapping failed: drop delayed blocks up to the folio's end.  kernel: same name."""
    yield from down_write(k, current, inode.i_data_sem)
    ext4_es_remove_extent(k, inode, block, last)
    forget_pending(k, inode, block, last)
    for b in range(block, last + 1):
        note_written_back(k, inode, b, EIO)
    up_write(k, inode.i_data_sem)


def ext4_iomap_writeback_range(
    k: Kernel, current: int, inode: Inode, block: int, last: int, end_pos: int
) -> Path[int]:
    """Map one dirty block of a folio that ends with block ``last`` and add it to the ioend.

    kernel: ext4_iomap_writeback_range(), v3 09/22.  Runs under the folio lock.
    """
    ret = yield from ext4_iomap_map_writeback_range(k, current, inode, block)
    if ret == OK:
        yield from iomap_add_to_ioend(k, current, inode, block, end_pos)
        return OK
    note_allocation_given_up(k)
    yield from ext4_iomap_discard_folio(k, current, inode, block, last)
    return ret
