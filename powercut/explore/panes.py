"""The views as text: every function returns lines of at most 100 columns."""

from collections.abc import Callable, Sequence

from powercut.checkers.traces.describe import journal_at_crash
from powercut.explore.session import Session, names
from powercut.explore.views import (
    CrashCell,
    ThreadRow,
    Verdict,
    device_view,
    extent_view,
    journal_view,
    lock_view,
    page_view,
)
from powercut.model.recovery import Disk, cell_content
from powercut.model.state import ANY_COLOUR, ZERO
from powercut.properties.crash import breaks_promise, is_stale, is_unstable, is_zero_for_data
from powercut.properties.crash_state import CrashInode

WIDTH = 100


def show_page(session: Session) -> list[str]:
    """Return the page cache."""
    view = page_view(session.here.view(session.state), session.scope.geometry)
    held = f", held back for {view.held_size}" if view.held_size else ""
    error = ", wb_err" if view.wb_err else ""
    lines = [f"page cache    i_size {view.i_size}, i_disksize {view.i_disksize}{held}{error}"]
    for folio in view.folios:
        state = ["writeback"] if folio.writeback else []
        state += [f"{folio.pending} blocks pending"] if folio.pending else []
        state += [f"locked by {folio.locked_by}"] if folio.locked_by else []
        lines.append(f"  folio {folio.number}     {', '.join(state) or 'idle'}")
        for block in folio.blocks:
            marks = ["dirty"] * block.dirty + ["delayed"] * block.delayed
            cells = " ".join(f"{cell:9}" for cell in block.cells)
            lines.append(f"    block {block.number}   {cells} {', '.join(marks) or 'clean'}")
    return lines


def show_extents(session: Session) -> list[str]:
    """Return extents, reservations and ioends."""
    view = extent_view(session.here.view(session.state), session.scope.geometry)
    lines = [f"extents       {view.reserved} reserved"]
    for row in view.blocks:
        notes = ["delayed"] * row.delayed
        notes += [f"committing: {row.committing}"] if row.committing else []
        notes += [f"durable: {row.durable}"]
        notes += [f"{row.mark}"] if row.mark else []
        lines.append(f"  block {row.number}     {row.running:13} {', '.join(notes)}")
    for ioend in view.ioends:
        kind = "unwritten" if ioend.unwritten else "written"
        failed = ", failed" if ioend.failed else ""
        where = f"blocks {ioend.first}..{ioend.first + ioend.length - 1} at p{ioend.pblk}"
        lines.append(
            f"  ioend {ioend.first}     {ioend.state}, {where}, to cell {ioend.end}, {kind}{failed}"
        )
    lines += [f"  mapping     {mapping}" for mapping in view.mappings]
    return lines + (["  work queued on rsv_conversion_wq"] if view.work_queued else [])


def show_journal(session: Session) -> list[str]:
    """Return the journal."""
    view = journal_view(session.here.view(session.state))
    flags = ["commit requested"] * view.requested + ["ABORTED"] * view.aborted
    flags += [f"{view.log_used} transactions to checkpoint"] if view.log_used else []
    lines = [f"journal       {', '.join(flags) or 'idle'}"]
    handles = f", handles: {', '.join(view.handles)}" if view.handles else ""
    lines.append(f"  running     {view.running}{handles}")
    lines.append(f"  committing  {view.committing}")
    lines += [f"  waiting     {who}" for who in view.waiting]
    for image in view.images:
        orphan = ", orphan" if image.orphan else ""
        lines.append(f"  inode       {image.version}: size {image.size}{orphan}")
    lines += [f"  power cut   {line}" for line in journal_at_crash(session.values())]
    return lines


def show_device(session: Session) -> list[str]:
    """Return what may be on every physical block."""
    lines = ["device        colours that may survive a power cut (what the cache holds, if more)"]
    for row in device_view(session.here.view(session.state), session.scope.geometry):
        cells = []
        for cell in row.cells:
            text = "|".join(cell.may)
            cells.append(text if cell.may == cell.cached else f"{text} ({'|'.join(cell.cached)})")
        owner = f", {row.mapped_by}" if row.mapped_by else ""
        joined = "   ".join(f"{text:9}" for text in cells)
        lines.append(f"  p{row.number}          {joined}   {row.allocation}{owner}")
    return lines


def show_locks(session: Session) -> list[str]:
    """Return who holds what."""
    rows = lock_view(session.here.view(session.state), session.scope.geometry)
    lines = ["locks" if rows else "locks         none held"]
    for row in rows:
        holders = [row.writer] if row.writer else []
        holders += [f"{reader} (shared)" for reader in row.readers]
        lines.append(f"  {row.name:20} {', '.join(holders)}")
    return lines


PANES: dict[str, Callable[[Session], list[str]]] = {
    "page": show_page,
    "extents": show_extents,
    "journal": show_journal,
    "device": show_device,
    "locks": show_locks,
}


def show_threads(rows: Sequence[ThreadRow]) -> list[str]:
    """Return the threads, one a line."""
    lines = []
    for row in rows:
        head = f"{row.index:3}  {row.name:13} {row.status:8}"
        if row.status == "finished":
            lines.append(head)
            continue
        call = f": {row.call}" if row.call else ""
        where = f"{row.file}:{row.line}"
        if row.holds:
            where += f"  [{', '.join(row.holds)}]"
        line = f"{head} {row.function}(){call}"
        if len(line) + len(where) + 2 <= WIDTH:
            lines.append(f"{line}  {where}")
        else:
            lines += [line, f"{'':28}{where}"]
    return lines


def show_crash_cells(cells: Sequence[CrashCell], session: Session) -> list[str]:
    """Return what a power cut here leaves open."""
    inode = session.crash_state().inodes[0]
    orphan = ", on the orphan list" if inode.orphan else ""
    lines = [f"a power cut here finds size {inode.size}{orphan}"]
    lines += [f"  {line}" for line in journal_at_crash(session.values())]
    if not cells:
        return [*lines, '  every cell has one possible colour; "crash new" cuts the power']
    for cell in cells:
        where = "not in the file" if cell.file_cell is None else f"file cell {cell.file_cell}"
        lines.append(
            f"  p{cell.block}.{cell.cell}   {where:16} {' or '.join(cell.possible):24} "
            f"in the cache: {'|'.join(cell.cached)}"
        )
    lines.append('  "crash new", "crash old" or "crash keep COLOUR@pBLOCK.CELL ..." cuts the power')
    return lines


def show_recovered(session: Session) -> list[str]:
    """Return the file after the chosen power cut, cell by cell against what is allowed."""
    geometry = session.scope.geometry
    disk = session.recovered()
    lines = []
    for i, inode in enumerate(session.crash_state().inodes):
        orphan = ", was on the orphan list" if inode.orphan else ""
        if disk.inodes[i].deleted:
            lines.append(f"recovered file: none, it was unlinked{orphan}")
            continue
        lines.append(f"recovered file: size {disk.inodes[i].size}{orphan}")
        lines += _recovered_cells(disk, i, inode, session)
        if disk.inodes[i].size == 0:
            lines.append("  (empty)")
    assert len(disk.cells) == geometry.nr_phys * geometry.cells_per_block
    return lines


def _recovered_cells(disk: Disk, i: int, inode: CrashInode, session: Session) -> list[str]:
    lines = [f"  {'cell':6}{'shows':12}{'may show':34}promised by fsync or recovery"]
    for cell in range(disk.inodes[i].size):
        colour = cell_content(disk, session.scope.geometry, i, cell)
        promise = inode.promise[cell]
        promised = "" if promise == ANY_COLOUR else "|".join(names(promise))
        wrong = [
            word
            for word, bad in (
                ("STALE", is_stale),
                ("LOST", breaks_promise),
                ("UNSTABLE", is_unstable),
                ("zeros for data", is_zero_for_data),
            )
            if bad(inode, cell, colour)
        ]
        mark = f"<- {', '.join(wrong)}" if wrong else ""
        allowed = "|".join(names(inode.ever[cell] | ZERO))
        line = f"  {cell:<6}{'|'.join(names(colour)):12}{allowed:34}{promised:12} {mark}"
        lines.append(line.rstrip())
    return lines


def show_verdicts(verdicts: Sequence[Verdict]) -> list[str]:
    """Return a line a property."""
    lines = []
    for row in verdicts:
        if row.violated:
            word = "seen (advisory)" if row.advisory else "VIOLATED"
        else:
            word = "holds here" if row.known else "not decided"
        lines.append(f"  {row.prop:20} {word:16} {row.detail}".rstrip())
    return lines


def show_files(session: Session) -> list[str]:
    """Return the distinct files a power cut here can leave."""
    geometry = session.scope.geometry
    state = session.crash_state()
    files = session.files()
    lines = [f"a power cut here can leave {len(files)} file{'s' * (len(files) != 1)}"]
    for size, colours in sorted(files):
        shown = []
        for cell, colour in enumerate(colours):
            mark = "!" if is_stale(state.inodes[0], cell, colour) else ""
            shown.append(f"{'|'.join(names(colour))}{mark}")
        lines.append(f"  size {size}: {' '.join(shown) or '(empty)'}")
    assert geometry.nr_inodes == 1
    return [*lines, "  ! stale"] if any("!" in line for line in lines) else lines
