"""Writeback of a mapping: ext4_iomap_writepages() and the iomap core below it.

Mirrors iomap_writepages() and iomap_writeback_folio() of fs/iomap/buffered-io.c.  One folio is
locked at a time; PG_writeback is set before any mapping is known; while the ioend under
construction is not submitted, its folios stay under writeback.
"""

from powercut.model.buffer_head import ext4_do_writepages
from powercut.model.inode import ext4_iomap_writeback_range
from powercut.model.jbd2 import ext4_emergency_state
from powercut.model.language import Path
from powercut.model.ordered import block_is_dirty
from powercut.model.primitives import (
    folio_end_writeback,
    folio_lock,
    folio_unlock,
    folio_wait_writeback,
    mapping_set_error,
    percpu_down_read,
    up_read,
)
from powercut.model.state import EOF_ORDERED_GAP, FLUSHER, OK, ZERO, Folio, Inode, Kernel
from powercut.model.submit import ext4_iomap_writeback_submit


def folio_end_cells(k: Kernel, f: int) -> int:
    """Return the cell after the last one of folio ``f``."""
    return min((f + 1) * k.conf.cells_per_folio, k.conf.nr_cells)


def iomap_writeback_handle_eof(k: Kernel, inode: Inode, f: int) -> int:
    """Zero the folio behind EOF; 0 if it is wholly past EOF.  kernel: same name."""
    if f * k.conf.cells_per_folio >= inode.i_size:
        return 0
    for c in range(inode.i_size, folio_end_cells(k, f)):
        inode.page[c] = ZERO
    return 1


def begin_folio_writeback(k: Kernel, folio: Folio) -> None:
    """Set PG_writeback and the bias that keeps it until every run is mapped."""
    folio.writeback = 1
    folio.write_bytes_pending = 1
    if k.conf.mutant.no_pending_bias:
        folio.write_bytes_pending = 0


def end_folio_submission(k: Kernel, inode: Inode, folio: Folio, error: int) -> None:
    """Clear the dirty bits (also on error) and drop the bias."""
    folio.dirty = 0
    if not k.conf.mutant.no_pending_bias:
        folio.write_bytes_pending -= 1
    if folio.write_bytes_pending == 0 and folio.writeback:
        folio_end_writeback(k, folio)
    if error:
        mapping_set_error(k, inode)


def iomap_writeback_folio(k: Kernel, current: int, inode: Inode, f: int) -> Path[int]:
    """Write the dirty blocks of locked folio ``f``.  kernel: iomap_writeback_folio()."""
    folio = inode.folio[f]
    if not iomap_writeback_handle_eof(k, inode, f):
        folio.dirty = 0
        return OK
    end_pos = min(inode.i_size, folio_end_cells(k, f))
    begin_folio_writeback(k, folio)
    error = OK
    last = min((f + 1) * k.conf.blocks_per_folio, k.conf.nr_blocks) - 1
    for block in range(f * k.conf.blocks_per_folio, last + 1):
        if error == OK and block * k.conf.cells_per_block < end_pos:
            if block_is_dirty(k, folio, block):
                error = yield from ext4_iomap_writeback_range(
                    k, current, inode, block, last, end_pos
                )
    end_folio_submission(k, inode, folio, error)
    return error


def forget_wpc(k: Kernel, current: int) -> None:
    """The struct iomap_writepage_ctx on the caller's stack is gone."""
    map = k.wpc[current].map
    map.m_lblk = 0
    map.m_len = 0
    map.m_flags = 0
    map.m_pblk = 0
    map.current_cookie = 0


def trylock_or_submit(k: Kernel, current: int, inode: Inode, folio: Folio) -> int:
    """Where the design never sleeps with an ioend under construction: take the folio lock now.

    Returns 0 if it has to be waited for; there is no such ioend any more then.
    """
    if k.conf.submits_first == 0 or k.wpc[current].wb_ctx == 0:
        return 0
    if folio.locked:
        ext4_iomap_writeback_submit(k, current, inode, 0)
        return 0
    folio.locked = current + 1
    return 1


def iomap_writepages(
    k: Kernel, current: int, inode: Inode, sync: int, first: int, last: int
) -> Path[int]:
    """Write dirty folios ``first``..``last`` in order.  kernel: iomap_writepages().

    ``sync`` (WB_SYNC_ALL) waits for a folio under writeback and goes on after an error; otherwise
    such a folio is skipped and the first error ends the pass.  The saved error also fails the
    last ioend, whatever is in it.
    """
    error = OK
    for f in range(k.conf.nr_folios):
        if f >= first and f <= last and inode.folio[f].dirty and (sync or error == OK):
            if not trylock_or_submit(k, current, inode, inode.folio[f]):
                yield from folio_lock(k, current, inode.folio[f])
            if sync and inode.folio[f].dirty:
                if k.conf.submits_first and inode.folio[f].writeback and k.wpc[current].wb_ctx:
                    ext4_iomap_writeback_submit(k, current, inode, 0)
                yield from folio_wait_writeback(k, inode.folio[f])
            if inode.folio[f].dirty and inode.folio[f].writeback == 0:
                ret = yield from iomap_writeback_folio(k, current, inode, f)
                if error == OK:
                    error = ret
            folio_unlock(k, inode.folio[f])
            if f < last and f + 1 < k.conf.nr_folios:
                yield  # next folio
    if k.wpc[current].wb_ctx:
        ext4_iomap_writeback_submit(k, current, inode, error)
    forget_wpc(k, current)
    return error


def ext4_iomap_wb_submit_zeroed_eof(
    k: Kernel, current: int, inode: Inode, sync: int, first: int
) -> Path[None]:
    """Write the pending EOF block if the pass begins behind it; no wait.  kernel: same name, v5.

    That pass of its own begins in the block, so it has nothing to write before.  The kernel looks
    under i_data_sem (read), which it drops before the pass, and compares bytes; folios are enough
    for passes that begin and end with one.
    """
    f = inode.i_disksize // k.conf.cells_per_folio
    if inode.disksize_grow_pending and first > f and not k.conf.mutant.no_early_submit:
        percpu_down_read(k, current, k.s_writepages_rwsem)
        yield from iomap_writepages(k, current, inode, sync, f, f)
        up_read(k, current, k.s_writepages_rwsem)


def ext4_iomap_writepages(
    k: Kernel, current: int, inode: Inode, sync: int, first: int, last: int
) -> Path[int]:
    """->writepages of an iomap inode.  kernel: ext4_iomap_writepages(), v3 09/22, v5."""
    if ext4_emergency_state(k):
        return ext4_emergency_state(k)
    yield from ext4_iomap_wb_submit_zeroed_eof(k, current, inode, sync, first)
    percpu_down_read(k, current, k.s_writepages_rwsem)
    ret = yield from iomap_writepages(k, current, inode, sync, first, last)
    up_read(k, current, k.s_writepages_rwsem)
    return ret


def ext4_iomap_submit_zero_block(k: Kernel, current: int, inode: Inode, block: int) -> Path[None]:
    """Record the zeroed EOF block as ordered and submit it.  kernel: same name (v4).

    A second block is not recorded while one is pending.
    """
    f = block // k.conf.blocks_per_folio
    yield from folio_lock(k, current, inode.folio[f])
    yield from folio_wait_writeback(k, inode.folio[f])
    if inode.folio[f].dirty and inode.i_ordered_lblk == 0:
        inode.i_ordered_lblk = block + 1
    folio_unlock(k, inode.folio[f])
    error = yield from ext4_iomap_writepages(k, current, inode, 1, f, f)
    if error:
        inode.i_ordered_lblk = 0


def do_writepages(k: Kernel, current: int, inode: Inode, sync: int, first: int) -> Path[int]:
    """Write the file from folio ``first`` on, on the path it is on.  kernel: do_writepages()."""
    if inode.buffered_iomap:
        return (yield from ext4_iomap_writepages(k, current, inode, sync, first, k.conf.nr_folios))
    return (yield from ext4_do_writepages(k, current, inode, sync, first))


def submits_zeroed_gap(k: Kernel) -> int:
    """Tell whether the design submits a zeroed EOF block at once."""
    return k.conf.eof_rule == EOF_ORDERED_GAP


def writeback_single_inode(k: Kernel, inode: Inode, sync: int) -> Path[None]:
    """Write one inode from the flusher, unless it is being freed.  kernel: same name."""
    if inode.i_freeing == 0:
        inode.i_sync = 1
        yield from do_writepages(k, FLUSHER, inode, sync, 0)
        inode.i_sync = 0


def flusher(k: Kernel, n: int) -> Path[None]:
    """The flusher thread: WB_SYNC_NONE passes over every inode, at any time."""
    for _pass in range(k.conf.flusher_passes):
        for i in range(k.conf.nr_inodes):
            yield  # wb_workfn
            yield from writeback_single_inode(k, k.inode[i], 0)
