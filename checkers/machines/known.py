"""What each design is known to violate, in one table, each with the finding that explains it.

Why so: no design here is free of violations, and a search that stops at the first known one finds
nothing new.  An entry excuses one kind of one property in one design, where its condition holds in
the mount: it says what that violation cannot do without, asked of the file that it is about.  The
run goes on, and everything else fails.
Rejected: excusing a property as a whole (a design with a stale tail could then hide a stale block).
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from powercut.checkers.machines.judge import (
    ANY_KIND,
    BEHIND_SIZE,
    CONTENT,
    CRASH,
    GROWN,
    MISPLACED,
    OWN,
    PREVIOUS_OWNER,
    READ,
    SIZE,
    Seen,
)
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.setups import Setup
from powercut.model.language import DEADLOCK
from powercut.model.recovery import cell_content
from powercut.model.scope import Op, OpCode
from powercut.model.state import IOEND_BUILDING, T_FLUSH, WRITTEN, ZERO, Kernel
from powercut.properties.crash import DURABILITY, STALE, STRUCTURE, UNSTABLE_CONVERSION


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a violation: the mount it was seen in, and the files it may be about.

    A stale block, a lost size or content is one file's; a deadlock or a state that is wrong is
    nobody's, and then it may be about any.
    """

    run: LiveRun
    inode: int | None = None
    before: AbstractSet[str] = frozenset()
    """The properties that were seen violated in this mount before."""

    @property
    def setup(self) -> Setup:
        return self.run.setup

    def kernel(self) -> Kernel:
        """Return the state the run is in."""
        k: Kernel = self.run.system.view(self.run.state)
        return k

    def calls(self, *codes: OpCode) -> list[Op]:
        """Return the operations of this mount on these files that have one of ``codes``."""
        return [op for op in self.run.calls(*codes) if op.inode in self.files()]

    def files(self) -> range:
        """Return the files it may be about."""
        if self.inode is not None:
            return range(self.inode, self.inode + 1)
        return range(self.setup.geometry.nr_inodes)

    def size_at_mount(self, i: int) -> int:
        """Return the size of file ``i`` that recovery left, in cells."""
        return self.run.start_disk.inodes[i].size


Condition = Callable[[Around], bool]


@dataclass(frozen=True, slots=True)
class Known:
    """One known violation: ``finding`` is where docs/findings.md explains it."""

    designs: tuple[str, ...]
    prop: str
    kind: str
    finding: str
    when: Condition = lambda around: True


def _tails(around: Around, *, whole_blocks: bool) -> set[int]:
    """Return the files with data on disk behind their size when this mount began.

    It is in the EOF block, or with ``whole_blocks`` in a later one.
    """
    found = set()
    geometry, disk = around.setup.geometry, around.run.start_disk
    per_block = geometry.cells_per_block
    for i in around.files():
        size = around.size_at_mount(i)
        end = -(-size // per_block) * per_block
        last = geometry.nr_blocks * per_block
        cells = range(end, last) if whole_blocks else range(size, end)
        if any(cell_content(disk, geometry, i, cell) != ZERO for cell in cells):
            found.add(i)
    return found


def _may_have_a_tail(around: Around) -> bool:
    """The EOF block has data behind EOF on disk, or a store or a truncate may leave some."""
    return bool(_tails(around, whole_blocks=False)) or _stores_or_cuts(around)


def _stores_or_cuts(around: Around) -> bool:
    return _stores(around) or any(_cuts(around, op) for op in around.calls(OpCode.TRUNCATE))


def _cuts(around: Around, truncate: Op) -> bool:
    """The file may be larger than what ``truncate`` leaves of it."""
    i = truncate.inode
    ends = [op.pos_cells + op.length_cells for op in around.calls(*OpCode) if op.inode == i]
    return truncate.pos_cells < max(*ends, around.size_at_mount(i))


def _a_bio_failed(around: Around) -> bool:
    """A bio failed in this mount."""
    run = around.run
    return any(run.threads[thread].kind == "failing_disk" for thread in run.schedule)


def _stores(around: Around) -> bool:
    return bool(around.calls(OpCode.STORE))


def _appends_over_a_tail(around: Around) -> bool:
    """A write begins at or before EOF, ends behind it, and EOF's block has data there on disk."""
    dirty = _tails(around, whole_blocks=False)
    return any(
        op.inode in dirty
        and op.pos_cells <= around.size_at_mount(op.inode) < op.pos_cells + op.length_cells
        for op in around.calls(OpCode.WRITE)
    )


def _loses_a_zeroed_tail(around: Around) -> bool:
    return _a_bio_failed(around) and _may_have_a_tail(around)


def _reaches_blocks_behind_eof(around: Around) -> bool:
    """The mount began with a written block wholly behind the size."""
    return bool(_tails(around, whole_blocks=True))


def _stores_in_folios(around: Around) -> bool:
    return _stores(around) and around.setup.geometry.blocks_per_folio > 1


def _overwrites(around: Around) -> bool:
    """A file had a written block when this mount began, or is used by more than one call.

    The mount itself uses an orphan: it zeroes the rest of its EOF block.
    """
    used, inodes = [op.inode for op in around.calls(*OpCode)], around.run.start_disk.inodes
    touched = {*used, *(i for i in around.files() if inodes[i].orphan)}
    return any(
        used.count(i) > 1 or any(state == WRITTEN for state, _ in inodes[i].extents)
        for i in touched
    )


def _misses_an_overwrite(around: Around) -> bool:
    return around.setup.data_err_abort and _a_bio_failed(around) and _overwrites(around)


def _merges_a_mark(around: Around) -> bool:
    """A call that leaves i_disksize to a marked ioend, which may be merged behind another."""
    return bool(around.calls(OpCode.TRUNCATE, OpCode.FALLOCATE))


def _punches(around: Around) -> bool:
    return bool(around.calls(OpCode.PUNCH, OpCode.ZERO_RANGE))


def _punches_in_folios(around: Around) -> bool:
    return around.setup.geometry.blocks_per_folio > 1 and bool(around.calls(OpCode.PUNCH))


def _refills_a_punch(around: Around) -> bool:
    """After the punch of a block its place is filled with an unwritten one."""
    fills = around.setup.nodelalloc or bool(around.calls(OpCode.FALLOCATE, OpCode.ZERO_RANGE))
    return fills and around.setup.geometry.blocks_per_folio > 1 and _punches(around)


def _a_bio_came_late(around: Around) -> bool:
    """A bio was in flight to a block that was no longer its file's, whoever got that then."""
    return LATE_WRITE in around.before


def _drops_a_zeroed_tail(around: Around) -> bool:
    """A punch or zero range over an EOF block that may have been zeroed in memory only."""
    return _punches(around) and _may_have_a_tail(around)


def _exposes_new_blocks(around: Around) -> bool:
    """nodelalloc allocates written blocks, whose pages fail or are dropped before the commit."""
    return around.setup.nodelalloc and (_punches(around) or _a_bio_failed(around))


def _rewrites_after_errors(around: Around) -> bool:
    """A bio failed, and in this mount a file is written twice, zeroed edges of a block included."""
    reads_or_syncs = (OpCode.READ, OpCode.FSYNC, OpCode.FDATASYNC, OpCode.SYNC, OpCode.UNLINK)
    written = [op.inode for op in around.calls(*OpCode) if op.code not in reads_or_syncs]
    return _a_bio_failed(around) and len(set(written)) < len(written)


def _truncates_new_blocks(around: Around) -> bool:
    """nodelalloc, and a truncate of what an append allocated."""
    return around.setup.nodelalloc and bool(around.calls(OpCode.TRUNCATE))


def _cuts_twice(around: Around) -> bool:
    """A truncate hides what a commit has to write over that which another one cut."""
    behind = _tails(around, whole_blocks=False) | _tails(around, whole_blocks=True)
    cuts = len(around.calls(OpCode.TRUNCATE))
    return cuts > 1 or (cuts == 1 and bool(behind))


def _slot_is_held(around: Around) -> bool:
    """A worker is at work, so in a deadlock it is one of those who wait."""
    return bool(around.kernel().rsv_conversion_wq)


def _slot_is_held_beside_a_new_ioend(around: Around) -> bool:
    return _slot_is_held(around) and _an_ioend_is_new(around)


def _an_ioend_is_new(around: Around) -> bool:
    """Somebody has an ioend that is not submitted."""
    geometry = around.setup.geometry
    k = around.kernel()
    return any(
        k.inode[i].ioend[b].state == IOEND_BUILDING
        for i in range(geometry.nr_inodes)
        for b in range(geometry.nr_blocks)
    )


def _waits_for_the_next_flusher(around: Around) -> bool:
    """An EOF block that has to be written first is dirty, and nobody is writing it."""
    geometry = around.setup.geometry
    k = around.kernel()
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


def _waits_outside_a_punch(around: Around) -> bool:
    """The same, and no punch is at work: its own pass writes the EOF block first.

    A task that holds the invalidate_lock for writing is a truncate or a punch.
    """
    inodes, tasks = around.kernel().inode, enumerate(around.run.tasks)
    holders = {inodes[i].invalidate_lock.writer - 1 for i in range(around.setup.geometry.nr_inodes)}
    punches = {n for n, ops in tasks if any(op.code == OpCode.PUNCH for op in ops)}
    return _waits_for_the_next_flusher(around) and not holders & punches


def _commit_takes_folios(around: Around) -> bool:
    """A commit has begun and is not past its data."""
    return bool(around.kernel().journal.committing == T_FLUSH)


_SEED = ("seed", "seed-without-07")
_HOLDING = ("seed-eof-ordered", "seed-eof-deferred")
_V5 = ("series-v5", "series-v5-submit-first")
_IOMAP = (*_SEED, *_HOLDING, "seed-gap-ordered")
_BH = ("bh-ordered", "mixed")
_EVERY = (*_IOMAP, *_V5, *_BH)

_TRUNCATE = "a truncate looks too early whether a commit needs what it drops"
_FOLIO = "a later block of the EOF folio"
_TAIL = "the tail of the EOF block becomes visible"
_STALE: tuple[tuple[tuple[str, ...], str, Condition], ...] = (
    ((*_SEED, "mixed"), _TAIL, _may_have_a_tail),
    (("seed-gap-ordered", *_V5, *_BH), "an append over a dirty tail", _appends_over_a_tail),
    ((*_V5, *_BH), "a store pollutes a block in flight (new-file)", _stores),
    (
        tuple(d for d in _EVERY if d != "seed-eof-ordered"),
        "a zeroed tail is lost with a failed bio (eio-eof)",
        _loses_a_zeroed_tail,
    ),
    (_EVERY, _FOLIO, _stores_in_folios),
    (_BH, _TRUNCATE, _cuts_twice),
    (_BH, "a zero range drops the zeroed EOF block", _drops_a_zeroed_tail),
    (("seed-eof-ordered",), "a block behind the held size", _reaches_blocks_behind_eof),
)

LATE_WRITE = "late-write"
LATE = "a punch frees a block that writeback has just submitted"
_NODELALLOC = "a written block without its data: nodelalloc on the buffer_head path"
_REFILL = "a late conversion finds another block where the punched one was"
_MERGED = "a marked ioend is merged"
_HELD = "a size that was held back is forgotten"
_PASSED = "an fsync that has passed the EOF block waits for the next flusher"
_WITHOUT_07 = "a commit writes an iomap page without its size"
_SWALLOWED = "a failed write of a new block swallows the next one"

KNOWN: tuple[Known, ...] = (
    *(Known(designs, STALE, OWN, text, when) for designs, text, when in _STALE),
    *(Known(designs, CRASH, CONTENT, text, when) for designs, text, when in _STALE),
    Known(
        ("seed-eof-ordered",),
        STRUCTURE,
        BEHIND_SIZE,
        "seed-eof-ordered breaks the structure that e2fsck expects",
    ),
    Known(_HOLDING, "sizes", ANY_KIND, _HELD, _punches),
    Known(_HOLDING, DURABILITY, SIZE, _HELD, _punches),
    Known(_V5, "sizes", ANY_KIND, _MERGED, _merges_a_mark),
    Known(_V5, DURABILITY, SIZE, _MERGED, _merges_a_mark),
    Known(
        _BH,
        GROWN,
        ANY_KIND,
        "the buffer_head path raises i_disksize before the data is written, by design",
    ),
    Known(
        ("seed-gap-ordered", *_V5),
        GROWN,
        ANY_KIND,
        "the ordered ioend sets i_disksize to i_size",
    ),
    Known(_EVERY, READ, ANY_KIND, _FOLIO, _stores_in_folios),
    Known(_EVERY, "read-back", ANY_KIND, _FOLIO, _stores_in_folios),
    Known(_EVERY, DURABILITY, CONTENT, _FOLIO, _stores_in_folios),
    Known(
        (*_IOMAP, "mixed"),
        "data-err-abort",
        ANY_KIND,
        "data_err=abort misses plain overwrites",
        _misses_an_overwrite,
    ),
    Known((*_IOMAP, "mixed"), LATE_WRITE, ANY_KIND, LATE, _punches_in_folios),
    *(
        Known((*_IOMAP, "mixed"), prop, kind, LATE, _punches_in_folios)
        for prop, kind in ((CRASH, CONTENT), (GROWN, ANY_KIND))
    ),
    *(
        Known((*_IOMAP, "mixed"), prop, kind, LATE, _a_bio_came_late)
        for prop, kind in (
            ("read-back", ANY_KIND),
            (DURABILITY, CONTENT),
            (UNSTABLE_CONVERSION, ANY_KIND),
            (STALE, OWN),
            (STALE, PREVIOUS_OWNER),
            (STALE, MISPLACED),
        )
    ),
    *(
        Known((*_IOMAP, "mixed"), prop, kind, _REFILL, _refills_a_punch)
        for prop, kind in (
            (STALE, PREVIOUS_OWNER),
            (UNSTABLE_CONVERSION, ANY_KIND),
            ("read-back", ANY_KIND),
            (CRASH, CONTENT),
            (READ, ANY_KIND),
        )
    ),
    Known(
        ("seed-gap-ordered", "series-v5"),
        DEADLOCK,
        ANY_KIND,
        "the worker waits for a block in an ioend that is not submitted",
        _slot_is_held_beside_a_new_ioend,
    ),
    Known(
        ("seed-eof-deferred",),
        DEADLOCK,
        ANY_KIND,
        "an ioend is left on the list for a block in an ioend that is not submitted",
        _an_ioend_is_new,
    ),
    Known(("seed-eof-deferred",), DEADLOCK, ANY_KIND, _PASSED, _waits_for_the_next_flusher),
    Known(
        ("seed-eof-deferred",),
        DEADLOCK,
        ANY_KIND,
        "a punch drops the EOF block that an ioend is left on the list for",
        _punches,
    ),
    Known(_V5, DEADLOCK, ANY_KIND, _PASSED, _waits_outside_a_punch),
    Known(_BH, STALE, PREVIOUS_OWNER, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, STALE, OWN, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, DURABILITY, CONTENT, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, CRASH, CONTENT, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, UNSTABLE_CONVERSION, ANY_KIND, _NODELALLOC, _exposes_new_blocks),
    Known(_BH, STALE, PREVIOUS_OWNER, _TRUNCATE, _truncates_new_blocks),
    Known(_BH, STALE, OWN, _TRUNCATE, _truncates_new_blocks),
    Known(_BH, UNSTABLE_CONVERSION, ANY_KIND, _TRUNCATE, _truncates_new_blocks),
    Known(_BH, CRASH, CONTENT, _TRUNCATE, _truncates_new_blocks),
    Known(_BH, "read-back", ANY_KIND, _SWALLOWED, _rewrites_after_errors),
    Known(_BH, DURABILITY, CONTENT, _SWALLOWED, _rewrites_after_errors),
    Known(
        ("mixed",),
        DEADLOCK,
        ANY_KIND,
        "a reserved handle behind a work item that needs one",
        _slot_is_held,
    ),
    Known(("seed-without-07",), "sizes", ANY_KIND, _WITHOUT_07),
    Known(("seed-without-07",), DURABILITY, SIZE, _WITHOUT_07),
    Known(
        ("seed-without-07",),
        DEADLOCK,
        ANY_KIND,
        "iomap inodes left on the ordered list",
        _commit_takes_folios,
    ),
)


def known(run: LiveRun, seen: Seen, before: AbstractSet[str] = frozenset()) -> Known | None:
    """Return the entry that explains ``seen``, if ``before`` was seen in this mount before it."""
    around = Around(run, seen.inode, before)
    for entry in KNOWN:
        same = (seen.prop, seen.kind) == (entry.prop, entry.kind)
        if same and run.setup.design.name in entry.designs and entry.when(around):
            return entry
    return None
