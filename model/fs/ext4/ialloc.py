"""The end of an inode.

Mirrors ext4_free_inode() of fs/ext4/ialloc.c and ext4_orphan_del() of fs/ext4/orphan.c.
"""

from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.oracle import note_freed
from powercut.model.state import Kernel


def ext4_free_inode(k: Kernel, current: int, i: int) -> None:
    """Off the orphan list, and free.  kernel: ext4_orphan_del(), ext4_free_inode()."""
    inode = k.inode[i]
    inode.raw.orphan = 0
    inode.on_running_list = 0
    if inode.on_committing_list == 0:
        inode.i_dirty_start = 0
        inode.i_dirty_end = 0
    ext4_mark_inode_dirty(k, current, inode)
    inode.wb_err = 0
    note_freed(k, i)
