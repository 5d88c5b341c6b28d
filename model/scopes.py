"""Named scopes: the bounded situations that the default check explores.

Chosen so that every known violation shows in at least one of them, with files of 2 or 3 blocks and
2 cells a block, 1 or 2 blocks a folio, one or two mounts.  Threads are what costs (ten to twenty
times the states each), so a scope has few.
"""

from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope, Timer


def write(pos_cells: int, length_cells: int = 1, inode: int = 0) -> Op:
    """write(2) at a cell offset."""
    return Op(OpCode.WRITE, pos_cells, length_cells, inode)


def store(cell: int) -> Op:
    """A one-cell store through a shared mapping."""
    return Op(OpCode.STORE, cell, 1)


def read(pos_cells: int, length_cells: int = 1) -> Op:
    """read(2) at a cell offset."""
    return Op(OpCode.READ, pos_cells, length_cells)


def truncate(size_cells: int) -> Op:
    """truncate(2) to a size in cells."""
    return Op(OpCode.TRUNCATE, size_cells)


def punch(pos_cells: int, length_cells: int) -> Op:
    """fallocate(2) with FALLOC_FL_PUNCH_HOLE."""
    return Op(OpCode.PUNCH, pos_cells, length_cells)


def zero_range(pos_cells: int, length_cells: int) -> Op:
    """fallocate(2) with FALLOC_FL_ZERO_RANGE."""
    return Op(OpCode.ZERO_RANGE, pos_cells, length_cells)


def fallocate(pos_cells: int, length_cells: int) -> Op:
    """fallocate(2), mode 0."""
    return Op(OpCode.FALLOCATE, pos_cells, length_cells)


FSYNC = Op(OpCode.FSYNC)
FDATASYNC = Op(OpCode.FDATASYNC)
SYNC = Op(OpCode.SYNC)

_THREE = Geometry(nr_blocks=3, nr_phys=4)


def _data() -> tuple[Scope, ...]:
    """Return the scopes about writes, fsync and the flusher."""
    return (
        Scope(
            "append-fsync", "one block appended to an aligned file, fsync, flusher",
            (Mount(((write(2, 2), FSYNC),)),), initial_size_cells=2,
        ),
        Scope(
            "overwrite-fsync", "an overwrite and fsync, with nothing for the journal to do",
            (Mount(((write(0), FSYNC),)),), initial_size_cells=2, timer=Timer.NEVER,
        ),
        Scope(
            "two-fsyncs", "a write across two blocks and fsync, and another fsync",
            (Mount(((write(1, 2), FSYNC), (FDATASYNC,))),), timer=Timer.ONCE,
        ),
        Scope(
            "new-file", "an empty file: write, gap append, fsync, with a store",
            (Mount(((write(0), write(2), FSYNC), (store(1),))),),
            initial_size_cells=0, timer=Timer.ONCE,
        ),
        Scope(
            "three-blocks", "two gap appends over three blocks and fsync",
            (Mount(((write(2), write(4), FSYNC),)),), geometry=_THREE, timer=Timer.ONCE,
        ),
        Scope(
            "sync", "one block appended to an aligned file, sync, flusher",
            (Mount(((write(2, 2), SYNC),)),), initial_size_cells=2,
        ),
        Scope(
            "sync-overwrite", "a plain overwrite and sync: nothing to commit",
            (Mount(((write(0), SYNC),)),), initial_size_cells=2,
        ),
        Scope(
            "sync-truncate", "an append and sync race with a truncate",
            (Mount(((write(1, 2), SYNC), (truncate(1),)), flusher_passes=0),), timer=Timer.ONCE,
        ),
        Scope(
            "sync-files", "two files, one sync: what is promised for both",
            (Mount(((write(0, 2), SYNC), (write(0, 2, 1),)), flusher_passes=0),),
            geometry=Geometry(nr_blocks=1, nr_phys=2, nr_inodes=2),
            initial_size_cells=0, timer=Timer.ONCE,
        ),
        Scope(
            "cookie-race", "truncate and rewrite while writeback holds a cached mapping",
            (Mount(((write(0, 4),), (truncate(2), write(2, 2)))),),
            initial_size_cells=0, timer=Timer.ONCE,
        ),
    )  # fmt: skip


def _eof() -> tuple[Scope, ...]:
    """Return the scopes about the block that EOF is in, and what its tail holds."""
    return (
        Scope(
            "eof-mmap", "two stores past EOF race with writeback, then a gap append",
            (Mount(((write(2),), (store(1), store(1))), flusher_passes=2),), timer=Timer.ONCE,
        ),
        Scope(
            "eof-truncate-up", "two stores past EOF race with writeback, then truncate up",
            (Mount(((truncate(3),), (store(1), store(1)))),),
        ),
        Scope(
            "eof-two-mounts", "an append is lost in a crash, its tail stays; then a gap append",
            (Mount(((write(1),),)), Mount(((write(2),),))),
        ),
        Scope(
            "eof-in-block", "an append is lost in a crash; then an append over its tail and beyond",
            (Mount(((write(1),),)), Mount(((write(1, 2),),))),
        ),
        Scope(
            "eof-unsubmitted", "a gap append written twice, with an fsync and the flusher",
            (Mount(((write(2), write(2)), (FSYNC,))),), timer=Timer.NEVER,
        ),
        Scope(
            "late-gap", "a gap append dirties the EOF block behind the back of an fsync",
            (Mount(((write(0), write(2, 2)), (FSYNC,))),), initial_size_cells=1, timer=Timer.NEVER,
        ),
        Scope(
            "behind-eof", "a gap append is cut short by a crash; then truncate up over its block",
            (Mount(((write(2, 2),),)), Mount(((truncate(4),),))),
        ),
        Scope(
            "folio-tail", "a store past EOF into a later block of the EOF folio, then a gap append",
            (Mount(((store(2), write(3)),)),),
            geometry=Geometry(blocks_per_folio=2), timer=Timer.ONCE,
        ),
        Scope(
            "two-block-folio", "a folio of two blocks: gap append and fsync, with two stores",
            (Mount(((write(2), FSYNC), (store(1), store(1)))),),
            geometry=Geometry(blocks_per_folio=2), timer=Timer.ONCE,
        ),
        Scope(
            "cut-mark", "two appends mark two blocks; the second is cut off, then truncate up",
            (Mount(((write(2), write(3), truncate(2), truncate(4)),)),), timer=Timer.NEVER,
        ),
        Scope(
            "lowered-mark", "an append in two parts within a block, cut between them, extended",
            (Mount(((write(1, 2), write(3), truncate(2), truncate(4)),)),),
            geometry=Geometry(nr_blocks=1, cells_per_block=4), timer=Timer.ONCE,
        ),
        Scope(
            "three-blocks-two-mounts", "a lost append, then two gap appends over three blocks",
            (Mount(((write(1),),)), Mount(((write(2), write(4)),))),
            geometry=_THREE, timer=Timer.ONCE,
        ),
    )  # fmt: skip


def _truncates() -> tuple[Scope, ...]:
    """Return the scopes about truncates, alone and against writeback."""
    return (
        Scope(
            "truncate-extend", "truncate down, then a gap append, with a store",
            (Mount(((truncate(1), write(2)), (store(0),))),), initial_size_cells=2,
        ),
        Scope(
            "truncate-truncate", "truncate down, then up, over written data",
            (Mount(((truncate(1), truncate(3)),)),), initial_size_cells=2,
        ),
        Scope(
            "span-truncate", "a write across two blocks and fsync race with a truncate",
            (Mount(((write(1, 2), FSYNC), (truncate(1),))),), timer=Timer.ONCE,
        ),
        Scope(
            "truncate-reuse", "truncate to nothing, then write another block, in a full pool",
            (Mount(((truncate(0), write(2, 2)),)),),
            geometry=Geometry(nr_phys=2), initial_size_cells=2,
        ),
        Scope(
            "two-mounts-truncate", "a write and fsync, a crash, then truncate down and gap append",
            (Mount(((write(1, 2), FSYNC),)), Mount(((truncate(1), write(2)),))),
            timer=Timer.ONCE,
        ),
    )  # fmt: skip


def _journals() -> tuple[Scope, ...]:
    """Return the scopes about files that share a journal and its conversion queue."""
    return (
        Scope(
            "ordered-log", "a truncate, then a gap append in one folio, with a log of two",
            (Mount(((truncate(1), write(2)),)),),
            geometry=Geometry(blocks_per_folio=2), log_transactions=2,
        ),
        Scope(
            "two-files", "two files on one journal, one written, synced and written again",
            (Mount(((write(0, 2), FSYNC), (write(0, 2, 1), write(0)))),),
            geometry=Geometry(nr_blocks=1, nr_phys=2, nr_inodes=2),
            initial_size_cells=0, timer=Timer.ONCE,
        ),
    )  # fmt: skip


def _ranges() -> tuple[Scope, ...]:
    """Return the scopes about callers that zero parts of blocks and change extents."""
    two = Geometry(blocks_per_folio=2)
    return (
        Scope(
            "zero-truncate", "a write of a folio of two blocks, then a truncate into the second",
            (Mount(((write(0, 4),), (truncate(3),))),),
            geometry=two, initial_size_cells=0, timer=Timer.ONCE,
        ),
        Scope(
            "punch", "a punch over parts of two blocks races with a write and fsync",
            (Mount(((punch(1, 2),), (write(3), FSYNC))),),
            geometry=two, initial_size_cells=3, timer=Timer.ONCE,
        ),
        Scope(
            "punch-append", "an append that is not written yet, and a punch of its block",
            (Mount(((write(2, 2), punch(2, 2), FSYNC),)),),
            initial_size_cells=2, timer=Timer.ONCE,
        ),
        Scope(
            "punch-folio", "a write of a folio of two blocks, then a punch of its second block",
            (Mount(((write(0, 4), punch(2, 2)),)),),
            geometry=two, initial_size_cells=4, timer=Timer.ONCE,
        ),
        Scope(
            "punch-refill", "an append, a punch of its block, and a fallocate that fills the hole",
            (Mount(((write(2, 2), punch(2, 2), fallocate(2, 2)),)),),
            geometry=two, initial_size_cells=2, timer=Timer.ONCE,
        ),
        Scope(
            "punch-other-file", "a write and a punch in a file; another one gets the block, fsync",
            (Mount(((write(0), punch(0, 1), write(0, 2, 1), Op(OpCode.FSYNC, inode=1)),)),),
            geometry=Geometry(blocks_per_folio=2, nr_phys=2, nr_inodes=2), initial_size_cells=0,
            timer=Timer.ONCE,
        ),
        Scope(
            "pending-punch", "a gap append, then a punch in it that writes its range; no flusher",
            (Mount(((write(2, 2), punch(3, 1)),), flusher_passes=0),),
            initial_size_cells=1, timer=Timer.ONCE,
        ),
        Scope(
            "zero-range", "a zero range over parts of two blocks races with a write and fsync",
            (Mount(((zero_range(1, 2),), (write(3), FSYNC))),),
            geometry=two, initial_size_cells=3, timer=Timer.ONCE,
        ),
        Scope(
            "zero-range-tail", "a gap append over a dirty tail, then a zero range over both blocks",
            (Mount(((write(2), zero_range(0, 4)),)),), initial_size_cells=1,
            initial_dirty_tail=True, timer=Timer.ONCE,
        ),
        Scope(
            "fallocate", "an extending fallocate races with an append and fsync",
            (Mount(((write(1, 2),), (fallocate(3, 1), FSYNC))),), timer=Timer.ONCE,
        ),
    )  # fmt: skip


def _ordered_data() -> tuple[Scope, ...]:
    """Return the scopes without delayed allocation, and of data that a commit has to write."""
    two = Geometry(blocks_per_folio=2)
    return (
        Scope(
            "nodelalloc", "two writers of one folio and an fsync, without delayed allocation",
            (Mount(((write(0, 2), FSYNC), (write(0), write(2, 2)))),),
            geometry=two, initial_size_cells=0, timer=Timer.ONCE, nodelalloc=True,
        ),
        Scope(
            "punch-nodelalloc", "a punch of a block that nothing has written yet",
            (Mount(((write(0), punch(0, 1)),)),),
            initial_size_cells=0, timer=Timer.ONCE, nodelalloc=True,
        ),
        Scope(
            "cut-twice", "a cut in a block, an append to it, a cut in front of it beside a commit",
            (Mount(((truncate(3), write(3), truncate(2)),)),), initial_size_cells=4,
            timer=Timer.ONCE,
        ),
        Scope(
            "truncate-nodelalloc", "a block that a commit has yet to write is truncated",
            (Mount(((write(0), truncate(0)),)),),
            initial_size_cells=0, timer=Timer.ONCE, nodelalloc=True,
        ),
        Scope(
            "eio-nodelalloc", "a write without delayed allocation; its bio fails",
            (Mount(((write(0),),)),),
            initial_size_cells=0, max_errors=1, timer=Timer.ONCE, nodelalloc=True,
        ),
    )  # fmt: skip


def _shortages() -> tuple[Scope, ...]:
    """Return the scopes about a full pool, a full log, failing bios."""
    return (
        Scope(
            "enospc", "blocks freed but not committed: writeback must force a commit and retry",
            (Mount(((truncate(2), write(2, 2), FSYNC),)),),
            geometry=Geometry(nr_phys=2), initial_size_cells=4, timer=Timer.NEVER,
        ),
        Scope(
            "enospc-folio", "writeback runs out of blocks in the middle of a folio, until a commit",
            (Mount(((truncate(0), write(0, 4), FSYNC),), flusher_passes=0),),
            geometry=Geometry(blocks_per_folio=2, nr_phys=3),
            initial_size_cells=4, timer=Timer.NEVER,
        ),
        Scope(
            "log-full", "a log of two transactions: handles wait for a checkpoint",
            (Mount(((write(2, 2), FSYNC, write(0), FSYNC), (truncate(2),))),),
            initial_size_cells=2, timer=Timer.NEVER, log_transactions=2,
        ),
        Scope(
            "eio-overwrite", "a plain overwrite whose bio fails, data_err=abort",
            (Mount(((write(0), FSYNC),)),),
            initial_size_cells=2, max_errors=1, data_err_abort=True,
        ),
        Scope(
            "eio-append", "two appends and fsync; one bio fails",
            (Mount(((write(0, 2), write(2, 2), FSYNC),)),),
            initial_size_cells=0, max_errors=1, timer=Timer.ONCE,
        ),
        Scope(
            "eio-abort", "two appends and fsync; one bio fails, data_err=abort",
            (Mount(((write(0, 2), write(2, 2), FSYNC),)),),
            initial_size_cells=0, max_errors=1, timer=Timer.ONCE, data_err_abort=True,
        ),
        Scope(
            "eio-eof", "a gap append over a dirty tail; one bio fails",
            (Mount(((write(2),),)),), initial_dirty_tail=True, max_errors=1,
        ),
        Scope(
            "truncate-up-merge", "an overwrite, truncate up and fsync; all ioends at the worker",
            (Mount(((write(0), truncate(6), FSYNC),)),),
            geometry=_THREE, initial_size_cells=3, timer=Timer.NEVER, data_err_abort=True,
        ),
        Scope(
            "write-up-merge", "a write over EOF into the next block, truncate up and fsync",
            (Mount(((write(1, 2), truncate(5), FSYNC),)),),
            geometry=_THREE, timer=Timer.NEVER,
        ),
        Scope(
            "eio-rewrite", "a new block and fsync, written again and fsync; one bio fails",
            (Mount(((write(0, 2), FSYNC, write(0), FSYNC),)),),
            initial_size_cells=0, max_errors=1, timer=Timer.ONCE,
        ),
    )  # fmt: skip


def _reclaim() -> tuple[Scope, ...]:
    """Return the scopes in which clean folios leave the cache and are read back."""
    return (
        Scope(
            "evict-append", "a block is appended, written back, reclaimed and read",
            (Mount(((write(2, 2), read(2, 2)),), evictions=1),),
            initial_size_cells=2, timer=Timer.ONCE,
        ),
        Scope(
            "evict-overwrite", "two writes of half a block and fsync; the folio may be reclaimed",
            (Mount(((write(0), write(1), FSYNC),), evictions=1),), initial_size_cells=2,
        ),
        Scope(
            "evict-gap", "truncate down, then a gap append; the EOF block may be reclaimed",
            (Mount(((truncate(1), write(2)),), evictions=1),),
            initial_size_cells=2, timer=Timer.ONCE,
        ),
        Scope(
            "evict-store", "a gap append and a store before it; a folio may be reclaimed",
            (Mount(((write(2),), (store(1),)), evictions=1),), timer=Timer.ONCE,
        ),
        Scope(
            "evict-folio", "stores and a write over a folio of two blocks that may be reclaimed",
            (Mount(((store(0), write(3), read(0, 4)),), evictions=2),),
            geometry=Geometry(blocks_per_folio=2), initial_size_cells=3, timer=Timer.ONCE,
        ),
        Scope(
            "evict-punch", "a punch over parts of two blocks, then a write; reclaimed between",
            (Mount(((punch(1, 2), write(3)),), evictions=1),),
            geometry=Geometry(blocks_per_folio=2), initial_size_cells=4, timer=Timer.ONCE,
        ),
        Scope(
            "evict-two-mounts", "a lost append, then a gap append with nothing cached",
            (Mount(((write(1),),)), Mount(((write(2),),), evictions=1)),
        ),
        Scope(
            "evict-nodelalloc", "a part of a block that is new and not cached is written",
            (Mount(((truncate(2), write(0)),), evictions=1),),
            initial_size_cells=0, timer=Timer.ONCE, nodelalloc=True,
        ),
        Scope(
            "evict-eio", "a block written twice with fsync, one bio fails, reclaimed in between",
            (Mount(((write(0, 2), FSYNC, write(0), FSYNC),), evictions=1),),
            initial_size_cells=0, max_errors=1, timer=Timer.ONCE,
        ),
        Scope(
            "evict-eio-overwrite", "as evict-eio, over a written block: old or new is read back",
            (Mount(((write(0, 2), FSYNC, write(0), FSYNC),), evictions=1),),
            initial_size_cells=2, max_errors=1, timer=Timer.ONCE,
        ),
    )  # fmt: skip


def unlink(inode: int = 0) -> Op:
    """unlink(2); the file goes when the last task is done with it."""
    return Op(OpCode.UNLINK, inode=inode)


def _unlinks() -> tuple[Scope, ...]:
    """Return the scopes about files without a name, and who gets their blocks."""
    return (
        Scope("unlink", "a file is unlinked", (Mount(((unlink(),),)),), initial_size_cells=2),
        Scope(
            "unlink-dirty", "a block is appended and the file unlinked; the flusher may write it",
            (Mount(((write(2, 2), unlink()),)),), initial_size_cells=2, timer=Timer.ONCE,
        ),
        Scope(
            "unlink-nodelalloc", "a block that a commit has yet to write, and the file is unlinked",
            (Mount(((write(0), unlink()),)),),
            initial_size_cells=0, timer=Timer.ONCE, nodelalloc=True,
        ),
        Scope(
            "unlink-pending", "a gap append while the flusher is in the file, which is unlinked",
            (Mount(((write(0), write(2, 2), unlink()),), flusher_passes=2),),
            initial_size_cells=1, timer=Timer.NEVER,
        ),
        Scope(
            "unlink-open", "a file is unlinked while another task writes and syncs it",
            (Mount(((unlink(),), (write(0, 2), FSYNC)), flusher_passes=0),),
            geometry=Geometry(nr_blocks=1, nr_phys=2), initial_size_cells=0, timer=Timer.ONCE,
        ),
        Scope(
            "unlink-reuse", "a file is unlinked, another one gets its blocks and is synced",
            (Mount(((unlink(), write(0, 2, 1), Op(OpCode.FSYNC, inode=1)),)),),
            geometry=Geometry(nr_blocks=1, nr_phys=1, nr_inodes=2), initial_size_cells=2,
        ),
        Scope(
            "unlink-two-mounts", "a file is unlinked, a crash; another file writes in its place",
            (Mount(((unlink(),),)), Mount(((write(0, 2, 1),), (write(0, 2),)))),
            geometry=Geometry(nr_blocks=1, nr_phys=2, nr_inodes=2), initial_size_cells=2,
            timer=Timer.ONCE,
        ),
    )  # fmt: skip


def _all() -> tuple[Scope, ...]:
    return (
        *_data(), *_eof(), *_truncates(), *_ranges(), *_ordered_data(), *_journals(), *_shortages(),
        *_reclaim(), *_unlinks(),
    )  # fmt: skip


SCOPES: dict[str, Scope] = {scope.name: scope for scope in _all()}
