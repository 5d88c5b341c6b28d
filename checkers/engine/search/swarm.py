"""Swarm: many bounded searches with different seeds, for scopes no memory holds.

Every member is a hash-compact depth-first search that tries threads in an order of its own and
stops at its limit.  None is exhaustive, so a swarm finds violations and never proves their absence;
what it can say is how much its members overlap (:mod:`~powercut.checkers.engine.search.coverage`).

Rejected: bit-state hashing (its omission estimate assumes one search); sharing a table between the
members (then they cannot run on different machines); random walks as members (they see the same few
likely states again and again).
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from hashlib import blake2b
from random import Random

from powercut.checkers.engine.search.c import CDepthFirst
from powercut.checkers.engine.search.coverage import Sample
from powercut.checkers.engine.search.depth import DepthFirst
from powercut.checkers.engine.search.outcome import Budget, Limits, Outcome, Watch, is_state_limit
from powercut.checkers.engine.search.strategy import Swarm
from powercut.checkers.engine.system import System

_KEPT = 1 << 14
"""About how many digests of a member are kept for the comparison with the others."""


class SwarmSearch:
    """One member: from all ``starts`` in a seeded order; its outcome has a sample of what it saw.

    The starts share the limit on states evenly.  Livelocks are not looked for.  Raises as
    ``load_library`` does with engine ``c``.
    """

    def __init__(
        self,
        engine: str,
        system: System,
        watch: Watch,
        limits: Limits,
        starts: Iterable[bytes],
        strategy: Swarm,
    ) -> None:
        self.engine = engine
        self.system = system
        self.limits = limits
        self.seed = strategy.seed
        self.bits = max(0, (limits.max_states // _KEPT).bit_length())
        self.starts = list(dict.fromkeys(starts))
        Random(self.seed).shuffle(self.starts)
        self.watch = replace(watch, find_stuck=False, on_projection=self._on_projection)
        self._look = watch.on_projection
        self._states: set[int] = set()
        self._projections: set[int] = set()
        self._search: CDepthFirst | DepthFirst | None = None
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """Search until all starts are done, a limit is reached or the user interrupts."""
        budget = Budget(self.limits)
        outcome = self._outcome
        for number, start in enumerate(self.starts):
            left = self.limits.max_states - outcome.states
            few = replace(
                self.limits,
                max_states=max(1, left // (len(self.starts) - number)),
                time_limit_s=self.limits.time_limit_s - budget.seconds,
            )
            part = self._run_from(start, few)
            _add(outcome, part)
            if part.stopped and not is_state_limit(part.stopped):
                break  # a limit on states is this start's own, all others are everybody's
        outcome.projections = len(self._projections)
        outcome.seconds = budget.seconds
        outcome.sample = self._sample()
        return outcome

    def _run_from(self, start: bytes, limits: Limits) -> Outcome:
        system = copy(self.system)
        system.initial = start
        kind = CDepthFirst if self.engine == "c" else DepthFirst
        search = self._search = kind(system, self.watch, limits, seed=self.seed)
        outcome = search.run()
        self._states |= search.sample(self.bits)
        return outcome

    def _on_projection(self, projection: bytes, number: int) -> list[str]:
        digest = blake2b(projection, digest_size=8).digest()
        self._projections.add(int.from_bytes(digest, "little"))
        return self._look(projection, number) if self._look else []

    def schedule_to(self, number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the way to where the search stands (it knows no other states)."""
        assert self._search is not None
        return self._search.schedule_to(number)

    def _sample(self) -> Sample:
        """Return what this member has to say about coverage."""
        return Sample(
            self.seed,
            self.engine,
            self.bits,
            frozenset(self._states),
            frozenset(self._projections),
            self._outcome.exhaustive,
        )

    def close(self) -> None:
        """Give the memory back."""
        self._search = None


def _add(outcome: Outcome, part: Outcome) -> None:
    outcome.states += part.states
    outcome.transitions += part.transitions
    outcome.depth = max(outcome.depth, part.depth)
    outcome.stopped = outcome.stopped or part.stopped
    outcome.omission_probability = min(
        1.0, outcome.omission_probability + part.omission_probability
    )
    outcome.reached |= part.reached
    for name, found in part.found.items():
        known = outcome.found.get(name)
        if known is None or len(found.schedule) < len(known.schedule):
            outcome.found[name] = found
