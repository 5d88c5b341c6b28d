"""Punch hole: a caller whose order of zeroing, handle and locks matters.

Mirrors ext4_punch_hole() of fs/ext4/inode.c, 7.x with the series; ``model.fs.ext4.extents
.fallocate`` has ext4_zero_range(), to be read beside it.
"""

from powercut.model.fs.ext4.eof import raise_disksize_in_call
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.mm.filemap import filemap_write_and_wait_range
from powercut.model.state import Inode, Kernel


def ext4_iomap_sync_zeroed_eof(
    k: Kernel, current: int, inode: Inode, start: int, stop: int
) -> Path[None]:
    """Write a pending EOF block that the range covers, so that sizes may pass.

    kernel: same name, v5.  Outside any handle, under i_rwsem.
    """
    per_block = k.conf.cells_per_block
    block = inode.i_disksize // per_block
    if (
        inode.disksize_grow_pending
        and start <= inode.i_disksize
        and (block + 1) * per_block <= stop
    ):
        yield from filemap_write_and_wait_range(
            k, current, inode, inode.i_disksize, (block + 1) * per_block
        )
        assert inode.disksize_grow_pending == 0


def ext4_update_disksize_before_punch(
    k: Kernel, current: int, inode: Inode, start: int, stop: int
) -> Path[None]:
    """Dirty data past the range that is dropped would never raise i_disksize: do it now."""
    yield from ext4_iomap_sync_zeroed_eof(k, current, inode, start, stop)
    if inode.i_disksize >= min(inode.i_size, stop):
        return
    error = yield from ext4_journal_start(k, current)
    if error:
        return
    yield from down_write(k, current, inode.i_data_sem)
    raise_disksize_in_call(k, inode, min(inode.i_size, stop))
    up_write(k, inode.i_data_sem)
    ext4_mark_inode_dirty(k, current, inode)
    ext4_journal_stop(k, current)
