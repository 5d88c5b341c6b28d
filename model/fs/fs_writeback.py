"""The flusher, and what sync(2) has it do.

Mirrors fs/fs-writeback.c.  In a mount in which somebody calls sync(2) one worker serves both kinds
of work; in the others the flusher makes passes of its own.

Left out: the flusher's additional pass that sync(2) begins with (writing less than what follows).
"""

from powercut.model.kernel.primitives import folio_wait_writeback
from powercut.model.language import Path
from powercut.model.mm.page_writeback import do_writepages
from powercut.model.state import FLUSHER, WB_SYNC_ALL, WB_SYNC_NONE, Inode, Kernel


def writeback_single_inode(k: Kernel, inode: Inode, sync_mode: int) -> Path[None]:
    """Write one inode from the flusher, unless it is being freed.  kernel: same name."""
    if inode.i_freeing == 0:
        inode.i_sync = 1
        yield from do_writepages(k, FLUSHER, inode, sync_mode, 0)
        inode.i_sync = 0


def flusher(k: Kernel, n: int) -> Path[None]:
    """The flusher thread: WB_SYNC_NONE passes over every inode, at any time."""
    for _pass in range(k.conf.flusher_passes):
        for i in range(k.conf.nr_inodes):
            yield  # wb_workfn
            yield from writeback_single_inode(k, k.inode[i], WB_SYNC_NONE)


def wb_workfn(k: Kernel, n: int) -> Path[None]:
    """The flusher of a mount in which somebody calls sync(2): one worker for both kinds of work.

    What sync(2) queued comes first, one caller a pass; the flusher's own passes wait for it.
    kernel: wb_workfn(), wb_do_writeback().
    """
    while True:
        yield lambda: k.sync_work or k.wb_passes < k.conf.flusher_passes  # wb_workfn
        caller = k.sync_work & ~(k.sync_work & (k.sync_work - 1))
        if caller == 0:
            k.wb_passes += 1
        for i in range(k.conf.nr_inodes):
            yield  # next inode
            yield from writeback_single_inode(
                k, k.inode[i], WB_SYNC_ALL if caller else WB_SYNC_NONE
            )
        k.sync_work &= ~caller


def sync_inodes_sb(k: Kernel, current: int) -> Path[None]:
    """Have the flusher write every inode, and wait for all folio writeback.  kernel: same name."""
    k.sync_work |= 1 << current
    yield lambda: (k.sync_work >> current) & 1 == 0  # wait for the flusher
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            yield from folio_wait_writeback(k, k.inode[i].folio[f])
