"""A store through a shared mapping: the write fault, and the store into the page.

Mirrors ext4_page_mkwrite() of a 7.x kernel with the series.  Nothing waits for writeback: there are
no stable pages.
"""

from model.declare import Path
from model.extents import ext4_da_map_blocks
from model.file import dirty_block, map_written_buffers
from model.oracle import note_store
from model.primitives import down_read, folio_lock, folio_unlock, up_read
from model.reclaim import fill_folio
from model.state import OK, Kernel
from model.writeback import folio_end_cells


def store_through_mapping(k: Kernel, i: int, cell: int, colour: int) -> None:
    """page_mkwrite dirtied the whole folio; the user's store lands in it."""
    inode = k.inode[i]
    f = cell // k.conf.cells_per_folio
    for block in range(k.conf.nr_blocks):
        if block // k.conf.blocks_per_folio == f:
            dirty_block(k, inode, block)
    inode.page[cell] = colour
    note_store(k, i, cell, colour)


def ext4_page_mkwrite(k: Kernel, current: int, i: int, cell: int, colour: int) -> Path[None]:
    """A store at ``cell`` of a shared mapping: fault, then store.  kernel: iomap_page_mkwrite().

    Faults outside the last folio of the file get SIGBUS.  Blocks are reserved up to EOF, the folio
    is dirtied whole; nothing waits for writeback (no stable pages).
    """
    inode = k.inode[i]
    folio = inode.folio[cell // k.conf.cells_per_folio]
    first = cell // k.conf.cells_per_folio * k.conf.blocks_per_folio
    yield from down_read(k, current, inode.invalidate_lock)
    yield from folio_lock(k, current, folio)
    if cell // k.conf.cells_per_folio * k.conf.cells_per_folio < inode.i_size:
        end = min(inode.i_size, folio_end_cells(k, cell // k.conf.cells_per_folio))
        error = yield from ext4_da_map_blocks(
            k, current, inode, first, (end - 1) // k.conf.cells_per_block
        )
        if error == OK:
            fill_folio(k, inode, cell // k.conf.cells_per_folio)
            if not inode.buffered_iomap:
                map_written_buffers(k, inode, first, (end - 1) // k.conf.cells_per_block)
            store_through_mapping(k, i, cell, colour)
    folio_unlock(k, folio)
    up_read(k, current, inode.invalidate_lock)
