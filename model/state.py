"""The shared state: what the kernel, the disk and the checkers' oracle remember between two steps.

Field names are the kernel's where the kernel has the thing.  Everything is a small number:

* Positions and sizes are counted in *cells*; a block is ``conf.cells_per_block`` cells, so that an
  EOF inside a block and a torn block write can be expressed.
* The content of a cell is a *colour*, kept as a one-bit mask so that a set of colours is a number
  too.  A *foreign* colour is what a previous owner of the block left there.
* Transaction ids are relative (``TID_*``) and mapping cookies are a bit "still current": both are
  only ever compared, and absolute counters would make the state space infinite.
* ``stable`` is what a crash keeps, plus what the oracle promised about it.

Not modelled, and why: the buddy and group locks (one allocation is atomic here), extent-status
entries other than delayed ones (they are a cache of the tree and agree with it).
"""

from typing import Annotated

from powercut.model.language import Array, Bit, Byte, Len, Max, Struct

# Colours of a cell.
ZERO = 1
FOREIGN = 2
POLLUTION = 4
OLD = 8
FIRST_OP_COLOUR = 16
ANY_COLOUR = 255

# State of a logical block in the extent tree, and m_flags of a mapping.
HOLE = 0
UNWRITTEN = 1
WRITTEN = 2
DELAYED = 3

# A physical block, as the allocator sees it.
BLOCK_FREE = 0
BLOCK_USED = 1
BLOCK_FREED_RUNNING = 2
BLOCK_FREED_COMMITTING = 3

# An ioend.
IOEND_NONE = 0
IOEND_BUILDING = 1
IOEND_SUBMITTED = 2
IOEND_COMPLETED = 3
IOEND_WORKER = 4

# journal.running and journal.committing.
T_NONE = 0
T_RUNNING = 1
T_LOCKED = 2
T_FLUSH = 1
T_COMMIT_JFLUSH = 2
T_COMMIT_RECORD = 3
T_COMMIT_CALLBACK = 4

# Transaction ids, relative to now.
TID_DONE = 0
TID_COMMITTING = 1
TID_RUNNING = 2

# How i_disksize is kept from passing an EOF block whose tail on disk is not clean.
EOF_UNORDERED = 0
EOF_HOLD_BACK = 1
EOF_ORDERED_GAP = 2
EOF_DEFERRED = 3
EOF_PENDING = 4

# Results of paths.
OK = 0
EIO = 1
ENOSPC = 2
EROFS = 3

# Contexts, the numbers under which locks know their holders.
MAX_TASKS = 3
NR_OPS = 4
ALL_TASKS = 7
FLUSHER = 3
WORKER = 4
KJOURNALD = 5
NR_CONTEXTS = 6
NR_WRITERS = 4
NR_CALLERS = 5


class Mutants(Struct):
    """One switch a mutant; see ``model.mutants`` for what each one breaks."""

    written_allocation: Bit
    disksize_at_map: Bit
    no_min_i_size: Bit
    split_size_update: Bit
    no_preflush: Bit
    early_conversion: Bit
    no_relookup: Bit
    cookie_unchecked: Bit
    fsync_no_commit_wait: Bit
    reuse_before_commit: Bit
    truncate_no_writeback_wait: Bit
    discard_keeps_reservation: Bit
    merge_across_error: Bit
    no_pending_bias: Bit
    no_mapping_error: Bit
    retry_without_commit: Bit
    truncate_under_handle: Bit
    zero_under_handle_truncate: Bit
    zero_under_handle_punch: Bit
    zero_under_handle_zero_range: Bit
    zero_under_handle_fallocate: Bit
    data_sem_first_fallocate: Bit
    data_sem_first_mapping: Bit
    write_keeps_handle: Bit
    unreserved_conversion: Bit
    marks_survive_cut: Bit
    old_mark_stays: Bit
    unmark_at_submit: Bit
    no_tail_zeroing: Bit
    no_orphan: Bit
    two_handles: Bit
    disksize_at_write: Bit
    fsync_no_flush: Bit
    fsync_no_writeback_wait: Bit
    writeback_ends_early: Bit
    new_over_written: Bit
    failed_conversion: Bit
    sync_no_commit_wait: Bit
    sync_no_barrier: Bit
    unlink_no_orphan: Bit
    evict_no_writeback_wait: Bit
    no_ordered_truncate: Bit
    no_partial_submit: Bit
    no_early_submit: Bit
    evict_keeps_marks: Bit
    reads_new_block: Bit


class OpSlot(Struct):
    """One operation of a task's program (``model.scope.Op``).

    ``closes`` says, where files are unlinked, that it is the task's last one on that file.
    """

    code: Byte
    pos: Byte
    length: Byte
    inode: Byte
    colour: Byte
    closes: Bit


class TaskProgram(Struct):
    """The operations of one task, in order; code 0 ends them."""

    op: Annotated[Array[OpSlot], Len("nr_ops")]


class Conf(Struct):
    """What never changes during a run: geometry, design switches, mutants, budgets, programs."""

    nr_inodes: Byte
    nr_blocks: Byte
    nr_folios: Byte
    nr_cells: Byte
    nr_phys: Byte
    cells_per_block: Byte
    blocks_per_folio: Byte
    cells_per_folio: Byte
    eof_rule: Annotated[int, Max(4)]
    revision: Annotated[int, Max(5)]
    iomap_inodes: Byte
    orders_iomap: Bit
    submits_first: Bit
    data_err_abort: Bit
    max_errors: Byte
    log_transactions: Byte
    timer: Annotated[int, Max(2)]
    flusher_passes: Byte
    max_evictions: Byte
    unlinks: Bit
    lock_yields: Bit
    nodelalloc: Bit
    observes_calls: Bit
    mutant: Mutants
    task: Annotated[Array[TaskProgram], Len("nr_tasks")]


class Rwsem(Struct):
    """A reader/writer semaphore: the writer's context + 1, and a mask of reading contexts."""

    writer: Annotated[int, Max(NR_CONTEXTS)]
    readers: Byte


class Folio(Struct):
    """A folio of the page cache; ``dirty`` has a bit a block (ifs dirty bits, BH_Dirty).

    ``mapped`` is for the buffer_head path: blocks whose buffer is mapped and neither BH_Delay nor
    BH_Unwritten.  It is the buffer's own idea, set when the block was last mapped.  ``absent`` has
    the blocks that are not up to date in memory; a folio with nothing else is not in the cache.
    """

    locked: Annotated[int, Max(NR_CONTEXTS)]
    writeback: Bit
    write_bytes_pending: Annotated[int, Max(8)]
    dirty: Byte
    mapped: Byte
    absent: Byte


class Extent(Struct):
    """One block of the extent tree; ``pblk`` is 0 for a hole."""

    state: Annotated[int, Max(WRITTEN)]
    pblk: Annotated[int, Max("nr_phys")]


class InodeImage(Struct):
    """The journalled part of an inode, and the oracle that travels with it.

    ``size`` is i_disksize as last copied by ext4_mark_inode_dirty; ``deleted`` means that no name
    refers to the inode (i_nlink is 0), whether it is still an orphan or free.  ``ever[cell]`` is
    the set of colours that may legally be read there if this image is what recovery finds.
    """

    size: Annotated[int, Max("nr_cells")]
    orphan: Bit
    deleted: Bit
    extent: Annotated[Array[Extent], Len("nr_blocks")]
    ever: Annotated[Array[int], Len("nr_cells"), Max(255)]


class Ioend(Struct):
    """struct iomap_ioend; the one starting at block ``b`` of an inode is ``inode.ioend[b]``.

    A block belongs to at most one ioend at a time (its folio is under writeback until then), so
    the slot is the first block.  ``end`` is io_offset + io_size in cells.
    """

    state: Annotated[int, Max(IOEND_WORKER)]
    nr_blocks: Annotated[int, Max("nr_blocks")]
    end: Annotated[int, Max("nr_cells")]
    pblk: Annotated[int, Max("nr_phys")]
    unwritten: Bit
    error: Bit
    own_end_io: Bit
    orders_eof: Bit
    early: Bit


class Inode(Struct):
    """struct ext4_inode_info with its mapping.

    ``raw`` is the inode as the running transaction has it, ``committing`` the frozen copy.
    ``page[cell]`` is the page cache; for an absent block it is what a user last saw there, which
    only the oracle looks at.  ``delayed[block]`` has the delayed extents of the status tree.
    The oracle keeps ``extending`` (the size + 1 before a call in progress that extends the file),
    ``removing`` (the target size + 1 of a truncate in progress), ``mounted_behind_eof`` (the mask
    of blocks that the mount already found behind EOF, which is legal for unwritten ones),
    ``error_unreported`` (the tasks that no fsync has told of a failure) and ``lost`` (the mask of
    blocks whose last writeback failed: their pages are clean, their data is not on disk).
    ``wb_err`` is a mask of tasks as well: each has the file open on its own and hears of an error
    once.

    ``opened`` is the mask of tasks that have the file open, kept only where files are unlinked;
    ``i_sync`` (I_SYNC) says that the flusher writes the inode, ``i_freeing`` that it is evicted.
    ``buffered_iomap`` is EXT4_STATE_BUFFERED_IOMAP; ``on_running_list`` and ``on_committing_list``
    say on which transaction's t_inode_list (ordered data) the inode is.
    ``eof_needed[block]`` and ``eof_in_flight[block]`` belong to designs that mark EOF blocks: the
    EOF that a write of the block must reach the disk for, not yet submitted or in flight.
    ``disksize_grow_pending`` is EXT4_STATE_DISKSIZE_GROW_PENDING.
    """

    i_rwsem: Rwsem
    invalidate_lock: Rwsem
    i_data_sem: Rwsem
    i_size: Annotated[int, Max("nr_cells")]
    i_disksize: Annotated[int, Max("nr_cells")]
    i_reserved_data_blocks: Annotated[int, Max("nr_blocks")]
    i_sync_tid: Annotated[int, Max(TID_RUNNING)]
    i_datasync_tid: Annotated[int, Max(TID_RUNNING)]
    wb_err: Byte
    work_queued: Bit
    i_ordered_lblk: Annotated[int, Max("nr_blocks")]
    disksize_grow_pending: Bit
    held_size: Annotated[int, Max("nr_cells")]
    eof_needed: Annotated[Array[int], Len("nr_blocks"), Max("nr_cells")]
    eof_in_flight: Annotated[Array[int], Len("nr_blocks"), Max("nr_cells")]
    delayed: Annotated[Array[int], Len("nr_blocks"), Max(1)]
    folio: Annotated[Array[Folio], Len("nr_folios")]
    page: Annotated[Array[int], Len("nr_cells"), Max(255)]
    ioend: Annotated[Array[Ioend], Len("nr_blocks")]
    raw: InodeImage
    committing: InodeImage
    opened: Byte
    i_sync: Bit
    i_freeing: Bit
    buffered_iomap: Bit
    on_running_list: Bit
    on_committing_list: Bit
    extending: Annotated[int, Max(17)]
    removing: Annotated[int, Max(17)]
    mounted_behind_eof: Byte
    error_unreported: Byte
    lost: Byte


class MapBlocks(Struct):
    """struct ext4_map_blocks; ``current_cookie`` says whether m_seq still equals i_es_seq."""

    m_lblk: Annotated[int, Max("nr_blocks")]
    m_len: Annotated[int, Max("nr_blocks")]
    m_flags: Annotated[int, Max(DELAYED)]
    m_pblk: Annotated[int, Max("nr_phys")]
    current_cookie: Bit


class WritepageCtx(Struct):
    """struct iomap_writepage_ctx of one writing context: cached mapping and unsubmitted ioend.

    ``wb_ctx`` is the first block of that ioend plus 1, or 0.
    """

    map: MapBlocks
    wb_ctx: Annotated[int, Max("nr_blocks")]


class Journal(Struct):
    """journal_t: the running and the committing transaction, the log, the abort flag.

    ``t_updates`` is the mask of contexts with a handle on the running transaction.
    """

    running: Annotated[int, Max(T_LOCKED)]
    t_updates: Byte
    committing: Annotated[int, Max(T_COMMIT_CALLBACK)]
    commit_request: Bit
    log_used: Annotated[int, Max(8)]
    j_checkpoint_mutex: Annotated[int, Max(NR_CONTEXTS)]
    aborted: Bit
    bitmap: Byte
    committing_bitmap: Byte


class Caller(Struct):
    """What a system call remembers across commits: the tid it waits for, and fsync's snapshot.

    ``syncing`` is the mask of inodes that a sync in progress is about; ``snapshot`` has, for each
    cell of each inode, the set of colours it may promise.
    """

    tid: Annotated[int, Max(TID_RUNNING)]
    syncing: Byte
    sync_size: Annotated[Array[int], Len("nr_inodes"), Max("nr_cells")]
    snapshot: Annotated[Array[int], Len("file_cells"), Max(255)]


class Promise(Struct):
    """What returned fsyncs promised: colours a cell may show, and the least size."""

    size: Annotated[int, Max("nr_cells")]
    cell: Annotated[Array[int], Len("nr_cells"), Max(255)]


class StableInode(Struct):
    """An inode as the newest durable commit record has it, with the promises made about it."""

    committed: InodeImage
    promise: Promise


class Calls(Struct):
    """What a task outside the machine has seen: how many of its calls returned, and results.

    ``results`` has two bits an operation (OK, EIO, ENOSPC, EROFS) for the syncs.
    """

    returned: Annotated[int, Max(NR_OPS)]
    results: Byte


class Stable(Struct):
    """What a crash keeps.

    ``may[cell]`` of a physical cell is the set of colours a power cut may leave there.  ``calls``
    stays zero unless ``conf.observes_calls``: a user remembers what happened before the crash.
    """

    inode: Annotated[Array[StableInode], Len("nr_inodes")]
    calls: Annotated[Array[Calls], Len("nr_tasks")]
    bitmap: Byte
    may: Annotated[Array[int], Len("phys_cells"), Max(255)]


class Kernel(Struct):
    """The root of the state.

    ``cached[cell]`` of a physical cell is the set of colours a cache flush would persist;
    ``rsv_conversion_wq`` is the conversion queue's single slot; ``sync_work`` is the mask of tasks
    whose sync(2) the flusher has to serve, ``wb_passes`` how many of its own it began (in mounts
    with sync(2) only); ``misread`` is the oracle's: a
    block was read back and was not what its users had last seen.
    """

    conf: Conf
    inode: Annotated[Array[Inode], Len("nr_inodes")]
    journal: Journal
    block: Annotated[Array[int], Len("nr_phys"), Max(BLOCK_FREED_COMMITTING)]
    cached: Annotated[Array[int], Len("phys_cells"), Max(255)]
    caller: Annotated[Array[Caller], Len(NR_CALLERS)]
    wpc: Annotated[Array[WritepageCtx], Len(NR_WRITERS)]
    s_writepages_rwsem: Rwsem
    rsv_conversion_wq: Annotated[int, Max(NR_CONTEXTS)]
    sync_work: Byte
    wb_passes: Annotated[int, Max(2)]
    timer_fired: Bit
    errors_injected: Annotated[int, Max(8)]
    evictions: Annotated[int, Max(8)]
    misread: Bit
    fsync_missed_error: Bit
    failed_allocation: Bit
    stable: Stable
