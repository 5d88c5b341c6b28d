"""The state at a point as rows of text and cells: what the state pane of a page shows.

The views of the explorer decide what there is to see; here each gets one line.
"""

from typing import Any

from powercut.explore.views import (
    device_view,
    extent_view,
    journal_view,
    lock_view,
    page_view,
)
from powercut.model.scope import Geometry
from powercut.pages.data import Part, Row


def state_parts(k: Any, geometry: Geometry) -> list[Part]:
    """Return everything that a point shows of the state ``k``, inode by inode."""
    parts = []
    for i in range(geometry.nr_inodes):
        of = f" of inode {i}" if geometry.nr_inodes > 1 else ""
        parts.append(Part(f"page cache{of}", _page_rows(k, geometry, i)))
        parts.append(Part(f"extents{of}", _extent_rows(k, geometry, i)))
    return [
        *parts,
        Part("journal", _journal_rows(k, geometry)),
        Part("device", _device_rows(k, geometry)),
        Part("locks", _lock_rows(k, geometry)),
    ]


def _joined(*notes: str) -> str:
    return ", ".join(note for note in notes if note)


def _block_range(first: int, length: int) -> str:
    return f"block {first}" if length == 1 else f"blocks {first}-{first + length - 1}"


def _page_rows(k: Any, geometry: Geometry, i: int) -> list[Row]:
    view = page_view(k, geometry, i)
    rows = [
        Row("i_size", f"i_size {view.i_size}", []),
        Row("i_disksize", f"i_disksize {view.i_disksize}", []),
    ]
    if view.held_size:
        rows.append(Row("held", f"held back for {view.held_size}", []))
    if view.wb_err:
        rows.append(Row("wb_err", "wb_err: a writeback failed", []))
    for folio in view.folios:
        text = _joined(
            f"locked by {folio.locked_by}" if folio.locked_by else "",
            "writeback" if folio.writeback else "",
            f"{folio.pending} blocks pending" if folio.pending else "",
        )
        rows.append(Row(f"folio {folio.number}", f"folio {folio.number}: {text or 'idle'}", []))
        for block in folio.blocks:
            marks = _joined("dirty" if block.dirty else "clean", "delayed" * block.delayed)
            rows.append(
                Row(f"block {block.number}", f"block {block.number}: {marks}", [*block.cells])
            )
    return rows


def _extent_rows(k: Any, geometry: Geometry, i: int) -> list[Row]:
    view = extent_view(k, geometry, i)
    rows = []
    for row in view.blocks:
        text = _joined(
            row.running,
            "delayed" * row.delayed,
            f"committing: {row.committing}" if row.committing else "",
            f"durable: {row.durable}",
            row.mark,
        )
        rows.append(Row(f"block {row.number}", f"block {row.number}: {text}", []))
    for ioend in view.ioends:
        text = _joined(
            ioend.state,
            f"{_block_range(ioend.first, ioend.length)} at p{ioend.pblk}",
            f"to cell {ioend.end}",
            "unwritten" if ioend.unwritten else "written",
            "failed" * ioend.failed,
        )
        rows.append(Row(f"ioend {ioend.first}", f"ioend {ioend.first}: {text}", []))
    rows += [Row(f"mapping {n}", text, []) for n, text in enumerate(view.mappings)]
    if view.reserved:
        rows.append(Row("reserved", f"{view.reserved} blocks reserved", []))
    if view.work_queued:
        rows.append(Row("work", "work queued on rsv_conversion_wq", []))
    return rows


def _journal_rows(k: Any, geometry: Geometry) -> list[Row]:
    rows = []
    for i in range(geometry.nr_inodes):
        view = journal_view(k, i)
        of = f" {i}" if geometry.nr_inodes > 1 else ""
        if not i:
            handles = f"handles: {', '.join(view.handles)}" if view.handles else ""
            rows += [
                Row("running", f"running: {_joined(view.running, handles)}", []),
                Row("committing", f"committing: {view.committing}", []),
            ]
            flags = _joined(
                "commit requested" * view.requested,
                f"{view.log_used} to checkpoint" if view.log_used else "",
                "ABORTED" * view.aborted,
            )
            rows += [Row("flags", flags, [])] if flags else []
            rows += [Row(f"waits {n}", f"waits: {who}", []) for n, who in enumerate(view.waiting)]
        for image in view.images:
            text = _joined(f"size {image.size}", "orphan" * image.orphan)
            rows.append(Row(f"{image.version} {i}", f"inode{of}, {image.version}: {text}", []))
    return rows


def _device_rows(k: Any, geometry: Geometry) -> list[Row]:
    rows = []
    for row in device_view(k, geometry):
        text = _joined(f"p{row.number}: {row.allocation}", row.mapped_by)
        cells = ["|".join(cell.may) for cell in row.cells]
        rows.append(Row(f"p{row.number}", text, cells))
        cached = ["|".join(cell.cached) for cell in row.cells]
        if cached != cells:
            rows.append(Row(f"p{row.number} cached", "in the device's cache", cached))
    return rows


def _lock_rows(k: Any, geometry: Geometry) -> list[Row]:
    rows = []
    for row in lock_view(k, geometry):
        holders = _joined(row.writer, *(f"{reader} (shared)" for reader in row.readers))
        rows.append(Row(row.name, f"{row.name}: {holders}", []))
    return rows
