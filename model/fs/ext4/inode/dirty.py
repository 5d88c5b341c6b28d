"""The journalled inode: what a handle copies into it.

Mirrors ext4_mark_inode_dirty() of fs/ext4/inode.c.
"""

from powercut.model.state import TID_RUNNING, Inode, Kernel


def ext4_mark_inode_dirty(k: Kernel, current: int, inode: Inode) -> None:
    """Copy i_disksize into the journalled inode.  kernel: ext4_do_update_inode()."""
    assert k.journal.t_updates & (1 << current)
    if inode.raw.size != inode.i_disksize:
        inode.i_datasync_tid = TID_RUNNING
    inode.raw.size = inode.i_disksize
    inode.i_sync_tid = TID_RUNNING
