"""The buffered write of the iomap path, folio by folio.

Mirrors iomap_file_buffered_write() of fs/iomap/buffered-io.c with ext4's ->iomap_begin() and
->iomap_end(); buffered writes never touch i_disksize.
"""

from powercut.model.fs.buffer import dirty_block
from powercut.model.fs.ext4.eof import mark_eof_block
from powercut.model.fs.ext4.inode.iomap_begin import reserve_blocks
from powercut.model.fs.iomap.buffered_io.read import fill_for_write
from powercut.model.kernel.primitives import folio_lock, folio_unlock
from powercut.model.language import Path
from powercut.model.mm.truncate import pagecache_isize_extended
from powercut.model.oracle import note_write
from powercut.model.state import Kernel


def iomap_write_end(k: Kernel, i: int, start: int, stop: int, colour: int) -> None:
    """Copy cells ``start``..``stop`` into the locked folio, dirty them, move i_size.

    kernel: iomap_write_iter(), iomap_write_end().  An append within the EOF block counts as an
    extension for the hold-back rule: the rest of that block becomes part of the file.
    """
    inode = k.inode[i]
    if stop > inode.i_size and start <= inode.i_size:
        mark_eof_block(k, inode)
    for c in range(start, stop):
        inode.page[c] = colour
        note_write(k, i, c, colour)
        dirty_block(k, inode, c // k.conf.cells_per_block)
    inode.i_size = max(inode.i_size, stop)


def iomap_file_buffered_write(
    k: Kernel, current: int, i: int, pos: int, end: int, colour: int
) -> Path[None]:
    """Write cells ``pos``..``end`` folio by folio.  kernel: iomap_file_buffered_write()."""
    inode = k.inode[i]
    for f in range(k.conf.nr_folios):
        start = max(pos, f * k.conf.cells_per_folio)
        stop = min(end, (f + 1) * k.conf.cells_per_folio)
        if start < stop:
            error = yield from reserve_blocks(
                k,
                current,
                inode,
                start // k.conf.cells_per_block,
                (stop - 1) // k.conf.cells_per_block,
            )
            if error:
                return
            yield from folio_lock(k, current, inode.folio[f])
            old_size = inode.i_size
            fill_for_write(k, inode, start, stop)
            iomap_write_end(k, i, start, stop, colour)
            folio_unlock(k, inode.folio[f])
            if old_size < start:
                yield from pagecache_isize_extended(k, current, inode, old_size, start)
