"""Writing files: a directory is checked before the work, a file appears whole or not at all."""

import os
import tempfile
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
            f"{option} {folder}: {_reason(error)}; give a directory that can be written"
        ) from None


def write_whole(path: Path, content: bytes) -> None:
    """Write ``path`` atomically, over an existing file.  Raises :class:`InputError`."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be written: {_reason(error)}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
