"""The ->writeback_submit() of the seed.

Mirrors ext4_iomap_writeback_submit() of fs/ext4/inode.c, v3 09/22.
"""

from powercut.model.block.bio import bio_endio
from powercut.model.fs.ext4.eof import eof_submit
from powercut.model.state import IOEND_SUBMITTED, Inode, Kernel


def ext4_iomap_writeback_submit(k: Kernel, current: int, inode: Inode, error: int) -> None:
    """Submit the ioend under construction.  kernel: ext4_iomap_writeback_submit(), v3 09/22.

    ext4's completion is installed only for unwritten extents and for sizes beyond i_disksize; from
    v5 on always with data_err=abort.  With ``error`` the bio is completed with it at once, good
    folios included.
    """
    first = k.wpc[current].wb_ctx - 1
    ioend = inode.ioend[first]
    k.wpc[current].wb_ctx = 0
    if ioend.unwritten or ioend.end > inode.i_disksize:
        ioend.own_end_io = 1
    if k.conf.revision >= 5 and k.conf.data_err_abort:
        ioend.own_end_io = 1
    eof_submit(k, inode, first, ioend)
    if error:
        ioend.error = 1
        bio_endio(k, inode, first, ioend)
        return
    ioend.state = IOEND_SUBMITTED
