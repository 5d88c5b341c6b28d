"""Writeback on the buffer_head path: the order the iomap path inverts.

Mirrors ext4_do_writepages() and the mpage_*() family of fs/ext4/inode.c, for data=ordered, delayed
allocation and dioread_nolock (unwritten allocation, reserved conversion handle), as of 7.x.  The
handle is started *before* the folio locks; i_disksize is raised with the allocation (or in
write_end, inside a written block); zeroed EOF blocks are ordered (``model.fs.jbd2.commit``).

An extent that is mapped at once is at most the rest of a folio here, and a mapping pass takes one
handle for the rest of the file; both only narrow what can happen.
"""

from powercut.model.fs.buffer import block_is_dirty, set_buffer_mapped
from powercut.model.fs.ext4.balloc import ext4_count_free_clusters
from powercut.model.fs.ext4.ext4 import ext4_emergency_state
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.extents_status import ext4_es_remove_extent
from powercut.model.fs.ext4.inode.buffers import (
    buffer_is_mapped,
    end_block,
    first_block,
    mpage_submit_folio,
)
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.inode.map_blocks import ext4_map_create_blocks
from powercut.model.fs.jbd2.journal.requests import jbd2_journal_force_commit_nested
from powercut.model.kernel.primitives import (
    down_write,
    folio_lock,
    folio_unlock,
    folio_wait_writeback,
    percpu_down_read,
    up_read,
    up_write,
)
from powercut.model.language import Path
from powercut.model.oracle import note_written_back
from powercut.model.state import DELAYED, EIO, ENOSPC, HOLE, OK, WB_SYNC_ALL, Folio, Inode, Kernel


def needs_mapping(k: Kernel, inode: Inode, f: int) -> int:
    """Tell whether a dirty buffer is delayed or unwritten.  kernel: mpage_add_bh_to_extent()."""
    for b in range(first_block(k, f), end_block(k, inode, f)):
        if block_is_dirty(k, inode.folio[f], b) and not buffer_is_mapped(k, inode, b):
            return 1
    return 0


def mpage_map_one_extent(k: Kernel, current: int, inode: Inode, f: int) -> int:
    """Allocate for the folio's delayed blocks, as unwritten.  kernel: mpage_map_one_extent().

    Runs under i_data_sem (write).  Returns the block after the last one mapped: the folio's end, or
    the block for which no space was found.  What is delayed has its reservation among the free
    clusters, so a commit can free some for it: the kernel's "This should not happen!!" does not.
    """
    map = k.wpc[current].map
    for b in range(first_block(k, f), end_block(k, inode, f)):
        if block_is_dirty(k, inode.folio[f], b) and inode.raw.extent[b].state != HOLE:
            set_buffer_mapped(k, inode.folio[f], b)
        if inode.delayed[b] and block_is_dirty(k, inode.folio[f], b):
            map.m_lblk = b
            map.m_len = 1
            map.m_flags = DELAYED
            error = ext4_map_create_blocks(k, current, inode, map)
            map.m_lblk = 0
            map.m_len = 0
            map.m_flags = HOLE
            map.m_pblk = 0
            map.current_cookie = 0
            if error:
                assert ext4_count_free_clusters(k) or ext4_emergency_state(k)
                return b
            set_buffer_mapped(k, inode.folio[f], b)
    return end_block(k, inode, f)


def submits_partial_folio(k: Kernel, folio: Folio, converts: int) -> int:
    """Tell whether a folio of which only a part could be mapped is submitted.

    kernel: mpage_submit_partial_folio(), since 6.17: if this pass has mapped anything in it.
    """
    if ext4_emergency_state(k):
        return 0
    return (converts & folio.mapped) != 0


def raise_disksize_to(k: Kernel, inode: Inode, end: int) -> None:
    """Raise i_disksize to ``end``, at most to i_size.  kernel: mpage_map_and_submit_extent()."""
    inode.i_disksize = max(inode.i_disksize, min(end, inode.i_size))


def mpage_map_and_submit_extent(k: Kernel, current: int, inode: Inode, f: int) -> Path[int]:
    """Map the locked folio's blocks, raise i_disksize, submit; all in the caller's handle.

    kernel: mpage_map_and_submit_extent().  Returns ENOSPC or EROFS if not all could be mapped.
    Only what this pass maps is converted.  A buffer that an earlier, failed write has mapped is
    neither delayed nor unwritten any more: it goes down as it is, over an extent still unwritten.
    """
    yield from down_write(k, current, inode.i_data_sem)
    converts = inode.folio[f].dirty & ~inode.folio[f].mapped
    end = mpage_map_one_extent(k, current, inode, f)
    error = OK
    if end < end_block(k, inode, f):
        error = ext4_emergency_state(k) or ENOSPC
    submits = error == OK or submits_partial_folio(k, inode.folio[f], converts)
    if submits:
        raise_disksize_to(k, inode, end * k.conf.cells_per_block)
    up_write(k, inode.i_data_sem)
    ext4_mark_inode_dirty(k, current, inode)
    if submits:
        mpage_submit_folio(k, inode, f, converts)
    return error


def mpage_prepare_extent_to_map(
    k: Kernel, current: int, inode: Inode, sync_mode: int, first: int
) -> Path[None]:
    """First pass, without a handle: submit folios whose buffers are all written.

    kernel: ext4_do_writepages() with do_map = 0; stops at the first folio that needs mapping.
    """
    for f in range(k.conf.nr_folios):
        if f >= first and inode.folio[f].dirty:
            yield from folio_lock(k, current, inode.folio[f])
            if sync_mode == WB_SYNC_ALL and inode.folio[f].dirty:
                yield from folio_wait_writeback(k, inode.folio[f])
            stop = needs_mapping(k, inode, f)
            if not stop and inode.folio[f].dirty and inode.folio[f].writeback == 0:
                mpage_submit_folio(k, inode, f, 0)
            folio_unlock(k, inode.folio[f])
            if stop:
                return


def mpage_release_unused_pages(k: Kernel, current: int, inode: Inode, f: int) -> Path[None]:
    """Writeback gave up on the locked folio: its data is gone, and nobody is told.

    kernel: mpage_release_unused_pages() with ``invalidate``; it sets no mapping error.
    """
    yield from down_write(k, current, inode.i_data_sem)
    ext4_es_remove_extent(k, inode, first_block(k, f), end_block(k, inode, f) - 1)
    up_write(k, inode.i_data_sem)
    for b in range(first_block(k, f), end_block(k, inode, f)):
        if block_is_dirty(k, inode.folio[f], b):
            note_written_back(k, inode, b, EIO)
    inode.folio[f].dirty = 0
    inode.folio[f].mapped = 0


def map_and_submit_folios(
    k: Kernel, current: int, inode: Inode, sync_mode: int, first: int
) -> Path[int]:
    """Second pass: with the handle open, lock, wait, map and submit folio after folio."""
    for f in range(k.conf.nr_folios):
        if f >= first and inode.folio[f].dirty:
            yield from folio_lock(k, current, inode.folio[f])
            if sync_mode == WB_SYNC_ALL and inode.folio[f].dirty:
                yield from folio_wait_writeback(k, inode.folio[f])
            if inode.folio[f].dirty and inode.folio[f].writeback == 0:
                error = yield from mpage_map_and_submit_extent(k, current, inode, f)
                if error:
                    if ext4_emergency_state(k):
                        yield from mpage_release_unused_pages(k, current, inode, f)
                    folio_unlock(k, inode.folio[f])
                    return error
            folio_unlock(k, inode.folio[f])
    return OK


def any_needs_mapping(k: Kernel, inode: Inode, first: int) -> int:
    """Tell whether any dirty folio from ``first`` on needs the mapping pass."""
    for f in range(k.conf.nr_folios):
        if f >= first and inode.folio[f].dirty and needs_mapping(k, inode, f):
            return 1
    return 0


def ext4_do_writepages(
    k: Kernel, current: int, inode: Inode, sync_mode: int, first: int
) -> Path[int]:
    """->writepages of a buffer_head inode, from folio ``first`` on.

    kernel: ext4_writepages(), ext4_do_writepages().
    ENOSPC: stop the handle, commit without any folio lock, try again.  An error of the handle's
    start is the caller's alone: the pages stay dirty, and no mapping error is set.
    """
    if ext4_emergency_state(k):
        return ext4_emergency_state(k)
    percpu_down_read(k, current, k.s_writepages_rwsem)
    yield from mpage_prepare_extent_to_map(k, current, inode, sync_mode, first)
    error = OK
    while error == OK and any_needs_mapping(k, inode, first):
        error = yield from ext4_journal_start(k, current)
        if error == OK:
            error = yield from map_and_submit_folios(k, current, inode, sync_mode, first)
            ext4_journal_stop(k, current)
            if error == ENOSPC:
                yield from jbd2_journal_force_commit_nested(k, current)
                error = OK
            elif error == OK:
                break
    up_read(k, current, k.s_writepages_rwsem)
    return error
