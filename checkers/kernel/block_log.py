"""Read the log of a block device: every write, flush, discard and mark, in the order they ended.

What: the format of the kernel's dm-log-writes, which QEMU's blklogwrites writes as well: a
superblock, then one sector of header an entry, followed by the data of a write.
Why so: a log may be larger than memory, so entries are read one at a time; every header is checked
before the first entry is handed out, so that a log cut in the middle costs no work.
Rejected: reading up to the cut (the states behind it would silently not be judged).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from powercut.checkers.kernel.errors import LabError

MAGIC = 0x6A736677736872
VERSION = 1
FLUSH, FUA, DISCARD, MARK, METADATA = 1, 2, 4, 8, 16
KNOWN_FLAGS = FLUSH | FUA | DISCARD | MARK | METADATA
HEADER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
_SECTOR_BYTES = (512, 1024, 2048, 4096)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: where on the device, in bytes, and what.

    ``data`` is what was written, or a mark's text; a discard has a length and no data.
    """

    number: int
    offset_bytes: int
    length_bytes: int
    flags: int
    data: bytes

    @property
    def end_bytes(self) -> int:
        """The first byte behind it."""
        return self.offset_bytes + self.length_bytes


class BlockLog:
    """A log whose headers have been checked.  Raises :class:`LabError` for one that is not whole.

    ``count`` is its number of entries, ``end_bytes`` the first byte of the device behind all of
    them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end_bytes = 0
        try:
            self.size_bytes = path.stat().st_size
            with path.open("rb") as file:
                self._read_header(file)
                for number in range(self.count):
                    entry, position = self._entry(file, number)
                    file.seek(position)
                    self.end_bytes = max(self.end_bytes, entry.end_bytes)
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in their order, with what they wrote."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.sector_bytes)
                for number in range(self.count):
                    entry, position = self._entry(file, number)
                    if position > file.tell():
                        data = file.read(position - file.tell())
                        entry = Entry(
                            number, entry.offset_bytes, entry.length_bytes, entry.flags, data
                        )
                    yield entry
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None

    def _read_header(self, file: BinaryIO) -> None:
        raw = file.read(HEADER.size)
        if len(raw) < HEADER.size or HEADER.unpack(raw)[0] != MAGIC:
            raise LabError(str(self.path), "no dm-log-writes log; give one, or QEMU's blklogwrites")
        _, version, self.count, self.sector_bytes = HEADER.unpack(raw)
        if version != VERSION:
            text = f"version {version} of the log format; version {VERSION} is what is known"
            raise LabError(str(self.path), text)
        if self.sector_bytes not in _SECTOR_BYTES:
            text = f"sectors of {self.sector_bytes} bytes; {_SECTOR_BYTES} are possible"
            raise LabError(str(self.path), text)
        if self.count == 0:
            text = (
                "the log says it has no entry; end its writer in order, or have it count "
                "entries at once (blklogwrites: log-super-update-interval=1)"
            )
            raise LabError(str(self.path), text)
        file.seek(self.sector_bytes)

    def _entry(self, file: BinaryIO, number: int) -> tuple[Entry, int]:
        """Read a header; return the entry without written data, and where the next one begins."""
        start = file.tell()
        head = file.read(self.sector_bytes)
        if len(head) < self.sector_bytes:
            raise self._cut(number, start, self.sector_bytes)
        sector, sectors, flags, mark_bytes = ENTRY.unpack_from(head)
        if flags & ~KNOWN_FLAGS:
            raise LabError(self._place(number, start), f"unknown flags {flags:#x}; a damaged log")
        offset, length = sector * self.sector_bytes, sectors * self.sector_bytes
        if flags & MARK:
            text = head[ENTRY.size : ENTRY.size + mark_bytes]
            return Entry(number, offset, 0, flags, text), file.tell()
        if flags & DISCARD:
            return Entry(number, offset, length, flags, b""), file.tell()
        if file.tell() + length > self.size_bytes:
            raise self._cut(number, start, self.sector_bytes + length)
        return Entry(number, offset, length, flags, b""), file.tell() + length

    def _cut(self, number: int, start: int, needed_bytes: int) -> LabError:
        text = (
            f"the log is cut: entry {number} of {self.count} needs {needed_bytes} bytes, the file "
            f"ends after {self.size_bytes - start}; copy the log again, whole"
        )
        return LabError(self._place(number, start), text)

    def _place(self, number: int, start: int) -> str:
        return f"{self.path}: entry {number}, byte {start}"

    def _unreadable(self, error: Exception) -> LabError:
        reason = getattr(error, "strerror", None) or str(error)
        return LabError(str(self.path), f"cannot be read: {reason}; give a readable log")
