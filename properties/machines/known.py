"""What each design is known to violate, in one table, each with the finding that explains it.

Why so: no design here is free of violations, and a search that stops at the first known one finds
nothing new.  An entry excuses one kind of one property in one design, where its condition holds in
the run: it says what that violation cannot do without.  The run goes on, and everything else fails.
Rejected: excusing a property as a whole (a design with a stale tail could then hide a stale block).
"""

from collections.abc import Callable
from dataclasses import dataclass

from checkers.engine.outcome import DEADLOCK
from model.recovery import cell_content
from model.scope import Op, OpCode
from model.state import IOEND_BUILDING, T_FLUSH, WRITTEN, ZERO
from properties.crash import DURABILITY, STALE, STRUCTURE, UNSTABLE_CONVERSION
from properties.machines.judge import (
    ANY_KIND,
    BEHIND_SIZE,
    CONTENT,
    CRASH,
    GROWN,
    OWN,
    PREVIOUS_OWNER,
    READ,
    SIZE,
    Seen,
)
from properties.machines.live import LiveRun

Condition = Callable[[LiveRun], bool]


@dataclass(frozen=True, slots=True)
class Known:
    """One known violation: ``finding`` is where docs/findings.md explains it."""

    designs: tuple[str, ...]
    prop: str
    kind: str
    finding: str
    when: Condition = lambda run: True


def _tails(run: LiveRun, *, whole_blocks: bool) -> set[int]:
    """Return the files with data on disk behind their size when this mount began.

    It is in the EOF block, or with ``whole_blocks`` in a later one.
    """
    found = set()
    geometry, disk = run.setup.geometry, run.start_disk
    per_block = geometry.cells_per_block
    for i, inode in enumerate(disk.inodes):
        end = -(-inode.size // per_block) * per_block
        last = geometry.nr_blocks * per_block
        cells = range(end, last) if whole_blocks else range(inode.size, end)
        if any(cell_content(disk, geometry, i, cell) != ZERO for cell in cells):
            found.add(i)
    return found


def _may_have_a_tail(run: LiveRun) -> bool:
    """The EOF block has data behind EOF on disk, or a store or a truncate may leave some."""
    return bool(_tails(run, whole_blocks=False)) or _stores_or_cuts(run)


def _stores_or_cuts(run: LiveRun) -> bool:
    return _stores(run) or any(_cuts(run, op) for op in run.calls(OpCode.TRUNCATE))


def _cuts(run: LiveRun, truncate: Op) -> bool:
    """The file may be larger than what ``truncate`` leaves of it."""
    ends = [
        op.pos_cells + op.length_cells for op in run.calls(*OpCode) if op.inode == truncate.inode
    ]
    return truncate.pos_cells < max(*ends, run.start_disk.inodes[truncate.inode].size)


def _a_bio_failed(run: LiveRun) -> bool:
    """A bio failed in this mount."""
    return any(run.threads[thread].kind == "failing_disk" for thread in run.schedule)


def _stores(run: LiveRun) -> bool:
    return bool(run.calls(OpCode.STORE))


def _appends_over_a_tail(run: LiveRun) -> bool:
    """A write begins at or before EOF, ends behind it, and EOF's block has data there on disk."""
    dirty = _tails(run, whole_blocks=False)
    return any(
        op.inode in dirty
        and op.pos_cells <= run.start_disk.inodes[op.inode].size < op.pos_cells + op.length_cells
        for op in run.calls(OpCode.WRITE)
    )


def _loses_a_zeroed_tail(run: LiveRun) -> bool:
    return _a_bio_failed(run) and _may_have_a_tail(run)


def _reaches_blocks_behind_eof(run: LiveRun) -> bool:
    """The mount began with a written block wholly behind the size."""
    return bool(_tails(run, whole_blocks=True))


def _stores_in_folios(run: LiveRun) -> bool:
    return _stores(run) and run.setup.geometry.blocks_per_folio > 1


def _overwrites(run: LiveRun) -> bool:
    """A file had a written block when this mount began, or is used by more than one call."""
    used = [op.inode for op in run.calls(*OpCode)]
    return any(
        used.count(i) > 1 or any(state == WRITTEN for state, _ in run.start_disk.inodes[i].extents)
        for i in used
    )


def _misses_an_overwrite(run: LiveRun) -> bool:
    return run.setup.data_err_abort and _a_bio_failed(run) and _overwrites(run)


def _merges_a_mark(run: LiveRun) -> bool:
    """A call that leaves i_disksize to a marked ioend, which may be merged behind another.

    Of a truncate only where all completions are ext4's.
    """
    truncates = run.setup.data_err_abort and bool(run.calls(OpCode.TRUNCATE))
    return truncates or bool(run.calls(OpCode.FALLOCATE))


def _punches(run: LiveRun) -> bool:
    return bool(run.calls(OpCode.PUNCH, OpCode.ZERO_RANGE))


def _punches_in_folios(run: LiveRun) -> bool:
    return run.setup.geometry.blocks_per_folio > 1 and bool(run.calls(OpCode.PUNCH))


def _refills_a_punch(run: LiveRun) -> bool:
    """After the punch of a block its place is filled with an unwritten one."""
    fills = run.setup.nodelalloc or bool(run.calls(OpCode.FALLOCATE, OpCode.ZERO_RANGE))
    return fills and run.setup.geometry.blocks_per_folio > 1 and _punches(run)


def _exposes_new_blocks(run: LiveRun) -> bool:
    """nodelalloc allocates written blocks, whose pages fail or are dropped before the commit."""
    return run.setup.nodelalloc and (_punches(run) or _a_bio_failed(run))


def _rewrites_after_errors(run: LiveRun) -> bool:
    """A bio failed, and in this mount a file is written twice, zeroed edges of a block included."""
    reads_or_syncs = (OpCode.READ, OpCode.FSYNC, OpCode.FDATASYNC, OpCode.SYNC, OpCode.UNLINK)
    written = [op.inode for op in run.calls(*OpCode) if op.code not in reads_or_syncs]
    return _a_bio_failed(run) and len(set(written)) < len(written)


def _truncates_new_blocks(run: LiveRun) -> bool:
    """nodelalloc, and a truncate of what an append allocated."""
    return run.setup.nodelalloc and bool(run.calls(OpCode.TRUNCATE))


def _cuts_twice(run: LiveRun) -> bool:
    """A truncate hides what a commit has to write over that which another one cut."""
    behind = _tails(run, whole_blocks=False) | _tails(run, whole_blocks=True)
    cuts = len(run.calls(OpCode.TRUNCATE))
    return cuts > 1 or (cuts == 1 and bool(behind))


def _slot_is_held(run: LiveRun) -> bool:
    """A worker is at work, so in a deadlock it is one of those who wait."""
    return bool(run.system.view(run.state).rsv_conversion_wq)


def _slot_is_held_beside_a_new_ioend(run: LiveRun) -> bool:
    return _slot_is_held(run) and _an_ioend_is_new(run)


def _an_ioend_is_new(run: LiveRun) -> bool:
    """Somebody has an ioend that is not submitted."""
    geometry = run.setup.geometry
    k = run.system.view(run.state)
    return any(
        k.inode[i].ioend[b].state == IOEND_BUILDING
        for i in range(geometry.nr_inodes)
        for b in range(geometry.nr_blocks)
    )


def _waits_for_the_next_flusher(run: LiveRun) -> bool:
    """An EOF block that has to be written first is dirty, and nobody is writing it."""
    geometry = run.setup.geometry
    k = run.system.view(run.state)
    for i in range(geometry.nr_inodes):
        inode = k.inode[i]
        pending = {b for b in range(geometry.nr_blocks) if inode.eof_needed[b]}
        if inode.disksize_grow_pending:
            pending.add(inode.i_disksize // geometry.cells_per_block)
        for b in pending:
            folio = inode.folio[b // geometry.blocks_per_folio]
            if folio.dirty and not folio.writeback:
                return True
    return False


def _waits_outside_a_punch(run: LiveRun) -> bool:
    """The same, and no punch is at work: its own pass writes the EOF block first.

    A task that holds the invalidate_lock for writing is a truncate or a punch.
    """
    inodes = run.system.view(run.state).inode
    holders = {inodes[i].invalidate_lock.writer - 1 for i in range(run.setup.geometry.nr_inodes)}
    punches = {n for n, ops in enumerate(run.tasks) if any(op.code == OpCode.PUNCH for op in ops)}
    return _waits_for_the_next_flusher(run) and not holders & punches


def _commit_takes_folios(run: LiveRun) -> bool:
    """A commit has begun and is not past its data."""
    return bool(run.system.view(run.state).journal.committing == T_FLUSH)


_SEED = ("seed", "seed-without-07")
_HOLDING = ("seed-eof-ordered", "seed-eof-deferred")
_V5 = ("series-v5", "series-v5-submit-first")
_IOMAP = (*_SEED, *_HOLDING, "seed-gap-ordered")
_BH = ("bh-ordered", "mixed")
_EVERY = (*_IOMAP, *_V5, *_BH)

_TRUNCATE = "a truncate looks too early whether a commit needs what it drops"
_TAIL = "the tail of the EOF block becomes visible"
_STALE: tuple[tuple[tuple[str, ...], str, Condition], ...] = (
    ((*_SEED, "mixed"), _TAIL, _may_have_a_tail),
    (("seed-gap-ordered", *_V5, *_BH), "an append over a dirty tail", _appends_over_a_tail),
    ((*_V5, *_BH), "a store pollutes a block in flight (new-file)", _stores),
    (
        tuple(d for d in _EVERY if d != "seed-eof-ordered"),
        "a zeroed tail is lost with a failed bio (eio-eof)", _loses_a_zeroed_tail,
    ),
    (_EVERY, "a later block of the EOF folio", _stores_in_folios),
    (_BH, _TRUNCATE, _cuts_twice),
    (("seed-eof-ordered",), "a block behind the held size", _reaches_blocks_behind_eof),
)  # fmt: skip

_NODELALLOC = "a written block without its data: nodelalloc on the buffer_head path"
_REFILL = "a late conversion finds another block where the punched one was"
_HELD = "a size that was held back is forgotten"
_PASSED = "an fsync that has passed the EOF block waits for the next flusher"
_WITHOUT_07 = "a commit writes an iomap page without its size"
_SWALLOWED = "a failed write of a new block swallows the next one"

KNOWN: tuple[Known, ...] = (
    *(Known(designs, STALE, OWN, text, when) for designs, text, when in _STALE),
    *(Known(designs, CRASH, CONTENT, text, when) for designs, text, when in _STALE),
    Known(
        ("seed-eof-ordered",), STRUCTURE, BEHIND_SIZE,
        "seed-eof-ordered breaks the structure that e2fsck expects",
    ),
    Known(_HOLDING, "sizes", ANY_KIND, _HELD, _punches),
    Known(_HOLDING, DURABILITY, SIZE, _HELD, _punches),
    Known(_V5, "sizes", ANY_KIND, "a marked ioend is merged", _merges_a_mark),
    Known(_V5, DURABILITY, SIZE, "a marked ioend is merged", _merges_a_mark),
    Known(
        _BH, GROWN, ANY_KIND,
        "the buffer_head path raises i_disksize before the data is written, by design",
    ),
    Known(
        ("seed-gap-ordered", *_V5), GROWN, ANY_KIND,
        "the ordered ioend sets i_disksize to i_size",
    ),
    Known(_EVERY, READ, ANY_KIND, "a later block of the EOF folio", _stores_in_folios),
    Known(_EVERY, "read-back", ANY_KIND, "a later block of the EOF folio", _stores_in_folios),
    Known(
        (*_IOMAP, "mixed"), "data-err-abort", ANY_KIND,
        "data_err=abort misses plain overwrites", _misses_an_overwrite,
    ),
    Known(
        (*_IOMAP, "mixed"), "late-write", ANY_KIND,
        "a punch frees a block that writeback has just submitted", _punches_in_folios,
    ),
    *(
        Known((*_IOMAP, "mixed"), prop, kind, _REFILL, _refills_a_punch)
        for prop, kind in (
            (STALE, PREVIOUS_OWNER), (UNSTABLE_CONVERSION, ANY_KIND), ("read-back", ANY_KIND),
            (CRASH, CONTENT), (READ, ANY_KIND),
        )
    ),
    Known(
        ("seed-gap-ordered", "series-v5"), DEADLOCK, ANY_KIND,
        "the worker waits for a block in an ioend that is not submitted",
        _slot_is_held_beside_a_new_ioend,
    ),
    Known(
        ("seed-eof-deferred",), DEADLOCK, ANY_KIND,
        "an ioend is left on the list for a block in an ioend that is not submitted",
        _an_ioend_is_new,
    ),
    Known(("seed-eof-deferred",), DEADLOCK, ANY_KIND, _PASSED, _waits_for_the_next_flusher),
    Known(
        ("seed-eof-deferred",), DEADLOCK, ANY_KIND,
        "a punch drops the EOF block that an ioend is left on the list for", _punches,
    ),
    Known(_V5, DEADLOCK, ANY_KIND, _PASSED, _waits_outside_a_punch),
    Known(_BH, STALE, PREVIOUS_OWNER, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, DURABILITY, CONTENT, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, CRASH, CONTENT, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, UNSTABLE_CONVERSION, ANY_KIND, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, STALE, PREVIOUS_OWNER, _TRUNCATE, _truncates_new_blocks),
    Known(_BH, UNSTABLE_CONVERSION, ANY_KIND, _TRUNCATE, _truncates_new_blocks),
    Known(_BH, CRASH, CONTENT, _TRUNCATE, _truncates_new_blocks),
    Known(_BH, "read-back", ANY_KIND, _SWALLOWED, _rewrites_after_errors),
    Known(_BH, DURABILITY, CONTENT, _SWALLOWED, _rewrites_after_errors),
    Known(
        ("mixed",), DEADLOCK, ANY_KIND, "a reserved handle behind a work item that needs one",
        _slot_is_held,
    ),
    Known(("seed-without-07",), "sizes", ANY_KIND, _WITHOUT_07),
    Known(("seed-without-07",), DURABILITY, SIZE, _WITHOUT_07),
    Known(
        ("seed-without-07",), DEADLOCK, ANY_KIND, "iomap inodes left on the ordered list",
        _commit_takes_folios,
    ),
)  # fmt: skip


def known(run: LiveRun, seen: Seen) -> Known | None:
    """Return the entry that explains ``seen`` in this run."""
    for entry in KNOWN:
        same = (seen.prop, seen.kind) == (entry.prop, entry.kind)
        if same and run.setup.design.name in entry.designs and entry.when(run):
            return entry
    return None
