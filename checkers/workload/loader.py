"""Read a workload file of either format from disk.

Why so: whatever is at the path (a directory, a binary, four gigabytes) ends in one line, so reading
is capped before it is decoded and decoding is strict.  The format follows the file's suffix: a
guess from the contents would answer a misspelt keyword with an error about the other format.
Rejected: reading line by line (a file without line ends is one line), and replacing bad bytes
(the workload that ran would not be the one in the file).
"""

from pathlib import Path

from powercut.checkers.workload.errors import Place, WorkloadError
from powercut.checkers.workload.fsx import parse_fsx_ops
from powercut.checkers.workload.limits import MAX_FILE_BYTES
from powercut.checkers.workload.text import parse_workload
from powercut.model.scope import Geometry, Scope
from powercut.reading import TooLarge, Unreadable, read_bytes

FSX_SUFFIXES = (".fsx", ".fsxops")


def load_workload(path: Path, geometry: Geometry | None = None) -> Scope:
    """Return the scope in the file at ``path``.

    A file with ``.fsx`` or ``.fsxops`` among its suffixes (``tail.fsxops``, ``469.fsxops.0``) is an
    fsx op file, scaled to ``geometry`` (default: ``Geometry()``); any other is workload text, which
    brings its own geometry, and ``geometry`` is not used.  Raises :class:`WorkloadError` for a file
    that cannot be read, is larger than 64 KiB, is not UTF-8, or is not a workload.
    """
    name = str(path)
    text = read_text(path)
    if any(suffix in FSX_SUFFIXES for suffix in path.suffixes):
        return parse_fsx_ops(text, name, geometry or Geometry())
    return parse_workload(text, name)


def read_text(path: Path) -> str:
    """Return the text of a workload or litmus file.

    Raises :class:`WorkloadError` if it cannot be read, is larger than 64 KiB, or is not UTF-8.
    """
    name = str(path)
    return _decode(_read_capped(path, name), name)


def _read_capped(path: Path, name: str) -> bytes:
    top = Place(name, 1, 1)
    try:
        return read_bytes(path, MAX_FILE_BYTES)
    except TooLarge as error:
        raise WorkloadError(top, f"{error}; a workload is some lines of text") from None
    except Unreadable as error:
        raise WorkloadError(top, f"cannot be read: {error}; give a readable file") from None


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        raise WorkloadError(
            Place(name, line, column),
            f"byte 0x{data[error.start]:02x} is not UTF-8; a workload is plain UTF-8 text",
        ) from None
