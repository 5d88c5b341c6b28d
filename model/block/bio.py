"""A bio's end: whose completion runs in irq context.

Mirrors bio_endio() of block/bio.c with the bi_end_io that was installed at submission.
"""

from powercut.model.fs.ext4.page_io.end_io import ext4_end_bio, ext4_iomap_end_bio
from powercut.model.fs.iomap.ioend.finish import iomap_finish_ioends
from powercut.model.state import Inode, Ioend, Kernel


def bio_endio(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> None:
    """Run bi_end_io of the ioend's bio: ext4's own if it was installed at submission.

    iomap's default completion ends writeback and never looks at data_err=abort.
    """
    if not inode.buffered_iomap:
        ext4_end_bio(k, inode, first, ioend)
        return
    if ioend.own_end_io:
        ext4_iomap_end_bio(k, inode, first, ioend)
        return
    iomap_finish_ioends(k, inode, first, ioend, ioend.error)
