"""From a violation to the trace that is saved: every step gets its place in the source.

Why so: a search remembers thread indexes only, which mean nothing outside its build; running the
schedule once more gives names, functions and labels at no cost to the search.
Rejected: places recorded while searching (a pointer a state for what a few dozen steps need).
"""

from collections.abc import Sequence

from checkers.engine.errors import STEP_ERRORS, ScheduleError
from checkers.engine.outcome import ASSERTION
from checkers.engine.system import System
from checkers.traces.digest import model_digest
from checkers.traces.format import MAX_LINE, SCHEMA, Trace, TraceEpoch, TraceStep, image_of
from checkers.workload import format_workload
from checkers.workload.errors import one_line
from model.designs import Design
from model.mutants import Mutant
from model.scope import Scope
from properties.catalog import PROPERTIES
from properties.runner import Epoch, RunResult, Violation, make_system, mounted


def trace_of(
    violation: Violation, result: RunResult, design: Design, scope: Scope, mutant: Mutant | None
) -> Trace:
    """Return ``violation`` of the run ``result`` as a trace.

    Raises :class:`ValueError` if the run was of something else, or the violation is not of it.
    """
    slug = mutant.slug if mutant else ""
    if (result.design, result.scope, result.mutant) != (design.name, scope.name, slug):
        raise ValueError("the result is of another design, scope or mutant")
    if violation not in (*result.violations, *result.observations):
        raise ValueError("the violation is not one of this result")
    return Trace(
        schema_version=SCHEMA,
        design=design.name,
        mutant=slug,
        scope=scope.name,
        workload=format_workload(scope),
        property=violation.prop,
        verdict="violated",
        summary=_summary(violation),
        model_digest=model_digest(),
        epochs=[
            _trace_epoch(epoch, make_system(scope, n, design, mutant), scope, violation.prop)
            for n, epoch in enumerate(violation.epochs)
        ],
    )


def _summary(violation: Violation) -> str:
    """Return one line that fits the format, whatever the search had to say."""
    text = one_line(violation.detail or PROPERTIES[violation.prop].statement)
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 3] + "..."


def _trace_epoch(epoch: Epoch, system: System, scope: Scope, prop: str) -> TraceEpoch:
    state = system.start(mounted(system, epoch.start, scope))
    return TraceEpoch(
        start=image_of(epoch.start),
        steps=trace_steps(system, state, epoch.schedule, may_fail=prop == ASSERTION),
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
