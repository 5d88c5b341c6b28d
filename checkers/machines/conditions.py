"""Conditions: for each word of the vocabulary of findings, whether it holds around a violation.

Why so: a word is asked of the mount and of the file that a violation is about, so that a cause in
one file excuses nothing in another.  Rejected: asking the whole run (an earlier mount excuses
nothing that recovery does not show).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from powercut.checkers.engine.system import System, ThreadInfo
from powercut.checkers.machines.setups import Setup
from powercut.model.recovery import Disk, cell_content
from powercut.model.scope import Op, OpCode
from powercut.model.state import IOEND_BUILDING, T_FLUSH, WRITTEN, ZERO, Kernel
from powercut.properties.findings.words import Word

LATE_WRITE = "late-write"


class Watched(Protocol):
    """A mount of a run as far as it went: what a condition, and the kind of a finding, is asked of.

    ``threads`` are those of ``system``, ``schedule`` their indexes in the order of their steps.
    """

    @property
    def setup(self) -> Setup: ...

    @property
    def system(self) -> System: ...

    @property
    def state(self) -> bytes: ...

    @property
    def start_disk(self) -> Disk: ...

    @property
    def threads(self) -> Sequence[ThreadInfo]: ...

    @property
    def schedule(self) -> Sequence[int]: ...

    @property
    def tasks(self) -> Sequence[Sequence[Op]]: ...

    def calls(self, *codes: OpCode) -> list[Op]: ...

    def writers(self, inode: int, cell: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a violation: the mount it was seen in, and the files it may be about.

    A stale block, a lost size or content is one file's; a deadlock or a state that is wrong is
    nobody's, and then it may be about any.
    """

    run: Watched
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
    cut = any(_cuts(around, op) for op in around.calls(OpCode.TRUNCATE))
    return bool(_tails(around, whole_blocks=False)) or _stores(around) or cut


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


def _reaches_blocks_behind_eof(around: Around) -> bool:
    """The mount began with a written block wholly behind the size."""
    return bool(_tails(around, whole_blocks=True))


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


def _cuts_twice(around: Around) -> bool:
    """A truncate hides what a commit has to write over that which another one cut."""
    behind = _tails(around, whole_blocks=False) | _tails(around, whole_blocks=True)
    cuts = len(around.calls(OpCode.TRUNCATE))
    return cuts > 1 or (cuts == 1 and bool(behind))


def _slot_is_held(around: Around) -> bool:
    """A worker is at work, so in a deadlock it is one of those who wait."""
    return bool(around.kernel().rsv_conversion_wq)


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


def _no_punch_is_at_work(around: Around) -> bool:
    """A task that holds the invalidate_lock for writing is a truncate or a punch."""
    inodes, tasks = around.kernel().inode, enumerate(around.run.tasks)
    holders = {inodes[i].invalidate_lock.writer - 1 for i in range(around.setup.geometry.nr_inodes)}
    punches = {n for n, ops in tasks if any(op.code == OpCode.PUNCH for op in ops)}
    return not holders & punches


def _commit_takes_folios(around: Around) -> bool:
    """A commit has begun and is not past its data."""
    return bool(around.kernel().journal.committing == T_FLUSH)


def _fills(around: Around) -> bool:
    calls = around.calls(OpCode.FALLOCATE, OpCode.ZERO_RANGE)
    return around.setup.nodelalloc or bool(calls)


def _writes_twice(around: Around) -> bool:
    reads_or_syncs = (OpCode.READ, OpCode.FSYNC, OpCode.FDATASYNC, OpCode.SYNC, OpCode.UNLINK)
    written = [op.inode for op in around.calls(*OpCode) if op.code not in reads_or_syncs]
    return len(set(written)) < len(written)


CONDITIONS: Mapping[Word, Condition] = {
    Word.EOF_TAIL: _may_have_a_tail,
    Word.APPEND_OVER_TAIL: _appends_over_a_tail,
    Word.WRITTEN_BEHIND_EOF: _reaches_blocks_behind_eof,
    Word.STORE: _stores,
    Word.TRUNCATE: lambda around: bool(around.calls(OpCode.TRUNCATE)),
    Word.TRUNCATE_OR_FALLOCATE: lambda around: bool(
        around.calls(OpCode.TRUNCATE, OpCode.FALLOCATE)
    ),
    Word.PUNCH: lambda around: bool(around.calls(OpCode.PUNCH)),
    Word.PUNCH_OR_ZERO_RANGE: lambda around: bool(around.calls(OpCode.PUNCH, OpCode.ZERO_RANGE)),
    Word.FILL: _fills,
    Word.OVERWRITE: _overwrites,
    Word.WRITTEN_TWICE: _writes_twice,
    Word.CUT_TWICE: _cuts_twice,
    Word.SEVERAL_BLOCKS_A_FOLIO: lambda around: around.setup.geometry.blocks_per_folio > 1,
    Word.NODELALLOC: lambda around: around.setup.nodelalloc,
    Word.DATA_ERR_ABORT: lambda around: around.setup.data_err_abort,
    Word.BIO_FAILED: _a_bio_failed,
    Word.LATE_BIO: lambda around: LATE_WRITE in around.before,
    Word.SLOT_HELD: _slot_is_held,
    Word.IOEND_UNSUBMITTED: _an_ioend_is_new,
    Word.EOF_BLOCK_DIRTY: _waits_for_the_next_flusher,
    Word.NO_PUNCH_AT_WORK: _no_punch_is_at_work,
    Word.COMMIT_AT_DATA: _commit_takes_folios,
}


def all_hold(needs: Iterable[Word], around: Around) -> bool:
    """Tell whether every condition of ``needs`` holds."""
    return all(CONDITIONS[word](around) for word in needs)
