"""Writing files: a place is checked before the work, a file appears whole or not at all.

What: whole files, and findings, which are written the moment they are known.

Why so: a temporary file beside the target takes its name at the end.  The target is what the path
leads to, so that a link goes on being one, and it keeps its owner and mode.  What is no regular
file (a pipe, /dev/null) cannot be replaced, and is written to.  Rejected: truncating and writing
in place (an interrupt leaves half a file).
"""

import errno
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from powercut.errors import InputError


def make_writable(option: str, folder: Path) -> None:
    """Make ``folder`` and try to write there.  Raises :class:`InputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
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
            with open(sys.stdout.fileno(), "wb", closefd=False) as file:
                file.write(content)
        elif there is not None and not stat.S_ISREG(there.st_mode):
            path.write_bytes(content)
        else:
            _replace(Path(os.path.realpath(path)), content, there, over=over)
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


def _replace(path: Path, content: bytes, old: os.stat_result | None, *, over: bool) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        try:
            _write_all(handle, content)
            os.fsync(handle)  # a rename may outlive a power cut that the data does not
        finally:
            os.close(handle)
        if old is not None:
            with suppress(OSError):  # only root may give a file away
                os.chown(name, old.st_uid, old.st_gid)
        os.chmod(name, 0o666 & ~_umask() if old is None else stat.S_IMODE(old.st_mode))
        if over:
            os.replace(name, path)
        else:
            os.link(name, path)  # which fails if there is one by now
            os.unlink(name)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
