"""A store through a shared mapping: the write fault, and the store into the page.

Mirrors ext4_page_mkwrite() of a 7.x kernel with the series.  With nodelalloc both paths allocate,
in opposite orders: the buffer_head path starts the handle before it locks the folio, the iomap path
under the folio lock, where it also commits and tries again on ENOSPC.  Nothing waits for writeback:
there are no stable pages.
"""

from powercut.model.fs.buffer import dirty_block
from powercut.model.fs.ext4.balloc import ext4_should_retry_alloc, s_mb_free_pending
from powercut.model.fs.ext4.ext4 import end_of_folio
from powercut.model.fs.ext4.ext4_jbd2 import ext4_journal_start, ext4_journal_stop
from powercut.model.fs.ext4.inode.buffers import buffer_is_mapped, map_written_buffers
from powercut.model.fs.ext4.inode.iomap_begin import reserve_blocks
from powercut.model.fs.ext4.inode.map_blocks import ext4_da_map_blocks
from powercut.model.fs.ext4.inode.write import get_blocks_for_write
from powercut.model.fs.iomap.buffered_io.read import fill_folio
from powercut.model.fs.jbd2.journal.requests import jbd2_journal_force_commit_nested
from powercut.model.kernel.primitives import down_read, folio_lock, folio_unlock, up_read
from powercut.model.language import Path
from powercut.model.oracle import note_store
from powercut.model.state import ENOSPC, OK, Inode, Kernel


def first_block_of(k: Kernel, cell: int) -> int:
    """Return the first block of the folio that ``cell`` is in."""
    return cell // k.conf.cells_per_folio * k.conf.blocks_per_folio


def last_block_inside(k: Kernel, inode: Inode, cell: int) -> int:
    """Return the last block inside i_size of that folio; before its first if there is none."""
    end = min(inode.i_size, end_of_folio(k, cell // k.conf.cells_per_folio))
    if end <= cell // k.conf.cells_per_folio * k.conf.cells_per_folio:
        return first_block_of(k, cell) - 1
    return (end - 1) // k.conf.cells_per_block


def store_through_mapping(k: Kernel, i: int, cell: int, last: int, colour: int) -> None:
    """The fault dirtied the whole folio, mapped up to ``last``; the user's store lands in it."""
    inode = k.inode[i]
    f = cell // k.conf.cells_per_folio
    fill_folio(k, inode, f)
    if not inode.buffered_iomap:
        map_written_buffers(k, inode, first_block_of(k, cell), last)
    for block in range(k.conf.nr_blocks):
        if block // k.conf.blocks_per_folio == f:
            dirty_block(k, inode, block)
    inode.page[cell] = colour
    note_store(k, i, cell, colour)


def get_blocks_and_store(k: Kernel, current: int, i: int, cell: int, colour: int) -> Path[int]:
    """Get blocks up to EOF under the folio lock, and store.

    kernel: block_page_mkwrite() with delayed allocation; iomap_page_mkwrite().
    """
    inode = k.inode[i]
    folio = inode.folio[cell // k.conf.cells_per_folio]
    first = first_block_of(k, cell)
    error = OK
    yield from folio_lock(k, current, folio)
    last = last_block_inside(k, inode, cell)
    if first <= last:
        if inode.buffered_iomap:
            error = yield from reserve_blocks(k, current, inode, first, last)
            if k.journal.t_updates & (1 << current):
                ext4_journal_stop(k, current)
        else:
            error = yield from ext4_da_map_blocks(k, current, inode, first, last)
        if error == OK:
            store_through_mapping(k, i, cell, last, colour)
    folio_unlock(k, folio)
    return error


def ext4_block_page_mkwrite(k: Kernel, current: int, i: int, cell: int, colour: int) -> Path[int]:
    """nodelalloc on the buffer_head path: allocate written blocks in a handle.  kernel: same name.

    Only what is inside i_size is allocated, so an error has nothing to cut off.
    """
    inode = k.inode[i]
    folio = inode.folio[cell // k.conf.cells_per_folio]
    first = first_block_of(k, cell)
    error = yield from ext4_journal_start(k, current)
    if error:
        return error
    yield from folio_lock(k, current, folio)
    last = last_block_inside(k, inode, cell)
    if first <= last:
        error = yield from get_blocks_for_write(k, current, inode, first, last)
        if error == OK:
            store_through_mapping(k, i, cell, last, colour)
    folio_unlock(k, folio)
    ext4_journal_stop(k, current)
    return error


def any_unmapped(k: Kernel, inode: Inode, first: int, last: int) -> int:
    """Tell whether one of the buffers is not mapped.  kernel: ext4_bh_unmapped()."""
    for b in range(first, last + 1):
        if not buffer_is_mapped(k, inode, b):
            return 1
    return 0


def store_if_mapped(k: Kernel, current: int, i: int, cell: int, colour: int) -> Path[int]:
    """Without a handle, store if all buffers are mapped; 0 if there are blocks to allocate."""
    inode = k.inode[i]
    folio = inode.folio[cell // k.conf.cells_per_folio]
    first = first_block_of(k, cell)
    yield from folio_lock(k, current, folio)
    last = last_block_inside(k, inode, cell)
    done = not any_unmapped(k, inode, first, last)
    if done and first <= last:
        store_through_mapping(k, i, cell, last, colour)
    folio_unlock(k, folio)
    return done


def ext4_page_mkwrite(k: Kernel, current: int, i: int, cell: int, colour: int) -> Path[None]:
    """A store at ``cell`` of a shared mapping: fault, then store.  kernel: same name.

    Faults outside the last folio of the file get SIGBUS.  The buffer_head path lets go of the folio
    before it forces a commit on ENOSPC.
    """
    inode = k.inode[i]
    allocates = k.conf.nodelalloc and not inode.buffered_iomap
    done = 0
    retries = 0
    yield from down_read(k, current, inode.invalidate_lock)
    if allocates:
        done = yield from store_if_mapped(k, current, i, cell, colour)
    while not done:
        if allocates:
            error = yield from ext4_block_page_mkwrite(k, current, i, cell, colour)
        else:
            error = yield from get_blocks_and_store(k, current, i, cell, colour)
        done = error != ENOSPC or inode.buffered_iomap or not ext4_should_retry_alloc(k, retries)
        if not done:
            retries += 1
            if s_mb_free_pending(k):
                yield from jbd2_journal_force_commit_nested(k, current)
    up_read(k, current, inode.invalidate_lock)
