"""The standard streams, whatever the caller made of them: closed, full, or narrower than a word.

Why so: a stream that is closed at the start is ``None`` to Python, and every use of it would be an
error of its own; a full disk behind standard output is no bug of ours.  Rejected: looking at the
errors of a whole command (they do not say which file they speak of, and a second flush may
succeed because the first one dropped what it could not write).
"""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from powercut.errors import InputError
from powercut.terminal.encoding import fit

_LEAST_COLUMNS = 20


@contextmanager
def usable_streams() -> Generator[None]:
    """Let a command use its streams freely, as long as it runs.

    Raises :class:`InputError` if standard output is closed, or where it cannot be written; a broken
    pipe stays :class:`BrokenPipeError`.
    """
    if sys.stdin is None:
        sys.stdin = _nowhere("r")
    if sys.stderr is None:
        sys.stderr = _nowhere("w")
    if sys.stdout is None:
        sys.stdout = _nowhere("w")
        raise InputError("standard output is closed", "send it to a file or to /dev/null")
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) < _LEAST_COLUMNS:
        del os.environ["COLUMNS"]  # help is never done with a line of no columns
    stream = sys.stdout
    sys.stdout = cast("TextIO", _Output(stream))
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout = stream


def discard_output(stream: TextIO) -> None:
    """Send what is left of ``stream`` nowhere: Python flushes it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _nowhere(mode: str) -> TextIO:
    return cast("TextIO", open(os.devnull, mode, encoding="utf-8"))


class _Output:
    """Standard output that takes every text, and says that it is what cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        encoding = getattr(self._stream, "encoding", None)
        shown = fit(text, encoding, colours=self._stream.isatty())
        with self._told():
            self._stream.write(shown)
        return len(text)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            discard_output(self._stream)
            reason = error.strerror or "unknown error"
            raise InputError(f"standard output: cannot be written: {reason}") from None
