"""sync(2).

Mirrors ksys_sync() of fs/sync.c: the flusher writes every inode with WB_SYNC_ALL and the caller
waits for all folio writeback, then ext4_sync_fs() without and with waiting.  sync(2) reports no
error; it promises what fsync would have promised for each file.  syncfs(2) is one more round of the
same with an error to return, and not told apart here.

Left out: the writeback of the block device's own pages (nothing durable follows from it).
"""

from powercut.model.fs.ext4.super import ext4_sync_fs
from powercut.model.fs.fs_writeback import sync_inodes_sb
from powercut.model.language import Path
from powercut.model.oracle import note_sync_begins, note_syncfs_returns
from powercut.model.state import Kernel


def ksys_sync(k: Kernel, current: int) -> Path[None]:
    """sync(2).  kernel: ksys_sync()."""
    yield  # sync entry
    for i in range(k.conf.nr_inodes):
        note_sync_begins(k, current, i)
    yield from sync_inodes_sb(k, current)
    yield from ext4_sync_fs(k, current)
    note_syncfs_returns(k, current)
