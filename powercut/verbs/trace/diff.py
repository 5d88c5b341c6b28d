"""``powercut trace diff``: where two traces part, or one schedule under two designs."""

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from powercut.checkers.explain.diff import Comparison, Parted, compare_traces, follow
from powercut.checkers.explain.what_if import plan_of
from powercut.checkers.run.question import Question
from powercut.checkers.traces.codec import encode_trace
from powercut.checkers.traces.format import Trace
from powercut.checkers.traces.views import PlacedStep
from powercut.documents.document import print_document
from powercut.documents.trace import Both, DiffDocument, MountEnd, Side, subject
from powercut.errors import HOLDS, VIOLATED, InputError
from powercut.inputs.files import make_writable_file, write_whole
from powercut.inputs.names import pick
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.verbs.trace.files import check_output, read_replay
from powercut.verbs.trace.options import DiffOptions

_WIDTH = 100
_SHOWN_STEPS = 8


def run(path: Path, other: Path | None, options: DiffOptions) -> int:
    """Compare and return the exit code: 0 the same, 1 different."""
    followed = options.under is not None or options.mutant is not None
    if (other is None) != followed:
        raise InputError("diff: give a second trace, or --under and --mutant", "one or the other")
    if options.output is not None and not followed:
        raise InputError("--output: only what --under or --mutant makes is written")
    first, _ = read_replay(path)
    if other is not None:
        second, _ = read_replay(other)
        names = str(path), str(other)
    else:
        wanted = _wanted(first, options)
        check_output(options.output, path)
        if options.output is not None:
            make_writable_file("--output", options.output)
        second = follow(first, wanted)
        names = str(path), _title(second)
        if options.output is not None:
            write_whole(options.output, encode_trace(second))
    found = compare_traces(first, second)
    code = HOLDS if found.same else VIOLATED
    if options.json:
        print_document(_document(found, names, (first, second), code))
    else:
        _print(found, names, second)
    return code


def _wanted(trace: Trace, options: DiffOptions) -> Question:
    """Return the wanted design over the workload of ``trace``; no mutant if none is wanted."""
    given = plan_of(trace).question
    design = given.design
    if options.under is not None:
        design = pick("--under", options.under, DESIGNS, "design")
    mutant = None if options.mutant is None else pick("--mutant", options.mutant, MUTANTS)
    return replace(given, design=design, mutant=mutant)


def _title(trace: Trace) -> str:
    return f"its schedule under {trace.design}{f' with {trace.mutant}' if trace.mutant else ''}"


def _document(
    found: Comparison, names: tuple[str, str], traces: tuple[Trace, Trace], code: int
) -> DiffDocument:
    return DiffDocument(
        verdict="same" if found.same else "different",
        exit_code=code,
        first=Side(trace=names[0], **subject(traces[0])),
        second=Side(trace=names[1], **subject(traces[1])),
        subject={name: Both(first=a, second=b) for name, (a, b) in found.subjects.items()},
        steps=list(found.parted),
        states_compared=found.states_compared,
        state=found.state,
        outcomes=[MountEnd(mount=n, first=a, second=b) for n, a, b in found.outcomes],
    )


def _print(found: Comparison, names: tuple[str, str], second: Trace) -> None:
    print(f"- {names[0]}\n+ {names[1]}")
    if found.same:
        print("\nthe same")
        return
    for name, (a, b) in found.subjects.items():
        if name != "workload":
            print(f"\n{name}\n  - {a or 'none'}\n  + {b or 'none'}")
        else:
            print("\nworkload\n  differs (powercut trace convert --to workload shows each)")
    for part in found.parted:
        _print_steps(part)
    if found.state is not None:
        where = f"after steps {found.state.first} and {found.state.second}"
        start = "at the start" if not found.state.first else where
        print(f"\nfirst different state: mount {found.state.mount}, {start}")
        for change in found.state.changes:
            print(
                textwrap.fill(
                    f"- > +  {change}", _WIDTH, initial_indent="  ", subsequent_indent="         "
                )
            )
    elif not found.states_compared:
        print("\nstates not compared: the workloads have different variables")
    for n, a, b in found.outcomes:
        print(f"\nend of mount {n}\n  - {a}\n  + {b}")
    verb = "shows" if second.verdict == "violated" else "does not show"
    print(f"\nthe second run {verb} a violation of {second.property}")


def _print_steps(part: Parted) -> None:
    print(f"\nmount {part.mount}")
    for sign, first, steps in (
        ("-", part.first, part.only_first),
        ("+", part.second, part.only_second),
    ):
        _print_side(sign, first, steps)


def _print_side(sign: str, first: int, steps: Sequence[PlacedStep]) -> None:
    for number, step in enumerate(steps[:_SHOWN_STEPS], first):
        print(f"  {sign} {number:>3}  {step.thread:<14}{step.function}: {step.label}"[:_WIDTH])
    if len(steps) > _SHOWN_STEPS:
        print(f"  {sign} and {len(steps) - _SHOWN_STEPS} more steps")
