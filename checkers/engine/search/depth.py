"""Hash-compact depth-first search, for scopes whose states do not fit into memory.

Only a 64-bit digest of a state is kept, so two states may be taken for one; the outcome carries the
probability that this left anything out, and traces are not shortest.  The digest does not depend on
Python's hash seed: a run can be repeated.  With a seed, threads are tried in an order of chance.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from powercut.checkers.engine.errors import STEP_ERRORS
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
from powercut.model.language import ASSERTION, DEADLOCK

_CHECK_EVERY = 4096


def digest(state: bytes) -> int:
    """Return the 64-bit digest of a state."""
    return int.from_bytes(blake2b(state, digest_size=8).digest(), "little")


def omission_probability(states: int) -> float:
    """Bound the probability that some state was never seen: n²/2⁶⁵ (birthday bound)."""
    return min(1.0, states * states / 2.0**65)


@dataclass(slots=True)
class _Open:
    """A state on the stack: the threads in order, how many were tried, whether any could run."""

    state: bytes
    order: Sequence[int]
    tried: int = 0
    moved: bool = False


class DepthFirst:
    """One search; :meth:`sample` tells afterwards which states it saw."""

    def __init__(
        self,
        system: System,
        watch: Watch,
        limits: Limits,
        initial: Iterable[bytes] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.starts = [system.initial] if initial is None else list(initial)
        self.start = self.starts[0]
        self.chance = Random(seed) if seed else None
        self.system = system
        self.table = system.table
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
            for start in self.starts:
                self.start = start
                self._search()
                if self.outcome.stopped:
                    break
        except KeyboardInterrupt:
            self.outcome.stopped = INTERRUPTED
        self.outcome.states = len(self.seen)
        self.outcome.projections = len(self.projections)
        self.outcome.omission_probability = omission_probability(len(self.seen))
        self.outcome.seconds = self.budget.seconds
        return self.outcome

    def _search(self) -> None:
        limit = self.budget.limits.max_states
        stack = [self._open(self.start)] if self._enter(self.start) else []
        is_fresh = True
        while stack:
            states = len(self.seen)
            if self._is_answered():
                return
            if is_fresh and (states >= limit or not states % _CHECK_EVERY) and self._tick(stack):
                return
            is_fresh = False
            top = stack[-1]
            if top.tried == len(self.table):
                if not top.moved:
                    self._look_for_deadlock(top.state)
                stack.pop()
                if self.schedule:
                    self.schedule.pop()
                continue
            new = self._step(top)
            if new is None:
                continue
            self.outcome.transitions += 1
            self.schedule.append(top.order[top.tried - 1])
            is_fresh = self._enter(new)
            if not is_fresh:
                self.schedule.pop()
                continue
            self.outcome.depth = max(self.outcome.depth, len(self.schedule))
            stack.append(self._open(new))

    def _open(self, state: bytes) -> "_Open":
        order: Sequence[int] = range(len(self.table))
        if self.chance is not None:
            order = self.chance.sample(order, len(order))
        return _Open(state, order)

    def _step(self, top: "_Open") -> bytes | None:
        """Let the next thread of an open state run; ``None`` if it waits or does wrong."""
        thread = top.order[top.tried]
        top.tried += 1
        frame, number, _, steps = self.table[thread]
        run = steps[top.state[frame]]
        if run is None:
            return None
        try:
            new = run(top.state, frame, number)
        except STEP_ERRORS as error:
            top.moved = True
            self._record(ASSERTION, str(error), thread)
            return None
        top.moved |= new is not None
        return new

    def _look_for_deadlock(self, state: bytes) -> None:
        if self.system.unfinished(state):
            self._record(DEADLOCK, "nobody can run")

    def _is_answered(self) -> bool:
        if not self.watch.is_answered(self.outcome.found):
            return False
        self.outcome.stopped = FIRST_VIOLATION
        return True

    def _tick(self, stack: "list[_Open]") -> bool:
        states = len(self.seen)
        if self.watch.on_progress is not None:
            self.watch.on_progress(
                Progress(
                    states,
                    self.outcome.transitions,
                    len(stack),
                    len(self.schedule),
                    self.budget.seconds,
                )
            )
        self.outcome.stopped = self.budget.exceeded(states)
        return bool(self.outcome.stopped)

    def _enter(self, state: bytes) -> bool:
        key = digest(state)
        if key in self.seen:
            return False
        self.seen.add(key)
        if self.watch.on_state is not None:
            self.watch.on_state(state, len(self.seen))
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

    def close(self) -> None:
        """Give the memory back; there is no sample any more."""
        self.seen.clear()

    def schedule_to(self, _number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the way to where the search stands (it knows no other states)."""
        return self.start, tuple(self.schedule)

    def sample(self, bits: int) -> set[int]:
        """Return the digests of one state in ``2**bits``, always of the same ones."""
        return {key for key in self.seen if not key >> (64 - bits)}

    def _record(self, name: str, detail: str, thread: int | None = None) -> None:
        if name not in self.outcome.found:
            schedule = tuple(self.schedule) + (() if thread is None else (thread,))
            self.outcome.found[name] = Found(name, self.start, schedule, detail)
