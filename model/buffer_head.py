"""The buffer_head path: the order the iomap path inverts, on the same shared parts.

Mirrors ext4_da_write_begin()/end(), ext4_do_writepages(), ext4_end_io_end() and the data side of a
commit, for data=ordered, delayed allocation and dioread_nolock (unwritten allocation, reserved
conversion handle), as of 7.x.  The handle is started *before* the folio locks; i_disksize is raised
with the allocation (or in write_end, inside a written block); zeroed EOF blocks are ordered: the
commit takes the folio lock, waits for earlier writeback, submits what is mapped and waits for it.

Each block is a bio of its own here (no merging), and a mapping pass takes one handle for the rest
of the file; both only narrow what can happen.
"""

from powercut.model.extents import convert_blocks, ext4_es_remove_extent, ext4_map_create_blocks
from powercut.model.ioend import first_worker_ioend, iomap_finish_ioends
from powercut.model.jbd2 import (
    ext4_emergency_state,
    ext4_journal_start,
    ext4_journal_stop,
    ext4_mark_inode_dirty,
    jbd2_journal_abort,
    jbd2_journal_force_commit_nested,
)
from powercut.model.language import Path
from powercut.model.mballoc import ext4_count_free_clusters
from powercut.model.oracle import note_written_back
from powercut.model.ordered import (
    block_is_dirty,
    buffer_is_mapped,
    end_block,
    first_block,
    mpage_submit_folio,
)
from powercut.model.primitives import (
    down_write,
    folio_lock,
    folio_unlock,
    folio_wait_writeback,
    percpu_down_read,
    up_read,
    up_write,
)
from powercut.model.state import (
    DELAYED,
    EIO,
    ENOSPC,
    HOLE,
    IOEND_COMPLETED,
    IOEND_WORKER,
    OK,
    T_NONE,
    T_RUNNING,
    WORKER,
    Folio,
    Inode,
    Ioend,
    Kernel,
)


def folio_needs_mapping(k: Kernel, inode: Inode, f: int) -> int:
    """Tell whether a dirty buffer is delayed or unwritten.  kernel: mpage_add_bh_to_extent()."""
    for b in range(first_block(k, f), end_block(k, inode, f)):
        if block_is_dirty(k, inode.folio[f], b) and not buffer_is_mapped(k, inode, b):
            return 1
    return 0


def mpage_map_one_folio(k: Kernel, current: int, inode: Inode, f: int) -> int:
    """Allocate for the folio's delayed blocks, as unwritten.  kernel: mpage_map_one_extent().

    Runs under i_data_sem (write).  Returns the block after the last one mapped: the folio's end, or
    the block for which no space was found.  What is delayed has its reservation among the free
    clusters, so a commit can free some for it: the kernel's "This should not happen!!" does not.
    """
    map = k.wpc[current].map
    for b in range(first_block(k, f), end_block(k, inode, f)):
        if block_is_dirty(k, inode.folio[f], b) and inode.raw.extent[b].state != HOLE:
            inode.folio[f].mapped |= 1 << (b % k.conf.blocks_per_folio)
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
            inode.folio[f].mapped |= 1 << (b % k.conf.blocks_per_folio)
    return end_block(k, inode, f)


def submits_partial_folio(k: Kernel, folio: Folio, converts: int) -> int:
    """Tell whether a folio of which only a part could be mapped is submitted.

    kernel: mpage_submit_partial_folio(), since 6.17: if this pass has mapped anything in it.
    """
    if k.conf.mutant.no_partial_submit or ext4_emergency_state(k):
        return 0
    return (converts & folio.mapped) != 0


def raise_disksize_to(k: Kernel, inode: Inode, end: int) -> None:
    """Raise i_disksize to ``end``, at most to i_size.  kernel: mpage_map_and_submit_extent()."""
    inode.i_disksize = max(inode.i_disksize, min(end, inode.i_size))


def mpage_map_and_submit_folio(k: Kernel, current: int, inode: Inode, f: int) -> Path[int]:
    """Map the locked folio's blocks, raise i_disksize, submit; all in the caller's handle.

    kernel: mpage_map_and_submit_extent().  Returns ENOSPC or EROFS if not all could be mapped.
    Only what this pass maps is converted.  A buffer that an earlier, failed write has mapped is
    neither delayed nor unwritten any more: it goes down as it is, over an extent still unwritten.
    """
    yield from down_write(k, current, inode.i_data_sem)
    converts = inode.folio[f].dirty & ~inode.folio[f].mapped
    end = mpage_map_one_folio(k, current, inode, f)
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


def mpage_prepare_mapped(
    k: Kernel, current: int, inode: Inode, sync: int, first: int
) -> Path[None]:
    """First pass, without a handle: submit folios whose buffers are all written.

    kernel: ext4_do_writepages() with do_map = 0; stops at the first folio that needs mapping.
    """
    for f in range(k.conf.nr_folios):
        if f >= first and inode.folio[f].dirty:
            yield from folio_lock(k, current, inode.folio[f])
            if sync and inode.folio[f].dirty:
                yield from folio_wait_writeback(k, inode.folio[f])
            stop = folio_needs_mapping(k, inode, f)
            if not stop and inode.folio[f].dirty and inode.folio[f].writeback == 0:
                mpage_submit_folio(k, inode, f, 0)
            folio_unlock(k, inode.folio[f])
            if stop:
                return


def mpage_release_unused_folio(k: Kernel, current: int, inode: Inode, f: int) -> Path[None]:
    """Writeback gave up on the locked folio: its data is gone, and nobody is told.

    kernel: mpage_release_unused_pages() with ``invalidate``; it sets no mapping error.
    """
    yield from down_write(k, current, inode.i_data_sem)
    ext4_es_remove_extent(k, inode, first_block(k, f), end_block(k, inode, f) - 1)
    up_write(k, inode.i_data_sem)
    for b in range(first_block(k, f), end_block(k, inode, f)):
        if block_is_dirty(k, inode.folio[f], b):
            note_written_back(k, inode, b, 1)
    inode.folio[f].dirty = 0
    inode.folio[f].mapped = 0


def mpage_map_pass(k: Kernel, current: int, inode: Inode, sync: int, first: int) -> Path[int]:
    """Second pass: with the handle open, lock, wait, map and submit folio after folio."""
    for f in range(k.conf.nr_folios):
        if f >= first and inode.folio[f].dirty:
            yield from folio_lock(k, current, inode.folio[f])
            if sync and inode.folio[f].dirty:
                yield from folio_wait_writeback(k, inode.folio[f])
            if inode.folio[f].dirty and inode.folio[f].writeback == 0:
                error = yield from mpage_map_and_submit_folio(k, current, inode, f)
                if error:
                    if ext4_emergency_state(k):
                        yield from mpage_release_unused_folio(k, current, inode, f)
                    folio_unlock(k, inode.folio[f])
                    return error
            folio_unlock(k, inode.folio[f])
    return OK


def any_needs_mapping(k: Kernel, inode: Inode, first: int) -> int:
    """Tell whether any dirty folio from ``first`` on needs the mapping pass."""
    for f in range(k.conf.nr_folios):
        if f >= first and inode.folio[f].dirty and folio_needs_mapping(k, inode, f):
            return 1
    return 0


def ext4_do_writepages(k: Kernel, current: int, inode: Inode, sync: int, first: int) -> Path[int]:
    """->writepages of a buffer_head inode, from folio ``first`` on.

    kernel: ext4_writepages(), ext4_do_writepages().
    ENOSPC: stop the handle, commit without any folio lock, try again.  An error of the handle's
    start is the caller's alone: the pages stay dirty, and no mapping error is set.
    """
    if ext4_emergency_state(k):
        return ext4_emergency_state(k)
    percpu_down_read(k, current, k.s_writepages_rwsem)
    yield from mpage_prepare_mapped(k, current, inode, sync, first)
    error = OK
    while error == OK and any_needs_mapping(k, inode, first):
        error = yield from ext4_journal_start(k, current)
        if error == OK:
            error = yield from mpage_map_pass(k, current, inode, sync, first)
            ext4_journal_stop(k, current)
            if error == ENOSPC:
                yield from jbd2_journal_force_commit_nested(k, current)
                error = OK
            elif error == OK:
                break
    up_read(k, current, k.s_writepages_rwsem)
    return error


def ext4_end_bio(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> None:
    """Completion in irq: conversions and data_err=abort go to the worker.  kernel: same name."""
    if ioend.unwritten or (ioend.error and k.conf.data_err_abort):
        ioend.state = IOEND_COMPLETED
        inode.work_queued = 1
        return
    iomap_finish_ioends(k, inode, first, ioend, ioend.error)


def ext4_journal_start_reserved(k: Kernel, current: int) -> Path[None]:
    """Start the reserved handle: waits for neither T_LOCKED nor space.  kernel: same name."""
    yield  # start reserved handle
    if k.journal.running == T_NONE:
        k.journal.running = T_RUNNING
    k.journal.t_updates |= 1 << current


def ext4_end_io_end(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> Path[None]:
    """Convert with the reserved handle, then end writeback.  kernel: ext4_end_io_end()."""
    failed = ioend.error and not k.conf.mutant.failed_conversion
    if failed or k.journal.aborted:
        if ioend.error and k.conf.data_err_abort:
            jbd2_journal_abort(k)
        iomap_finish_ioends(k, inode, first, ioend, EIO)
        return
    if k.conf.mutant.unreserved_conversion:
        error = yield from ext4_journal_start(k, WORKER)
        if error:
            iomap_finish_ioends(k, inode, first, ioend, error)
            return
    else:
        yield from ext4_journal_start_reserved(k, WORKER)
    yield from down_write(k, WORKER, inode.i_data_sem)
    error = convert_blocks(k, inode, first, ioend.nr_blocks)
    ext4_mark_inode_dirty(k, WORKER, inode)
    up_write(k, inode.i_data_sem)
    ext4_journal_stop(k, WORKER)
    iomap_finish_ioends(k, inode, first, ioend, error)


def ext4_end_io_rsv_work(k: Kernel, i: int) -> Path[None]:
    """The work item of a buffer_head inode on the shared queue.  kernel: ext4_end_io_rsv_work()."""
    inode = k.inode[i]
    while True:
        yield lambda: inode.work_queued and k.rsv_conversion_wq == 0  # worker slot
        k.rsv_conversion_wq = WORKER + 1
        inode.work_queued = 0
        for b in range(k.conf.nr_blocks):
            if inode.ioend[b].state == IOEND_COMPLETED:
                inode.ioend[b].state = IOEND_WORKER
        while True:
            first = first_worker_ioend(k, inode)
            if first == k.conf.nr_blocks:
                break
            yield from ext4_end_io_end(k, inode, first, inode.ioend[first])
        k.rsv_conversion_wq = 0
