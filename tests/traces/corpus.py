"""The saved counterexamples: which there are, and how to make them again.

``python -m tests.traces.corpus`` writes them to ``traces/``, or to the folder given.  Each is a
shortest one, so a change of the model changes a file only where it changes the counterexample.
"""

import sys
from pathlib import Path

from checkers.traces.codec import save_trace, trace_file_name
from checkers.traces.format import Trace
from model.designs import DESIGNS
from model.mutants import MUTANTS
from model.scopes import SCOPES
from properties.runner import run_scope
from properties.tracing import trace_of

FOLDER = Path(__file__).parents[2] / "traces"

FINDINGS = (
    ("seed", "eof-two-mounts", "stale-data"),
    ("seed", "eof-mmap", "stale-data"),
    ("seed", "eof-truncate-up", "stale-data"),
    ("seed", "eof-in-block", "stale-data"),
    ("seed", "truncate-truncate", "stale-data"),
    ("seed", "eio-overwrite", "data-err-abort"),
    ("seed", "folio-tail", "stale-data"),
    ("seed", "punch-folio", "late-write"),
    ("seed-gap-ordered", "eof-in-block", "stale-data"),
    ("seed-gap-ordered", "eof-unsubmitted", "deadlock"),
    ("series-v5", "eof-unsubmitted", "deadlock"),
    ("series-v5", "new-file", "stale-data"),
    ("series-v5", "truncate-up-merge", "durability"),
    ("series-v5", "eio-eof", "stale-data"),
    ("seed-without-07", "ordered-log", "deadlock"),
    ("mixed", "two-files", "deadlock"),
    ("bh-ordered", "new-file", "stale-data"),
    ("seed-eof-ordered", "eof-two-mounts", "structure"),
    ("seed-eof-ordered", "behind-eof", "stale-data"),
    ("seed-eof-deferred", "eof-unsubmitted", "deadlock"),
)
PLANTED = (
    "no-preflush", "reuse-before-commit", "fsync-no-commit-wait", "merge-across-error",
    "no-min-i-size", "no-mapping-error", "truncate-under-handle", "retry-without-commit",
    "write-keeps-handle", "data-sem-first-mapping", "unreserved-conversion",
)  # fmt: skip


def find(design: str, scope: str, prop: str, mutant: str = "") -> Trace:
    """Search for the counterexample and return its trace.  Raises :class:`LookupError`."""
    which = DESIGNS[design], SCOPES[scope], MUTANTS[mutant] if mutant else None
    result = run_scope(*which, stop_at=prop)
    for violation in (*result.violations, *result.observations):
        if violation.prop == prop:
            return trace_of(violation, result, *which)
    raise LookupError(f"{design}, {scope}: {prop} holds with mutant {mutant!r}")


def cases() -> list[tuple[str, str, str, str]]:
    """Return design, scope, property and mutant of every saved counterexample."""
    planted = (MUTANTS[slug] for slug in PLANTED)
    return [(*finding, "") for finding in FINDINGS] + [
        (mutant.design, mutant.scope, mutant.caught_by, mutant.slug) for mutant in planted
    ]


def save_all(folder: Path) -> list[Path]:
    """Search for every counterexample, save it in ``folder`` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for case in cases():
        trace = find(*case)
        paths.append(folder / trace_file_name(trace))
        save_trace(paths[-1], trace)
    return paths


if __name__ == "__main__":
    for path in save_all(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(path)
