"""``powercut litmus``: run litmus files and compare, or write the allowed sets for review.

Why so: the same jobs as ``check`` (every violation is replayed natively before it counts), one for
each file and design; files are read before anything runs, so that a mistake costs no time.
Rejected: updating while the other files still run (an interrupt would leave a half-updated folder).
"""

import difflib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from powercut.checkers.litmus import (
    DIFFERENT,
    EXACT,
    NO_SET,
    DesignRun,
    Litmus,
    explain,
    format_outcome,
    judge,
    load_litmus,
    shipped_files,
    updated,
)
from powercut.checkers.run.question import Question
from powercut.checkers.workload import WorkloadError
from powercut.documents.document import print_document
from powercut.documents.litmus import LitmusDocument, LitmusFile, LitmusRun
from powercut.errors import (
    BAD_INPUT,
    ERROR,
    HOLDS,
    INCONCLUSIVE,
    INTERNAL,
    VIOLATED,
    InputError,
    one_line,
)
from powercut.execute.job import Job
from powercut.execute.pool import run_all
from powercut.execute.progress import ProgressLine
from powercut.inputs.files import write_whole
from powercut.inputs.names import pick_all
from powercut.model.designs import DESIGNS
from powercut.terminal.style import Style
from powercut.verbs.check import process_count
from powercut.verbs.options import LitmusOptions

_CODES = {EXACT: HOLDS, DIFFERENT: VIOLATED, "inconclusive": INCONCLUSIVE}
_WORDS = {
    HOLDS: "holds",
    VIOLATED: "violated",
    INCONCLUSIVE: "inconclusive",
    BAD_INPUT: "bad input",
    INTERNAL: ERROR,
}
_PAINT = {EXACT: "holds", DIFFERENT: "violated", "inconclusive": "inconclusive"}


@dataclass(slots=True)
class _Ended:
    """One file: its runs so far, or why it could not be used; what an update changed."""

    path: Path
    litmus: Litmus | None = None
    error: str = ""
    runs: list[DesignRun] | None = None
    diff: str = ""
    failures: list[str] = field(default_factory=list)


def run(paths: Sequence[Path], options: LitmusOptions) -> int:
    """Run what ``options`` ask for, print the report and return the exit code."""
    chosen = tuple(pick_all("--design", options.designs or (), DESIGNS))
    processes = process_count(options.jobs)
    ended = [_loaded(path) for path in litmus_paths(paths)]
    for each in ended:
        if each.litmus is not None and not _designs_of(each.litmus, chosen, options.update):
            each.error = f"{each.path}: {_nothing_allowed(each.litmus)}"
            each.litmus = None
        if each.error:
            print(f"powercut: {one_line(each.error)}", file=sys.stderr)
    style = Style.of(sys.stdout)
    for each, run in _runs(ended, chosen, options.update, processes):
        if not options.json and not (options.update and run.verdict != "inconclusive"):
            _print_run(each, run, options.ladder, style)
    code = _code(ended, options.update)
    if options.update:
        _write_updates(ended, quiet=options.json)
    if options.json:
        print_document(_document(ended, code))
    elif not options.update:
        runs = [run for each in ended for run in each.runs or ()]
        exact = sum(run.verdict == EXACT for run in runs)
        files = "1 file" if len(ended) == 1 else f"{len(ended)} files"
        print(f"\n{exact} of {len(runs)} exact, {files} (exit code {code})")
    return code


def _nothing_allowed(litmus: Litmus) -> str:
    if not litmus.designs:
        return NO_SET
    return f"no set for the designs given; it has {', '.join(litmus.designs)}"


def litmus_paths(given: Sequence[Path]) -> list[Path]:
    """Return the files that are meant: a folder stands for the litmus files below it."""
    if not given:
        return shipped_files()
    paths: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(path.rglob("*.litmus"))
            if not inside:
                raise InputError(f"{path}: no *.litmus file in it", "give files or another folder")
            paths += inside
        else:
            paths.append(path)
    return list(dict.fromkeys(paths))


def _loaded(path: Path) -> _Ended:
    try:
        return _Ended(path, load_litmus(path), runs=[])
    except WorkloadError as error:
        return _Ended(path, error=str(error))


def _designs_of(litmus: Litmus, chosen: Sequence[Any], update: bool) -> list[str]:
    """Return the designs to run: an update may add some, a comparison needs a set."""
    if not chosen:
        return list(litmus.designs)
    names = [design.name for design in chosen]
    return names if update else [name for name in names if name in litmus.designs]


def _runs(
    ended: Sequence[_Ended], chosen: Sequence[Any], update: bool, processes: int
) -> Iterator[tuple[_Ended, DesignRun]]:
    """Run everything and yield each result in order, filed with its test."""
    work = [
        (each, each.litmus, design)
        for each in ended
        if each.litmus is not None
        for design in _designs_of(each.litmus, chosen, update)
    ]
    jobs = [
        Job(Question(DESIGNS[design], litmus.scope, observation=litmus.observation))
        for _, litmus, design in work
    ]
    if not jobs:
        return
    line = ProgressLine(len(jobs))
    for (each, litmus, design), done in zip(work, run_all(jobs, processes, line), strict=True):
        if done.failure:
            each.failures.append(done.failure)
            print(f"powercut: internal error: {one_line(done.failure)}", file=sys.stderr)
            continue
        run = judge(litmus, design, done.result)
        assert each.runs is not None
        each.runs.append(run)
        yield each, run
    line.clear()


def _print_run(each: _Ended, run: DesignRun, ladder: bool, style: Style) -> None:
    word = style.paint(_PAINT[run.verdict], run.verdict)
    outcomes = len(run.shown.outcomes)
    bound = f"{run.result.states:,} states"
    shown = f"{outcomes} outcomes" if outcomes != 1 else "1 outcome"
    print(f"{run.litmus.name}  {run.design}: {word}  ({shown}, {bound})")
    if run.verdict != EXACT:
        print(explain(run, ladder=ladder))
        print()


def _code(ended: Sequence[_Ended], update: bool) -> int:
    """Return the exit code: bad input first, then what differs, then what was cut short."""
    if any(each.failures for each in ended):
        return INTERNAL
    if any(each.error for each in ended):
        return BAD_INPUT
    codes = {_CODES[run.verdict] for each in ended for run in each.runs or ()}
    if update:
        cut_short = any(not run.result.exhaustive for each in ended for run in each.runs or ())
        return INCONCLUSIVE if cut_short else HOLDS
    return VIOLATED if VIOLATED in codes else INCONCLUSIVE if INCONCLUSIVE in codes else HOLDS


def _write_updates(ended: Sequence[_Ended], *, quiet: bool) -> None:
    """Rewrite each file whose sets changed; what was cut short is left as it is."""
    for each in ended:
        if each.litmus is None:
            continue
        shown = {run.design: run.shown for run in each.runs or () if run.result.exhaustive}
        text = updated(each.litmus, shown)
        if text == each.litmus.text:
            continue
        before, after = each.litmus.text.splitlines(True), text.splitlines(True)
        name = str(each.path)
        each.diff = "".join(difflib.unified_diff(before, after, name, name))
        write_whole(each.path, text.encode())
        if not quiet:
            print(each.diff, end="")


def _document(ended: Sequence[_Ended], code: int) -> LitmusDocument:
    return LitmusDocument(
        verdict=_WORDS[code],
        exit_code=code,
        files=[
            LitmusFile(
                file=str(each.path),
                name=each.litmus.name if each.litmus else None,
                source=each.litmus.source if each.litmus else None,
                error=each.error or None,
                failures=each.failures,
                updated=bool(each.diff),
                runs=[_run(run) for run in each.runs or ()],
            )
            for each in ended
        ],
    )


def _run(run: DesignRun) -> LitmusRun:
    per_block = run.litmus.scope.geometry.cells_per_block
    return LitmusRun(
        design=run.design,
        verdict=run.verdict,
        exhaustive=run.result.exhaustive,
        stopped=run.result.stopped or None,
        states=run.result.states,
        seconds=round(run.result.seconds, 3),
        outcomes=sorted(format_outcome(o, per_block) for o in run.shown.outcomes),
        missing=[format_outcome(o, per_block) for o in run.missing],
        extra=[format_outcome(o, per_block) for o in run.extra],
        violates=list(run.shown.violates),
        violated=list(run.violated),
        holding=list(run.holding),
    )
