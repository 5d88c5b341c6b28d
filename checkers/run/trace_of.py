"""From a violation to the trace that is saved: every step gets its place in the source.

Why so: a search remembers thread indexes only, which mean nothing outside its build; running the
schedule once more gives names, functions and labels at no cost to the search.
Rejected: places recorded while searching (a pointer a state for what a few dozen steps need).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from powercut.checkers.engine.errors import STEP_ERRORS, ScheduleError
from powercut.checkers.engine.system import System
from powercut.checkers.run.runner import Epoch, RunResult, Violation, make_system, mounted
from powercut.checkers.traces.digest import model_digest
from powercut.checkers.traces.format import (
    MAX_LINE,
    SCHEMA,
    Finder,
    Origin,
    Trace,
    TraceEpoch,
    TraceStep,
    image_of,
)
from powercut.checkers.workload import format_workload
from powercut.checkers.workload.errors import one_line
from powercut.model.designs import Design
from powercut.model.language import ASSERTION
from powercut.model.mutants import Mutant
from powercut.model.scope import Scope
from powercut.properties.catalog import PROPERTIES


@dataclass(frozen=True, slots=True)
class Subject:
    """What a run is of: a design with a mutant or without, in a scope."""

    design: Design
    scope: Scope
    mutant: Mutant | None = None

    @property
    def slug(self) -> str:
        """The mutant's name, empty without one."""
        return self.mutant.slug if self.mutant else ""


def trace_of(
    violation: Violation,
    result: RunResult,
    design: Design,
    scope: Scope,
    mutant: Mutant | None,
    finder: Finder = "search",
) -> Trace:
    """Return ``violation`` of the run ``result`` as a trace.

    Raises :class:`ValueError` if the run was of something else, or the violation is not of it.
    """
    subject = Subject(design, scope, mutant)
    if (result.design, result.scope, result.mutant) != (design.name, scope.name, subject.slug):
        raise ValueError("the result is of another design, scope or mutant")
    if violation not in (*result.violations, *result.observations):
        raise ValueError("the violation is not one of this result")
    text = violation.detail or PROPERTIES[violation.prop].statement
    return make_trace(subject, violation.prop, violation.epochs, text, origin=Origin(finder))


def make_trace(
    subject: Subject,
    prop: str,
    epochs: Sequence[Epoch],
    summary: str,
    verdict: Literal["violated", "holds"] = "violated",
    *,
    may_fail: bool = False,
    origin: Origin | None = None,
) -> Trace:
    """Return the run ``epochs`` of ``subject`` as a trace about the property ``prop``.

    With ``may_fail``, or where ``prop`` is about assertions, one of the model may end it.  Nothing
    is judged here.  Raises :class:`ScheduleError` for a schedule that does not run.
    """
    may_fail = may_fail or prop == ASSERTION
    return Trace(
        schema_version=SCHEMA,
        design=subject.design.name,
        mutant=subject.slug,
        scope=subject.scope.name,
        workload=format_workload(subject.scope),
        property=prop,
        verdict=verdict,
        summary=_summary(summary),
        model_digest=model_digest(),
        epochs=[_trace_epoch(epoch, n, subject, may_fail) for n, epoch in enumerate(epochs)],
        origin=origin or Origin(),
    )


def _summary(text: str) -> str:
    """Return one line that fits the format, whatever the search had to say."""
    text = one_line(text)
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 3] + "..."


def _trace_epoch(epoch: Epoch, n: int, subject: Subject, may_fail: bool) -> TraceEpoch:
    system = make_system(subject.scope, n, subject.design, subject.mutant)
    state = system.start(mounted(system, epoch.start, subject.scope))
    return TraceEpoch(
        start=image_of(epoch.start),
        steps=trace_steps(system, state, epoch.schedule, may_fail=may_fail),
        crash=None if epoch.crash is None else image_of(epoch.crash),
    )


def trace_steps(
    system: System, state: bytes, schedule: Sequence[int], *, may_fail: bool = False
) -> list[TraceStep]:
    """Return the steps of ``schedule`` from ``state`` on, each with where its thread is parked.

    With ``may_fail`` an assertion of the model may end the run.  Raises :class:`ScheduleError`.
    """
    steps: list[TraceStep] = []
    for number, thread in enumerate(schedule, 1):
        if not 0 <= thread < len(system.threads):
            raise ScheduleError(f"step {number}: there is no thread {thread}")
        place = system.place(state, thread)
        name = system.threads[thread].name
        steps.append(TraceStep(name, place.function, place.file, place.line, place.label))
        try:
            if not system.is_enabled(state, thread):
                raise ScheduleError(f"step {number}: {name} cannot run here")
            state = system.step(state, thread)
        except STEP_ERRORS:
            if not may_fail:
                raise
            break
    return steps
