"""The shared state: what the kernel, the disk and the checkers' oracle remember between two steps.

Field names are the kernel's where the kernel has the thing.  Everything is a small number:

* Positions and sizes are counted in *cells*; a block is ``conf.cells_per_block`` cells, so that an
  EOF inside a block and a torn block write can be expressed.
* The content of a cell is a *colour*, kept as a one-bit mask so that a set of colours is a number
  too.  A *foreign* colour is what a previous owner of the block left there.
* Transaction ids are relative (``TID_*``) and mapping cookies are a bit "still current": both are
  only ever compared, and absolute counters would make the state space infinite.
* ``stable`` is what a crash keeps, plus what the oracle promised about it.
* A declaration says what else matters of a field: ``Lock`` (its class and rank), ``Hidden`` (left
  out of told changes, and why), ``Oracle`` (no kernel path may touch it).

Not modelled, and why: the buddy and group locks (one allocation is atomic here), extent-status
entries other than delayed ones (they are a cache of the tree and agree with it).
"""

from typing import Annotated

from powercut.model.language import Array, Bit, Byte, Hidden, Len, Lock, Max, Oracle, Struct, Waits

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

# wbc->sync_mode, which says what writeback waits for.  kernel: enum writeback_sync_modes.
WB_SYNC_NONE = 0
WB_SYNC_ALL = 1

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

# Why a variable is left out where a step's changes are told.
HOLDERS = "who holds a lock is told apart"
DETAIL = "follows from what is told, or decides nothing a reader would miss"
BUDGET = "bookkeeping of the scope"
ORACLE = "the oracle's own"


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
    """What never changes during a run: geometry, design switches, budgets, programs, mutant.

    ``mutant`` is the number of the mutant that runs (``model.mutants``), 0 for none.
    """

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
    mutant: Byte
    task: Annotated[Array[TaskProgram], Len("nr_tasks")]


class Rwsem(Struct):
    """A reader/writer semaphore."""

    # The writer's context + 1.
    writer: Annotated[int, Max(NR_CONTEXTS), Hidden(HOLDERS)]
    # The mask of reading contexts.
    readers: Annotated[Byte, Hidden(HOLDERS)]


class Folio(Struct):
    """A folio of the page cache."""

    # PG_locked: the holder's context + 1.
    locked: Annotated[int, Max(NR_CONTEXTS), Lock("folio_lock", 4), Hidden(HOLDERS)]
    # PG_writeback.
    writeback: Annotated[Bit, Waits()]
    # What is submitted and not complete, in blocks; the bias of a folio being mapped counts as one.
    write_bytes_pending: Annotated[int, Max(8), Hidden(DETAIL)]
    # A bit a block: ifs dirty bits, or BH_Dirty.
    dirty: Byte
    # Buffer_head path, a bit a block: the buffer is mapped, neither BH_Delay nor BH_Unwritten.  It
    # is the buffer's own idea, set when the block was last mapped.
    mapped: Byte
    # The blocks not up to date in memory; a folio with nothing else is not in the cache.
    absent: Byte


class Extent(Struct):
    """One block of the extent tree."""

    state: Annotated[int, Max(WRITTEN)]
    # 0 for a hole.
    pblk: Annotated[int, Max("nr_phys")]


class InodeImage(Struct):
    """The journalled part of an inode."""

    # i_disksize as last copied by ext4_mark_inode_dirty().
    size: Annotated[int, Max("nr_cells")]
    # On the orphan list.
    orphan: Bit
    # No name refers to the inode (i_nlink is 0), whether it is still an orphan or free.
    deleted: Bit
    extent: Annotated[Array[Extent], Len("nr_blocks")]


class Ioend(Struct):
    """struct iomap_ioend; the one starting at block ``b`` of an inode is ``inode.ioend[b]``.

    A block belongs to at most one ioend at a time (its folio is under writeback until then), so
    the slot is the first block.
    """

    state: Annotated[int, Max(IOEND_WORKER), Waits()]
    nr_blocks: Annotated[int, Max("nr_blocks"), Waits()]
    # io_offset + io_size, in cells.
    end: Annotated[int, Max("nr_cells")]
    pblk: Annotated[int, Max("nr_phys")]
    # IOMAP_IOEND_UNWRITTEN.
    unwritten: Bit
    # The bio failed.
    error: Bit
    # bi_end_io is ext4's.
    own_end_io: Annotated[Bit, Hidden(DETAIL)]
    # Sizes wait for this one: it covers a marked EOF block.
    orders_eof: Annotated[Bit, Hidden(DETAIL)]
    # The mutant early_conversion: converted while the bio is in flight.
    early: Annotated[Bit, Hidden(DETAIL)]


class Inode(Struct):
    """struct ext4_inode_info with its mapping."""

    i_rwsem: Annotated[Rwsem, Lock("i_rwsem", 0)]
    invalidate_lock: Annotated[Rwsem, Lock("invalidate_lock", 1)]
    i_data_sem: Annotated[Rwsem, Lock("i_data_sem", 6)]
    # Its number, from 0; the oracle knows it by that.
    i_ino: Annotated[int, Max("nr_inodes")]
    i_size: Annotated[int, Max("nr_cells")]
    i_disksize: Annotated[int, Max("nr_cells"), Waits()]
    i_reserved_data_blocks: Annotated[int, Max("nr_blocks")]
    i_sync_tid: Annotated[int, Max(TID_RUNNING), Hidden(DETAIL)]
    i_datasync_tid: Annotated[int, Max(TID_RUNNING), Hidden(DETAIL)]
    # The tasks that are still to hear of a writeback error: each has the file open on its own.
    wb_err: Byte
    # i_rsv_conversion_work is queued.
    work_queued: Annotated[Bit, Waits()]
    # EOF_ORDERED_GAP: the block + 1 that sizes wait for.
    i_ordered_lblk: Annotated[int, Max("nr_blocks"), Waits()]
    # EXT4_STATE_DISKSIZE_GROW_PENDING.
    disksize_grow_pending: Annotated[Bit, Waits()]
    # The size that a mark keeps i_disksize from.
    held_size: Annotated[int, Max("nr_cells")]
    # By block, in designs that mark EOF blocks: the EOF that a write of the block must reach the
    # disk for, not yet submitted ...
    eof_needed: Annotated[Array[int], Len("nr_blocks"), Max("nr_cells"), Waits()]
    # ... or in flight.
    eof_in_flight: Annotated[Array[int], Len("nr_blocks"), Max("nr_cells"), Waits()]
    # By block: a delayed extent of the status tree.
    delayed: Annotated[Array[int], Len("nr_blocks"), Max(1)]
    folio: Annotated[Array[Folio], Len("nr_folios")]
    # The page cache, a colour a cell; of an absent block what a user last saw there, which only
    # the oracle looks at.
    page: Annotated[Array[int], Len("nr_cells"), Max(255)]
    ioend: Annotated[Array[Ioend], Len("nr_blocks")]
    # The inode as the running transaction has it.
    raw: InodeImage
    # The frozen copy.
    committing: Annotated[InodeImage, Hidden(DETAIL)]
    # The tasks that have the file open, kept only where files are unlinked.
    opened: Annotated[Byte, Hidden(DETAIL)]
    # I_SYNC: the flusher writes the inode.
    i_sync: Annotated[Bit, Hidden(DETAIL)]
    # I_FREEING: it is evicted.
    i_freeing: Bit
    # EXT4_STATE_BUFFERED_IOMAP.
    buffered_iomap: Annotated[Bit, Waits()]
    # On t_inode_list (ordered data) of the running transaction ...
    on_running_list: Bit
    # ... or of the committing one.
    on_committing_list: Bit
    # Of the jbd2_inode, in blocks: what a commit writes and waits for of the inode's data.  One
    # range serves both transactions; its end is the last block + 1, or 0 where there is none.
    i_dirty_start: Annotated[int, Max("nr_blocks")]
    i_dirty_end: Annotated[int, Max("nr_blocks")]


class MapBlocks(Struct):
    """struct ext4_map_blocks."""

    m_lblk: Annotated[int, Max("nr_blocks")]
    m_len: Annotated[int, Max("nr_blocks")]
    m_flags: Annotated[int, Max(DELAYED)]
    m_pblk: Annotated[int, Max("nr_phys")]
    # Whether m_seq still equals i_es_seq.
    current_cookie: Bit


class WritepageCtx(Struct):
    """struct iomap_writepage_ctx of one writing context."""

    # The cached mapping.
    map: MapBlocks
    # The first block of the unsubmitted ioend + 1, or 0.
    wb_ctx: Annotated[int, Max("nr_blocks"), Hidden(DETAIL), Waits()]


class Journal(Struct):
    """journal_t: the running and the committing transaction, the log, the abort flag."""

    running: Annotated[int, Max(T_LOCKED)]
    # The contexts with a handle on the running transaction.
    t_updates: Annotated[Byte, Lock("handle", 5, shared=True), Hidden(HOLDERS)]
    committing: Annotated[int, Max(T_COMMIT_CALLBACK)]
    # kjournald is asked to commit.
    commit_request: Bit
    # Transactions in the log that are not checkpointed.
    log_used: Annotated[int, Max(8)]
    # The holder's context + 1.
    j_checkpoint_mutex: Annotated[
        int, Max(NR_CONTEXTS), Lock("j_checkpoint_mutex", 7), Hidden(HOLDERS)
    ]
    aborted: Bit
    # The block bitmap as the running transaction has it.
    bitmap: Annotated[Byte, Hidden(DETAIL)]
    # The frozen copy.
    committing_bitmap: Annotated[Byte, Hidden(DETAIL)]


class Caller(Struct):
    """What a system call remembers across commits."""

    # The transaction it waits for.
    tid: Annotated[int, Max(TID_RUNNING), Waits()]


class Device(Struct):
    """The disk in front of its medium."""

    # By physical cell: the colours that a cache flush would persist.
    cached: Annotated[Array[int], Len("phys_cells"), Max(255), Hidden(DETAIL)]
    errors_injected: Annotated[int, Max(8), Hidden(BUDGET)]


class OracleInode(Struct):
    """What the oracle follows of one file."""

    # By cell: the colours that may legally be read there should recovery find the running image.
    ever: Annotated[Array[int], Len("nr_cells"), Max(255)]
    # The same for the committing image.
    ever_committing: Annotated[Array[int], Len("nr_cells"), Max(255)]
    # The size + 1 before a call in progress that extends the file.
    extending: Annotated[int, Max(17)]
    # The target size + 1 of a truncate in progress.
    removing: Annotated[int, Max(17)]
    # The blocks that the mount already found behind EOF, which is legal for unwritten ones.
    mounted_behind_eof: Byte
    # The tasks that no fsync has told of a failure.
    error_unreported: Byte
    # The blocks whose last writeback failed: their pages are clean, their data is not on disk.
    lost: Byte


class OracleCaller(Struct):
    """What a sync in progress may promise once it returns."""

    # The inodes that the sync is about.
    syncing: Byte
    sync_size: Annotated[Array[int], Len("nr_inodes"), Max("nr_cells")]
    # By cell of each inode: the colours it may promise.
    snapshot: Annotated[Array[int], Len("file_cells"), Max(255)]


class OracleState(Struct):
    """What is followed alongside the kernel (``model.oracle``), and gone with a crash."""

    inode: Annotated[Array[OracleInode], Len("nr_inodes"), Hidden(ORACLE)]
    caller: Annotated[Array[OracleCaller], Len(MAX_TASKS), Hidden(ORACLE)]
    # A block was read back and was not what its users had last seen.
    misread: Bit
    # An fsync returned success over an error that its caller had not heard of.
    fsync_missed_error: Bit
    # A sync returned an error, and nothing had failed that its caller had not heard of.
    failed_for_nothing: Bit
    # Writeback found no blocks for written data.
    failed_allocation: Bit


class Promises(Struct):
    """What is legal of one file after a crash, and what was promised of it."""

    # By cell: the colours that may legally be read there should recovery find the durable image.
    ever: Annotated[Array[int], Len("nr_cells"), Max(255)]
    # The least size that returned fsyncs promised.
    promise_size: Annotated[int, Max("nr_cells")]
    # By cell: the colours they promised.
    promise: Annotated[Array[int], Len("nr_cells"), Max(255)]


class Calls(Struct):
    """What a task outside the machine has seen."""

    # How many of its calls returned.
    returned: Annotated[int, Max(NR_OPS)]
    # Two bits an operation (OK, EIO, ENOSPC, EROFS), for the syncs.
    results: Byte


class StableOracle(Struct):
    """What the outside world remembers of before the crash."""

    inode: Annotated[Array[Promises], Len("nr_inodes"), Hidden(ORACLE)]
    # Zero unless ``conf.observes_calls``.
    calls: Annotated[Array[Calls], Len("nr_tasks")]


class StableInode(Struct):
    """An inode as the newest durable commit record has it."""

    committed: InodeImage


class Stable(Struct):
    """What a crash keeps."""

    inode: Annotated[Array[StableInode], Len("nr_inodes")]
    # The block bitmap of the newest durable commit record.
    bitmap: Annotated[Byte, Hidden(DETAIL)]
    # By physical cell: the colours that a power cut may leave there.
    may: Annotated[Array[int], Len("phys_cells"), Max(255)]
    oracle: Annotated[StableOracle, Oracle()]


class Kernel(Struct):
    """The root of the state."""

    conf: Conf
    inode: Annotated[Array[Inode], Len("nr_inodes")]
    journal: Annotated[Journal, Waits()]
    # The allocator's view of each physical block.
    block: Annotated[Array[int], Len("nr_phys"), Max(BLOCK_FREED_COMMITTING)]
    device: Device
    caller: Annotated[Array[Caller], Len(NR_CALLERS)]
    wpc: Annotated[Array[WritepageCtx], Len(NR_WRITERS)]
    s_writepages_rwsem: Annotated[Rwsem, Lock("s_writepages_rwsem", 2)]
    # The conversion queue's single slot: the holder's context + 1.
    rsv_conversion_wq: Annotated[int, Max(NR_CONTEXTS), Lock("worker_slot", 3), Hidden(HOLDERS)]
    # The tasks whose sync(2) the flusher has to serve.
    sync_work: Byte
    # Passes of its own that the flusher began, in mounts with sync(2).
    wb_passes: Annotated[int, Max(2), Hidden(BUDGET)]
    timer_fired: Annotated[Bit, Hidden(BUDGET)]
    evictions: Annotated[int, Max(8), Hidden(BUDGET)]
    oracle: Annotated[OracleState, Oracle()]
    stable: Stable
