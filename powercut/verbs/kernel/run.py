"""``powercut kernel run``: a situation on a real kernel, in rounds, beside its control.

Why so: "happens on a kernel" is one command, and what a kernel did not show stays inconclusive.
Rejected: a verdict from the control alone (it says whether the judge is right, not whether the
kernel is).
"""

import gzip
import sys
from dataclasses import dataclass, field
from pathlib import Path

from powercut.checkers.kernel.crash_states import Choice
from powercut.checkers.kernel.e2fsprogs import scratch
from powercut.checkers.kernel.errors import DamagedError, DisagreementError, LabError
from powercut.checkers.kernel.guest.kernels import find_kernel
from powercut.checkers.kernel.guest.machine import Machine, missing_machine
from powercut.checkers.kernel.log_check import Violation
from powercut.checkers.kernel.rounds import HELPS, Situation
from powercut.checkers.kernel.steering import Schedule, schedule_of, schedule_of_trace
from powercut.checkers.kernel.trial import (
    Conditions,
    GuestError,
    Laboratory,
    Trial,
    control_of,
    program_text,
)
from powercut.checkers.litmus import load_litmus
from powercut.checkers.litmus.shipped import shipped_files
from powercut.checkers.traces.codec import load_trace
from powercut.checkers.traces.errors import TraceError
from powercut.checkers.workload import WorkloadError, load_workload, parse_workload
from powercut.checkers.workload.shipped import SCOPES
from powercut.documents.document import print_document
from powercut.documents.kernel_run import (
    HelpedRounds,
    KernelFault,
    KernelRunDocument,
    KernelTrial,
)
from powercut.errors import INCONCLUSIVE, VIOLATED, InputError, InternalError, one_line
from powercut.inputs.files import Findings
from powercut.inputs.names import pick
from powercut.properties.findings.loader import shipped
from powercut.terminal.style import Style
from powercut.verbs.kernel.checks import check_conditions
from powercut.verbs.kernel.saying import GuestLine

_WORDS = {VIOLATED: "violated", INCONCLUSIVE: "inconclusive"}
_RELEASED = "bh-"
_PRESENT = "bh-ordered"
_MOST_ROUNDS = 600


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of ``kernel run``, as typed."""

    kernel: Path | None = None
    finding: str | None = None
    workload: Path | None = None
    trace: Path | None = None
    litmus: Path | None = None
    mount_options: str = ""
    rounds: int = 200
    helps: tuple[str, ...] = HELPS
    subsets: int = 8
    seed: int = 1
    control: bool = True
    steer: bool = False
    save: Path | None = None
    time_limit: float = 120.0
    json: bool = False


@dataclass(slots=True)
class _Outcome:
    """What has been seen so far; an interrupt leaves it as it is."""

    situation: Situation
    schedule: Schedule | None = None
    trial: Trial | None = None
    control: Trial | None = None
    note: str = ""
    saved: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code: a kernel that did not show something has not shown that it cannot."""
        return VIOLATED if self.trial is not None and self.trial.first else INCONCLUSIVE


def run_rounds(options: Options) -> int:
    """Run what the options ask for, say what a kernel showed and return the exit code."""
    place = _checked(options)
    try:
        situation = _situation(options)
        schedule = _schedule(situation, options) if options.steer else None
        missing = missing_machine()
        if missing:
            raise LabError("kernel run", missing)
        kernel = find_kernel(place)
    except (LabError, WorkloadError, TraceError) as error:
        raise InputError(str(error)) from None
    except ValueError as error:
        raise InputError(f"kernel run: {error}") from None
    outcome, findings = _Outcome(situation, schedule), Findings(options.save)
    said = GuestLine("rounds", options.rounds)
    try:
        with scratch() as folder:
            laboratory = Laboratory(Machine(), kernel, folder, said.line)
            _try(laboratory, outcome, options, findings)
    except GuestError as error:
        outcome.note = str(error)
        _add(findings, outcome, "console.txt", "\n".join(error.console.lines).encode())
    except LabError as error:
        raise InputError(str(error)) from None
    except (DisagreementError, DamagedError) as error:
        raise InternalError(f"{options.kernel}: {error}") from None
    except KeyboardInterrupt:
        outcome.note = "interrupted"
    said.clear()
    if options.json:
        print_document(_document(outcome, options))
    else:
        _print(outcome, options)
    findings.tell()
    return outcome.code


def _checked(options: Options) -> Path:
    """Return the kernel's place if the options can be used."""
    place = check_conditions(
        "kernel run",
        kernel=options.kernel,
        rounds=options.rounds,
        most_rounds=_MOST_ROUNDS,
        subsets=options.subsets,
        time_limit=options.time_limit,
        save=options.save,
    )
    asked = (options.finding, options.workload, options.trace, options.litmus)
    if sum(each is not None for each in asked) != 1:
        raise InputError("kernel run: give one of --finding, --workload, --trace and --litmus")
    return place


def _situation(options: Options) -> Situation:
    if options.finding is not None:
        return situation_of_finding(options.finding)
    if options.trace is not None:
        return Situation.of_trace(load_trace(options.trace), str(options.trace))
    if options.litmus is not None:
        return Situation.of_scope(load_litmus(options.litmus).scope)
    assert options.workload is not None
    return Situation.of_scope(load_workload(options.workload))


def _schedule(situation: Situation, options: Options) -> Schedule:
    if options.trace is not None:
        return schedule_of_trace(load_trace(options.trace))
    return schedule_of(situation, _PRESENT)


def situation_of_finding(name: str) -> Situation:
    """Return the situation of a finding on the buffer_head path, which released kernels have.

    That is the program that the finding names for kernels, else its first scope, or else its first
    litmus file, with one mount and a disk that never fails.

    Raises :class:`InputError` for a name nobody knows, and ValueError where there is none.
    """
    finding = pick("--finding", name, shipped())
    scopes = []
    for entry in finding.reached:
        if any(design.startswith(_RELEASED) for design in entry.designs):
            scopes += [SCOPES[scope] for scope in entry.scopes]
    if not scopes:
        raise ValueError(f"{name} is not a finding on a path that a released kernel has")
    if finding.kernel_program:
        return Situation.of_scope(parse_workload(finding.kernel_program, name))
    texts = {path.stem: path for path in shipped_files()}
    scopes += [load_litmus(texts[test]).scope for test in finding.litmus]
    reason = ""
    for scope in scopes:
        try:
            return Situation.of_scope(scope)
        except ValueError as error:
            reason = reason or str(error)
    raise ValueError(f"{name}: {reason}")


def _try(laboratory: Laboratory, outcome: _Outcome, options: Options, findings: Findings) -> None:
    conditions = Conditions(
        mount_options=tuple(filter(None, options.mount_options.split(","))),
        helps=options.helps,
        seed=options.seed,
        choice=Choice(options.subsets, options.seed),
        time_limit_seconds=options.time_limit,
    )

    def keep(violation: Violation) -> None:
        if options.save is not None and not outcome.saved:
            name = f"before-{violation.point.before}.img.gz"
            _add(findings, outcome, name, gzip.compress(violation.point.medium.whole(), 6))

    steered = conditions.steered_by(outcome.schedule) if outcome.schedule else conditions
    outcome.trial = laboratory.trial(outcome.situation, options.rounds, steered, keep)
    if outcome.trial.first and options.save is not None:
        for path in (laboratory.base_path, laboratory.log_path):
            _add(findings, outcome, f"{path.name}.gz", gzip.compress(path.read_bytes(), 6))
        console = "\n".join(outcome.trial.console.lines)
        _add(findings, outcome, "console.txt", console.encode())
    if not options.control:
        return
    control = control_of(outcome.situation, _PRESENT)
    if control is None:
        outcome.note = "no control: what is almost the same violates in the model, too"
        return
    same_calls = control.tasks == outcome.situation.tasks
    beside = steered if same_calls else conditions
    outcome.control = laboratory.trial(control, options.rounds, beside)


def _add(findings: Findings, outcome: _Outcome, name: str, content: bytes) -> None:
    path = findings.add(name, content)
    if path:
        outcome.saved.append(path)


def _document(outcome: _Outcome, options: Options) -> KernelRunDocument:
    console = outcome.trial.console if outcome.trial is not None else None
    return KernelRunDocument(
        verdict=_WORDS[outcome.code],
        exit_code=outcome.code,
        subject=outcome.situation.name,
        kernel=console.kernel if console else str(options.kernel),
        accelerator=console.accelerator if console else "",
        mount_options=_mount_options(outcome, options),
        seed=options.seed,
        schedule=list(outcome.schedule.lines) if outcome.schedule else [],
        trial=_trial(outcome.trial),
        control=_trial(outcome.control),
        note=outcome.note or None,
        saved=outcome.saved,
    )


def _mount_options(outcome: _Outcome, options: Options) -> list[str]:
    return [*outcome.situation.mount_options, *filter(None, options.mount_options.split(","))]


def _trial(trial: Trial | None) -> KernelTrial | None:
    if trial is None:
        return None
    return KernelTrial(
        program=program_text(trial.batch.situation),
        rounds=trial.batch.count,
        followed_rounds=trial.followed_rounds if trial.conditions.schedule else None,
        failed_calls=trial.failed_calls,
        states=trial.report.states,
        drawn=trial.coverage.drawn,
        sampled_places=trial.coverage.sampled_places,
        violating_states=trial.report.violating,
        second_opinions=trial.report.opinions,
        mounted=trial.mounted,
        stopped=trial.report.stopped or None,
        guest_seconds=round(trial.console.seconds, 3),
        judge_seconds=round(trial.report.seconds, 3),
        faults=[_fault(trial, prop) for prop in trial.violating_rounds],
    )


def _fault(trial: Trial, prop: str) -> KernelFault:
    name, violation = next((f, v) for (p, f), v in trial.first.items() if p == prop)
    text = next(
        fault.text for fault in violation.faults if (fault.prop, fault.file) == (prop, name)
    )
    return KernelFault(
        property=prop,
        violating_rounds=len(trial.violating_rounds[prop]),
        file=name,
        text=text,
        before_entry=violation.point.before,
        unflushed=violation.point.pending,
        survivors=list(violation.point.survivors),
        by_help=[HelpedRounds(help=h, rounds=r, violating=n) for h, n, r in trial.by_help(prop)],
    )


def _print(outcome: _Outcome, options: Options) -> None:
    document = _document(outcome, options)
    options_text = ",".join(document.mount_options) or "default options"
    print(f"{document.subject} on {document.kernel}, {options_text}, {document.accelerator}")
    for line in document.schedule:
        print(f"  steered: {line}")
    style = Style.of(sys.stdout)
    for title, trial in (("rounds", document.trial), ("control", document.control)):
        if trial is not None:
            _print_trial(title, trial, style)
    if document.note:
        print(f"  {one_line(document.note)}")
    for path in document.saved:
        print(f"  saved {path}")
    word = document.verdict
    states = document.trial.states if document.trial else 0
    meaning = (
        "a crash state of this kernel" if word == "violated" else f"not seen in {states:,} states"
    )
    print(f"{style.paint(word, word)}: {meaning} (exit code {document.exit_code})")


def _print_trial(title: str, trial: KernelTrial, style: Style) -> None:
    print(
        f"  {title}: {trial.program}\n    {trial.rounds} rounds in {trial.guest_seconds:.0f} s, "
        f"{trial.states:,} crash states judged in {trial.judge_seconds:.0f} s; "
        f"{trial.violating_states:,} violate"
    )
    if trial.followed_rounds is not None:
        print(f"    all holds were reached in {trial.followed_rounds} of {trial.rounds} rounds")
    if trial.failed_calls:
        print(f"    {trial.failed_calls} calls failed; their files were not judged from there on")
    if trial.stopped:
        print(f"    stopped: {trial.stopped}")
    for fault in trial.faults:
        rate = f"{fault.violating_rounds} of {trial.rounds} rounds"
        print(f"    {style.paint('violated', fault.property)} in {rate}: {one_line(fault.text)}")
        if trial.followed_rounds is None:
            shown = "  ".join(f"{h.help} {h.violating}/{h.rounds}" for h in fault.by_help)
            print(f"      by what helped: {shown}")
    if trial.second_opinions:
        print(
            f"    of these states e2fsck and debugfs agree on {trial.second_opinions}, "
            f"the kernel's own mount on {trial.mounted}"
        )
