"""Situations that must be reached for a verdict to mean something ("sometimes" assertions).

Each is a helper of the model's language that returns non-zero where the situation holds.
"""

from powercut.model.fs.ext4.balloc import ext4_count_free_clusters
from powercut.model.state import (
    ANY_COLOUR,
    BLOCK_FREED_COMMITTING,
    IOEND_COMPLETED,
    IOEND_SUBMITTED,
    IOEND_WORKER,
    NR_WRITERS,
    OLD,
    T_COMMIT_CALLBACK,
    T_COMMIT_RECORD,
    TID_RUNNING,
    UNWRITTEN,
    ZERO,
    Kernel,
)


def data_in_flight(k: Kernel) -> int:
    """Some bio is at the device."""
    for i in range(k.conf.nr_inodes):
        for b in range(k.conf.nr_blocks):
            if k.inode[i].ioend[b].state == IOEND_SUBMITTED:
                return 1
    return 0


def completed_before_commit(k: Kernel) -> int:
    """Data is complete, its conversion not yet committed: a crash here loses it, legally."""
    for i in range(k.conf.nr_inodes):
        for b in range(k.conf.nr_blocks):
            state = k.inode[i].ioend[b].state
            if state == IOEND_COMPLETED or state == IOEND_WORKER:
                return 1
    return 0


def out_of_order(k: Kernel) -> int:
    """A later ioend completed while an earlier one is in flight."""
    for i in range(k.conf.nr_inodes):
        earlier = 0
        for b in range(k.conf.nr_blocks):
            state = k.inode[i].ioend[b].state
            if earlier and (state == IOEND_COMPLETED or state == IOEND_WORKER):
                return 1
            if state == IOEND_SUBMITTED:
                earlier = 1
    return 0


def record_durable_data_in_flight(k: Kernel) -> int:
    """A commit record is durable while some data bio is in flight."""
    return k.journal.committing == T_COMMIT_RECORD and data_in_flight(k)


def two_transactions(k: Kernel) -> int:
    """The running and the committing transaction both hold the inode."""
    if k.journal.committing == 0 or k.journal.committing == T_COMMIT_CALLBACK:
        return 0
    return k.inode[0].i_sync_tid == TID_RUNNING


def dirty_tail(k: Kernel) -> int:
    """The page cache is not zero behind EOF, inside the EOF block."""
    for i in range(k.conf.nr_inodes):
        inode = k.inode[i]
        if inode.i_size % k.conf.cells_per_block:
            block = inode.i_size // k.conf.cells_per_block
            absent = inode.folio[block // k.conf.blocks_per_folio].absent
            if (absent >> (block % k.conf.blocks_per_folio)) & 1 == 0:
                if inode.page[inode.i_size] != ZERO:
                    return 1
    return 0


def dirty_tail_on_disk(k: Kernel) -> int:
    """A power cut may leave data behind the committed EOF, inside its block."""
    for i in range(k.conf.nr_inodes):
        image = k.stable.inode[i].committed
        if image.size % k.conf.cells_per_block:
            extent = image.extent[image.size // k.conf.cells_per_block]
            cell = extent.pblk * k.conf.cells_per_block + image.size % k.conf.cells_per_block
            if extent.state and k.stable.may[cell] != ZERO:
                return 1
    return 0


def synced(k: Kernel) -> int:
    """An fsync returned and promised something that was written in this mount."""
    for i in range(k.conf.nr_inodes):
        for c in range(k.conf.nr_cells):
            promised = k.stable.oracle.inode[i].promise[c]
            if promised != ANY_COLOUR and promised & (OLD | ZERO) == 0:
                return 1
    return 0


def orphan_committed(k: Kernel) -> int:
    """A crash here needs orphan processing."""
    for i in range(k.conf.nr_inodes):
        if k.stable.inode[i].committed.orphan:
            return 1
    return 0


def freed_block_pending(k: Kernel) -> int:
    """A freed block waits for the commit of the transaction that freed it."""
    for p in range(k.conf.nr_phys):
        if k.block[p] == BLOCK_FREED_COMMITTING:
            return 1
    return 0


def stale_mapping(k: Kernel) -> int:
    """A writeback context holds a cached mapping whose cookie is no longer current."""
    for c in range(NR_WRITERS):
        if k.wpc[c].map.m_len and k.wpc[c].map.current_cookie == 0:
            return 1
    return 0


def commit_under_folio_lock(k: Kernel) -> int:
    """Someone waits for a commit with a folio locked (the ENOSPC retry)."""
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            holder = k.inode[i].folio[f].locked
            if holder and holder <= NR_WRITERS:
                if k.caller[holder - 1].tid:
                    return 1
    return 0


def handle_wanted_under_folio_lock(k: Kernel) -> int:
    """A handle is open whose owner holds a folio lock: the order the patch introduces."""
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            holder = k.inode[i].folio[f].locked
            if holder and k.journal.t_updates & (1 << (holder - 1)):
                return 1
    return 0


def size_held_back(k: Kernel) -> int:
    """The hold-back rule keeps i_disksize below a size that data has reached."""
    for i in range(k.conf.nr_inodes):
        if k.inode[i].held_size:
            return 1
    return 0


def bio_failed(k: Kernel) -> int:
    """A data bio failed."""
    return k.device.errors_injected


def journal_aborted(k: Kernel) -> int:
    """The journal is aborted."""
    return k.journal.aborted


def checkpointing(k: Kernel) -> int:
    """A handle start had to make room in the log."""
    return k.journal.j_checkpoint_mutex


def folio_evicted(k: Kernel) -> int:
    """A folio was reclaimed, and some block of a file is not in memory."""
    if k.evictions == 0:
        return 0
    for i in range(k.conf.nr_inodes):
        for f in range(k.conf.nr_folios):
            if k.inode[i].folio[f].absent:
                return 1
    return 0


def unwritten_not_cached(k: Kernel) -> int:
    """An unwritten block inside the file is not in memory: it will read as zeros."""
    for i in range(k.conf.nr_inodes):
        inode = k.inode[i]
        for b in range(k.conf.nr_blocks):
            absent = inode.folio[b // k.conf.blocks_per_folio].absent
            if (absent >> (b % k.conf.blocks_per_folio)) & 1:
                if inode.raw.extent[b].state == UNWRITTEN:
                    if b * k.conf.cells_per_block < inode.i_size:
                        return 1
    return 0


def unlinked_committed(k: Kernel) -> int:
    """A crash here leaves an orphan without a name, which recovery deletes."""
    for i in range(k.conf.nr_inodes):
        image = k.stable.inode[i].committed
        if image.deleted and image.orphan:
            return 1
    return 0


def unlinked_blocks_reused(k: Kernel) -> int:
    """An unlinked file is gone for good, and another file has blocks in a full pool."""
    if ext4_count_free_clusters(k):
        return 0
    for i in range(k.conf.nr_inodes):
        image = k.stable.inode[i].committed
        if image.deleted and image.orphan == 0:
            return 1
    return 0
