"""The one place where files are kept between runs: compiled libraries, translations, results.

The folder is ``$XDG_CACHE_HOME/powercut``, or ``~/.cache/powercut``; a relative path in the
variable is ignored, as the XDG specification demands.  Whoever can write there decides what code
the next run executes, and what it answers.  So:

- *Other users.*  The folder has to be the user's own, and is closed to everybody else (0700); a
  folder that is not, or that lies where anybody could replace it, is not used.  A file counts only
  if it is a plain file, the user's own, and writable by nobody else.  The user's own processes are
  trusted, and so is the administrator.
- *Power cuts, full disks, failing disks.*  A file carries a digest of its content at its end, and
  is read only if that is right; else it does not exist, and is made again.  Bytes behind the end
  do not matter to a loader or a linker, so a library needs no second file that could get lost.
  :mod:`powercut.writing` makes a file appear whole and durable, or not at all.  A file that cannot
  be written is not kept, and nothing else happens.
- *Other processes.*  They may do the same at the same time: a rename is atomic, both files are
  good, the last one stays.  A lock only saves work, nothing depends on it.
- *Growth.*  Whoever writes also sweeps: what a killed run left behind, what nobody has used for
  long, and above a total size what was used longest ago.

What is *not* defended against: somebody who can write as this user, and hardware that lies.

Without a usable folder, libraries live in a private temporary one for as long as the process.

Rejected: a database (one file whose damage loses all, locks that a killed process keeps); digests
in files of their own (two renames are not atomic).
"""

import atexit
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

from powercut.writing import (
    locked_file,
    make_folder,
    remove,
    remove_abandoned,
    scratch_folder,
    write_file,
)

_MARK = b"powercut\x01"
_DIGEST_SIZE = 32
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

MOST_BYTES = 1 << 29
"""Total size above which the files used longest ago are removed."""
UNUSED_S = 60 * 86_400
"""How long an unused file stays."""
ABANDONED_S = 3_600
"""After how long an unfinished file is what a killed run left."""
_TOUCH_S = 86_400
"""A file's time of use is this exact."""
_UNFINISHED = (".part", ".lock")


class _NotUsable(OSError):
    """A folder that others could write to."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Files by name in ``folder``, which is checked; ``note`` says why it is not the usual one."""

    folder: Path | None
    note: str = ""

    def path(self, name: str) -> Path | None:
        """Return where the file ``name`` is, after its whole content was verified."""
        return self.folder / name if self.folder and self.read(name) is not None else None

    def read(self, name: str) -> bytes | None:
        """Return the content of the file ``name``, or ``None`` if there is no good one."""
        if self.folder is None:
            return None
        try:
            return _content(self.folder / name)
        except OSError:
            return None

    def keep(self, name: str, content: bytes) -> bool:
        """Write ``content`` as the file ``name``; tell whether that was possible."""
        if self.folder is None:
            return False
        try:
            write_file(self.folder / name, content + _end(name, content), mode=0o600)
        except OSError:
            return False
        sweep(self.folder)
        return True

    @contextmanager
    def only_one(self, name: str) -> Iterator[None]:
        """Let one process work on ``name`` and the others wait; where that fails, all work."""
        lock = locked_file(self.folder / f"{name}.lock") if self.folder else nullcontext()
        with lock:
            yield


_INSTEAD: list[Cache] = []


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Within the block this process keeps its files in ``folder``, which is its own, instead.

    For builds that nobody asks for again: they would push those out that somebody does.
    """
    _INSTEAD.append(Cache(folder))
    try:
        yield
    finally:
        _INSTEAD.pop()


def user_cache() -> Cache:
    """Return the user's cache; without a usable folder nothing is kept, and ``note`` says why."""
    if _INSTEAD:
        return _INSTEAD[-1]
    try:
        folder = folder_name()
        _make(folder)
        _check(folder)
    except (OSError, RuntimeError) as error:
        return Cache(None, str(error))
    return Cache(folder)


def private_cache(note: str) -> Cache:
    """Return a cache that lives as long as the process.  Raises :class:`OSError`."""
    return Cache(_private_folder(), note)


def folder_name() -> Path:
    """Return where the cache of this user is.  Raises :class:`RuntimeError` without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "powercut"


@cache
def _private_folder() -> Path:
    """Return a folder that goes with the process."""
    kept = ExitStack()
    atexit.register(kept.close)
    return kept.enter_context(scratch_folder())


def _make(folder: Path) -> None:
    make_folder(folder.parent)
    with suppress(FileExistsError):
        make_folder(folder, 0o700)


def _check(folder: Path) -> None:
    """Raise :class:`OSError` unless ``folder`` is a folder that only this user can write to."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _NotUsable(f"{folder} is not a folder")
    if not _is_own(found):
        raise _NotUsable(f"{folder} belongs to another user")
    if found.st_mode & _OTHERS_MAY_WRITE:
        raise _NotUsable(f"others can write to {folder} (remedy: remove it)")
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise _NotUsable(f"everybody can replace what is in {parent}")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def _is_own(found: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or found.st_uid == os.getuid()


def _content(path: Path) -> bytes | None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        found = os.fstat(handle)
        is_plain = stat.S_ISREG(found.st_mode) and not found.st_mode & _OTHERS_MAY_WRITE
        if not is_plain or not _is_own(found):
            return None
        whole = file.read()
        if time.time() - found.st_mtime > _TOUCH_S:
            with suppress(OSError):
                os.utime(handle)
    content, end = whole[: -len(_MARK) - _DIGEST_SIZE], whole[-len(_MARK) - _DIGEST_SIZE :]
    return content if end == _end(path.name, content) else None


def _end(name: str, content: bytes) -> bytes:
    """Return what follows ``content`` in the file ``name`` and in no other."""
    return _MARK + blake2b(name.encode() + b"\0" + content, digest_size=_DIGEST_SIZE).digest()


def sweep(folder: Path) -> None:
    """Remove what killed runs left, what is old, and what is too much; never raises."""
    remove_abandoned(folder)
    now, kept = time.time(), []
    with suppress(OSError):
        for path in folder.iterdir():
            found = path.lstat()
            age = now - found.st_mtime
            limit = ABANDONED_S if path.suffix in _UNFINISHED else UNUSED_S
            if age > limit:
                remove(path)
            elif stat.S_ISREG(found.st_mode):
                kept.append((found.st_mtime, found.st_size, path))
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept)[:-1]:
        if total <= MOST_BYTES:
            break
        remove(path)
        total -= size
