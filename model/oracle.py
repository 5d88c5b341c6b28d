"""What a user was promised, followed alongside the kernel: the checkers' only notion of right.

Every journalled image of an inode carries, for each cell, the set of colours that may legally be
read there should recovery find that image; promises of returned fsyncs are kept apart.

* A write may reach the disk at any time (data is not journalled), so its colour becomes legal in
  every image.  A store past EOF is legal only in images whose size already covers it.
* Truncation makes the cut cells zero in the running image only: an older image may be recovered
  as long as the truncation is not committed.
* A promise about a cell ends when a call that removes it begins.

Nothing here influences the kernel paths: they call ``note_...()`` functions of this module, and
none of them reads what ``model.state`` declares to be the oracle's (a test walks their source).
"""

from powercut.model.state import ALL_TASKS, ANY_COLOUR, MAX_TASKS, ZERO, Inode, Kernel


def note_frozen(k: Kernel, i: int) -> None:
    """The committing transaction has file ``i`` as the running one had it."""
    for c in range(k.conf.nr_cells):
        k.oracle.inode[i].ever_committing[c] = k.oracle.inode[i].ever[c]


def note_durable(k: Kernel, i: int) -> None:
    """From now on recovery finds file ``i`` as the committing transaction has it."""
    for c in range(k.conf.nr_cells):
        k.stable.oracle.inode[i].ever[c] = k.oracle.inode[i].ever_committing[c]


def note_commit_done(k: Kernel, i: int) -> None:
    """There is no committing transaction any more."""
    for c in range(k.conf.nr_cells):
        k.oracle.inode[i].ever_committing[c] = 0


def note_extension_begins(k: Kernel, i: int) -> None:
    """A call begins to extend file ``i``: what it adds is not promised before it returns."""
    k.oracle.inode[i].extending = k.inode[i].i_size + 1


def note_extension_ends(k: Kernel, i: int) -> None:
    """The call returned."""
    k.oracle.inode[i].extending = 0


def note_writeback_error(k: Kernel, inode: Inode) -> None:
    """Data of the file failed: every task is to hear of it."""
    k.oracle.inode[inode.i_ino].error_unreported = ALL_TASKS


def note_allocation_given_up(k: Kernel) -> None:
    """Writeback found no blocks for data that a user has written."""
    k.oracle.failed_allocation = 1


def is_syncing(k: Kernel, t: int, i: int) -> int:
    """Tell whether task ``t`` is in a sync that is about file ``i``."""
    return (k.oracle.caller[t].syncing >> i) & 1


def note_write(k: Kernel, i: int, cell: int, colour: int) -> None:
    """The user stored ``colour`` at ``cell`` of file ``i``: legal in whatever is recovered."""
    k.oracle.inode[i].ever[cell] |= colour
    if k.journal.committing:
        k.oracle.inode[i].ever_committing[cell] |= colour
    k.stable.oracle.inode[i].ever[cell] |= colour
    k.stable.oracle.inode[i].promise[cell] |= colour
    for t in range(MAX_TASKS):
        if is_syncing(k, t, i):
            k.oracle.caller[t].snapshot[i * k.conf.nr_cells + cell] |= colour


def note_store(k: Kernel, i: int, cell: int, colour: int) -> None:
    """A store through mmap; past EOF it is legal only where the recovered size covers it."""
    inode = k.inode[i]
    if cell < inode.i_size or k.oracle.inode[i].extending:
        note_write(k, i, cell, colour)
        return
    if inode.raw.size > cell:
        k.oracle.inode[i].ever[cell] |= colour
    if k.journal.committing and inode.committing.size > cell:
        k.oracle.inode[i].ever_committing[cell] |= colour
    if k.stable.inode[i].committed.size > cell:
        k.stable.oracle.inode[i].ever[cell] |= colour


def note_removal_begins(k: Kernel, i: int, new_size: int) -> None:
    """A truncate to ``new_size`` begins: promises about the cells it cuts end."""
    k.oracle.inode[i].removing = new_size + 1
    promised = k.stable.oracle.inode[i]
    promised.promise_size = min(promised.promise_size, new_size)
    for c in range(new_size, k.conf.nr_cells):
        promised.promise[c] = ANY_COLOUR
    for t in range(MAX_TASKS):
        if is_syncing(k, t, i):
            k.oracle.caller[t].sync_size[i] = min(k.oracle.caller[t].sync_size[i], new_size)
            for c in range(new_size, k.conf.nr_cells):
                k.oracle.caller[t].snapshot[i * k.conf.nr_cells + c] = ANY_COLOUR


def note_removed(k: Kernel, i: int, new_size: int) -> None:
    """The truncate took effect in the running transaction: there, the cut cells are zero."""
    for c in range(new_size, k.conf.nr_cells):
        k.oracle.inode[i].ever[c] = ZERO


def note_range_removal_begins(k: Kernel, i: int, start: int, stop: int) -> None:
    """A punch or zero range of cells ``start``..``stop`` begins: promises about them end."""
    k.oracle.inode[i].removing = start + 1
    for c in range(start, stop):
        k.stable.oracle.inode[i].promise[c] = ANY_COLOUR
        for t in range(MAX_TASKS):
            if is_syncing(k, t, i):
                k.oracle.caller[t].snapshot[i * k.conf.nr_cells + c] = ANY_COLOUR


def note_range_removed(k: Kernel, i: int, start: int, stop: int) -> None:
    """Whole blocks became holes or unwritten in the running transaction: there they are zero."""
    for c in range(start, stop):
        k.oracle.inode[i].ever[c] = ZERO


def note_removal_ends(k: Kernel, i: int) -> None:
    """The truncate returned: an fsync called from now on promises what is there."""
    k.oracle.inode[i].removing = 0


def note_freed(k: Kernel, i: int) -> None:
    """File ``i`` is gone: nothing may be read of it, and nobody will hear of its errors."""
    oracle = k.oracle.inode[i]
    oracle.lost = 0
    oracle.error_unreported = 0
    oracle.mounted_behind_eof = 0
    for c in range(k.conf.nr_cells):
        k.oracle.inode[i].ever[c] = ZERO


def note_written_back(k: Kernel, inode: Inode, block: int, error: int) -> None:
    """Writeback of ``block`` ended; after an error its data is nowhere.

    The page is clean all the same, so a later fsync succeeds: it promises nothing about the block.
    """
    k.oracle.inode[inode.i_ino].lost &= ~(1 << block)
    if error:
        k.oracle.inode[inode.i_ino].lost |= 1 << block


def is_lost(k: Kernel, i: int, block: int) -> int:
    """Tell whether the last writeback of ``block`` failed."""
    return (k.oracle.inode[i].lost >> block) & 1


def note_result(k: Kernel, t: int, result: int) -> None:
    """The sync that task ``t`` is in returns ``result``; the user remembers it."""
    if k.conf.observes_calls:
        calls = k.stable.oracle.calls[t]
        calls.results |= result << (2 * calls.returned)


def note_call_returned(k: Kernel, t: int) -> None:
    """Task ``t`` is back from its system call."""
    if k.conf.observes_calls:
        k.stable.oracle.calls[t].returned += 1


def note_filled(k: Kernel, inode: Inode, cell: int, colour: int) -> None:
    """``cell`` of an absent block was read as ``colour``: is that what its users last saw?

    Data whose writeback failed may be gone, and nobody looks behind EOF.
    """
    if cell >= inode.i_size or colour == inode.page[cell]:
        return
    if (k.oracle.inode[inode.i_ino].lost >> (cell // k.conf.cells_per_block)) & 1 == 0:
        k.oracle.misread = 1


def note_sync_begins(k: Kernel, t: int, i: int) -> None:
    """Task ``t`` calls fsync on file ``i``: what is in the page cache now may be promised.

    What a truncate in progress is about to cut may not, nor may the extension of a call that has
    not returned, nor data that an error lost and that nobody is going to write again.
    """
    size = k.inode[i].i_size
    for b in range(k.conf.nr_blocks):
        if is_given_up(k, i, b):
            size = min(size, k.stable.inode[i].committed.size)
    if k.oracle.inode[i].extending:
        size = min(size, k.oracle.inode[i].extending - 1)
    if k.oracle.inode[i].removing:
        size = min(size, k.oracle.inode[i].removing - 1)
    k.oracle.caller[t].syncing |= 1 << i
    k.oracle.caller[t].sync_size[i] = size
    for c in range(k.conf.nr_cells):
        k.oracle.caller[t].snapshot[i * k.conf.nr_cells + c] = ANY_COLOUR
        if c < size and not is_given_up(k, i, c // k.conf.cells_per_block):
            k.oracle.caller[t].snapshot[i * k.conf.nr_cells + c] = k.inode[i].page[c]


def is_given_up(k: Kernel, i: int, block: int) -> int:
    """Tell whether the last writeback of ``block`` failed, and its page is clean since."""
    folio = k.inode[i].folio[block // k.conf.blocks_per_folio]
    dirty = (folio.dirty >> (block % k.conf.blocks_per_folio)) & 1
    return is_lost(k, i, block) and not dirty and not folio.writeback


def keep_promise(k: Kernel, t: int, i: int) -> None:
    """What task ``t`` had synced of file ``i`` is promised from now on.

    While data of the file is lost to an earlier error, no size is promised beyond what is durable.
    """
    promised = k.stable.oracle.inode[i]
    size = k.oracle.caller[t].sync_size[i]
    if k.oracle.inode[i].lost:
        size = min(size, k.stable.inode[i].committed.size)
    promised.promise_size = max(promised.promise_size, size)
    for c in range(k.conf.nr_cells):
        if not is_lost(k, i, c // k.conf.cells_per_block):
            promised.promise[c] &= k.oracle.caller[t].snapshot[i * k.conf.nr_cells + c]


def forget_snapshot(k: Kernel, t: int, i: int) -> None:
    """The sync of task ``t`` is done with file ``i``."""
    k.oracle.caller[t].syncing &= ~(1 << i)
    k.oracle.caller[t].sync_size[i] = 0
    for c in range(k.conf.nr_cells):
        k.oracle.caller[t].snapshot[i * k.conf.nr_cells + c] = 0


def is_explained(k: Kernel, t: int, i: int) -> int:
    """Tell whether something failed that a sync of task ``t`` on file ``i`` may return."""
    return (
        k.oracle.inode[i].error_unreported & (1 << t)
        or k.oracle.failed_allocation
        or k.journal.aborted
    )


def note_sync_refused(k: Kernel, t: int, error: int) -> None:
    """The fsync of task ``t`` returned before it began: the journal has to be aborted for that."""
    note_result(k, t, error)
    if k.journal.aborted == 0:
        k.oracle.failed_for_nothing = 1


def note_sync_returns(k: Kernel, t: int, i: int, error: int) -> None:
    """The fsync of task ``t`` returned; without error its snapshot becomes a promise."""
    note_result(k, t, error)
    if error == 0:
        keep_promise(k, t, i)
        if k.oracle.inode[i].error_unreported & (1 << t):
            k.oracle.fsync_missed_error = 1
    elif not is_explained(k, t, i):
        k.oracle.failed_for_nothing = 1
    k.oracle.inode[i].error_unreported &= ~(1 << t)
    forget_snapshot(k, t, i)


def note_syncfs_returns(k: Kernel, t: int) -> None:
    """The sync(2) of task ``t`` returned: a promise for every file, unless the journal is aborted.

    It reports no error, and leaves those there are to the next fsync: until then it promises
    nothing about such a file, for the data may have failed while it waited.
    """
    for i in range(k.conf.nr_inodes):
        if not k.journal.aborted and k.oracle.inode[i].error_unreported & (1 << t) == 0:
            keep_promise(k, t, i)
        forget_snapshot(k, t, i)
