"""The page cache as system calls use it: buffered write, read, write and wait.

Mirrors mm/filemap.c.  The write path of a buffer_head inode goes folio by folio through ext4's
->write_begin() and ->write_end().
"""

from powercut.model.fs.ext4.balloc import ext4_should_retry_alloc, s_mb_free_pending
from powercut.model.fs.ext4.inode.iomap_writepages import ext4_iomap_writepages
from powercut.model.fs.ext4.inode.write import write_folio
from powercut.model.fs.iomap.buffered_io.read import fill_folio
from powercut.model.fs.jbd2.journal.requests import jbd2_journal_force_commit_nested
from powercut.model.kernel.primitives import (
    down_read,
    folio_lock,
    folio_unlock,
    folio_wait_writeback,
    up_read,
)
from powercut.model.language import Path
from powercut.model.state import EIO, ENOSPC, OK, WB_SYNC_ALL, Inode, Kernel


def file_check_and_advance_wb_err(k: Kernel, current: int, inode: Inode) -> int:
    """Report a recorded writeback error once.  kernel: file_check_and_advance_wb_err()."""
    error = inode.wb_err & (1 << current)
    inode.wb_err &= ~(1 << current)
    return EIO if error else OK


def filemap_write_and_wait_range(
    k: Kernel, current: int, inode: Inode, start: int, stop: int
) -> Path[None]:
    """Write the folios of cells ``start``..``stop`` and wait for them.  kernel: same name."""
    first = start // k.conf.cells_per_folio
    last = (stop - 1) // k.conf.cells_per_folio
    yield from ext4_iomap_writepages(k, current, inode, WB_SYNC_ALL, first, last)
    for f in range(k.conf.nr_folios):
        if f >= first and f <= last:
            yield from folio_wait_writeback(k, inode.folio[f])


def filemap_read(k: Kernel, current: int, inode: Inode, pos: int, length: int) -> Path[None]:
    """read(2) of ``length`` cells at ``pos``: read in what is not cached.  kernel: same name.

    Reading what is cached changes nothing and takes no lock.
    """
    for f in range(k.conf.nr_folios):
        start = max(pos, f * k.conf.cells_per_folio)
        stop = min(min(pos + length, inode.i_size), (f + 1) * k.conf.cells_per_folio)
        if start < stop and inode.folio[f].absent:
            yield from down_read(k, current, inode.invalidate_lock)
            yield from folio_lock(k, current, inode.folio[f])
            if f * k.conf.cells_per_folio < inode.i_size:
                fill_folio(k, inode, f)
            folio_unlock(k, inode.folio[f])
            up_read(k, current, inode.invalidate_lock)


def generic_perform_write(
    k: Kernel, current: int, i: int, pos: int, end: int, colour: int
) -> Path[None]:
    """Write cells ``pos``..``end`` on the buffer_head path.  kernel: generic_perform_write()."""
    for f in range(k.conf.nr_folios):
        start = max(pos, f * k.conf.cells_per_folio)
        stop = min(end, (f + 1) * k.conf.cells_per_folio)
        if start < stop:
            retries = 0
            while True:
                error = yield from write_folio(k, current, i, f, start, stop, colour)
                if error == OK:
                    break
                if error != ENOSPC or not ext4_should_retry_alloc(k, retries):
                    return
                retries += 1
                if s_mb_free_pending(k):
                    yield from jbd2_journal_force_commit_nested(k, current)
