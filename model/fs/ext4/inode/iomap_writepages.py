"""The ->writepages() of an iomap inode, and the two early writes of a zeroed EOF block.

Mirrors fs/ext4/inode.c, v3 09/22, v4 and v5.
"""

from powercut.model.fs.ext4.ext4 import ext4_emergency_state
from powercut.model.fs.iomap.buffered_io.writeback import iomap_writepages
from powercut.model.kernel.primitives import (
    folio_lock,
    folio_unlock,
    folio_wait_writeback,
    percpu_down_read,
    up_read,
)
from powercut.model.language import Path
from powercut.model.state import WB_SYNC_ALL, Inode, Kernel


def ext4_iomap_wb_submit_zeroed_eof(
    k: Kernel, current: int, inode: Inode, sync_mode: int, first: int
) -> Path[None]:
    """Write the pending EOF block if the pass begins behind it; no wait.  kernel: same name, v5.

    That pass of its own begins in the block, so it has nothing to write before.  The kernel looks
    under i_data_sem (read), which it drops before the pass, and compares bytes; folios are enough
    for passes that begin and end with one.
    """
    f = inode.i_disksize // k.conf.cells_per_folio
    if inode.disksize_grow_pending and first > f:
        percpu_down_read(k, current, k.s_writepages_rwsem)
        yield from iomap_writepages(k, current, inode, sync_mode, f, f)
        up_read(k, current, k.s_writepages_rwsem)


def ext4_iomap_writepages(
    k: Kernel, current: int, inode: Inode, sync_mode: int, first: int, last: int
) -> Path[int]:
    """->writepages of an iomap inode.  kernel: ext4_iomap_writepages(), v3 09/22, v5."""
    if ext4_emergency_state(k):
        return ext4_emergency_state(k)
    yield from ext4_iomap_wb_submit_zeroed_eof(k, current, inode, sync_mode, first)
    percpu_down_read(k, current, k.s_writepages_rwsem)
    ret = yield from iomap_writepages(k, current, inode, sync_mode, first, last)
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
    error = yield from ext4_iomap_writepages(k, current, inode, WB_SYNC_ALL, f, f)
    if error:
        inode.i_ordered_lblk = 0
