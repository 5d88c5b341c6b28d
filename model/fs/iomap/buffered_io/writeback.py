"""Writeback of a mapping on the iomap path.

Mirrors iomap_writepages() and iomap_writeback_folio() of fs/iomap/buffered-io.c.  One folio is
locked at a time; PG_writeback is set before any mapping is known; while the ioend under
construction is not submitted, its folios stay under writeback.
"""

from powercut.model.fs.buffer import block_is_dirty
from powercut.model.fs.ext4.ext4 import end_of_folio
from powercut.model.fs.ext4.inode.iomap_map import ext4_iomap_writeback_range
from powercut.model.fs.ext4.inode.iomap_submit import ext4_iomap_writeback_submit
from powercut.model.kernel.primitives import (
    folio_end_writeback,
    folio_lock,
    folio_unlock,
    folio_wait_writeback,
    mapping_set_error,
)
from powercut.model.language import Path
from powercut.model.state import OK, WB_SYNC_ALL, ZERO, Folio, Inode, Kernel


def iomap_writeback_handle_eof(k: Kernel, inode: Inode, f: int) -> int:
    """Zero the folio behind EOF; 0 if it is wholly past EOF.  kernel: same name."""
    if f * k.conf.cells_per_folio >= inode.i_size:
        return 0
    for c in range(inode.i_size, end_of_folio(k, f)):
        inode.page[c] = ZERO
    return 1


def begin_folio_writeback(k: Kernel, folio: Folio) -> None:
    """Set PG_writeback and the bias that keeps it until every run is mapped."""
    folio.writeback = 1
    folio.write_bytes_pending = 1


def end_folio_submission(k: Kernel, inode: Inode, folio: Folio, error: int) -> None:
    """Clear the dirty bits (also on error) and drop the bias."""
    folio.dirty = 0
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
    end_pos = min(inode.i_size, end_of_folio(k, f))
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
        ext4_iomap_writeback_submit(k, current, inode, OK)
        return 0
    folio.locked = current + 1
    return 1


def iomap_writepages(
    k: Kernel, current: int, inode: Inode, sync_mode: int, first: int, last: int
) -> Path[int]:
    """Write dirty folios ``first``..``last`` in order.  kernel: iomap_writepages().

    WB_SYNC_ALL waits for a folio under writeback and goes on after an error; otherwise
    such a folio is skipped and the first error ends the pass.  The saved error also fails the
    last ioend, whatever is in it.
    """
    error = OK
    for f in range(k.conf.nr_folios):
        if (
            f >= first
            and f <= last
            and inode.folio[f].dirty
            and (sync_mode == WB_SYNC_ALL or error == OK)
        ):
            if not trylock_or_submit(k, current, inode, inode.folio[f]):
                yield from folio_lock(k, current, inode.folio[f])
            if sync_mode == WB_SYNC_ALL and inode.folio[f].dirty:
                if k.conf.submits_first and inode.folio[f].writeback and k.wpc[current].wb_ctx:
                    ext4_iomap_writeback_submit(k, current, inode, OK)
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
