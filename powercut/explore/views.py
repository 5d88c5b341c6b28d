"""What there is to see at one point of a walk, as plain data: the view models of the panes.

Why so: a richer interface shows the same things in another shape, so what is shown is decided here
and how it looks in :mod:`.panes`.  Colours are names, contexts are thread names.
"""

from dataclasses import dataclass
from typing import Any

from powercut.checkers.traces.format import COLOURS
from powercut.model.scope import Geometry
from powercut.model.state import (
    BLOCK_FREE,
    BLOCK_FREED_COMMITTING,
    BLOCK_FREED_RUNNING,
    BLOCK_USED,
    FLUSHER,
    HOLE,
    KJOURNALD,
    NR_CONTEXTS,
    WORKER,
)

_EXTENT = ("hole", "unwritten", "written", "delayed")
_IOEND = ("none", "building", "submitted", "queued", "at the worker")
_RUNNING = ("none", "running", "locked")
_COMMIT = ("none", "T_FLUSH", "T_COMMIT_JFLUSH", "T_COMMIT_RECORD", "T_COMMIT_CALLBACK")
_TID = ("", "the committing transaction", "the running transaction")
_BLOCK = {
    BLOCK_FREE: "free",
    BLOCK_USED: "used",
    BLOCK_FREED_RUNNING: "freed, not committed",
    BLOCK_FREED_COMMITTING: "freed, committing",
}


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread: whether it can run, where it is, what it stands at, what it holds."""

    index: int
    name: str
    status: str
    function: str
    call: str
    file: str
    line: int
    holds: tuple[str, ...]
    daemon: bool


@dataclass(frozen=True, slots=True)
class CrashCell:
    """A physical cell that a power cut can leave in several colours.

    ``file_cell`` is where the committed file has it, ``cached`` what the device cache holds.
    """

    block: int
    cell: int
    file_cell: int | None
    possible: tuple[str, ...]
    cached: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A property at this point; ``known`` is false where it cannot be judged here."""

    prop: str
    violated: bool
    known: bool
    detail: str
    advisory: bool


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block of the page cache: colours of its cells."""

    number: int
    cells: tuple[str, ...]
    dirty: bool
    delayed: bool


@dataclass(frozen=True, slots=True)
class FolioRow:
    """A folio with its state."""

    number: int
    locked_by: str
    writeback: bool
    pending: int
    blocks: tuple[BlockRow, ...]


@dataclass(frozen=True, slots=True)
class PageView:
    """The page cache of the file and its sizes in memory."""

    i_size: int
    i_disksize: int
    held_size: int
    wb_err: bool
    folios: tuple[FolioRow, ...]


@dataclass(frozen=True, slots=True)
class ExtentRow:
    """A logical block: in the running transaction (the tree), the committing one, and on disk."""

    number: int
    running: str
    delayed: bool
    committing: str
    durable: str
    mark: str


@dataclass(frozen=True, slots=True)
class IoendRow:
    """An ioend that exists: its blocks, where they go, how far it is."""

    first: int
    length: int
    pblk: int
    end: int
    state: str
    unwritten: bool
    failed: bool


@dataclass(frozen=True, slots=True)
class ExtentView:
    """Extent tree, reservations and ioends."""

    blocks: tuple[ExtentRow, ...]
    reserved: int
    ioends: tuple[IoendRow, ...]
    work_queued: bool
    mappings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """The journalled inode in one of its versions."""

    version: str
    size: int
    orphan: bool


@dataclass(frozen=True, slots=True)
class JournalView:
    """The journal: both transactions, who has handles, who waits for a commit, the log."""

    running: str
    handles: tuple[str, ...]
    committing: str
    requested: bool
    log_used: int
    aborted: bool
    waiting: tuple[str, ...]
    images: tuple[ImageRow, ...]


@dataclass(frozen=True, slots=True)
class DeviceCell:
    """A physical cell: what a power cut may leave, what a flush would persist."""

    may: tuple[str, ...]
    cached: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A physical block: the allocator's opinion, who maps it now, its cells."""

    number: int
    allocation: str
    mapped_by: str
    cells: tuple[DeviceCell, ...]


@dataclass(frozen=True, slots=True)
class LockRow:
    """A lock that is held."""

    name: str
    writer: str
    readers: tuple[str, ...]


def context_name(number: int) -> str:
    """Return the thread that takes locks under context ``number``."""
    return {FLUSHER: "flusher", WORKER: "worker0", KJOURNALD: "kjournald"}.get(
        number, f"task{number}"
    )


def page_view(k: Any, geometry: Geometry, i: int = 0) -> PageView:
    """Return the page cache of inode ``i``."""
    inode = k.inode[i]
    per_block, per_folio = geometry.cells_per_block, geometry.blocks_per_folio
    folios = []
    for f in range(-(-geometry.nr_blocks // per_folio)):
        folio = inode.folio[f]
        blocks = []
        for n in range(min(per_folio, geometry.nr_blocks - f * per_folio)):
            b = f * per_folio + n
            cells = range(b * per_block, (b + 1) * per_block)
            blocks.append(
                BlockRow(
                    b,
                    tuple(_colour(inode.page[c]) for c in cells),
                    bool(folio.dirty >> n & 1),
                    bool(inode.delayed[b]),
                )
            )
        locked = context_name(folio.locked - 1) if folio.locked else ""
        folios.append(
            FolioRow(f, locked, bool(folio.writeback), folio.write_bytes_pending, tuple(blocks))
        )
    return PageView(
        inode.i_size, inode.i_disksize, inode.held_size, bool(inode.wb_err), tuple(folios)
    )


def extent_view(k: Any, geometry: Geometry, i: int = 0) -> ExtentView:
    """Return the extents and ioends of inode ``i``."""
    inode = k.inode[i]
    blocks = tuple(
        ExtentRow(
            b,
            _extent(inode.raw.extent[b]),
            bool(inode.delayed[b]),
            _extent(inode.committing.extent[b]) if k.journal.committing else "",
            _extent(k.stable.inode[i].committed.extent[b]),
            _mark(inode, b, geometry),
        )
        for b in range(geometry.nr_blocks)
    )
    ioends = tuple(
        IoendRow(
            b,
            ioend.nr_blocks,
            ioend.pblk,
            ioend.end,
            _IOEND[ioend.state],
            bool(ioend.unwritten),
            bool(ioend.error),
        )
        for b in range(geometry.nr_blocks)
        if (ioend := inode.ioend[b]).state
    )
    mappings = tuple(_mapping(k, c) for c in range(len(k.wpc)) if k.wpc[c].map.m_len)
    return ExtentView(
        blocks, inode.i_reserved_data_blocks, ioends, bool(inode.work_queued), mappings
    )


def journal_view(k: Any, i: int = 0) -> JournalView:
    """Return the journal, with the versions of inode ``i``."""
    journal = k.journal
    handles = (c for c in range(NR_CONTEXTS) if journal.t_updates >> c & 1)
    waiting = (
        f"{context_name(c)} for {_TID[k.caller[c].tid]}"
        for c in range(len(k.caller))
        if k.caller[c].tid
    )
    images = [ImageRow("running", k.inode[i].raw.size, bool(k.inode[i].raw.orphan))]
    if journal.committing:
        frozen = k.inode[i].committing
        images.append(ImageRow("committing", frozen.size, bool(frozen.orphan)))
    durable = k.stable.inode[i].committed
    images.append(ImageRow("durable", durable.size, bool(durable.orphan)))
    return JournalView(
        _RUNNING[journal.running],
        tuple(map(context_name, handles)),
        _COMMIT[journal.committing],
        bool(journal.commit_request),
        journal.log_used,
        bool(journal.aborted),
        tuple(waiting),
        tuple(images),
    )


def device_view(k: Any, geometry: Geometry) -> tuple[DeviceRow, ...]:
    """Return every physical block with what may survive in it."""
    per_block = geometry.cells_per_block
    mapped = {
        k.inode[i].raw.extent[b].pblk: f"block {b}"
        for i in range(geometry.nr_inodes)
        for b in range(geometry.nr_blocks)
        if k.inode[i].raw.extent[b].state != HOLE
    }
    return tuple(
        DeviceRow(
            p,
            _BLOCK[k.block[p]],
            mapped.get(p, ""),
            tuple(
                DeviceCell(_colours(k.stable.may[c]), _colours(k.device.cached[c]))
                for c in range(p * per_block, (p + 1) * per_block)
            ),
        )
        for p in range(geometry.nr_phys)
    )


def lock_view(k: Any, geometry: Geometry) -> tuple[LockRow, ...]:
    """Return every lock that somebody holds."""
    locks = [("s_writepages_rwsem", k.s_writepages_rwsem)]
    for i in range(geometry.nr_inodes):
        of = f" of inode {i}" if geometry.nr_inodes > 1 else ""
        sems = ("i_rwsem", "invalidate_lock", "i_data_sem")
        locks += [(name + of, getattr(k.inode[i], name)) for name in sems]
    rows = []
    for name, sem in locks:
        if sem.writer or sem.readers:
            readers = (context_name(c) for c in range(NR_CONTEXTS) if sem.readers >> c & 1)
            writer = context_name(sem.writer - 1) if sem.writer else ""
            rows.append(LockRow(name, writer, tuple(readers)))
    for i in range(geometry.nr_inodes):
        for f in range(-(-geometry.nr_blocks // geometry.blocks_per_folio)):
            holder = k.inode[i].folio[f].locked
            if holder:
                rows.append(LockRow(f"folio_lock {f}", context_name(holder - 1), ()))
    single = (
        ("worker_slot", k.rsv_conversion_wq),
        ("j_checkpoint_mutex", k.journal.j_checkpoint_mutex),
    )
    rows += [LockRow(name, context_name(holder - 1), ()) for name, holder in single if holder]
    handles = tuple(context_name(c) for c in range(NR_CONTEXTS) if k.journal.t_updates >> c & 1)
    if handles:
        rows.append(LockRow("jbd2_handle", "", handles))
    return tuple(rows)


def _colours(mask: int) -> tuple[str, ...]:
    return tuple(name for n, name in enumerate(COLOURS) if mask >> n & 1)


def _colour(mask: int) -> str:
    return "|".join(_colours(mask))


def _extent(extent: Any) -> str:
    return "hole" if extent.state == HOLE else f"{_EXTENT[extent.state]} p{extent.pblk}"


def _mark(inode: Any, block: int, geometry: Geometry) -> str:
    """Say what the design's EOF rule knows about a block."""
    notes = []
    if inode.eof_needed[block]:
        notes.append(f"EOF {inode.eof_needed[block]} needs a write of this block first")
    if inode.eof_in_flight[block]:
        notes.append(f"write for EOF {inode.eof_in_flight[block]} in flight")
    if inode.disksize_grow_pending and inode.i_disksize // geometry.cells_per_block == block:
        notes.append("zeroed, to be written (disksize_grow_pending)")
    if inode.i_ordered_lblk == block + 1:
        notes.append("zeroed gap in flight (i_ordered_lblk)")
    return ", ".join(notes)


def _mapping(k: Any, context: int) -> str:
    found = k.wpc[context].map
    target = f" p{found.m_pblk}" if found.m_flags in (1, 2) else ""
    cookie = "" if found.current_cookie else ", cookie no longer current"
    last = found.m_lblk + found.m_len - 1
    blocks = f"block {found.m_lblk}" if found.m_len == 1 else f"blocks {found.m_lblk}-{last}"
    return f"{context_name(context)}: {blocks} {_EXTENT[found.m_flags]}{target}{cookie}"
