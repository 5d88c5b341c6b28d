"""truncate(2).

Mirrors ext4_setattr() and ext4_truncate() of fs/ext4/inode.c, 7.x.
"""

from powercut.model.fs.ext4.eof import disksize_limit, unmark_all, unmark_cut
from powercut.model.fs.ext4.ext4_jbd2 import (
    ext4_journal_start,
    ext4_journal_stop,
    ext4_should_order_data,
)
from powercut.model.fs.ext4.extents.tree import ext4_ext_remove_space
from powercut.model.fs.ext4.extents_status import ext4_es_remove_extent
from powercut.model.fs.ext4.inode.dirty import ext4_mark_inode_dirty
from powercut.model.fs.ext4.inode.zero import ext4_block_zero_eof
from powercut.model.fs.jbd2.journal.requests import jbd2_journal_abort
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.mm.page_writeback import do_writepages
from powercut.model.mm.truncate import pagecache_isize_extended, truncate_pagecache
from powercut.model.oracle import (
    note_extension_begins,
    note_extension_ends,
    note_removal_begins,
    note_removal_ends,
    note_removed,
)
from powercut.model.state import EOF_ORDERED_GAP, OK, WB_SYNC_ALL, Inode, Kernel


def set_disksize(k: Kernel, inode: Inode, size: int) -> None:
    """Set i_disksize for a truncate; a raise obeys the design's EOF rule."""
    if size <= inode.i_disksize:
        inode.i_disksize = size
        inode.disksize_grow_pending = 0
        unmark_all(k, inode, size)
        return
    if inode.disksize_grow_pending:
        return
    if k.conf.eof_rule == EOF_ORDERED_GAP and inode.i_ordered_lblk:
        return
    if size < inode.i_size:
        unmark_cut(k, inode, size)
    allowed = min(size, disksize_limit(k, inode))
    if allowed < size:
        inode.held_size = size
    inode.i_disksize = max(inode.i_disksize, allowed)


def set_inode_sizes(k: Kernel, current: int, inode: Inode, size: int) -> Path[None]:
    """i_disksize and i_size change in one i_data_sem section.  kernel: ext4_setattr(), 7.x."""
    yield from down_write(k, current, inode.i_data_sem)
    set_disksize(k, inode, size)
    inode.i_size = size
    up_write(k, inode.i_data_sem)


def ext4_truncate(k: Kernel, current: int, i: int) -> Path[None]:
    """Zero the new tail and remove the blocks behind i_size.  kernel: ext4_truncate(), 7.x.

    ext4_ext_truncate() raises i_disksize to i_size, which matters only after a failed write.
    """
    inode = k.inode[i]
    yield from ext4_block_zero_eof(k, current, inode, inode.i_size, 0)
    error = yield from ext4_journal_start(k, current)
    if error:
        return
    inode.raw.orphan = 1
    yield from down_write(k, current, inode.i_data_sem)
    if not inode.buffered_iomap:
        inode.i_disksize = inode.i_size
    first = (inode.i_size + k.conf.cells_per_block - 1) // k.conf.cells_per_block
    ext4_es_remove_extent(k, inode, first, k.conf.nr_blocks - 1)
    ext4_ext_remove_space(k, inode, first, k.conf.nr_blocks)
    up_write(k, inode.i_data_sem)
    inode.raw.orphan = inode.raw.deleted
    ext4_mark_inode_dirty(k, current, inode)
    ext4_journal_stop(k, current)


def ext4_begin_ordered_truncate(k: Kernel, current: int, inode: Inode, size: int) -> Path[int]:
    """Start to write what a commit in progress needs of the data behind ``size``.

    kernel: same name, jbd2_journal_begin_ordered_truncate(): only if the inode's transaction is the
    committing one.  Nothing is waited for but folios under writeback that are dirty again; who
    drops the pages then waits.  Returns OK or the error of writeback, which aborts the journal.
    """
    if not ext4_should_order_data(k, inode):
        return OK
    if inode.on_committing_list == 0:
        return OK
    error = yield from do_writepages(k, current, inode, WB_SYNC_ALL, size // k.conf.cells_per_folio)
    if error:
        jbd2_journal_abort(k)
    return error


def ext4_setattr(k: Kernel, current: int, i: int, size: int) -> Path[None]:
    """truncate(2) to ``size``.  kernel: ext4_setattr(), 7.x; the inode is an orphan meanwhile."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    if size < inode.i_size:
        error = yield from ext4_begin_ordered_truncate(k, current, inode, size)
        if error:
            up_write(k, inode.i_rwsem)
            return
    yield from down_write(k, current, inode.invalidate_lock)
    if size < inode.i_size:
        note_removal_begins(k, i, size)
    elif size > inode.i_size:
        note_extension_begins(k, i)
        yield from ext4_block_zero_eof(k, current, inode, inode.i_size, 1)
    error = yield from ext4_journal_start(k, current)
    if error == OK:
        old_size = inode.i_size
        shrinks = size <= old_size
        if shrinks:
            inode.raw.orphan = 1
        if size < old_size:
            note_removed(k, i, size)
        yield from set_inode_sizes(k, current, inode, size)
        ext4_mark_inode_dirty(k, current, inode)
        ext4_journal_stop(k, current)
        if size > old_size:
            yield from pagecache_isize_extended(k, current, inode, old_size, size)
        yield from truncate_pagecache(k, current, inode, size)
        if shrinks:
            yield from ext4_truncate(k, current, i)
    note_removal_ends(k, i)
    note_extension_ends(k, i)
    up_write(k, inode.invalidate_lock)
    up_write(k, inode.i_rwsem)
