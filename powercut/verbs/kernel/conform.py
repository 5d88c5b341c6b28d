"""``powercut kernel conform``: litmus tests on a real kernel, beside the model's exact sets.

Why so: an outcome outside its set is a mistake of the model, and the log that shows it is kept.
How much of each set was seen is said, because what was not seen says nothing.
Rejected: "holds" (a kernel is asked, not proved), ending at the first outcome outside (the others
tell what kind of mistake it is).
"""

import gzip
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from powercut.checkers.kernel.conform import (
    Asked,
    Conformed,
    Sighting,
    Tally,
    asked_of,
    conform,
    groups_of,
)
from powercut.checkers.kernel.crash_states import Choice
from powercut.checkers.kernel.e2fsprogs import scratch
from powercut.checkers.kernel.errors import LabError
from powercut.checkers.kernel.guest.kernels import find_kernel
from powercut.checkers.kernel.guest.machine import Machine, missing_machine
from powercut.checkers.kernel.rounds import HELPS
from powercut.checkers.kernel.trial import Conditions, GuestError, Laboratory
from powercut.checkers.litmus import Outcome, format_outcome, load_litmus
from powercut.checkers.workload import WorkloadError
from powercut.documents.document import print_document
from powercut.documents.kernel_conform import (
    ConformedFile,
    KernelConformDocument,
    OutsideOutcome,
)
from powercut.errors import HOLDS, INCONCLUSIVE, VIOLATED, InputError, one_line
from powercut.inputs.files import Findings
from powercut.inputs.names import pick
from powercut.model.designs import DESIGNS
from powercut.terminal.style import Style
from powercut.verbs.kernel.checks import check_conditions
from powercut.verbs.kernel.saying import GuestLine
from powercut.verbs.litmus import litmus_paths

_WORDS = {HOLDS: "conforms", VIOLATED: "violated", INCONCLUSIVE: "inconclusive"}
_MOST_ROUNDS = 64
_TESTS_A_BOOT = 24


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of ``kernel conform``, as typed."""

    kernel: Path | None = None
    design: str = "bh-ordered"
    rounds: int = 8
    helps: tuple[str, ...] = HELPS
    subsets: int = 8
    seed: int = 1
    save: Path | None = None
    time_limit: float = 240.0
    json: bool = False


@dataclass(slots=True)
class _Seen:
    """What has been seen so far; an interrupt leaves it as it is."""

    skipped: dict[Path, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    boots: list[Conformed] = field(default_factory=list)
    saved: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def tallies(self) -> list[Tally]:
        return [tally for boot in self.boots for tally in boot.tallies]

    @property
    def code(self) -> int:
        """The exit code: everything that was seen is in the sets, or something is not."""
        if any(tally.outside for tally in self.tallies) or any(b.unread for b in self.boots):
            return VIOLATED
        is_cut = len(self.tallies) < len(self.asked) or any(b.stopped for b in self.boots)
        return INCONCLUSIVE if is_cut or self.notes or not self.tallies else HOLDS


def run_conform(paths: Sequence[Path], options: Options) -> int:
    """Ask a kernel what litmus tests show, say what is outside, and return the exit code."""
    place = _checked(options)
    seen, findings = _Seen(), Findings(options.save)
    said = GuestLine("rounds", 0)
    try:
        missing = missing_machine()
        if missing:
            raise LabError("kernel conform", missing)
        kernel = find_kernel(place)
        _load(paths, options, seen, said)
        if not seen.asked:
            raise LabError("kernel conform", "a kernel can be asked none of these litmus tests")
        with scratch() as folder:
            laboratory = Laboratory(Machine(), kernel, folder, said.line)
            for group in groups_of(seen.asked, _TESTS_A_BOOT):
                _run(laboratory, group, options, seen, findings, said)
    except GuestError as error:
        seen.notes.append(str(error))
        findings.add("console.txt", "\n".join(error.console.lines).encode())
    except (LabError, WorkloadError) as error:
        raise InputError(str(error)) from None
    except KeyboardInterrupt:
        seen.notes.append("interrupted")
    said.clear()
    if options.json:
        print_document(_document(seen, options))
    else:
        _print(_document(seen, options))
    findings.tell()
    return seen.code


def _checked(options: Options) -> Path:
    """Return the kernel's place if the options can be used."""
    place = check_conditions(
        "kernel conform",
        kernel=options.kernel,
        rounds=options.rounds,
        most_rounds=_MOST_ROUNDS,
        subsets=options.subsets,
        time_limit=options.time_limit,
        save=options.save,
    )
    pick("--design", options.design, DESIGNS)
    return place


def _load(paths: Sequence[Path], options: Options, seen: _Seen, said: GuestLine) -> None:
    """Read the files and find the exact sets, which takes half a second a file."""
    chosen = litmus_paths(paths)
    for number, path in enumerate(chosen, 1):
        said.show(f"{number}/{len(chosen)} exact sets of {options.design}")
        litmus = load_litmus(path)
        try:
            seen.asked.append(asked_of(litmus, options.design))
        except ValueError as error:
            seen.skipped[path] = str(error)


def _run(
    laboratory: Laboratory,
    group: Sequence[Asked],
    options: Options,
    seen: _Seen,
    findings: Findings,
    said: GuestLine,
) -> None:
    conditions = Conditions(
        helps=options.helps,
        seed=options.seed,
        choice=Choice(options.subsets, options.seed),
        time_limit_seconds=options.time_limit,
    )

    def show(boot: Conformed) -> None:
        said.show(f"boot {len(seen.boots) + 1}: {boot.states:,} crash states looked at")

    boot = conform(laboratory, group, options.rounds, conditions, show)
    seen.boots.append(boot)
    number = len(seen.boots)
    if boot.unread:
        seen.notes.append(f"{boot.unread} states cannot be recovered: {boot.first_unread}")
    outside = [tally for tally in boot.tallies if tally.outside]
    if not outside and not boot.unread:
        return
    evidence = {
        f"boot-{number}-base.img.gz": gzip.compress(laboratory.base_path.read_bytes(), 6),
        f"boot-{number}-disk.log.gz": gzip.compress(laboratory.log_path.read_bytes(), 6),
        f"boot-{number}-console.txt": "\n".join(boot.console.lines).encode(),
    }
    kept = [path for name, content in evidence.items() if (path := findings.add(name, content))]
    for tally in outside:
        seen.saved[tally.asked.litmus.name] = kept


def _document(seen: _Seen, options: Options) -> KernelConformDocument:
    first = seen.boots[0].console if seen.boots else None
    asked = [_file(tally, seen) for tally in seen.tallies]
    skipped = [
        ConformedFile(
            file=str(path), name=path.stem, allowed=0, seen=0, looks=0, outside=[], skipped=reason
        )
        for path, reason in seen.skipped.items()
    ]
    return KernelConformDocument(
        verdict=_WORDS[seen.code],
        exit_code=seen.code,
        kernel=first.kernel if first else str(options.kernel),
        accelerator=first.accelerator if first else "",
        design=options.design,
        seed=options.seed,
        rounds=options.rounds,
        boots=len(seen.boots),
        states=sum(boot.states for boot in seen.boots),
        sampled_places=sum(boot.coverage.sampled_places for boot in seen.boots),
        guest_seconds=round(sum(boot.console.seconds for boot in seen.boots), 3),
        judge_seconds=round(sum(boot.seconds for boot in seen.boots), 3),
        asked=len(asked),
        seen=sum(each.seen for each in asked),
        allowed=sum(each.allowed for each in asked),
        files=[*asked, *skipped],
        notes=[*seen.notes, *(boot.stopped for boot in seen.boots if boot.stopped)],
    )


def _file(tally: Tally, seen: _Seen) -> ConformedFile:
    litmus, allowed = tally.asked.litmus, tally.asked.allowed
    saved = seen.saved.get(litmus.name, [])
    cells = tally.asked.situation.geometry.cells_per_block
    return ConformedFile(
        file=litmus.file,
        name=litmus.name,
        allowed=len(allowed),
        seen=len(allowed & tally.seen.keys()),
        looks=tally.looks,
        outside=[_outside(o, at, cells, saved) for o, at in tally.outside.items()],
        skipped=None,
    )


def _outside(outcome: Outcome, at: Sighting, cells: int, saved: list[str]) -> OutsideOutcome:
    return OutsideOutcome(
        outcome=format_outcome(outcome, cells),
        round=at.round,
        before_entry=None if at.point is None else at.point.before,
        survivors=[] if at.point is None else list(at.point.survivors),
        saved=saved,
    )


def _print(document: KernelConformDocument) -> None:
    style = Style.of(sys.stdout)
    print(f"{document.kernel}, {document.accelerator}, beside the sets of {document.design}")
    for file in document.files:
        if file.skipped is None:
            print(f"  {file.name:<42} {file.seen:>3} of {file.allowed:<3} outcomes seen")
        for each in file.outside:
            where = "by a read" if each.before_entry is None else f"entry {each.before_entry}"
            print(
                f"    {style.paint('violated', 'outside')}: {each.outcome} "
                f"(round {each.round}, {where})"
            )
    reasons: dict[str, int] = {}
    for file in document.files:
        if file.skipped is not None:
            reasons[file.skipped] = reasons.get(file.skipped, 0) + 1
    for reason, count in reasons.items():
        print(f"  not asked: {count} files: {reason}")
    for note in document.notes:
        print(f"  {one_line(note)}")
    for path in sorted({path for f in document.files for o in f.outside for path in o.saved}):
        print(f"  saved {path}")
    share = document.seen / document.allowed if document.allowed else 0
    print(
        f"{style.paint(document.verdict, document.verdict)}: {document.asked} litmus tests, "
        f"{document.states:,} distinct crash states in {document.boots} boots; "
        f"{document.seen} of {document.allowed} outcomes seen ({share:.0%}) "
        f"(exit code {document.exit_code})"
    )
