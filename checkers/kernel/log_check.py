"""Judge every crash state of a block log: by structure, by a workload, by anybody's command.

What: each state is recovered in memory; the structure of its files is checked, and with a workload
their content too.  A command is given the state as it is on disk, in a file of its own.  States
that violate, and every so many others if that is asked for, go to e2fsck and debugfs as well: what
these recover must be what was recovered here.
Why so: one pass over the log, so that a state is made once whoever looks at it.
Rejected: a command through a shell (file names with blanks, and a `;` in a log's name).
"""

import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from powercut.checkers.kernel.crash_states import CrashPoint, CrashStates
from powercut.checkers.kernel.e2fsprogs import missing_tools, opinion, scratch
from powercut.checkers.kernel.errors import DamagedError, DisagreementError, LabError
from powercut.checkers.kernel.judge import Fault, Judge, structural_faults
from powercut.checkers.kernel.model_image import as_recovered, compare, recovered
from powercut.checkers.kernel.volume import Volume
from powercut.writing import write_scratch

IMAGE_WORD = "{image}"
COMMAND = "command"
RECOVERY = "recovery"
_COMMAND_SECONDS = 60
_OPINION_FILES = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """Who looks at a state: the judge of a workload, a command, and e2fsck at every nth state.

    With ``opinion_every`` 0 e2fsck and debugfs see the violating states only, where installed, and
    of these the first ``most_opinions`` if that is given.
    """

    judge: Judge | None = None
    command: tuple[str, ...] = ()
    opinion_every: int = 0
    most_opinions: int | None = None
    time_limit_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A state that violates, and all that is wrong with it."""

    point: CrashPoint
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class Report:
    """What was looked at and found; ``faulty_files`` has the first fault of each file."""

    states: int = 0
    violating: int = 0
    opinions: int = 0
    stopped: str = ""
    seconds: float = 0.0
    faulty_files: dict[tuple[str, str], Violation] = field(default_factory=dict)


def parse_command(text: str) -> tuple[str, ...]:
    """Return the words of a command that names the image.  Raises :class:`LabError`."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise LabError("--check", f"{error}; quote it as for a shell") from None
    if not any(IMAGE_WORD in word for word in words):
        raise LabError("--check", f"{text!r} does not say {IMAGE_WORD}; put it where the file goes")
    return words


def check_states(states: CrashStates, plan: Plan, report: Report) -> Iterator[Violation]:
    """Judge the states, keep count in ``report`` and yield those that violate.

    Raises :class:`LabError` for a log that is not of this image or a command that cannot run, and
    :class:`DisagreementError` where e2fsck or debugfs recover something else.
    """
    begun = time.monotonic()
    has_tools = not missing_tools()
    for point in states:
        faults = tuple(_faults(point, plan))
        report.states += 1
        due = plan.opinion_every and report.states % plan.opinion_every == 0
        room = plan.most_opinions is None or report.opinions < plan.most_opinions
        if due or (faults and has_tools and room):
            report.opinions += 1
            ask_e2fsprogs(point, faults)
        report.seconds = time.monotonic() - begun
        if faults:
            report.violating += 1
            violation = Violation(point, faults)
            for fault in faults:
                report.faulty_files.setdefault((fault.prop, fault.file), violation)
            yield violation
        limit = plan.time_limit_seconds
        if limit is not None and report.seconds > limit:
            report.stopped = f"time limit of {limit:g} s"
            return


def _faults(point: CrashPoint, plan: Plan) -> Iterator[Fault]:
    try:
        volume = Volume(point.medium)
        yield from structural_faults(volume)
        if plan.judge is not None:
            yield from plan.judge.faults(volume, point.before)
    except DamagedError as error:
        yield Fault(RECOVERY, "", str(error))
    if plan.command:
        yield from _command_fault(point, plan.command)


def _command_fault(point: CrashPoint, command: Sequence[str]) -> Iterator[Fault]:
    """Run the command on a copy of the state; anything but success is a fault."""
    with scratch() as folder:
        path = folder / "image"
        write_scratch(path, point.medium.whole())
        words = [word.replace(IMAGE_WORD, str(path)) for word in command]
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            yield Fault(COMMAND, "", f"did not end within {_COMMAND_SECONDS} s")
            return
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise LabError("--check", f"{words[0]} cannot be run: {reason}") from None
        if done.returncode:
            said = " ".join(done.stdout.decode(errors="replace").split())[:200]
            yield Fault(COMMAND, "", f"exit code {done.returncode}: {said}")


def ask_e2fsprogs(point: CrashPoint, faults: Sequence[Fault]) -> None:
    """Have e2fsck and debugfs recover the state and compare the files, the faulty ones first.

    Raises :class:`DisagreementError` where a file differs, or where e2fsck finds something wrong in
    a state in which we do not.
    """
    try:
        volume = Volume(point.medium)
        regular = [name for name, number in volume.root.items() if volume.is_regular(number)]
    except DamagedError:
        return  # both have to refuse it; e2fsck repairs in its own way
    wrong = [fault.file for fault in faults if fault.file in regular]
    names = list(dict.fromkeys((*wrong, *regular)))[:_OPINION_FILES]
    said = opinion(point.medium.whole(), names)
    is_faulty = any(fault.prop != COMMAND for fault in faults)
    if said.complaints and not is_faulty:
        raise DisagreementError(f"entry {point.before}: e2fsck alone complains: {said.complaints}")
    ours = {}
    for name in said.files:
        with suppress(DamagedError):  # as above, of one file
            ours[name] = recovered(volume, volume.root[name])
    shown = {name: as_recovered(said.files[name]) for name in ours}
    compare("debugfs", dict(ours), shown, "our reader")
