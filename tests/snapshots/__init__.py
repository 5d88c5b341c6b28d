"""The texts that powercut is judged by, whole, as files.

``python -m tests.snapshots`` writes the files again; look at the difference before it is committed.

Why so: an assert on one line of a text does not notice what disappears from the others.
Rejected: a plugin for snapshots (there are a handful of files and one comparison), and saved JSON
(the documents are compared field by field elsewhere).
"""

import contextlib
import io
import re
from pathlib import Path

from powercut import cli

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
UPDATE = "python -m tests.snapshots"

_TWO_MOUNTS = "traces/seed-eof-two-mounts-stale-data.trace.json"
_NO_ABORT = "traces/seed-eio-overwrite-data-err-abort.trace.json"
_CHECK = ("check", "--design", "seed", "--jobs", "1", "--engine", "python", "--scope")
_TINY = (
    "overwrite-fsync",
    "evict-folio",
    "pending-punch",
    "eio-overwrite",
    "sync-overwrite",
    "evict-overwrite",
    "evict-append",
    "punch-folio",
    "enospc-folio",
)
"""Enough runs for the report of many, of at most a hundred states each."""

# The name of the file, the command it is the output of, and the command's exit code.
SNAPSHOTS: dict[str, tuple[tuple[str, ...], int]] = {
    "ladder-two-mounts.txt": (("trace", "show", _TWO_MOUNTS), 0),
    "ladder-failed-bio.txt": (("trace", "show", _NO_ABORT), 0),
    "diagram-two-mounts.mmd": (("trace", "show", _TWO_MOUNTS, "--format", "mermaid"), 0),
    "diagram-failed-bio.mmd": (("trace", "show", _NO_ABORT, "--format", "mermaid"), 0),
    "locks-swapped.txt": (("locks", "tests/locks/demo.patch"), 0),
    "locks-opposite.txt": (("locks", "tests/snapshots/opposite.patch"), 3),
    "check.txt": ((*_CHECK, "append-fsync", "eof-truncate-up", "eio-overwrite"), 1),
    "check-many.txt": ((*_CHECK, *_TINY), 1),
}

# What differs from run to run: seconds in a column of the table, and those of the last line.
_SECONDS = re.compile(r" +\d+\.\d+(?=  | s, )")


def current(name: str) -> str:
    """Run the command of a snapshot in the project's folder; seconds are masked."""
    argv, code = SNAPSHOTS[name]
    written = io.StringIO()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(written):
        ended = cli.run(list(argv))
    assert ended == code, f"{' '.join(argv)}: exit code {ended}"
    return masked(written.getvalue())


def masked(text: str) -> str:
    """Replace what differs from run to run."""
    return _SECONDS.sub(" #.##", text)
