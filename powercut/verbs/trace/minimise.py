"""``powercut trace minimise``: make a counterexample smaller and keep the best on an interrupt."""

import os
import sys
from dataclasses import asdict
from pathlib import Path

from powercut.checkers.explain.minimise import Minimiser, Size
from powercut.checkers.explain.why import annotated
from powercut.checkers.traces.codec import encode_trace, load_trace
from powercut.checkers.traces.format import Trace
from powercut.documents.document import print_document
from powercut.documents.trace import MinimiseDocument, subject
from powercut.errors import HOLDS, INCONCLUSIVE, InputError
from powercut.inputs.files import make_writable_file, write_whole
from powercut.verbs.trace.files import check_output
from powercut.verbs.trace.options import MinimiseOptions


def run(path: Path, options: MinimiseOptions) -> int:
    """Minimise the trace at ``path`` and return the exit code: 3 if it was cut short."""
    _check(options)
    trace = load_trace(path)
    shown = _Shown()
    minimiser = Minimiser(
        trace,
        str(path),
        reduce_workload=not options.keep_workload,
        max_states=options.max_states,
        on_progress=shown.update,
    )
    output = _output(path, options)
    before = minimiser.size
    best, stopped = _best(minimiser, options.max_runs)
    shown.clear()
    if output is not None:
        write_whole(output, encode_trace(best))
    code = INCONCLUSIVE if stopped else HOLDS
    if options.json:
        document = MinimiseDocument(
            **subject(best),
            verdict="inconclusive" if stopped else "minimal",
            exit_code=code,
            trace=str(path),
            output=None if output is None else str(output),
            before=before,
            after=minimiser.size,
            candidates=minimiser.runs,
            survivors_from=minimiser.course.ends,
            workload=best.workload,
            stopped=stopped or None,
        )
        print_document(document)
    else:
        _print(path, output, best, before, minimiser, stopped)
    return code


def _best(minimiser: Minimiser, max_runs: int) -> tuple[Trace, str]:
    """Return the smallest trace found and what stopped the search; cut twice, it has no causes."""
    stopped = ""
    try:
        minimiser.run(max_runs)
        if minimiser.runs >= max_runs:
            stopped = f"limit of {max_runs} candidates reached"
    except KeyboardInterrupt:
        stopped = "interrupted"
    try:
        return annotated(minimiser.best), stopped
    except KeyboardInterrupt:
        return minimiser.best, "interrupted"


def _check(options: MinimiseOptions) -> None:
    if options.max_runs < 1 or options.max_states < 0:
        raise InputError("--max-runs and --max-states: give a number from 1 (states: from 0)")
    if options.in_place and options.output is not None:
        raise InputError("--in-place: the input is the output then", "leave --output out")


def _output(path: Path, options: MinimiseOptions) -> Path | None:
    """Return where the result goes, if anywhere, once it is known that it can be written."""
    check_output(options.output, path)
    output = path if options.in_place else options.output
    if output is not None:
        make_writable_file("--in-place" if options.in_place else "--output", output)
    return output


def _print(
    path: Path, output: Path | None, best: Trace, before: Size, minimiser: Minimiser, stopped: str
) -> None:
    print(f"{path}: {best.property} {best.verdict}: {best.summary}")
    old, new = asdict(before), asdict(minimiser.size)
    for name, was in old.items():
        print(
            f"  {name:<11}{was:>4} > {new[name]}" if was != new[name] else f"  {name:<11}{was:>4}"
        )
    for n, end in enumerate(minimiser.course.ends, 1):
        print(f"  power cut {n}: nearest to the one that {end} survives")
    kept = f"written to {output}" if output else "not written (--output keeps it)"
    print(f"{minimiser.runs} candidates; {stopped + '; ' if stopped else ''}{kept}")


class _Shown:
    """The progress line on standard error, on a terminal only."""

    def __init__(self) -> None:
        self.enabled = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def update(self, size: Size, runs: int) -> None:
        """Show the best so far."""
        if self.enabled:
            text = f"{size.operations} operations, {size.steps} steps, {size.switches} switches"
            sys.stderr.write(f"\r\x1b[K{runs} candidates: {text}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self.enabled:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
