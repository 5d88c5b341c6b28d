"""From a violation to the trace that is saved: every step gets its names.

Why so: a search remembers thread indexes only, which mean nothing outside its build; running the
schedule once more gives names, functions and labels at no cost to the search.
Rejected: places recorded while searching (a pointer a state for what a few dozen steps need).
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET

from powercut.checkers.engine.errors import STEP_ERRORS, ScheduleError
from powercut.checkers.run.mount import Epoch, Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult, Violation
from powercut.checkers.traces.format import (
    MAX_LINE,
    SCHEMA,
    Finder,
    Origin,
    Trace,
    TraceEpoch,
    TracePatch,
    TraceStep,
    image_of,
)
from powercut.checkers.workload import format_workload
from powercut.errors import escaped
from powercut.model.language import ASSERTION
from powercut.properties.catalog import PROPERTIES


def trace_of(violation: Violation, result: RunResult, finder: Finder = "search") -> Trace:
    """Return ``violation`` of the run ``result`` as a trace.

    Raises :class:`ValueError` if the violation is not of it.
    """
    if violation not in (*result.violations, *result.observations):
        raise ValueError("the violation is not one of this result")
    text = violation.detail or PROPERTIES[violation.prop].statement
    origin = Origin(finder)
    return make_trace(result.question, violation.prop, violation.epochs, text, origin=origin)


def make_trace(
    question: Question,
    prop: str,
    epochs: Sequence[Epoch],
    summary: str,
    verdict: Literal["violated", "holds"] = "violated",
    *,
    may_fail: bool = False,
    origin: Origin | None = None,
) -> Trace:
    """Return a run of what ``question`` is about as a trace about the property ``prop``.

    With ``may_fail``, or where ``prop`` is about assertions, one of the model may end it.  Nothing
    is judged here.  Raises :class:`ScheduleError` for a schedule that does not run.
    """
    may_fail = may_fail or prop == ASSERTION
    return Trace(
        schema_version=SCHEMA,
        design=question.design.name,
        mutant=question.slug,
        scope=question.scope.name,
        workload=format_workload(question.scope),
        property=prop,
        verdict=verdict,
        summary=_summary(summary),
        epochs=[_trace_epoch(epoch, n, question, may_fail) for n, epoch in enumerate(epochs)],
        origin=origin or Origin(),
        patches=[TracePatch(p.name, p.text) for p in question.patches] or UNSET,
    )


def _summary(text: str) -> str:
    """Return one line that fits the format, whatever the search had to say."""
    text = escaped(text)
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 3] + "..."


def _trace_epoch(epoch: Epoch, n: int, question: Question, may_fail: bool) -> TraceEpoch:
    mount = Mount.of(question, n, epoch.start)
    return TraceEpoch(
        start=image_of(epoch.start),
        steps=trace_steps(mount, epoch.schedule, may_fail=may_fail),
        crash=None if epoch.crash is None else image_of(epoch.crash),
    )


def trace_steps(
    mount: Mount, schedule: Sequence[int], *, may_fail: bool = False
) -> list[TraceStep]:
    """Return the steps of ``schedule``, each with where its thread is parked.

    With ``may_fail`` an assertion of the model may end the run.  Raises :class:`ScheduleError`.
    """
    steps: list[TraceStep] = []
    state = mount.start
    for number, thread in enumerate(schedule, 1):
        if not 0 <= thread < len(mount.threads):
            raise ScheduleError(f"step {number}: there is no thread {thread}")
        place = mount.place(state, thread)
        name = mount.threads[thread].name
        steps.append(TraceStep(name, place.function, place.label))
        try:
            if not mount.is_enabled(state, thread):
                raise ScheduleError(f"step {number}: {name} cannot run here")
            state = mount.step(state, thread)
        except STEP_ERRORS:
            if not may_fail:
                raise
            break
    return steps
