"""Writing files: a place is checked before the work, a file appears whole or not at all.

What: whole files, and findings, which are written the moment they are known.

Why so: :mod:`powercut.writing` writes; here is what a user named.  The target is what the path
leads to, so that a link goes on being one, and it keeps its owner and mode.  What is no regular
file (a pipe, /dev/null) cannot be replaced, and is written to.  Rejected: replacing the link.
"""

import errno
import os
import stat
import sys
from pathlib import Path

from powercut.errors import InputError, one_line
from powercut.writing import try_folder, write_file, write_through


def make_writable(option: str, folder: Path) -> None:
    """Make ``folder`` and try to write there.  Raises :class:`InputError`."""
    try:
        try_folder(folder)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{option} {folder}: {_reason(error)}", "give a directory that can be written"
        ) from None


def make_writable_file(option: str, path: Path) -> None:
    """See that :func:`write_whole` can write ``path``; make its folder.  Raises InputError."""
    _refuse_folder(path, option)
    try:
        there = _stat(path)
        if there is not None and not stat.S_ISREG(there.st_mode):
            if not os.access(path, os.W_OK):
                raise InputError(f"{option} {path}: not writable", "give another name")
            return
    except (OSError, ValueError) as error:
        raise InputError(f"{option} {path}: {_reason(error)}", "give another name") from None
    make_writable(option, Path(os.path.realpath(path)).parent)


def write_whole(path: Path, content: bytes, *, over: bool = True) -> None:
    """Write ``path`` atomically, over an existing file only if ``over``.  Raises InputError."""
    _refuse_folder(path)
    try:
        there = _stat(path)
        if not over and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "there is a file of that name")
        if there is not None and _is_output(there):
            sys.stdout.flush()
            write_through(sys.stdout.fileno(), content)
        elif there is not None and not stat.S_ISREG(there.st_mode):
            write_through(path, content)
        else:
            target = Path(os.path.realpath(path))
            write_file(target, content, over=over, like=target if there else None)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be written: {_reason(error)}") from None


class Findings:
    """Findings in a folder, each there when :meth:`add` returns; ``failures`` says what is not.

    A place that cannot be written changes no verdict.  Without a folder nothing is written.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.failures: list[str] = []
        self._written: dict[str, bytes] = {}

    def add(self, name: str, content: bytes) -> str:
        """Write a finding unless it is there already; return its path, or nothing."""
        if self.folder is None:
            return ""
        path = self.folder / name
        if self._written.get(name) != content:
            try:
                write_whole(path, content)
            except InputError as error:
                if str(error) not in self.failures:
                    self.failures.append(str(error))
                return ""
            self._written[name] = content
        return str(path)

    def tell(self) -> None:
        """Say in one line of its own what could not be written; the verdict stands."""
        if not self.failures:
            return
        sys.stdout.flush()
        more = len(self.failures) - 1
        others = f" (and {more} more)" if more else ""
        print(f"powercut: {one_line(self.failures[0])}{others}", file=sys.stderr)


def _refuse_folder(path: Path, option: str = "") -> None:
    if os.path.isdir(path):
        name = ". (or empty)" if path == Path() else str(path)
        text = f"{option} {name}".strip()
        raise InputError(f"{text}: a folder, not a file", "give the name of a file")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _is_output(there: os.stat_result) -> bool:
    """Tell whether this is standard output, which may be any file (``/dev/stdout``)."""
    try:
        return os.path.samestat(there, os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):
        return False


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
