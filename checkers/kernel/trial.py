"""A situation on a real kernel: rounds, every crash state judged, the kernel asked as well.

What: a boot runs the rounds and is cut; the log's crash states are recovered and judged by the
plain specification.  A control, almost the same and clean in the model, runs under the same
conditions.  The first violating states are mounted by the kernel itself, which must show what was
recovered here.
Why so: a kernel shows a race in some of hundreds of rounds, and what helps is told apart, because
rounds take turns with it.
Rejected: one boot a round (a boot costs more than a hundred rounds); a verdict "holds" (a kernel
that did not show something in N states has not shown that it can't).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from powercut.checkers.kernel.block_log import BlockLog
from powercut.checkers.kernel.budgets import kernel_scopes
from powercut.checkers.kernel.crash_states import Choice, Coverage, CrashPoint, CrashStates
from powercut.checkers.kernel.errors import DisagreementError, LabError
from powercut.checkers.kernel.guest.kernels import Kernel
from powercut.checkers.kernel.guest.machine import Boot, Console, End, Machine
from powercut.checkers.kernel.judge import SIZES, Judge, Program, marks_of
from powercut.checkers.kernel.log_check import Plan, Report, Violation, check_states
from powercut.checkers.kernel.medium import BaseImage, Medium
from powercut.checkers.kernel.rounds import (
    HELPS,
    NO_HELP,
    Batch,
    Situation,
    base_image,
    batches_of,
    help_of,
    script,
)
from powercut.checkers.kernel.steering import Schedule
from powercut.checkers.kernel.volume import Volume
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.text import format_op
from powercut.errors import INCONCLUSIVE
from powercut.model.designs import DESIGNS
from powercut.model.scope import Scope
from powercut.properties.crash import DURABILITY, STALE, STRUCTURE
from powercut.writing import write_scratch

SECTOR_BYTES = 512
MOST_OPINIONS = 20
MOST_MOUNTS = 2
"""How many violating states the kernel itself mounts."""
_JUDGED = (STALE, DURABILITY, SIZES, STRUCTURE)
_NO_HOLD = "no hold at "
_HELD = re.compile(r"round \d+ came to hold (\d+)")
_ROUND = re.compile(r"file(\d+)(?:\.(\d+))?")
_SHOWN = re.compile(r"file (\d+) round (\d+) links (\d+) size (\d+) shows (\S*)")


class GuestError(LabError):
    """The guest died before its program ended; ``console`` is what it said."""

    exit_code = INCONCLUSIVE

    def __init__(self, place: str, console: Console) -> None:
        super().__init__(place, f"the guest did not finish: {console.reason}")
        self.console = console


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what a trial runs; ``time_limit_seconds`` is of a boot, and of judging a log."""

    mount_options: tuple[str, ...] = ()
    helps: tuple[str, ...] = HELPS
    seed: int = 1
    choice: Choice = field(default_factory=Choice)
    time_limit_seconds: float = 120.0
    cpus: int = 2
    writes_per_second: int = 0
    schedule: Schedule | None = None

    def steered_by(self, schedule: Schedule) -> "Conditions":
        """Return the same with a schedule and no other help; whoever waits spins on its CPU."""
        return replace(self, schedule=schedule, helps=(NO_HELP,), cpus=len(schedule.holds) + 3)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the guest itself read from a file: each sector's letter, ``.`` for zeros."""

    inode: int
    round: int
    links: int
    size_bytes: int
    sectors: str


@dataclass(slots=True)
class Trial:
    """What one boot of a situation showed.

    ``first`` is the first violation of each (property, file); ``failed_calls`` counts calls that
    returned an error, ``mounted`` the violating states that the kernel itself confirmed.
    """

    batch: Batch
    conditions: Conditions
    console: Console
    report: Report
    coverage: Coverage
    failed_calls: int
    mounted: int = 0

    @property
    def first(self) -> dict[tuple[str, str], Violation]:
        """The first violation of each property and file."""
        return self.report.faulty_files

    @property
    def followed_rounds(self) -> int:
        """The rounds in which all holds of the schedule were reached, in their order."""
        schedule = self.conditions.schedule
        found = (_HELD.fullmatch(told) for told in self.console.told)
        return sum(schedule is not None and int(m[1]) >= len(schedule.holds) for m in found if m)

    @property
    def violating_rounds(self) -> dict[str, set[int]]:
        """By property the rounds that violate it in some crash state."""
        found: dict[str, set[int]] = {}
        for prop, name in self.first:
            found.setdefault(prop, set()).add(_round_of(name))
        return found

    def by_help(self, prop: str) -> list[tuple[str, int, int]]:
        """Return (what helped, rounds that violate the property, rounds)."""
        hits = Counter(self._help_of(n) for n in self.violating_rounds.get(prop, ()))
        rounds = Counter(self._help_of(n) for n in self.batch.numbers)
        return [(name, hits[name], count) for name, count in rounds.items()]

    def _help_of(self, number: int) -> str:
        return help_of(self.batch, number, self.conditions.helps)


def judged_program(situation: Situation) -> Program:
    """Return the program as a judge needs it.  Raises ValueError where nothing can be judged."""
    if not any(situation.tasks):
        raise ValueError("the program has no call")
    return Program(situation.tasks, situation.geometry.cells_per_block)


@dataclass(slots=True)
class Laboratory:
    """Runs trials on one kernel; ``folder`` is scratch and keeps what the last one left."""

    machine: Machine
    kernel: Kernel
    folder: Path
    on_line: Callable[[str], None] = lambda _: None

    @property
    def base_path(self) -> Path:
        """The disk that the last trial started from."""
        return self.folder / "base.img"

    @property
    def log_path(self) -> Path:
        """The log of the last trial."""
        return self.folder / "disk.log"

    def trial(
        self,
        situation: Situation,
        rounds: int,
        conditions: Conditions,
        on_violation: Callable[[Violation], None] = lambda _: None,
    ) -> Trial:
        """Run a situation in rounds and judge what it left.

        Raises :class:`LabError` for what cannot be run or judged, :class:`GuestError` for a guest
        that died, and :class:`DisagreementError` where e2fsck, debugfs or the kernel read a crash
        state in another way.
        """
        try:
            program = judged_program(situation)
        except ValueError as error:
            raise LabError(situation.name, str(error)) from None
        (batch,) = batches_of([situation], rounds)
        console = self.run([batch], conditions)
        base, log = BaseImage.of_file(self.base_path), BlockLog(self.log_path)
        marks = marks_of(log)
        judge = Judge(program, Volume(Medium(base)), marks)
        states = CrashStates(base, log, conditions.choice)
        plan = Plan(
            judge,
            most_opinions=MOST_OPINIONS,
            time_limit_seconds=conditions.time_limit_seconds,
        )
        failed = sum(mark.errno != 0 for mark in marks)
        trial = Trial(batch, conditions, console, Report(), states.coverage, failed)
        for violation in check_states(states, plan, trial.report):
            on_violation(violation)
        self._ask_the_kernel(trial)
        return trial

    def run(self, batches: Sequence[Batch], conditions: Conditions) -> Console:
        """Boot once and run the batches; leaves :attr:`base_path` and :attr:`log_path`."""
        block_bytes = batches[0].situation.block_bytes
        try:
            image = base_image(batches, block_bytes)
        except ValueError as error:
            raise LabError(batches[0].situation.name, f"{error}; ask for fewer rounds") from None
        write_scratch(self.base_path, image)
        write_scratch(self.folder / "disk.img", image)
        options = (*batches[0].situation.mount_options, *conditions.mount_options)
        text = script(
            batches,
            block_bytes,
            mount_options=options,
            seed=conditions.seed,
            helps=conditions.helps,
            schedule=conditions.schedule.lines if conditions.schedule else (),
        )
        return self._boot(text, conditions)

    def _boot(self, text: str, conditions: Conditions) -> Console:
        boot = Boot(
            self.kernel,
            text,
            self.folder / "disk.img",
            self.log_path,
            conditions.time_limit_seconds,
            conditions.cpus,
            writes_per_second=conditions.writes_per_second,
        )
        console = self.machine.boot(boot, self.on_line)
        if console.end is not End.DONE:
            raise GuestError(self.kernel.place, console)
        for told in console.told:
            if told.startswith(_NO_HOLD):
                raise LabError(self.kernel.place, f"{told}; it cannot be steered there")
        return console

    def _ask_the_kernel(self, trial: Trial) -> None:
        """Have the kernel mount the first violating states, and compare what it shows."""
        points: dict[int, tuple[CrashPoint, str]] = {}
        for (_, name), violation in trial.first.items():
            found = _ROUND.fullmatch(name)
            if found is not None and name == violation.faults[0].file:
                points.setdefault(violation.point.before, (violation.point, name))
        for point, name in list(points.values())[:MOST_MOUNTS]:
            self._compare_mount(point, name, trial.conditions)
            trial.mounted += 1

    def _compare_mount(self, point: CrashPoint, name: str, conditions: Conditions) -> None:
        found = _ROUND.fullmatch(name)
        assert found is not None
        volume = Volume(point.medium)
        file = volume.file(volume.root[name])
        ours = file.size_bytes, letters_of_sectors(volume.read(file))
        write_scratch(self.folder / "disk.img", point.medium.whole())
        text = f"mount rw\nlook {found[1]} {found[2] or 0}\n"
        boot = Boot(self.kernel, text, self.folder / "disk.img", self.folder / "mount.log")
        console = self.machine.boot(boot)
        if console.end is not End.DONE:
            raise GuestError(f"{self.kernel.place}: mount of a crash state", console)
        (shown,) = shown_by(console)
        if (shown.size_bytes, shown.sectors) != ours:
            raise DisagreementError(
                f"entry {point.before}: {name}: the kernel's mount shows {shown.size_bytes} bytes "
                f"{shown.sectors}, our reader {ours[0]} bytes {ours[1]}"
            )


def shown_by(console: Console) -> list[Shown]:
    """Return what the guest read from its files."""
    found = (_SHOWN.fullmatch(told) for told in console.told)
    return [Shown(int(m[1]), int(m[2]), int(m[3]), int(m[4]), m[5]) for m in found if m]


def letters_of_sectors(content: bytes) -> str:
    """Return the first byte of each sector, as the guest tells it."""
    firsts = (content[at] for at in range(0, len(content), SECTOR_BYTES))
    return "".join(chr(byte) if byte else "." for byte in firsts)


def program_text(situation: Situation) -> str:
    """Return the tasks of a situation as a workload file has them."""
    return " | ".join("; ".join(map(format_op, task)) for task in situation.tasks)


def control_of(situation: Situation, design: str) -> Situation | None:
    """Return what must not violate: the first of the situation's controls that is clean in a model.

    A situation without a scope (that of a trace) has its first one; None if there is none.
    """
    for control in situation.controls():
        if control.scope is None or _is_clean(control.scope, design):
            return control
    return None


def _is_clean(scope: Scope, design: str) -> bool:
    """Whether the model says that no crash state is wrong, with a kernel's budgets."""
    results = (run_scope(Question(DESIGNS[design], each)) for each in kernel_scopes(scope))
    return all(
        result.exhaustive and not any(v.prop in _JUDGED for v in result.violations)
        for result in results
    )


def _round_of(name: str) -> int:
    found = _ROUND.fullmatch(name)
    return int(found[2] or 0) if found else 0
