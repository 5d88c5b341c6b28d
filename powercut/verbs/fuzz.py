"""``powercut fuzz``: random search with the machines, under a profile.

Why so: what is too big to exhaust is sampled, and whatever is found becomes a trace like any other,
saved at once, so that an interrupt loses nothing.  Without a failure the verdict is "inconclusive"
only if the search was cut short or missed a situation it has to reach; otherwise it "holds" for
what was sampled, and the report says how much that is.
"""

import math
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from textwrap import fill

from powercut.checkers.machines.compare import COMPARABLE, compare
from powercut.checkers.machines.crash_machine import CrashMachine
from powercut.checkers.machines.quality import MOST_EXAMPLES, MOST_STEPS, Mark, examine
from powercut.checkers.machines.reference_machine import GEOMETRIES, NEEDS, ReferenceMachine
from powercut.checkers.machines.search import (
    PROFILES,
    Failure,
    OnBatch,
    Profile,
    SearchResult,
    search,
)
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED
from powercut.checkers.traces.codec import encode_trace
from powercut.checkers.weave.patch import ModelPatch
from powercut.checkers.workload.shipped import SCOPES
from powercut.documents.document import print_document
from powercut.documents.fuzz import (
    FuzzDocument,
    FuzzFailure,
    FuzzMutantsDocument,
    KnownCount,
    SearchedMutant,
)
from powercut.errors import InputError, exit_code_of
from powercut.execute.interrupts import first_interrupt
from powercut.inputs.files import Findings, make_writable
from powercut.inputs.names import pick, pick_all
from powercut.inputs.patches import check_language, read_patches
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS, Mutant
from powercut.verbs.options import FuzzOptions

DIFFERENTIAL = "differential"
MACHINES: dict[str, type[CrashMachine] | None] = {
    "crash": CrashMachine,
    "reference": ReferenceMachine,
    DIFFERENTIAL: None,
}
"""``None``: two runs at a time, which :func:`compare` looks at."""
DEFAULT_PROFILE, DEFAULT_MACHINE = "dev", "crash"
PROGRESS_S = 2.0


def run(options: FuzzOptions) -> int:
    """Search, or examine the mutants; print the report and return the exit code."""
    if options.seed < 0 or options.seeds < 1:
        raise InputError("--seed and --seeds: give a whole number, at least 0 and 1")
    if options.time_limit is not None and not 0 < options.time_limit < math.inf:
        raise InputError("--time-limit: give seconds, more than 0")
    if options.mutants:
        _refuse_beside_mutants(options)
    elif options.seeds != 1:
        raise InputError("--seeds: only --mutant takes several", "leave it out")
    if options.machine == DIFFERENTIAL and options.save_traces is not None:
        raise InputError("--save-traces: two designs that differ are no trace", "leave it out")
    if options.save_traces is not None:
        make_writable("--save-traces", options.save_traces)
    if options.mutants:
        return _run_exam(options)
    profile = pick("--profile", options.profile, PROFILES)
    patches = read_patches(options.patches or ())
    _check_language(patches)
    findings = Findings(options.save_traces)
    progress = _Progress(findings)
    stop = threading.Event()
    with first_interrupt(stop.set):
        result = _searched(options, profile, patches, progress.show, stop.is_set)
    progress.clear()
    verdict = verdict_of(result)
    if options.json:
        print_document(document(result, verdict, progress.saved))
    else:
        _print(result, verdict, progress.saved)
    findings.tell()
    return exit_code_of(verdict)


def _refuse_beside_mutants(options: FuzzOptions) -> None:
    """A mutant comes with its design, its machine, its profile and its limits."""
    for name, given in (
        ("--profile", options.profile != DEFAULT_PROFILE),
        ("--machine", options.machine != DEFAULT_MACHINE),
        ("--design", bool(options.designs)),
        ("--time-limit", options.time_limit is not None),
    ):
        if given:
            raise InputError(f"{name}: a mutant is looked for with its own", "leave it out")


def _searched(
    options: FuzzOptions,
    profile: Profile,
    patches: tuple[ModelPatch, ...],
    on_batch: OnBatch,
    interrupted: Callable[[], bool],
) -> SearchResult:
    """Run the machine that was asked for."""
    base = pick("--machine", options.machine, MACHINES)
    chosen = pick_all("--design", options.designs or (), DESIGNS)
    if base is None:
        for design in chosen:
            if design not in COMPARABLE:
                raise InputError(
                    f"--design: {design.name} is compared with itself",
                    "choose one whose first file is on the iomap path",
                )
        return compare(
            chosen or COMPARABLE,
            profile,
            options.seed,
            patches=patches,
            time_limit_s=options.time_limit,
            on_batch=on_batch,
            interrupted=interrupted,
        )
    by_reference = base is ReferenceMachine
    return search(
        chosen or list(DESIGNS.values()),
        replace(profile, needs=NEEDS) if by_reference else profile,
        options.seed,
        patches=patches,
        base=base,
        time_limit_s=options.time_limit,
        geometries=GEOMETRIES if by_reference else (),
        on_batch=on_batch,
        interrupted=interrupted,
    )


def _check_language(patches: tuple[ModelPatch, ...], mutant: Mutant | None = None) -> None:
    """Translate the patched model, with ``mutant`` over it.  Raises :class:`InputError`."""
    if patches:
        home = mutant or next(iter(MUTANTS.values()))
        check_language(Question(DESIGNS[home.design], SCOPES[home.scope], mutant, patches=patches))


def verdict_of(result: SearchResult) -> str:
    """Return the verdict: a failure decides, then what was not reached or not finished."""
    if result.failures:
        return VIOLATED
    return INCONCLUSIVE if result.stopped or result.unreached else HOLDS


class _Progress:
    """A line on a terminal, and every failure saved as soon as it is known."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.saved: dict[int, str] = {}
        self._shown = 0.0

    def show(self, result: SearchResult) -> None:
        for n, failure in enumerate(result.failures):
            if n not in self.saved:
                self.saved |= saved_as(failure, n, self.findings)
        if sys.stderr.isatty() and time.monotonic() - self._shown > PROGRESS_S:
            self._shown = time.monotonic()
            print(f"\r\x1b[K{told(result)}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def saved_as(failure: Failure, number: int, findings: Findings) -> dict[int, str]:
    """Save a failure's trace; return its number and its file, if there is one."""
    trace = failure.trace
    if trace is None:
        return {}
    parts = [trace.design, "machine", failure.prop, failure.kind, trace.mutant, str(failure.seed)]
    name = "-".join(part for part in parts if part) + ".trace.json"
    path = findings.add(name, encode_trace(trace))
    return {number: path} if path else {}


def told(result: SearchResult) -> str:
    """Say in one line how far a search is."""
    tally = result.tally
    looked_at = {
        "states explored": tally.states,
        "crash situations": tally.projections,
        "remounts": tally.power_cuts,
        "recovered files": len(tally.files),
    }
    return "  ".join(
        (
            f"{result.seconds:,.0f} s  {tally.examples:,} examples  {tally.steps:,} steps",
            *(f"{count:,} {what}" for what, count in looked_at.items() if count),
            f"{len(result.failures)} failures",
        )
    )


def _print(result: SearchResult, verdict: str, saved: dict[int, str]) -> None:
    for n, failure in enumerate(result.failures):
        print(f"{failure.design}: {failure.prop} {failure.kind}".rstrip())
        print(f"  {failure.detail}")
        print(f"  seed {failure.seed}, {failure.steps} steps; {saved.get(n, 'not saved')}")
        if n not in saved and failure.blob:
            print(f"  @reproduce_failure({failure.blob})")
    for line in _known(result):
        print(line)
    if result.unreached:
        print(f"never reached: {', '.join(result.unreached)}")
    if result.stopped:
        print(f"cut short: {result.stopped}")
    print(f"{told(result)}\n{verdict} (exit code {exit_code_of(verdict)})")


def _known(result: SearchResult) -> Iterator[str]:
    """Say what is no news, why, and how often it was met in which design."""
    met: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (design, prop, finding), count in sorted(result.tally.known.items()):
        met[prop, finding].append(f"{design} {count:,}")
    for (prop, finding), counts in sorted(met.items()):
        yield fill(
            f"known: {prop}: {finding} ({', '.join(counts)})",
            100,
            subsequent_indent="  ",
            break_on_hyphens=False,
        )


def document(result: SearchResult, verdict: str, saved: dict[int, str]) -> FuzzDocument:
    """Return the document of ``powercut fuzz --json``."""
    tally = result.tally
    return FuzzDocument(
        verdict=verdict,
        exit_code=exit_code_of(verdict),
        profile=result.profile.name,
        seed=result.seed,
        batches=result.batches,
        examples=tally.examples,
        steps=tally.steps,
        states=tally.states,
        crash_situations=tally.projections,
        remounts=tally.power_cuts,
        recovered_files=len(tally.files),
        seconds=round(result.seconds, 3),
        stopped=result.stopped,
        reached=dict(sorted(tally.reached.items())),
        never_reached=result.unreached,
        known=[
            KnownCount(design=d, property=p, finding=f, count=n)
            for (d, p, f), n in sorted(tally.known.items())
        ],
        failures=[_failure(failure, saved.get(n)) for n, failure in enumerate(result.failures)],
    )


def _failure(failure: Failure, trace: str | None) -> FuzzFailure:
    return FuzzFailure(
        design=failure.design,
        property=failure.prop,
        kind=failure.kind,
        detail=failure.detail,
        seed=failure.seed,
        examples=failure.examples,
        steps=failure.steps,
        blob=failure.blob,
        trace=trace,
    )


def _run_exam(options: FuzzOptions) -> int:
    asked = options.mutants or ()
    slugs = list(MUTANTS) if "all" in asked else list(dict.fromkeys(asked))
    patches = read_patches(options.patches or ())
    for mutant in pick_all("--mutant", slugs, MUTANTS):
        _check_language(patches, mutant)
    seeds = range(options.seed, options.seed + options.seeds)
    marks: list[Mark] = []
    findings = Findings(options.save_traces)
    if not options.json:
        print("| mutant | design | examples, by seed | found as | steps |")
        print("|---|---|--:|---|--:|", flush=True)
    stop = threading.Event()
    with first_interrupt(stop.set):
        for mark in examine(slugs, seeds, interrupted=stop.is_set, patches=patches):
            marks.append(_saved(mark, findings))
            same = marks[-(1 + (len(marks) - 1) % len(seeds)) :]
            if not options.json and (len(same) == len(seeds) or stop.is_set()):
                print(_row(same), flush=True)
    found = sum(mark.good for mark in marks)
    cut = any(mark.stopped and not mark.good for mark in marks)
    verdict = VIOLATED if found < len(marks) else HOLDS
    if cut or len(marks) < len(slugs) * len(seeds):
        verdict = INCONCLUSIVE
    if options.json:
        print_document(_exam_document(marks, verdict))
    else:
        print(
            f"\n{found} of {len(marks)} searches found their mutant within {MOST_EXAMPLES:,} "
            f"examples, and left at most {MOST_STEPS} steps"
            f"{'; cut short' if verdict == INCONCLUSIVE else ''} "
            f"(exit code {exit_code_of(verdict)})"
        )
    findings.tell()
    return exit_code_of(verdict)


def _saved(mark: Mark, findings: Findings) -> Mark:
    """Return ``mark``, its trace saved."""
    if mark.failure is not None:
        saved_as(mark.failure, 0, findings)
    return mark


def _row(marks: Sequence[Mark]) -> str:
    """Return the row of a mutant: how each seed fared with it, in order."""
    failures = [mark.failure for mark in marks]
    found = [_found_as(mark) for mark in marks]
    examples = ", ".join(f"{mark.examples:,}" for mark in marks)
    steps = ", ".join(str(f.steps) if f else "–" for f in failures)
    mutant = marks[0].mutant
    return (
        f"| `{mutant.slug}` | `{mutant.design}` | {examples} "
        f"| {', '.join(dict.fromkeys(found))} | {steps} |"
    )


def _found_as(mark: Mark) -> str:
    if mark.failure is None:
        return "cut short" if mark.stopped else "**not found**"
    return f"{mark.failure.prop} {mark.failure.kind}".strip()


def _exam_document(marks: Sequence[Mark], verdict: str) -> FuzzMutantsDocument:
    return FuzzMutantsDocument(
        verdict=verdict,
        exit_code=exit_code_of(verdict),
        most_examples=MOST_EXAMPLES,
        most_steps=MOST_STEPS,
        mutants=[_searched_mutant(mark) for mark in marks],
    )


def _searched_mutant(mark: Mark) -> SearchedMutant:
    return SearchedMutant(
        slug=mark.mutant.slug,
        seed=mark.seed,
        good=mark.good,
        stopped=mark.stopped,
        examples=mark.examples,
        property=mark.failure.prop if mark.failure else None,
        kind=mark.failure.kind if mark.failure else None,
        steps=mark.failure.steps if mark.failure else None,
        cpu_seconds=round(mark.cpu_seconds, 2),
    )
