"""Make a counterexample smaller while it shows the same violation.

A trace that a random run found has steps that do not matter, threads that alternate for no reason
and a workload with operations to spare.  Smaller is, in this order: fewer mounts, fewer operations
in the workload, fewer steps, fewer context switches, fewer surviving writes.  An image counts as
simple when it is near to one of the two ends: nothing of the device cache survives, or all of it.
Which end is nearer depends on what is shown (old data that should be gone, or new data that came
too early), so both are tried, and "nothing" is preferred where they are equally near: what is left
then are the writes that have to survive.

Candidates run on the compiled model (:mod:`~powercut.checkers.explain.what_if`); one is accepted
only if the native replay reproduces it.  *The same* violation is one of the same property and kind:
the same sort of colour, the same sentence, programs waiting at the same places, the same state of a
livelock (whose future is then the same too).  A trace that the design shows only with its mutant is
not reduced to one that it shows without.

Effort is bounded in candidates and states, never in time, so the result does not depend on the
machine.  It is a local minimum, but for one thing: where the bounded search of a mount reaches the
violation, no schedule of that mount from the same disk is shorter.  (Not so for a deadlock: the
search ends at the first one, which may be another.)
Rejected: Hypothesis' own shrinking for this (it knows draws, not schedules), and a search alone (it
does not reach deep traces of large workloads).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import msgspec

from powercut.checkers.explain.simpler import (
    calmer_crashes,
    joined_runs,
    shorter_mount,
    smaller_workloads,
    without_steps,
)
from powercut.checkers.explain.what_if import Course, Kind, Plan, Walker, plan_of
from powercut.checkers.run.replay import replay
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces.errors import TraceError
from powercut.checkers.traces.format import Trace
from powercut.model.language import LIVELOCK

MAX_RUNS = 5_000
MAX_STATES = 20_000


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """How big a counterexample is; compared from the first number to the last.

    ``operations`` counts system calls and passes of the flusher over all mounts of the workload,
    ``survivors`` the cells of all crash images that differ from the nearer end.
    """

    mounts: int
    operations: int
    steps: int
    switches: int
    survivors: int


OnProgress = Callable[[Size, int], None]
"""Called with the best size so far and the number of candidates tried."""


def minimise(
    trace: Trace,
    *,
    reduce_workload: bool = True,
    max_runs: int = MAX_RUNS,
    max_states: int = MAX_STATES,
) -> Trace:
    """Return a counterexample that is at most as big as ``trace`` and shows the same violation.

    ``max_runs`` bounds the candidates, ``max_states`` each search (0: none);
    ``reduce_workload=False`` keeps the workload.  Raises :class:`TraceError` if ``trace`` does
    not show a violation.
    """
    minimiser = Minimiser(trace, reduce_workload=reduce_workload, max_states=max_states)
    minimiser.run(max_runs)
    return minimiser.best


class Minimiser:
    """One minimisation; ``best`` is a valid answer at every moment, also after an interrupt."""

    def __init__(
        self,
        trace: Trace,
        name: str = "trace",
        *,
        reduce_workload: bool = True,
        max_states: int = MAX_STATES,
        on_progress: OnProgress | None = None,
    ) -> None:
        if trace.verdict != "violated":
            message = '"holds", but only a violation can be minimised; give a trace of one'
            raise TraceError(name, "$.verdict", message)
        if not replay(trace, name).reproduced:
            message = "the violation does not show any more; give a trace that replays"
            raise TraceError(name, "$", message)
        self.trace = trace
        self.best = trace
        self.reduce_workload = reduce_workload
        self.max_states = max_states
        self.on_progress = on_progress
        self.walker = Walker(trace.property)
        self.plan = plan_of(trace)
        self.original = self.plan.question.scope
        self.course = self.walker.walk(self.plan)
        assert self.course.complete, "a trace that replays runs to its end"
        self.kind: Kind = self.course.kind
        self.size = size_of(self.course)
        self._searched: set[tuple[object, ...]] = set()
        self.runs = 0
        self.max_runs = 0
        self.needs_mutant = bool(trace.mutant) and not self._shows_without_mutant(self.plan)

    def run(self, max_runs: int = MAX_RUNS) -> None:
        """Reduce until nothing helps or ``max_runs`` candidates were tried."""
        self.max_runs = max_runs
        self.try_plan(self.plan)
        while self._round():
            pass
        if self.runs < max_runs:
            origin = msgspec.structs.replace(self.best.origin, minimised=True)
            self.best = msgspec.structs.replace(self.best, origin=origin)

    def _round(self) -> bool:
        """Try everything once, what removes most first; tell whether anything helped."""
        before = self.size
        if self.reduce_workload and self.trace.property != LIVELOCK:
            self._repeat(lambda: smaller_workloads(self.plan, self.course, self.original))
        self._drop_steps()
        self._search()
        self._repeat(lambda: joined_runs(self.plan))
        self._repeat(lambda: calmer_crashes(self.plan, self.course))
        if self.reduce_workload and self.trace.property != LIVELOCK:
            self._search_smaller()
        return self.size < before and self.runs < self.max_runs

    def _repeat(self, candidates: Callable[[], Iterable[Plan]]) -> None:
        """Accept the first candidate that helps, and start over with what it left."""
        while any(self.try_plan(plan) for plan in candidates()):
            pass

    def _drop_steps(self) -> None:
        """Leave out ever smaller pieces of every mount."""
        for n in range(len(self.plan.mounts)):
            piece = len(self.plan.mounts[n].wishes)
            while piece:
                at = 0
                while at < len(self.plan.mounts[n].wishes):
                    if not self.try_plan(without_steps(self.plan, n, at, at + piece)):
                        at += piece
                piece //= 2

    def _search(self) -> None:
        """Look for the shortest schedule of each mount."""
        for n in range(len(self.plan.mounts)):
            self._search_mount(self.plan, n)

    def _search_smaller(self) -> bool:
        """Where the schedule does not survive a smaller workload, look for one that does."""
        n = len(self.plan.mounts) - 1
        mounts = self.plan.question.scope.mounts
        for plan in smaller_workloads(self.plan, self.course, self.original):
            same_start = plan.question.scope.mounts[:n] == mounts[:n]
            if len(plan.mounts) == n + 1 and same_start and self._search_mount(plan, n):
                return True
        return False

    def _search_mount(self, plan: Plan, n: int) -> bool:
        """Search mount ``n``, once for each workload and disk it starts from."""
        key = (plan.question, n, self.course.epochs[n].start)
        if key in self._searched or self.runs >= self.max_runs or not self.max_states:
            return False
        self._searched.add(key)
        found = shorter_mount(self.walker, plan, self.course, n, self.kind, self.max_states)
        return found is not None and self.try_plan(found)

    def try_plan(self, plan: Plan) -> bool:
        """Accept ``plan`` if it is smaller, shows the violation, and the native replay agrees."""
        if self.runs >= self.max_runs:
            return False
        self.runs += 1
        course = self.walker.walk(plan, wanted=self.kind)
        if course.kind != self.kind:
            return False
        size = size_of(course)
        if size >= self.size or (self.needs_mutant and self._shows_without_mutant(plan)):
            return False
        summary = course.summary or self.trace.summary
        trace = make_trace(
            course.question, self.trace.property, course.epochs, summary, origin=self.trace.origin
        )
        if not replay(trace).reproduced:
            return False
        self.plan, self.best, self.size, self.course = plan_of(trace), trace, size, course
        if self.on_progress is not None:
            self.on_progress(size, self.runs)
        return True

    def _shows_without_mutant(self, plan: Plan) -> bool:
        clean = replace(plan.question, mutant=None)
        course = self.walker.walk(Plan(clean, plan.mounts, exact=True), wanted=self.kind)
        return course.kind == self.kind


def size_of(course: Course) -> Size:
    """Return how big a run is."""
    mounts = course.question.scope.mounts
    schedules = [epoch.schedule for epoch in course.epochs]
    return Size(
        mounts=len(mounts),
        operations=sum(sum(map(len, mount.tasks)) + mount.flusher_passes for mount in mounts),
        steps=sum(map(len, schedules)),
        switches=sum(switches(schedule) for schedule in schedules),
        survivors=course.survivors,
    )


def switches(schedule: Sequence[object]) -> int:
    """Return how often the thread changes within a schedule."""
    return sum(a != b for a, b in pairwise(schedule))
