"""A buffer becomes a bio.

Mirrors the submission side of fs/ext4/page-io.c.  Each block is a bio of its own here (no merging).
"""

from powercut.model.fs.buffer import clear_buffer_dirty
from powercut.model.state import HOLE, IOEND_NONE, IOEND_SUBMITTED, UNWRITTEN, Inode, Kernel


def io_submit_add_bh(k: Kernel, inode: Inode, block: int, convert: int) -> None:
    """Submit ``block`` alone as a bio.  kernel: io_submit_add_bh()."""
    folio = inode.folio[block // k.conf.blocks_per_folio]
    extent = inode.raw.extent[block]
    assert extent.state != HOLE
    ioend = inode.ioend[block]
    assert ioend.state == IOEND_NONE
    ioend.state = IOEND_SUBMITTED
    ioend.nr_blocks = 1
    ioend.pblk = extent.pblk
    ioend.unwritten = extent.state == UNWRITTEN and convert != 0
    ioend.own_end_io = 1
    clear_buffer_dirty(k, folio, block)
    folio.writeback = 1
    folio.write_bytes_pending += 1
