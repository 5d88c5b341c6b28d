"""unlink(2), and what happens to an inode that no name and nobody refers to any more.

Mirrors ext4_unlink() and, at the last iput(), evict() with ext4_evict_inode().  A task has the
files of its operations open from the mount until it is done with them; the last one to close an
unlinked file evicts it, in its own context.  Unlinking puts the inode on the orphan list in the
transaction that removes its name.  Eviction is a transaction of its own, so a crash in between
leaves an orphan without a name: recovery deletes it.  Blocks come back to the allocator as those of
a truncate do.

Eviction waits for the flusher (I_SYNC), starts to write what a commit in progress needs of ordered
data, and then waits, in truncate_inode_pages_final(), for the writeback of every folio; as that
ends after the conversion, no work of the inode is left.  A task that finds no file at the mount
does nothing: open(2) failed.

Not modelled: directories (their blocks, their locks, fsync of one), hard links, creating a file.
"""

from powercut.model.eof import unmark_all
from powercut.model.extents import ext4_es_remove_extent, ext4_ext_remove_space
from powercut.model.file import ext4_begin_ordered_truncate, truncate_folio
from powercut.model.jbd2 import ext4_journal_start, ext4_journal_stop, ext4_mark_inode_dirty
from powercut.model.language import Path
from powercut.model.oracle import note_freed, note_removal_begins, note_removal_ends
from powercut.model.primitives import (
    down_write,
    folio_lock,
    folio_unlock,
    folio_wait_writeback,
    up_write,
)
from powercut.model.reclaim import is_cached
from powercut.model.state import OK, Inode, Kernel


def ext4_unlink(k: Kernel, current: int, i: int) -> Path[None]:
    """unlink(2) of file ``i``; i_rwsem is the inode's.  kernel: vfs_unlink(), ext4_unlink()."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    if inode.raw.deleted == 0:
        note_removal_begins(k, i, 0)
        error = yield from ext4_journal_start(k, current)
        if error == OK:
            inode.raw.deleted = 1
            if not k.conf.mutant.unlink_no_orphan:
                inode.raw.orphan = 1
            ext4_mark_inode_dirty(k, current, inode)
            ext4_journal_stop(k, current)
        note_removal_ends(k, i)
    up_write(k, inode.i_rwsem)


def truncate_inode_pages_final(k: Kernel, current: int, inode: Inode) -> Path[None]:
    """Drop every folio, after its writeback.  kernel: same name."""
    for f in range(k.conf.nr_folios):
        if is_cached(k, inode, f):
            yield from folio_lock(k, current, inode.folio[f])
            if not k.conf.mutant.evict_no_writeback_wait:
                yield from folio_wait_writeback(k, inode.folio[f])
            truncate_folio(k, inode, f, 0)
            folio_unlock(k, inode.folio[f])


def ext4_free_inode(k: Kernel, current: int, i: int) -> None:
    """Off the orphan list, and free.  kernel: ext4_orphan_del(), ext4_free_inode()."""
    inode = k.inode[i]
    inode.raw.orphan = 0
    inode.on_running_list = 0
    ext4_mark_inode_dirty(k, current, inode)
    note_freed(k, i)


def ext4_evict_inode(k: Kernel, current: int, i: int) -> Path[None]:
    """Delete the inode.  kernel: evict(), ext4_evict_inode().

    An EOF block that something waits for is dropped with the pages, so the mark goes first (v5).
    i_size and i_disksize go to zero with the blocks, under i_data_sem: nobody could look between.
    Without a handle only the reservations are given back; the next mount finds the orphan.
    """
    inode = k.inode[i]
    inode.i_freeing = 1
    yield lambda: inode.i_sync == 0  # wait for the flusher to leave the inode
    if not k.conf.mutant.evict_keeps_marks:
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
    ext4_ext_remove_space(k, inode, 0)
    up_write(k, inode.i_data_sem)
    ext4_free_inode(k, current, i)
    ext4_journal_stop(k, current)
    inode.i_freeing = 0


def has_open(k: Kernel, t: int, i: int) -> int:
    """Tell whether task ``t`` has file ``i`` open, where files are unlinked at all."""
    return k.conf.unlinks == 0 or (k.inode[i].opened >> t) & 1


def close_file(k: Kernel, t: int, i: int) -> Path[None]:
    """close(2) after the last operation of task ``t`` on file ``i``.  kernel: iput()."""
    inode = k.inode[i]
    inode.opened &= ~(1 << t)
    if inode.opened == 0 and inode.raw.deleted:
        yield from ext4_evict_inode(k, t, i)
