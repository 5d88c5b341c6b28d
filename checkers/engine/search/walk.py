"""Seeded random walks: a cheap sample of a system, for tests and as a baseline."""

import random
from collections.abc import Iterable

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.search.outcome import Budget, Found, Limits, Outcome, Watch
from powercut.checkers.engine.search.strategy import Walk
from powercut.checkers.engine.system import System
from powercut.model.language import ASSERTION, DEADLOCK


class RandomWalks:
    """Random runs from ``starts`` in turn.  Never exhaustive: the outcome is always cut short.

    ``states`` of the outcome counts visits, not different states.
    """

    def __init__(
        self, system: System, watch: Watch, limits: Limits, starts: Iterable[bytes], walk: Walk
    ) -> None:
        self.system = system
        self.watch = watch
        self.walk = walk
        self.starts = list(starts)
        self.budget = Budget(limits)
        self.outcome = Outcome(stopped=walk.title)
        self.start = self.starts[0]
        self.schedule: list[int] = []
        self._chooser = random.Random(walk.seed)
        self._projections: set[bytes] = set()

    def run(self) -> Outcome:
        """Take the runs, until a limit is reached or the user interrupts."""
        outcome, seed = self.outcome, self.walk.seed
        try:
            for number in range(self.walk.runs):
                self.start, self.schedule = self.starts[number % len(self.starts)], []
                self._one_walk()
                reason = self.budget.exceeded(outcome.states)
                if reason:
                    outcome.stopped = f"{reason}, seed {seed}"
                    break
        except KeyboardInterrupt:
            outcome.stopped = f"interrupted, seed {seed}"
        outcome.projections = len(self._projections)
        outcome.seconds = self.budget.seconds
        return outcome

    def _one_walk(self) -> None:
        state: bytes | None = self.start
        for _ in range(self.walk.max_steps):
            assert state is not None
            self._look_at(state)
            state = self._next(state)
            if state is None:
                return
            self.outcome.transitions += 1
            self.outcome.depth = max(self.outcome.depth, len(self.schedule))

    def _look_at(self, state: bytes) -> None:
        outcome, watch = self.outcome, self.watch
        outcome.states += 1
        if watch.on_state is not None:
            watch.on_state(state, outcome.states)
        for name, bad in watch.invariants.items():
            if name not in outcome.found and bad(state):
                self._record(name)
        outcome.reached |= {name for name, reached in watch.situations.items() if reached(state)}
        projection = state[self.system.projected]
        if watch.on_projection is not None and projection not in self._projections:
            self._projections.add(projection)
            for name in watch.on_projection(projection, outcome.states):
                self._record(name)

    def _next(self, state: bytes) -> bytes | None:
        """Let a thread step; ``None`` where the run ends."""
        try:
            enabled = self.system.enabled(state)
            if not enabled:
                if self.system.unfinished(state):
                    self._record(DEADLOCK, "nobody can run")
                return None
            self.schedule.append(self._chooser.choice(enabled))
            return self.system.step(state, self.schedule[-1])
        except STEP_ERRORS as error:
            self._record(ASSERTION, str(error))
            return None

    def _record(self, name: str, detail: str = "") -> None:
        found = Found(name, self.start, tuple(self.schedule), detail)
        self.outcome.found.setdefault(name, found)

    def schedule_to(self, number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the way to where the walk stands (it knows no other states)."""
        del number
        return self.start, tuple(self.schedule)

    def close(self) -> None:
        """Give the memory back."""
        self._projections.clear()
