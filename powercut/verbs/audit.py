"""``powercut check --audit``: is every reduction harmless on scopes small enough to do without it?

Why so: a reduction that loses a violation makes every "holds" worthless, so each can be tried by
whoever doubts it, on the designs and workloads they care about.  One table: what each reduction
saves and whether anything differs.  Rejected: several processes (the whole default audit is shorter
than a long check).
"""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from powercut.checkers.audit import IN_C, REDUCTIONS, Comparison, Reduction, audit
from powercut.checkers.engine.c_library import CannotCompile, NoCompiler, try_compiler
from powercut.checkers.engine.search.outcome import INTERRUPTED, Progress
from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED
from powercut.documents.audit import AuditDifference, AuditDocument, AuditedReduction
from powercut.documents.document import print_document
from powercut.errors import exit_code_of
from powercut.execute.interrupts import first_interrupt
from powercut.execute.job import Job
from powercut.execute.progress import ProgressLine
from powercut.terminal.style import Style

AUDIT_SCOPES = (
    "append-fsync",
    "eof-truncate-up",
    "eof-two-mounts",
    "eof-in-block",
    "eof-unsubmitted",
    "behind-eof",
    "folio-tail",
    "truncate-truncate",
    "truncate-reuse",
    "zero-truncate",
    "punch-append",
    "enospc",
    "log-full",
    "eio-overwrite",
)
"""Small, and between them: two mounts, errors, a full pool, a full log, reuse, a deadlock."""


@dataclass(slots=True)
class Row:
    """A reduction over all runs; ``skipped`` says why it was not compared."""

    reduction: Reduction
    skipped: str = ""
    runs: int = 0
    cut: int = 0
    states: int = 0
    plain_states: int = 0
    differences: list[tuple[str, str]] = field(default_factory=list)

    def add(self, run: str, comparison: Comparison) -> None:
        """Count one comparison.  Sizes of what was cut short say nothing and are left out."""
        self.runs += 1
        if comparison.stopped:
            self.cut += 1
            return
        self.states += comparison.used.states
        self.plain_states += comparison.plain.states
        self.differences += [(run, text) for text in comparison.differences]

    @property
    def verdict(self) -> str:
        """``violated`` where something differs, ``inconclusive`` where a search was cut short."""
        if self.differences:
            return VIOLATED
        return INCONCLUSIVE if self.cut else HOLDS


def run_audit(jobs: Sequence[Job], as_json: bool) -> int:
    """Audit the reductions in the runs of ``jobs``, print the table and return the exit code."""
    started = time.perf_counter()
    if not as_json:
        print(f"{len(jobs)} runs with and without each of {len(REDUCTIONS)} reductions\n")
        sys.stdout.flush()
    rows, stopped = audited(jobs)
    verdicts = [row.verdict for row in rows if not row.skipped]
    verdict = next((v for v in (VIOLATED, INCONCLUSIVE) if v in verdicts), HOLDS)
    if stopped and verdict == HOLDS:
        verdict = INCONCLUSIVE
    seconds = time.perf_counter() - started
    if as_json:
        print_document(audit_document(rows, verdict, stopped, seconds))
    else:
        _print(rows, verdict, stopped, seconds)
    return exit_code_of(verdict)


def audited(jobs: Sequence[Job]) -> tuple[list[Row], str]:
    """Compare in every run; return the rows, and why not every run was done (empty: it was)."""
    rows = [Row(reduction) for reduction in REDUCTIONS]
    try:
        try_compiler()
    except (NoCompiler, CannotCompile) as error:
        for row in rows:
            if IN_C in (row.reduction.used.search, row.reduction.plain.search):
                row.skipped = str(error)
    stop = threading.Event()
    line = ProgressLine(len(jobs))
    with first_interrupt(stop.set):
        for number, job in enumerate(jobs):
            reason = _reason(job, stop)
            if reason:
                return rows, reason
            for row, comparison in _compared(job, number, rows, stop, line):
                row.add(job.title, comparison)
            line.done(number, 0)
            line.clear()
    return rows, _reason(jobs[-1], stop) if any(row.cut for row in rows) else ""


def _compared(
    job: Job, number: int, rows: Sequence[Row], stop: threading.Event, line: ProgressLine
) -> Iterator[tuple[Row, Comparison]]:
    def on_progress(progress: Progress) -> None:
        line.update(number, job.title, progress)
        if _reason(job, stop):
            raise KeyboardInterrupt  # the search takes it for one

    wanted = [row for row in rows if not row.skipped]
    reductions = [row.reduction for row in wanted]
    comparisons = audit(
        job.question.design,
        job.question.scope,
        job.question.mutant,
        job.question.limits,
        reductions=reductions,
        on_progress=on_progress,
    )
    yield from zip(wanted, comparisons, strict=True)


def _reason(job: Job, stop: threading.Event) -> str:
    if stop.is_set():
        return INTERRUPTED
    if job.deadline is not None and time.monotonic() >= job.deadline:
        return f"time limit of {job.budget_s:g} s reached"
    return ""


def audit_document(
    rows: Sequence[Row], verdict: str, stopped: str, seconds: float
) -> AuditDocument:
    """Return the document of ``powercut check --audit --json``."""
    return AuditDocument(
        verdict=verdict,
        exit_code=exit_code_of(verdict),
        stopped=stopped or None,
        seconds=round(seconds, 3),
        reductions=[
            AuditedReduction(
                name=row.reduction.name,
                leaves_out=row.reduction.leaves_out,
                skipped=row.skipped or None,
                verdict=None if row.skipped else row.verdict,
                runs=row.runs,
                cut_short=row.cut,
                states=row.states,
                states_without=row.plain_states,
                differences=[AuditDifference(run=r, difference=t) for r, t in row.differences],
            )
            for row in rows
        ],
    )


def _print(rows: Sequence[Row], verdict: str, stopped: str, seconds: float) -> None:
    style = Style.of(sys.stdout)
    title = f"{'reduction':16}  {'runs':>4}  {'states':>9}  {'without it':>10}  found    leaves out"
    print(style.paint("title", title))
    words = {HOLDS: "same", VIOLATED: "DIFFERS", INCONCLUSIVE: "cut off"}
    for row in rows:
        sizes = f"{row.runs:4}  {row.states:9,}  {row.plain_states:10,}"
        found = "not run" if row.skipped else style.paint(row.verdict, f"{words[row.verdict]:7}")
        print(f"{row.reduction.name:16}  {sizes}  {found}  {row.reduction.leaves_out}")
    for row in rows:
        if row.skipped:
            print(f"\n{row.reduction.name}: not compared: {row.skipped}")
        for run, text in row.differences:
            print(f"\n{row.reduction.name}: {run}: {text}")
    cut = sum(row.cut for row in rows)
    bound = "every search exhausted" if not cut else f"{cut} comparisons cut short"
    if stopped:
        bound += f", not every run done: {stopped}"
    print(f"\n{seconds:.1f} s, {bound}: {verdict} (exit code {exit_code_of(verdict)})")
