"""iomap's ioends after their bio: merging, and the end of folio writeback.

Mirrors fs/iomap/ioend.c.  The lists of the kernel are states of an ioend here: a list's order does
not matter, because the worker sorts it.
"""

from powercut.model.kernel.primitives import folio_end_writeback, mapping_set_error
from powercut.model.oracle import note_written_back
from powercut.model.state import (
    EOF_ORDERED_GAP,
    EOF_PENDING,
    IOEND_NONE,
    IOEND_WORKER,
    Inode,
    Ioend,
    Kernel,
)


def clear_ioend(k: Kernel, ioend: Ioend) -> None:
    """Give the slot back."""
    ioend.state = IOEND_NONE
    ioend.nr_blocks = 0
    ioend.end = 0
    ioend.pblk = 0
    ioend.unwritten = 0
    ioend.error = 0
    ioend.own_end_io = 0
    ioend.orders_eof = 0
    ioend.early = 0


def first_worker_ioend(k: Kernel, inode: Inode) -> int:
    """Return the first block of the lowest ioend the worker holds, or ``nr_blocks``."""
    for b in range(k.conf.nr_blocks):
        if inode.ioend[b].state == IOEND_WORKER:
            return b
    return k.conf.nr_blocks


def iomap_ioend_can_merge(k: Kernel, ioend: Ioend, next_ioend: Ioend) -> int:
    """kernel: iomap_ioend_can_merge(); an ordering ioend carries IOMAP_IOEND_BOUNDARY."""
    if next_ioend.state != IOEND_WORKER:
        return 0
    if ioend.error != next_ioend.error:
        return 0
    if ioend.unwritten != next_ioend.unwritten:
        return 0
    if k.conf.eof_rule == EOF_ORDERED_GAP and next_ioend.orders_eof:
        return 0
    return ioend.pblk + ioend.nr_blocks == next_ioend.pblk


def iomap_ioend_try_merge(k: Kernel, inode: Inode, first: int) -> None:
    """Merge the ioends that follow ``first`` into it.  kernel: iomap_ioend_try_merge().

    io_private is not compared, and the first one's stays: under EOF_PENDING a later mark is lost.
    """
    ioend = inode.ioend[first]
    while first + ioend.nr_blocks < k.conf.nr_blocks:
        next_ioend = inode.ioend[first + ioend.nr_blocks]
        if not iomap_ioend_can_merge(k, ioend, next_ioend):
            break
        ioend.nr_blocks += next_ioend.nr_blocks
        ioend.end = next_ioend.end
        if next_ioend.orders_eof and k.conf.eof_rule != EOF_PENDING:
            ioend.orders_eof = 1
        clear_ioend(k, next_ioend)


def end_writeback_of(k: Kernel, inode: Inode, first: int, ioend: Ioend) -> None:
    """These bytes are written: end writeback of each folio that waits for no others."""
    for b in range(first, first + ioend.nr_blocks):
        folio = inode.folio[b // k.conf.blocks_per_folio]
        if folio.write_bytes_pending:
            folio.write_bytes_pending -= 1
        if folio.write_bytes_pending == 0 and folio.writeback:
            folio_end_writeback(k, folio)


def iomap_finish_ioends(k: Kernel, inode: Inode, first: int, ioend: Ioend, error: int) -> None:
    """End writeback of every folio whose last bytes these were.  kernel: iomap_finish_ioends()."""
    if error:
        mapping_set_error(k, inode)
    for b in range(first, first + ioend.nr_blocks):
        note_written_back(k, inode, b, error)
    end_writeback_of(k, inode, first, ioend)
    clear_ioend(k, ioend)
