"""The block allocator: lowest free block first, and freed blocks wait for their commit.

Mirrors fs/ext4/mballoc.c where it matters for crashes: freeing lowers the bitmap at once, but the
blocks can be allocated again only after the commit of the freeing transaction called back.
Allocation is one atomic step; groups and preallocation are left out.
"""

from powercut.model.fs.ext4.balloc import ext4_has_free_clusters
from powercut.model.state import (
    BLOCK_FREE,
    BLOCK_FREED_COMMITTING,
    BLOCK_FREED_RUNNING,
    BLOCK_USED,
    FOREIGN,
    Kernel,
)


def first_free_block(k: Kernel) -> int:
    """Return the lowest allocatable block, or ``nr_phys``."""
    for p in range(k.conf.nr_phys):
        if k.block[p] == BLOCK_FREE:
            return p
    return k.conf.nr_phys


def block_to_allocate(k: Kernel, reserved: int) -> int:
    """Return the block to allocate, or ``nr_phys`` for ENOSPC.

    kernel: ext4_mb_new_blocks() for one block.  What has no reservation of its own
    (EXT4_MB_DELALLOC_RESERVED) must be free beside all reservations (ext4_claim_free_clusters()).
    """
    if reserved or ext4_has_free_clusters(k, 1):
        return first_free_block(k)
    return k.conf.nr_phys


def free_run_length(k: Kernel, start: int, want: int) -> int:
    """Return how many of up to ``want`` blocks from ``start`` are allocatable in a row."""
    length = 0
    while length < want and start + length < k.conf.nr_phys:
        if k.block[start + length] != BLOCK_FREE:
            break
        length += 1
    return length


def ext4_mb_mark_diskspace_used(k: Kernel, p: int) -> None:
    """Allocate block ``p`` in the running transaction.  kernel: ext4_mb_mark_diskspace_used()."""
    assert k.block[p] == BLOCK_FREE
    k.block[p] = BLOCK_USED
    k.journal.bitmap |= 1 << p


def ext4_free_blocks(k: Kernel, p: int) -> None:
    """Free block ``p`` in the running transaction.  kernel: ext4_free_blocks()."""
    assert k.block[p] == BLOCK_USED
    k.journal.bitmap &= ~(1 << p)
    k.block[p] = BLOCK_FREED_RUNNING


def ext4_process_freed_data(k: Kernel) -> None:
    """The commit callback gives freed blocks back.  kernel: ext4_process_freed_data().

    From here on their content is somebody else's: no committed state refers to them.  It also runs
    after an abort, when the last committed state still does (and nobody can allocate any more, see
    ext4_journal_get_write_access()).
    """
    for p in range(k.conf.nr_phys):
        if k.block[p] == BLOCK_FREED_COMMITTING:
            k.block[p] = BLOCK_FREE
            if k.journal.aborted:
                continue
            for c in range(k.conf.cells_per_block):
                k.stable.may[p * k.conf.cells_per_block + c] = FOREIGN
                k.device.cached[p * k.conf.cells_per_block + c] = FOREIGN
