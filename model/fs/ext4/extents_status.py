"""The extent-status tree: delayed extents, and the cookie that tells a stale mapping.

Mirrors fs/ext4/extents_status.c.  Entries other than delayed ones are a cache that agrees with the
extent tree, so a lookup reads the tree.  Callers hold i_data_sem where the kernel does.
"""

from powercut.model.state import DELAYED, NR_WRITERS, UNWRITTEN, WRITTEN, Inode, Kernel


def ext4_es_inc_seq(k: Kernel) -> None:
    """i_es_seq moves: every cached mapping becomes stale.  kernel: ext4_es_inc_seq()."""
    for c in range(NR_WRITERS):
        k.wpc[c].map.current_cookie = 0


def block_status(k: Kernel, inode: Inode, block: int) -> int:
    """Return HOLE, UNWRITTEN, WRITTEN or DELAYED.  kernel: ext4_es_lookup_extent()."""
    if inode.delayed[block]:
        return DELAYED
    return inode.raw.extent[block].state


def extent_length(k: Kernel, inode: Inode, block: int) -> int:
    """Return how many blocks from ``block`` on are one extent (same state, contiguous)."""
    status = block_status(k, inode, block)
    length = 1
    while block + length < k.conf.nr_blocks:
        if block_status(k, inode, block + length) != status:
            break
        if status == WRITTEN or status == UNWRITTEN:
            expected = inode.raw.extent[block].pblk + length
            if inode.raw.extent[block + length].pblk != expected:
                break
        length += 1
    return length


def ext4_es_remove_extent(k: Kernel, inode: Inode, first: int, last: int) -> None:
    """Drop delayed blocks and their reservations.  kernel: ext4_es_remove_extent()."""
    for b in range(first, last + 1):
        if inode.delayed[b]:
            inode.delayed[b] = 0
            inode.i_reserved_data_blocks -= 1
    ext4_es_inc_seq(k)
