"""Breadth-first search with parent pointers: exhaustive, and every trace it gives is shortest.

States are kept whole (no hash compaction), so an emptied frontier means every reachable state of
the scope was seen.  The loop is written out flat: it runs a million times a scope.
"""

import gc
from array import array
from collections.abc import Iterable
from itertools import pairwise

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.lockstep import assert_deterministic
from powercut.checkers.engine.search.cycles import endless_states, first_cycle
from powercut.checkers.engine.search.outcome import (
    FIRST_VIOLATION,
    INTERRUPTED,
    Budget,
    Found,
    Limits,
    Outcome,
    Progress,
    Watch,
)
from powercut.checkers.engine.system import System
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK

_CHECK_EVERY = 4096


def never(_state: bytes, _frame: int, _number: int) -> None:
    """Stand for the step of a finished thread."""


class BreadthFirst:
    """One search from one or several initial states; :meth:`run` may be called once.

    After (or during) the run, :meth:`schedule_to` gives the shortest schedule to a state number.
    """

    def __init__(
        self, system: System, watch: Watch, limits: Limits, initial: Iterable[bytes] | None = None
    ) -> None:
        self.system = system
        self.watch = watch
        self.limits = limits
        self.order: list[bytes] = []
        self.parents = array("l")
        self.via = array("B")
        self.outcome = Outcome()
        self._projections: set[bytes] = set()
        self._invariants = list(watch.invariants.items())
        self._pending = list(watch.situations.items())
        self._index: dict[bytes, int] = {}
        self._edges: list[array[int]] = []
        for state in initial if initial is not None else [system.initial]:
            if state not in self._index:
                self._index[state] = len(self.order)
                self.order.append(state)
                self.parents.append(-1)
                self.via.append(0)

    def run(self) -> Outcome:
        """Search until the frontier is empty, a limit is reached or the user interrupts."""
        budget = Budget(self.limits)
        collecting = gc.isenabled()
        gc.disable()
        try:
            for number in range(len(self.order)):
                self._look_at(self.order[number], number)
            self._search(budget)
        except KeyboardInterrupt:
            self.outcome.stopped = INTERRUPTED
        finally:
            if collecting:
                gc.enable()
        self.outcome.states = len(self.order)
        self.outcome.projections = len(self._projections)
        if self.watch.find_stuck and self.outcome.exhaustive:
            self._look_for_stuck()
        self.outcome.seconds = budget.seconds
        return self.outcome

    def _search(self, budget: Budget) -> None:
        table = tuple(
            (index, frame, number, [step or never for step in steps])
            for index, (frame, number, _, steps) in enumerate(self.system.table)
        )
        order, index, parents, via = self.order, self._index, self.parents, self.via
        keep_edges, found = self.watch.find_stuck, self.outcome.found
        limit = self.limits.max_states
        watch = self.watch
        watched = bool(self._pending or watch.invariants or watch.on_projection or watch.on_state)
        transitions, fresh = 0, len(order)
        level_end, depth = fresh, 0
        number = -1
        try:
            for state in order:  # grows while we walk it: this is the queue
                number += 1
                if number == level_end:
                    depth += 1
                    level_end = fresh
                if not number % _CHECK_EVERY or fresh >= limit:
                    self.outcome.transitions, self.outcome.depth = transitions, depth
                    assert_deterministic(self.system, (state,))
                    self.outcome.stopped = self._tick(budget, number)
                    if self.outcome.stopped:
                        return
                moved = False
                successors = array("l")
                for thread, frame, which, steps in table:
                    try:
                        new = steps[state[frame]](state, frame, which)
                    except STEP_ERRORS as error:
                        moved = True
                        self._record(ASSERTION, number, str(error), thread)
                        continue
                    if new is None:
                        continue
                    moved = True
                    transitions += 1
                    target = index.setdefault(new, fresh)
                    if keep_edges:
                        successors.append(target)
                    if target == fresh:
                        order.append(new)
                        parents.append(number)
                        via.append(thread)
                        fresh += 1
                        if watched:
                            self._look_at(new, target)
                if keep_edges:
                    self._edges.append(successors)
                if not moved:
                    self._look_for_deadlock(state, number)
                if found and self.watch.is_answered(found):
                    self.outcome.stopped = FIRST_VIOLATION
                    return
        finally:
            self.outcome.transitions, self.outcome.depth = transitions, depth

    def _look_for_deadlock(self, state: bytes, number: int) -> None:
        blocked = [self.system.threads[t].name for t in self.system.unfinished(state)]
        if blocked:
            detail = f"nobody can run; waiting for ever: {', '.join(blocked)}"
            self._record(DEADLOCK, number, detail)

    def _tick(self, budget: Budget, number: int) -> str:
        states = len(self.order)
        if self.watch.on_progress is not None:
            self.watch.on_progress(
                Progress(
                    states,
                    self.outcome.transitions,
                    states - number,
                    self.outcome.depth,
                    budget.seconds,
                )
            )
        return budget.exceeded(states)

    def _look_at(self, state: bytes, number: int) -> None:
        if self.watch.on_state is not None:
            self.watch.on_state(state, number)
        for name, bad in self._invariants:
            if bad(state):
                self._record(name, number, "")
                self._invariants = [pair for pair in self._invariants if pair[0] != name]
        for name, seen in self._pending:
            if seen(state):
                self.outcome.reached.add(name)
                self._pending = [pair for pair in self._pending if pair[0] != name]
        if self.watch.on_projection is not None:
            projection = state[self.system.projected]
            if projection not in self._projections:
                self._projections.add(projection)
                for name in self.watch.on_projection(projection, number):
                    self._record(name, number, "")

    def _record(self, name: str, number: int, detail: str, thread: int | None = None) -> None:
        if name in self.outcome.found:
            return
        start, schedule = self.schedule_to(number)
        if thread is not None:
            schedule = (*schedule, thread)
        self.outcome.found[name] = Found(name, start, schedule, detail)

    def schedule_to(self, number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the initial state and the thread indexes that lead to state ``number``."""
        schedule: list[int] = []
        while self.parents[number] >= 0:
            schedule.append(self.via[number])
            number = self.parents[number]
        return self.order[number], tuple(reversed(schedule))

    def close(self) -> None:
        """Give the memory back; schedules cannot be asked for any more."""
        for kept in (self.order, self._index, self._edges, self._projections):
            kept.clear()

    def _look_for_stuck(self) -> None:
        """Find a cycle from which no run comes to rest, and record it as a lasso."""
        frames = [t.frame for t in self.system.threads if not t.daemon]
        at_rest = [
            number
            for number, state in enumerate(self.order)
            if not self._edges[number] or not any(state[frame] for frame in frames)
        ]
        cycle = first_cycle(self._edges, endless_states(self._edges, at_rest))
        if not cycle or LIVELOCK in self.outcome.found:
            return
        start, schedule = self.schedule_to(cycle[0])
        around = tuple(self._thread_between(source, target) for source, target in pairwise(cycle))
        detail = f"the last {len(around)} steps repeat for ever; no run leaves them to finish"
        self.outcome.found[LIVELOCK] = Found(LIVELOCK, start, (*schedule, *around), detail)

    def _thread_between(self, source: int, target: int) -> int:
        """Return a thread whose step leads from one state to the other."""
        state = self.order[source]
        return next(
            thread
            for thread in self.system.enabled(state)
            if self.system.step(state, thread) == self.order[target]
        )
