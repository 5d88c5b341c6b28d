"""From a mapping to an ioend: building, clamping and handing over.

Mirrors iomap_add_to_ioend() of fs/iomap/ioend.c.
"""

from powercut.model.fs.ext4.inode.iomap_submit import ext4_iomap_writeback_submit
from powercut.model.language import Path
from powercut.model.state import (
    HOLE,
    IOEND_BUILDING,
    IOEND_NONE,
    OK,
    UNWRITTEN,
    Inode,
    Kernel,
    MapBlocks,
)


def mapped_block(k: Kernel, map: MapBlocks, block: int) -> int:
    """Return the physical block that the mapping gives for ``block``."""
    return map.m_pblk + block - map.m_lblk


def iomap_can_add_to_ioend(k: Kernel, current: int, inode: Inode, block: int) -> int:
    """Tell whether ``block`` continues the ioend under construction.

    kernel: iomap_can_add_to_ioend().
    """
    wpc = k.wpc[current]
    pblk = mapped_block(k, wpc.map, block)
    ioend = inode.ioend[wpc.wb_ctx - 1]
    if ioend.unwritten != (wpc.map.m_flags == UNWRITTEN):
        return 0
    if wpc.wb_ctx - 1 + ioend.nr_blocks != block or ioend.pblk + ioend.nr_blocks != pblk:
        return 0
    return ioend.end == block * k.conf.cells_per_block


def iomap_alloc_ioend(k: Kernel, current: int, inode: Inode, block: int) -> None:
    """Begin a new ioend at ``block``.  kernel: iomap_alloc_ioend()."""
    ioend = inode.ioend[block]
    assert ioend.state == IOEND_NONE
    ioend.state = IOEND_BUILDING
    ioend.pblk = mapped_block(k, k.wpc[current].map, block)
    ioend.unwritten = k.wpc[current].map.m_flags == UNWRITTEN
    k.wpc[current].wb_ctx = block + 1


def extend_ioend(k: Kernel, current: int, inode: Inode, block: int, end_pos: int) -> None:
    """Add ``block`` to the ioend under construction and to the folio's pending bytes."""
    building = inode.ioend[k.wpc[current].wb_ctx - 1]
    building.nr_blocks += 1
    building.end = min((block + 1) * k.conf.cells_per_block, end_pos)
    inode.folio[block // k.conf.blocks_per_folio].write_bytes_pending += 1


def iomap_add_to_ioend(
    k: Kernel, current: int, inode: Inode, block: int, end_pos: int
) -> Path[None]:
    """Add one block to the ioend, clamped to ``end_pos``.  kernel: iomap_add_to_ioend().

    A hole is consumed without I/O.  A full ioend is submitted first, and may complete at once.
    """
    wpc = k.wpc[current]
    if wpc.map.m_flags == HOLE:
        return
    if wpc.wb_ctx and not iomap_can_add_to_ioend(k, current, inode, block):
        ext4_iomap_writeback_submit(k, current, inode, OK)
        yield  # submitted the ioend so far
    if wpc.wb_ctx == 0:
        iomap_alloc_ioend(k, current, inode, block)
    extend_ioend(k, current, inode, block, end_pos)
