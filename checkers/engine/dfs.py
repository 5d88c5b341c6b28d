"""Hash-compact depth-first search, for scopes whose states do not fit into memory.

Only a 64-bit digest of a state is kept, so two states may be taken for one; the outcome carries the
probability that this left anything out, and traces are not shortest.  The digest does not depend on
Python's hash seed: a run can be repeated.  With a seed, threads are tried in an order of chance.
"""

from hashlib import blake2b
from random import Random

from checkers.engine.errors import STEP_ERRORS
from checkers.engine.outcome import (
    ASSERTION,
    DEADLOCK,
    Budget,
    Found,
    Limits,
    Outcome,
    Progress,
    Watch,
)
from checkers.engine.system import System

_CHECK_EVERY = 4096


def digest(state: bytes) -> int:
    """Return the 64-bit digest of a state."""
    return int.from_bytes(blake2b(state, digest_size=8).digest(), "little")


def omission_probability(states: int) -> float:
    """Bound the probability that some state was never seen: n²/2⁶⁵ (birthday bound)."""
    return min(1.0, states * states / 2.0**65)


def depth_first(system: System, watch: Watch, limits: Limits) -> Outcome:
    """Search from the initial state of ``system`` and return what was found."""
    return DepthFirst(system, watch, limits).run()


class DepthFirst:
    """One search; :meth:`sample` tells afterwards which states it saw."""

    def __init__(self, system: System, watch: Watch, limits: Limits, *, seed: int = 0) -> None:
        self.chance = Random(seed) if seed else None
        self.system = system
        self.watch = watch
        self.outcome = Outcome()
        self.budget = Budget(limits)
        self.seen: set[int] = set()
        self.projections: set[int] = set()
        self.pending = dict(watch.situations)
        self.schedule: list[int] = []

    def run(self) -> Outcome:
        """Search until done, a limit is reached or the user interrupts."""
        try:
            self._search()
        except KeyboardInterrupt:
            self.outcome.stopped = "interrupted"
        self.outcome.states = len(self.seen)
        self.outcome.projections = len(self.projections)
        self.outcome.omission_probability = omission_probability(len(self.seen))
        self.outcome.seconds = self.budget.seconds
        return self.outcome

    def _search(self) -> None:
        system, limit = self.system, self.budget.limits.max_states
        self._enter(system.initial)
        stack = [(system.initial, iter(self._enabled(system.initial)))]
        while stack:
            if self._is_answered():
                return
            state, threads = stack[-1]
            thread = next(threads, None)
            if thread is None:
                stack.pop()
                if self.schedule:
                    self.schedule.pop()
                continue
            self.schedule.append(thread)
            try:
                new = system.step(state, thread)
            except STEP_ERRORS as error:
                self._record(ASSERTION, str(error))
                self.schedule.pop()
                continue
            self.outcome.transitions += 1
            if not self._enter(new):
                self.schedule.pop()
                continue
            self.outcome.depth = max(self.outcome.depth, len(self.schedule))
            stack.append((new, iter(self._enabled(new))))
            states = len(self.seen)
            if (not states % _CHECK_EVERY or states >= limit) and self._tick(len(stack)):
                return

    def _enabled(self, state: bytes) -> list[int]:
        """Return who can run in a new state, looking for a deadlock on the way."""
        try:
            enabled = self.system.enabled(state)
        except STEP_ERRORS as error:
            self._record(ASSERTION, str(error))
            return []
        if not enabled and self.system.unfinished(state):
            self._record(DEADLOCK, "nobody can run")
        if self.chance is not None:
            self.chance.shuffle(enabled)
        return enabled

    def _is_answered(self) -> bool:
        wanted = self.watch.stop_when
        if wanted is None or not wanted <= self.outcome.found.keys():
            return False
        self.outcome.stopped = "stopped at the first violation"
        return True

    def _tick(self, frontier: int) -> bool:
        states = len(self.seen)
        if self.watch.on_progress is not None:
            self.watch.on_progress(
                Progress(
                    states, self.outcome.transitions, frontier, len(self.schedule),
                    self.budget.seconds,
                )
            )  # fmt: skip
        self.outcome.stopped = self.budget.exceeded(states)
        return bool(self.outcome.stopped)

    def _enter(self, state: bytes) -> bool:
        key = digest(state)
        if key in self.seen:
            return False
        self.seen.add(key)
        for name, bad in self.watch.invariants.items():
            if name not in self.outcome.found and bad(state):
                self._record(name, "")
        for name in [n for n, reached in self.pending.items() if reached(state)]:
            self.outcome.reached.add(name)
            del self.pending[name]
        if self.watch.on_projection is not None:
            projection = state[self.system.projected]
            key = digest(projection)
            if key not in self.projections:
                self.projections.add(key)
                for name in self.watch.on_projection(projection, len(self.seen)):
                    self._record(name, "")
        return True

    def schedule_to(self, _number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the way to where the search stands (it knows no other states)."""
        return self.system.initial, tuple(self.schedule)

    def sample(self, bits: int) -> set[int]:
        """Return the digests of one state in ``2**bits``, always of the same ones."""
        return {key for key in self.seen if not key >> (64 - bits)}

    def _record(self, name: str, detail: str) -> None:
        if name not in self.outcome.found:
            schedule = tuple(self.schedule)
            self.outcome.found[name] = Found(name, self.system.initial, schedule, detail)
