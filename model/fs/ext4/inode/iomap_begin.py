"""The ->iomap_begin() of a write: reserve or allocate.

Mirrors fs/ext4/inode.c with the series.
"""

from powercut.model.fs.ext4.balloc import ext4_should_retry_alloc, s_mb_free_pending
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.inode.map_blocks import (
    allocate_blocks,
    ext4_da_map_blocks,
    unmapped_blocks,
)
from powercut.model.fs.jbd2.journal.requests import jbd2_journal_force_commit_nested
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.state import ENOSPC, OK, UNWRITTEN, Inode, Kernel


def ext4_iomap_get_blocks(
    k: Kernel, current: int, inode: Inode, first: int, last: int
) -> Path[int]:
    """->iomap_begin of a nodelalloc write: allocate unwritten, and stop the handle again.

    kernel: same name; neither throttling nor the folio lock may be waited for under the handle.
    Returns OK, ENOSPC or EROFS.
    """
    if unmapped_blocks(k, inode, first, last) == 0:
        return OK
    error = yield from ext4_journal_start(k, current)
    if error:
        return error
    yield from down_write(k, current, inode.i_data_sem)
    error = allocate_blocks(k, inode, first, last, UNWRITTEN)
    up_write(k, inode.i_data_sem)
    ext4_mark_inode_dirty(k, current, inode)
    ext4_journal_stop(k, current)
    return error


def map_for_write(k: Kernel, current: int, inode: Inode, first: int, last: int) -> Path[int]:
    """One ->iomap_begin, delalloc or not."""
    if k.conf.nodelalloc:
        return (yield from ext4_iomap_get_blocks(k, current, inode, first, last))
    return (yield from ext4_da_map_blocks(k, current, inode, first, last))


def reserve_blocks(k: Kernel, current: int, inode: Inode, first: int, last: int) -> Path[int]:
    """->iomap_begin of a write: reserve or allocate, on ENOSPC force a commit and retry."""
    retries = 0
    while True:
        error = yield from map_for_write(k, current, inode, first, last)
        if error != ENOSPC or not ext4_should_retry_alloc(k, retries):
            return error
        retries += 1
        if s_mb_free_pending(k):
            yield from jbd2_journal_force_commit_nested(k, current)
