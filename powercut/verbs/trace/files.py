"""What the trace verbs share: reading a file, writing the result."""

import sys
from pathlib import Path

from powercut.checkers.run.replay import ReplayResult, replay
from powercut.checkers.traces.codec import load_trace
from powercut.checkers.traces.format import Trace
from powercut.errors import InputError
from powercut.inputs.files import write_whole


def read_replay(path: Path) -> tuple[Trace, ReplayResult]:
    """Return the trace at ``path`` and its replay.  Raises :class:`TraceError`."""
    trace = load_trace(path)
    return trace, replay(trace, str(path))


def write_or_print(output: Path | None, content: str) -> None:
    """Write ``content`` in one go, or print it where there is no file to write."""
    if output is None:
        sys.stdout.write(content)
    else:
        write_whole(output, content.encode())


def check_output(output: Path | None, source: Path) -> None:
    """Refuse to write over the input.  Raises :class:`InputError`."""
    if output is not None and _is_same(output, source):
        raise InputError(f"--output {output}: that is the input", "give another name")


def _is_same(output: Path, source: Path) -> bool:
    try:
        return output.samefile(source)
    except (OSError, ValueError):  # one of them is not there; reading or writing it says more
        return False
