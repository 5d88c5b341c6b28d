"""The extent tree: removal and conversion.

Mirrors fs/ext4/extents.c.  A block of the tree is a hole, unwritten or written.  Callers hold
i_data_sem where the kernel does.
"""

from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.inode.map_blocks import convert_blocks
from powercut.model.fs.ext4.mballoc import ext4_free_blocks
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.state import HOLE, Inode, Kernel


def ext4_ext_remove_space(k: Kernel, inode: Inode, first: int, end: int) -> None:
    """Free blocks ``first``..``end``.  kernel: ext4_ext_remove_space()."""
    for b in range(first, end):
        if inode.raw.extent[b].state != HOLE:
            ext4_free_blocks(k, inode.raw.extent[b].pblk)
            inode.raw.extent[b].state = HOLE
            inode.raw.extent[b].pblk = 0


def ext4_convert_unwritten_extents(
    k: Kernel, current: int, inode: Inode, first: int, length: int
) -> Path[int]:
    """Convert a completed range, in the caller's handle.  kernel: same name."""
    yield from down_write(k, current, inode.i_data_sem)
    error = convert_blocks(k, inode, first, length)
    ext4_mark_inode_dirty(k, current, inode)
    up_write(k, inode.i_data_sem)
    return error
