"""The one way to read a file that somebody else wrote: never without a limit, never for ever.

What: a regular file, or a pipe that somebody writes to, up to a number of bytes.
Why so: a path may lead to a device without end, to a pipe without a writer, or to a file that says
it is empty and is not (``/proc``), so the kind is asked of the open file and the size is counted
while reading.
Rejected: asking for the size first (it is 0 where it matters), a time limit for regular files (a
slow disk is no mistake of the input).
"""

import os
import select
import stat
from pathlib import Path

from powercut.errors import InputError

_PATIENCE_S = 10
_AT_ONCE_BYTES = 1 << 20


class Unreadable(InputError):
    """A file that is not read; the message says why, in some words."""


class TooLarge(Unreadable):
    """A file with more than the allowed number of bytes."""


def read_bytes(path: Path, limit_bytes: int, *, pipes: bool = True) -> bytes:
    """Return what the file at ``path`` holds, which is ``limit_bytes`` at most.

    Raises :class:`TooLarge`, and :class:`Unreadable` for what cannot be opened, for folders and
    devices, for pipes unless ``pipes``, and for a pipe that nobody writes to for some seconds.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable(error.strerror or "unknown error") from None
    except ValueError:
        raise Unreadable("not a file name") from None
    try:
        kind = os.fstat(handle).st_mode
        if stat.S_ISDIR(kind):
            raise Unreadable("Is a directory")
        if not (stat.S_ISREG(kind) or (pipes and stat.S_ISFIFO(kind))):
            raise Unreadable("not a regular file")
        return _read(handle, limit_bytes, waits=not stat.S_ISREG(kind))
    except OSError as error:
        raise Unreadable(error.strerror or "unknown error") from None
    finally:
        os.close(handle)


def _read(handle: int, limit_bytes: int, *, waits: bool) -> bytes:
    parts: list[bytes] = []
    left = limit_bytes + 1
    while left > 0:
        if waits and not select.select([handle], [], [], _PATIENCE_S)[0]:
            raise Unreadable(f"a pipe that nobody writes to (waited {_PATIENCE_S} s)")
        part = os.read(handle, min(left, _AT_ONCE_BYTES))
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    raise TooLarge(f"larger than {limit_bytes} bytes")
