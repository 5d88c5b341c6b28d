"""Logs of block devices, written by hand for the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from powercut.checkers.kernel.block_log import ENTRY, HEADER, MAGIC, MARK, VERSION

SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry to be written; ``claims_sectors`` overrides the length that its header gives."""

    offset_bytes: int = 0
    data: bytes = b""
    flags: int = 0
    claims_sectors: int | None = None


def write_log(path: Path, entries: Sequence[Logged], *, count: int | None = None) -> Path:
    """Write a log of these entries; ``count`` is what its header claims."""
    number = len(entries) if count is None else count
    parts = [HEADER.pack(MAGIC, VERSION, number, SECTOR_BYTES).ljust(SECTOR_BYTES, b"\0")]
    for entry in entries:
        is_mark = bool(entry.flags & MARK)
        sectors = 0 if is_mark else len(entry.data) // SECTOR_BYTES
        if entry.claims_sectors is not None:
            sectors = entry.claims_sectors
        mark = entry.data if is_mark else b""
        head = ENTRY.pack(entry.offset_bytes // SECTOR_BYTES, sectors, entry.flags, len(mark))
        parts.append((head + mark).ljust(SECTOR_BYTES, b"\0"))
        if not is_mark:
            parts.append(entry.data)
    path.write_bytes(b"".join(parts))
    return path
