"""Writeback of a mapping, on whichever path its inode is.

Mirrors do_writepages() of mm/page-writeback.c, which calls the file system's ->writepages().
"""

from powercut.model.fs.ext4.inode.iomap_writepages import ext4_iomap_writepages
from powercut.model.fs.ext4.inode.writepages import ext4_do_writepages
from powercut.model.language import Path
from powercut.model.state import Inode, Kernel


def do_writepages(k: Kernel, current: int, inode: Inode, sync_mode: int, first: int) -> Path[int]:
    """Write the file from folio ``first`` on, on the path it is on.  kernel: do_writepages()."""
    if inode.buffered_iomap:
        return (
            yield from ext4_iomap_writepages(k, current, inode, sync_mode, first, k.conf.nr_folios)
        )
    return (yield from ext4_do_writepages(k, current, inode, sync_mode, first))
