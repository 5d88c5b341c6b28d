"""Ordered data on the running transaction.

Mirrors jbd2_journal_file_inode() of fs/jbd2/transaction.c; the handles of that file are in
fs/ext4/ext4_jbd2.py, beside ext4's own functions around them.
"""

from powercut.model.state import Inode, Kernel


def jbd2_journal_file_inode(k: Kernel, inode: Inode, block: int) -> None:
    """File the inode on the running transaction, for a block.  kernel: same name, 6.1 to 7.3.

    The commit writes the range from the first to the last block that was filed since the inode was
    on no list; a filing for the next transaction widens the range of the committing one.
    """
    inode.on_running_list = 1
    if inode.i_dirty_end == 0:
        inode.i_dirty_start = block
    inode.i_dirty_start = min(inode.i_dirty_start, block)
    inode.i_dirty_end = max(inode.i_dirty_end, block + 1)
