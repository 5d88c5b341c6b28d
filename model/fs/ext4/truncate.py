"""What a failed write leaves behind i_size.

Mirrors fs/ext4/truncate.h.
"""

from powercut.model.fs.ext4.inode.truncate import ext4_truncate
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.mm.truncate import truncate_pagecache
from powercut.model.state import Kernel


def ext4_truncate_failed_write(k: Kernel, current: int, i: int) -> Path[None]:
    """Take away what a failed write left behind i_size.  kernel: same name."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.invalidate_lock)
    yield from truncate_pagecache(k, current, inode, inode.i_size)
    yield from ext4_truncate(k, current, i)
    up_write(k, inode.invalidate_lock)
