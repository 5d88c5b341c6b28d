"""One run of the checker as a job that any process can do: explore, then replay what was found.

Why so: a counterexample counts only after the native model has replayed it, and the process that
found it has the compiled model at hand.  A job and its result are plain data, so that the same code
serves one process and many.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from powercut.checkers.engine.search.outcome import INTERRUPTED, Progress
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult, Violation
from powercut.checkers.run.runner import run_scope
from powercut.checkers.weave.errors import PatchError
from powercut.errors import system_limit
from powercut.execute.watcher import Watcher
from powercut.model.setup import dimensions
from powercut.properties.catalog import SITUATIONS

if TYPE_CHECKING:
    from powercut.checkers.traces.format import Trace


@dataclass(frozen=True, slots=True)
class Job:
    """A question and until when: a reading of the monotonic clock, ``budget_s`` its words."""

    question: Question
    deadline: float | None = None
    budget_s: float = 0.0

    @property
    def build_key(self) -> tuple[object, ...]:
        """Jobs with the same key use the same compiled model."""
        scope = self.question.scope
        return tuple(sorted(dimensions(scope, scope.mounts[0]).items()))

    @property
    def title(self) -> str:
        """Name the run for people."""
        return self.question.title

    def do(self, report: Callable[[Progress], None], stopped: Callable[[], bool]) -> "JobResult":
        """Do the job; never raises, because the caller may be another process."""
        return execute(self, report, stopped)

    def lost(self, reason: str) -> "JobResult":
        """Return the result of a job whose process ended."""
        return failed(self, reason)


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job gave: the run, and for each violated property its trace: file name and content.

    ``failure`` says what went wrong inside powercut, if anything did, and ``origin`` where; the run
    is cut short then.  ``refusal`` is what is wrong with the patches, if the model fails by them.
    """

    result: RunResult
    traces: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    failure: str = ""
    origin: str = ""
    refusal: PatchError | None = None

    @property
    def states(self) -> int:
        """How many states were seen."""
        return self.result.states


def execute(job: Job, report: Callable[[Progress], None], stopped: Callable[[], bool]) -> JobResult:
    """Do ``job``; never raises, because the caller may be another process."""
    late = f"time limit of {job.budget_s:g} s reached"
    watcher = Watcher(report, stopped, job.deadline, late)
    if watcher.look():
        return unexplored(job, f"not started: {watcher.reason}")
    try:
        with watcher.alarm():
            result = run_scope(job.question, watcher.on_progress)
        if watcher.reason:
            why = result.stopped.replace(INTERRUPTED, watcher.reason)
            result = replace(result, stopped=why)
        return _replayed(job, result)
    except KeyboardInterrupt:
        return unexplored(job, watcher.reason or INTERRUPTED)
    except PatchError as error:
        return JobResult(empty_result(job), refusal=error)
    except Exception as error:
        if limit := system_limit(error):
            return unexplored(job, limit)
        # Reported by the front door as a bug, with this traceback.
        return failed(job, f"{type(error).__name__}: {error}", traceback.format_exc())


def unexplored(job: Job, reason: str) -> JobResult:
    """Return the result of a job of which nothing is known: inconclusive, for ``reason``."""
    return JobResult(replace(empty_result(job), stopped=reason))


def failed(job: Job, reason: str, origin: str = "") -> JobResult:
    """Return the result of a job that ended by a fault of powercut or of its process."""
    result = replace(empty_result(job), stopped="internal error")
    return JobResult(result, {}, f"{job.title}: {reason}", origin)


def empty_result(job: Job) -> RunResult:
    """Return a result that has seen nothing."""
    reached = dict.fromkeys(SITUATIONS, False)
    return RunResult(job.question, reached=reached, stopped="nothing explored")


def _replayed(job: Job, result: RunResult) -> JobResult:
    """Replay every counterexample natively; keep the traces of those that decide the verdict."""
    from powercut.checkers.traces.codec import encode_trace, trace_file_name

    traces: dict[str, tuple[str, bytes]] = {}
    failure = ""
    refuted: set[Violation] = set()
    for violation in (*result.violations, *result.observations):
        trace, detail = _confirm(result, violation)
        if detail:
            refuted.add(violation)
            text = f"{violation.prop} does not replay on the native model: {detail}"
            failure = failure or f"{job.title}: {text}"
        elif violation in result.violations:
            traces[violation.prop] = (trace_file_name(trace), encode_trace(trace))
    if refuted:
        result = replace(
            result,
            stopped="internal error",
            violations=tuple(v for v in result.violations if v not in refuted),
            observations=tuple(v for v in result.observations if v not in refuted),
        )
    return JobResult(result, traces, failure)


def _confirm(result: RunResult, violation: Violation) -> "tuple[Trace, str]":
    """Return the trace of ``violation`` and why it does not replay (empty if it does).

    Raises :class:`PatchError` where a patched model fails: the search checks no range.
    """
    from powercut.checkers.run.replay import replay_found
    from powercut.checkers.run.trace_of import trace_of
    from powercut.checkers.traces.errors import TraceMismatch

    trace = trace_of(violation, result)
    try:
        outcome = replay_found(trace)
    except TraceMismatch as error:
        return trace, str(error) or "the schedule does not fit"
    return trace, "" if outcome.reproduced else (outcome.detail or "another verdict")
