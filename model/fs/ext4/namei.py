"""unlink(2).

Mirrors ext4_unlink() of fs/ext4/namei.c.  Unlinking puts the inode on the orphan list in the
transaction that removes its name; ``model.fs.ext4.inode.evict`` deletes it.

Not modelled: directories (their blocks, their locks, fsync of one), hard links, creating a file.
"""

from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.oracle import note_removal_begins, note_removal_ends
from powercut.model.state import OK, Kernel


def ext4_unlink(k: Kernel, current: int, i: int) -> Path[None]:
    """unlink(2) of file ``i``; i_rwsem is the inode's.  kernel: vfs_unlink(), ext4_unlink()."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    if inode.raw.deleted == 0:
        note_removal_begins(k, i, 0)
        error = yield from ext4_journal_start(k, current)
        if error == OK:
            inode.raw.deleted = 1
            inode.raw.orphan = 1
            ext4_mark_inode_dirty(k, current, inode)
            ext4_journal_stop(k, current)
        note_removal_ends(k, i)
    up_write(k, inode.i_rwsem)
