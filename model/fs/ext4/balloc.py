"""Free clusters, counted.

Mirrors fs/ext4/balloc.c: freeing raises the count at once, but the blocks can be allocated again
only after a commit, so clusters may be counted that nobody can get.  Root's reserve is left out.
"""

from powercut.model.state import BLOCK_FREED_COMMITTING, BLOCK_FREED_RUNNING, BLOCK_USED, Kernel


def ext4_count_free_clusters(k: Kernel) -> int:
    """Return the free clusters counted, allocatable or not.  kernel: s_freeclusters_counter."""
    free = 0
    for p in range(k.conf.nr_phys):
        if k.block[p] != BLOCK_USED:
            free += 1
    return free


def s_dirtyclusters_counter(k: Kernel) -> int:
    """Return the clusters reserved for delayed allocation on the file system."""
    reserved = 0
    for i in range(k.conf.nr_inodes):
        reserved += k.inode[i].i_reserved_data_blocks
    return reserved


def ext4_has_free_clusters(k: Kernel, nclusters: int) -> int:
    """Tell whether ``nclusters`` are free beside all that is reserved.  kernel: same name."""
    return ext4_count_free_clusters(k) >= s_dirtyclusters_counter(k) + nclusters


def s_mb_free_pending(k: Kernel) -> int:
    """Tell whether freed blocks wait for a commit.  kernel: s_mb_free_pending."""
    for p in range(k.conf.nr_phys):
        if k.block[p] == BLOCK_FREED_RUNNING or k.block[p] == BLOCK_FREED_COMMITTING:
            return 1
    return 0


def ext4_should_retry_alloc(k: Kernel, retries: int) -> int:
    """Tell whether another try may find space.  kernel: ext4_should_retry_alloc(), at most 3."""
    if retries == 3:
        return 0
    if s_mb_free_pending(k):
        return 1
    return ext4_has_free_clusters(k, 1)
