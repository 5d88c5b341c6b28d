"""The one way to write: a file appears whole or not at all, and nothing is left of a killed run.

What: files that stay, scratch files in a private folder, and the folders of both.  Every call that
changes a file system is made here, through :data:`system`, so that a test can let each one fail.

Why so: a file is written without a name (``O_TMPFILE``) and linked when its data is durable.  A
process that is killed then leaves nothing.  A file that replaces another one needs a name for the
moment between the link and the rename, and so does every file where the file system knows no file
without a name.  Whoever writes holds a lock on what it writes.  A hidden file or a scratch folder
that is not locked was left by a killed process, and the next run removes it.

Rejected: truncating and writing in place (an interrupt leaves half a file); the age alone as a mark
of what was left (a slow disk would lose a file in the making); the process id in the name (another
machine or container may have the same one).
"""

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ABANDONED_S = 5.0
"""What is younger than this is never taken for what a killed process left."""
_PREFIX = "powercut-"
_SCRATCH = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")
_PART = re.compile(r"\..+\.[0-9a-f]{16}\.part", re.DOTALL)
_LONGEST_PREFIX = 40
_AT_ONCE_BYTES = 1 << 20
_HOLE_BYTES = 1 << 16
_NO_UNNAMED = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
_TELLING = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


class System:
    """The calls that write, as the operating system makes them."""

    open = staticmethod(os.open)
    write = staticmethod(os.write)
    fsync = staticmethod(os.fsync)
    replace = staticmethod(os.replace)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)

    @staticmethod
    def link(handle: int, path: str) -> None:
        """Give the open file ``handle`` a name."""
        os.link(f"/proc/self/fd/{handle}", path, src_dir_fd=handle, follow_symlinks=True)


system = System()


def write_file(
    path: Path, content: bytes, *, over: bool = True, mode: int = 0o666, like: Path | None = None
) -> None:
    """Write a regular file durably under its final name.  Raises :class:`OSError`: nothing changed.

    ``over`` says whether a file of that name is replaced; otherwise that is FileExistsError.
    ``mode`` is what a new file may be, before the umask; ``like`` names a file whose owner and mode
    are kept.
    """
    part = path.parent / f".{path.name[:_LONGEST_PREFIX]}.{secrets.token_hex(8)}.part"
    handle, named = _create(part, mode)
    try:
        _lock(handle)
        _write_all(handle, content)
        if like is not None:
            _resemble(handle, like)
        system.fsync(handle)  # a name may outlive a power cut that the data does not
        if named:
            _rename(part, path, over=over)
        else:
            _enter(handle, part, path, over=over)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
    finally:
        os.close(handle)
    _flush_folder(path.parent)


def write_through(path: Path | int, content: bytes) -> None:
    """Write to what cannot be replaced: a pipe, a device, an open stream.  Raises OSError."""
    if isinstance(path, int):
        _write_all(path, content)
        return
    handle = system.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _write_all(handle, content)
    finally:
        os.close(handle)


def append_file(path: Path, content: bytes) -> None:
    """Add to the end of a file, which is made if it is not there.  Raises :class:`OSError`.

    A reader has to bear an end that is torn: nothing that has been added is written again.
    """
    handle = system.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        _write_all(handle, content)
    finally:
        os.close(handle)


def try_folder(folder: Path) -> None:
    """Make ``folder`` and see that it can be written; remove what a killed run left in it.

    Raises :class:`OSError`, and :class:`ValueError` for what is no file name.
    """
    make_folder(folder)
    probe = folder / f".probe.{secrets.token_hex(8)}.part"
    handle, named = _create(probe, 0o600)
    os.close(handle)
    if named:
        system.unlink(probe)
    remove_abandoned(folder)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make ``folder`` and those above it.  Raises :class:`OSError`."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    try:
        system.mkdir(folder, mode)
    except FileExistsError:
        if not folder.is_dir():
            raise


def remove(path: Path) -> None:
    """Remove a file if that is possible."""
    with suppress(OSError):
        system.unlink(path)


def remove_abandoned(folder: Path) -> None:
    """Remove the unfinished files in ``folder`` whose writer was killed; never raises OSError."""
    with suppress(OSError), os.scandir(folder) as entries:
        parts = [Path(entry.path) for entry in entries if _PART.fullmatch(entry.name)]
        for part in parts:
            _remove_unlocked(part, stat.S_ISREG)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Have a private folder while the block lasts; remove what killed runs left beside it."""
    beside = Path(tempfile.gettempdir())
    with suppress(OSError), os.scandir(beside) as entries:
        left = [Path(entry.path) for entry in entries if _SCRATCH.fullmatch(entry.name)]
        for path in left:
            _remove_unlocked(path, stat.S_ISDIR)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _lock(handle)
            yield Path(name)
        finally:
            os.close(handle)


def write_scratch(path: Path, content: bytes, size_bytes: int = 0) -> None:
    """Write a file of a scratch folder, or set its size; long zeros stay holes.  Raises OSError."""
    handle = system.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(handle, max(size_bytes, len(content)))
        for at in range(0, len(content), _HOLE_BYTES):
            chunk = content[at : at + _HOLE_BYTES]
            if chunk.strip(b"\0"):
                os.lseek(handle, at, os.SEEK_SET)
                _write_all(handle, chunk)
    finally:
        os.close(handle)


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` while the block lasts; where that is not possible, do without."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = system.open(path, flags, 0o600)
    except OSError:  # no room, no right
        yield
        return
    try:
        _lock(handle, waits=True)
        yield
    finally:
        with suppress(OSError):
            system.unlink(path)
        os.close(handle)


def _create(part: Path, mode: int) -> tuple[int, bool]:
    """Open a new file; tell whether it has a name yet."""
    unnamed = getattr(os, "O_TMPFILE", 0)
    if unnamed:
        try:
            return system.open(part.parent, os.O_WRONLY | unnamed | os.O_CLOEXEC, mode), False
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
    return system.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), True


def _enter(handle: int, part: Path, path: Path, *, over: bool) -> None:
    """Link a file without a name to its final one, by way of ``part`` if that is taken."""
    try:
        system.link(handle, str(path))
    except FileExistsError:
        if not over:
            raise
        system.link(handle, str(part))
        system.replace(part, path)


def _rename(part: Path, path: Path, *, over: bool) -> None:
    if over:
        system.replace(part, path)
    else:
        os.link(part, path)  # which fails if there is one by now
        system.unlink(part)


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[system.write(handle, rest[:_AT_ONCE_BYTES]) :]


def _resemble(handle: int, like: Path) -> None:
    old = like.stat()
    with suppress(OSError):  # only root may give a file away
        os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))


def _flush_folder(folder: Path) -> None:
    """Make a new name durable; not every file system and not every folder lets us."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # may be written and not read
        return
    try:
        system.fsync(handle)
    except OSError as error:
        if error.errno in _TELLING:
            raise
    finally:
        os.close(handle)


def _lock(handle: int, *, waits: bool = False) -> bool:
    """Lock an open file or folder as one in use; tell whether that was possible."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except (ImportError, OSError):  # not on this system, or in use
        return False
    return True


def _remove_unlocked(path: Path, is_kind: Callable[[int], bool]) -> None:
    """Remove what is the user's own, of this kind, not new, and in nobody's use."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    with suppress(OSError):
        handle = os.open(path, flags)
        try:
            found = os.fstat(handle)
            is_own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            is_old = time.time() - found.st_mtime > ABANDONED_S
            if not (is_own and is_old and is_kind(found.st_mode) and _lock(handle)):
                return
            if stat.S_ISDIR(found.st_mode):
                shutil.rmtree(path, ignore_errors=True)
            else:
                system.unlink(path)
        finally:
            os.close(handle)
