"""``powercut kernel log``: the crash states of anybody's block log, recovered and judged.

Why so: a log is evidence that needs no kernel any more, so whoever has one can have it judged.
"Nothing found" is a verdict only where every subset was tried; otherwise it says how much was.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from powercut.checkers.kernel.block_log import BlockLog
from powercut.checkers.kernel.crash_states import Choice, Coverage, CrashPoint, CrashStates
from powercut.checkers.kernel.errors import DamagedError, DisagreementError, LabError
from powercut.checkers.kernel.judge import Judge, Program, marks_of
from powercut.checkers.kernel.log_check import Plan, Report, Violation, check_states, parse_command
from powercut.checkers.kernel.medium import BaseImage, Medium
from powercut.checkers.kernel.volume import Volume
from powercut.checkers.workload import WorkloadError, load_workload
from powercut.documents.document import print_document
from powercut.documents.kernel_log import Fault, KernelLogDocument
from powercut.errors import HOLDS, INCONCLUSIVE, VIOLATED, InputError, InternalError, one_line
from powercut.inputs.files import Findings, make_writable
from powercut.terminal.style import Style

_WORDS = {HOLDS: "holds", VIOLATED: "violated", INCONCLUSIVE: "inconclusive"}
_MAX_SUBSETS = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of ``kernel log``, as typed."""

    workload: Path | None = None
    check: str | None = None
    subsets: int = 32
    seed: int = 1
    torn: bool = False
    opinion_every: int = 0
    save: Path | None = None
    time_limit: float | None = None
    json: bool = False


def run_log(base: Path, log: Path, options: Options) -> int:
    """Judge the states of a log, say what was found and return the exit code."""
    _check(options)
    report, findings = Report(), Findings(options.save)
    try:
        states, plan = _prepare(base, log, options)
        for violation in check_states(states, plan, report):
            _keep(violation, report, options, findings)
    except (LabError, WorkloadError) as error:
        raise InputError(str(error)) from None
    except DisagreementError as error:
        raise InternalError(f"{log}: {error}") from None
    except KeyboardInterrupt:
        report.stopped = "interrupted"
    code = _code(report, states.coverage, options)
    judged = plan.judge.judged_files if plan.judge else None
    if options.json:
        print_document(_document(log, report, states.coverage, code, judged))
    else:
        _print(report, states.coverage, code, judged)
    findings.tell()
    return code


def _check(options: Options) -> None:
    if not 0 <= options.subsets <= _MAX_SUBSETS:
        raise InputError(f"--subsets {options.subsets}: give 0 to {_MAX_SUBSETS}")
    if options.opinion_every < 0:
        raise InputError(f"--opinion-every {options.opinion_every}: give 0 or more")
    if options.time_limit is not None and not options.time_limit > 0:
        raise InputError(f"--time-limit {options.time_limit:g}: give more than 0 seconds")
    if options.save is not None:
        make_writable("--save", options.save)


def _prepare(base: Path, log: Path, options: Options) -> tuple[CrashStates, Plan]:
    command = parse_command(options.check) if options.check is not None else ()
    image, whole_log = BaseImage.of_file(base), BlockLog(log)
    judge = None
    try:
        start = Volume(Medium(image))
        if options.workload is not None:
            program = Program.of_scope(load_workload(options.workload))
            judge = Judge(program, start, marks_of(whole_log))
    except DamagedError as error:
        raise LabError(str(base), f"{error}; give an ext4 image") from None
    except ValueError as error:
        raise LabError(str(options.workload), str(error)) from None
    choice = Choice(options.subsets, options.seed, options.torn)
    plan = Plan(
        judge,
        command,
        options.opinion_every,
        time_limit_seconds=options.time_limit,
    )
    return CrashStates(image, whole_log, choice), plan


def _keep(violation: Violation, report: Report, options: Options, findings: Findings) -> None:
    """Print a violation the first time its file shows it, and save the state."""
    new = [f for f in violation.faults if report.faulty_files[f.prop, f.file] is violation]
    if not new:
        return
    if options.save is not None:
        findings.add(_image_name(violation.point), violation.point.medium.whole())
    if options.json:
        return
    style = Style.of(sys.stdout)
    print(f"{style.paint('violated', 'violated')} {_where(violation.point)}")
    for fault in new:
        print(f"  {fault.prop}: {one_line(f'{fault.file}: {fault.text}'.removeprefix(': '))}")


def _image_name(point: CrashPoint) -> str:
    return f"before-{point.before}-{point.medium.fingerprint:032x}.img"


def _where(point: CrashPoint) -> str:
    if not point.pending:
        return f"before entry {point.before}, nothing unflushed"
    shown = ", ".join(map(str, point.survivors[:8])) + (", ..." if len(point.survivors) > 8 else "")
    which = f"entries {shown}" if point.survivors else "none"
    return f"before entry {point.before}, of {point.pending} unflushed writes survive: {which}"


def _code(report: Report, coverage: Coverage, options: Options) -> int:
    if report.violating:
        return VIOLATED
    is_complete = not (report.stopped or coverage.sampled_places or options.torn)
    return HOLDS if is_complete else INCONCLUSIVE


def _document(
    log: Path, report: Report, coverage: Coverage, code: int, judged: int | None
) -> KernelLogDocument:
    return KernelLogDocument(
        verdict=_WORDS[code],
        exit_code=code,
        log=str(log),
        stopped=report.stopped or None,
        states=report.states,
        drawn=coverage.drawn,
        places=coverage.places,
        sampled_places=coverage.sampled_places,
        violating_states=report.violating,
        second_opinions=report.opinions,
        judged_files=judged,
        seconds=round(report.seconds, 3),
        faults=[
            Fault(
                property=prop,
                file=file or None,
                text=next(f.text for f in violation.faults if (f.prop, f.file) == (prop, file)),
                before_entry=violation.point.before,
                unflushed=violation.point.pending,
                survivors=list(violation.point.survivors),
            )
            for (prop, file), violation in report.faulty_files.items()
        ],
    )


def _print(report: Report, coverage: Coverage, code: int, judged: int | None) -> None:
    files = "" if judged is None else f", {judged:,} files judged"
    print(
        f"{report.states:,} crash states at {coverage.places:,} places{files}; "
        f"{report.violating:,} violate; {report.opinions:,} seen by e2fsck and debugfs too"
    )
    bound = "every subset of unflushed writes"
    if coverage.sampled_places:
        bound = f"a sample of the subsets at {coverage.sampled_places:,} places"
    if report.stopped:
        bound = f"stopped: {report.stopped}"
    print(f"{_WORDS[code]}: {bound} (exit code {code})")
