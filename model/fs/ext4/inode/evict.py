"""What happens to an inode that no name and nobody refers to any more.

Mirrors, at the last iput(), evict() with ext4_evict_inode() of fs/ext4/inode.c.  A task has the
files of its operations open from the mount until it is done with them; the last one to close an
unlinked file evicts it, in its own context.  Eviction is a transaction of its own, so a crash after
the unlink leaves an orphan without a name: recovery deletes it.  Blocks come back to the allocator
as those of a truncate do.

Eviction waits for the flusher (I_SYNC), starts to write what a commit in progress needs of ordered
data, and then waits, in truncate_inode_pages_final(), for the writeback of every folio; as that
ends after the conversion, no work of the inode is left.  A task that finds no file at the mount
does nothing: open(2) failed.
"""

from powercut.model.fs.ext4.eof import unmark_all
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.extents.tree import ext4_ext_remove_space
from powercut.model.fs.ext4.extents_status import ext4_es_remove_extent
from powercut.model.fs.ext4.ialloc import ext4_free_inode
from powercut.model.fs.ext4.inode.truncate import ext4_begin_ordered_truncate
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.mm.truncate import truncate_inode_pages_final
from powercut.model.state import Kernel


def ext4_evict_inode(k: Kernel, current: int, i: int) -> Path[None]:
    """Delete the inode.  kernel: evict(), ext4_evict_inode().

    An EOF block that something waits for is dropped with the pages, so the mark goes first (v5).
    i_size and i_disksize go to zero with the blocks, under i_data_sem: nobody could look between.
    Without a handle only the reservations are given back; the next mount finds the orphan.
    """
    inode = k.inode[i]
    inode.i_freeing = 1
    yield lambda: inode.i_sync == 0  # wait for the flusher to leave the inode
    inode.disksize_grow_pending = 0
    unmark_all(k, inode, 0)
    yield from ext4_begin_ordered_truncate(k, current, inode, 0)
    yield from truncate_inode_pages_final(k, current, inode)
    error = yield from ext4_journal_start(k, current)
    if error:
        ext4_es_remove_extent(k, inode, 0, k.conf.nr_blocks - 1)
        inode.i_freeing = 0
        return
    yield from down_write(k, current, inode.i_data_sem)
    inode.i_size = 0
    inode.i_disksize = 0
    ext4_es_remove_extent(k, inode, 0, k.conf.nr_blocks - 1)
    ext4_ext_remove_space(k, inode, 0, k.conf.nr_blocks)
    up_write(k, inode.i_data_sem)
    ext4_free_inode(k, current, i)
    ext4_journal_stop(k, current)
    inode.i_freeing = 0
