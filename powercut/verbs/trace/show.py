"""``powercut trace show``: a trace as a ladder, a diagram or data, with the steps that matter."""

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from powercut.checkers.explain.why import Wait, Why, explain
from powercut.checkers.run.replay import placed
from powercut.checkers.run.result import VIOLATED as IS_VIOLATED
from powercut.checkers.traces.format import StepsWhy, Trace, TraceEpoch
from powercut.checkers.traces.ladder import render_ladder, render_list
from powercut.checkers.traces.mermaid import render_mermaid
from powercut.checkers.traces.views import EpochReplay, PlacedStep, StepView
from powercut.documents.document import print_document
from powercut.documents.trace import ShowDocument, ShownMount, ShownStep, ShownWait, subject
from powercut.errors import BAD_INPUT, HOLDS, VIOLATED, InputError, one_line
from powercut.inputs.names import pick
from powercut.verbs.replay import Replayed, replay_file
from powercut.verbs.trace.options import ShowOptions

FORMATS = {"text": "text", "mermaid": "mermaid", "json": "json"}
_MAX_WAITS = 5


def run(path: Path, options: ShowOptions) -> int:
    """Show the trace at ``path`` and return the exit code: 0 if it kept its verdict, else 1."""
    shape = pick("--format", "json" if options.json else options.shape, FORMATS)
    brief = options.why
    done = replay_file(path)
    if done.trace is None or done.code == BAD_INPUT:
        raise InputError(done.error)
    why = None
    if done.code == HOLDS and done.trace.verdict == IS_VIOLATED:
        why = explain(done.trace)
    elif brief:
        note = "the trace shows no violation" if done.code == HOLDS else "it does not reproduce"
        raise InputError(f"--why {path}: {note}", "leave the option out")
    if shape == "json":
        _print_json(done, why, brief)
    elif done.result is None:
        print(f"powercut: {one_line(done.error)}", file=sys.stderr)
        sys.stdout.write(render_list(done.trace, placed(done.trace)))
    elif shape == "mermaid":
        marks = why.mounts if why else ()
        sys.stdout.write(render_mermaid(done.trace, done.result.epochs, marks, brief=brief))
    else:
        _print_text(done.trace, done.result.epochs, why, brief)
    return done.code


def _print_text(trace: Trace, epochs: list[EpochReplay], why: Why | None, brief: bool) -> None:
    marks = why.mounts if why else ()
    sys.stdout.write(render_ladder(trace, epochs, marks, brief=brief))
    if why is None:
        return
    if not why.confirmed:
        print("           the needed steps alone do not run: a task cannot skip a system call")
    label = "prevented"
    for wait in why.waits[:_MAX_WAITS]:
        lines = textwrap.wrap(wait_words(wait, epochs[-1].steps), 89)
        print(f"{label:<11}" + "\n".join(f"{'':<11}{line}" for line in lines).strip())
        label = ""
    if len(why.waits) > _MAX_WAITS:
        print(f"{'':<11}and {len(why.waits) - _MAX_WAITS} earlier ones (--json has all)")


def wait_words(wait: Wait, steps: Sequence[StepView]) -> str:
    """Say in words which wait would have prevented the run."""
    where = f"step {wait.step}, {steps[wait.step - 1].function}()"
    return f"if {wait.thread} waited for {' and '.join(wait.threads)} before {where}"


def _print_json(done: Replayed, why: Why | None, brief: bool) -> None:
    trace, result = done.trace, done.result
    assert trace is not None
    places = placed(trace)
    document = ShowDocument(
        **subject(trace),
        verdict="reproduced" if done.code == HOLDS else "not reproduced",
        exit_code=VIOLATED if done.code else HOLDS,
        trace=str(done.path),
        origin=trace.origin,
        detail=result.detail if result else None,
        error=done.error or None,
        mounts=[
            _mount(
                epoch,
                places[n],
                result.epochs[n] if result else None,
                why.mounts[n] if why else None,
                brief,
            )
            for n, epoch in enumerate(trace.epochs)
        ],
        confirmed=why.confirmed if why else None,
        waits=[
            ShownWait(step=wait.step, thread=wait.thread, waits_for=list(wait.threads))
            for wait in (why.waits if why else ())
        ],
    )
    print_document(document)


def _mount(
    epoch: TraceEpoch,
    places: Sequence[PlacedStep],
    seen: EpochReplay | None,
    marks: StepsWhy | None,
    brief: bool,
) -> ShownMount:
    steps = [
        _step(number, step, seen.steps[number - 1] if seen else None, marks)
        for number, step in enumerate(places, 1)
    ]
    return ShownMount(
        start=epoch.start,
        steps=[step for step in steps if not brief or step.role == "carrying"],
        crash=epoch.crash,
        journal=seen.journal if seen else None,
        state=seen.state if seen else None,
        waiting=seen.waiting if seen else None,
    )


def _step(
    number: int, step: PlacedStep, view: StepView | None, marks: StepsWhy | None
) -> ShownStep:
    role = None
    if marks is not None:
        role = "needed"
        role = "carrying" if number in marks.carrying else role
        role = "idle" if number in marks.idle else role
    return ShownStep(
        **asdict(step),
        number=number,
        place=view.place if view else None,
        locks=view.locks if view else None,
        changes=view.changes if view else None,
        role=role,
    )
