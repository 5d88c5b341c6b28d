"""Swarm: many bounded searches with different seeds, for scopes no memory holds.

Every member is a hash-compact depth-first search that tries threads in an order of its own and
stops at its limit.  None is exhaustive, so a swarm finds violations and never proves their absence;
what it can say is how much its members overlap.  Members draw their orders independently and in
the same way: capture and recapture.  Let one half of the members see A states, the other half B and
both C; if all states were equally easy to see there would be A·B/C of them.  They are not, and what
is easy for one half is easy for the other, so that number is too low: it is reported as *at least*,
and the share covered as *at most*.  Neither is an estimate of the truth: in scopes of known size
the bound on the share was typically five times the share (``docs/cluster.md``).

Rejected: Chao's estimator from what one and two members saw (nearer, but a member sees regions, not
states drawn one by one, and the estimate jumped, to 400 times the truth once); asking how many
states of random runs were seen (nearly all, always: likely states are easy); bit-state hashing (its
omission estimate assumes one search); sharing a table between the members (then they cannot run on
different machines); random walks as members (they see the same few likely states again and again).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random
from statistics import median_low

from powercut.checkers.engine.c_search import CDepthFirst
from powercut.checkers.engine.dfs import DepthFirst
from powercut.checkers.engine.outcome import Budget, Limits, Outcome, Watch
from powercut.checkers.engine.system import System

_KEPT = 1 << 14
"""About how many digests of a member are kept for the comparison with the others."""

_SPLITS = 9
"""Ways to halve the members; the median of their estimates counts."""

_WORD = 1 << 64
_TAG = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Sample:
    """What one member saw: plain data, so that it can come from another process.

    ``states`` are the digests of one state in ``2**bits``, the same ones in every member that ran
    on the same ``engine``; ``projections`` are the digests of all crash projections.  ``whole``
    says that no limit stopped the member.
    """

    seed: int
    engine: str
    bits: int
    states: frozenset[int]
    projections: frozenset[int]
    whole: bool

    def joined(self, later: "Sample", mount: int) -> "Sample":
        """Return this sample with the one of a later mount; equal states of both stay apart."""
        shift = mount * _TAG
        return replace(
            self,
            states=self.states | {(digest + shift) % _WORD for digest in later.states},
            projections=self.projections | {(d + shift) % _WORD for d in later.projections},
            whole=self.whole and later.whole,
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the members saw together, from their samples.

    ``states`` were seen by at least one, and there are ``at_least`` that many; ``projections``
    and ``projections_at_least`` are the same for crash projections.  ``overlap`` is the share of a
    member's states that some other member saw too.  ``whole`` says that one member saw everything.
    """

    members: int
    states: int
    at_least: int
    projections: int
    projections_at_least: int
    overlap: float
    whole: bool

    @property
    def covered_at_most(self) -> float:
        """The share of all states that was seen, an upper bound."""
        return self.states / self.at_least if self.at_least else 0.0


class SwarmSearch:
    """One member: the interface of ``bfs.BreadthFirst``, from all ``starts`` in a seeded order.

    The starts share the limit on states evenly.  Livelocks are not looked for.  ``seed`` counts
    from 1; :meth:`run` may be called once.  Raises as ``load_library`` does with engine ``c``.
    """

    def __init__(
        self,
        engine: str,
        system: System,
        watch: Watch,
        limits: Limits,
        starts: Iterable[bytes],
        seed: int,
    ) -> None:
        if seed < 1:
            raise ValueError(f"a seed is a number from 1 up, not {seed}")
        self.engine = engine
        self.system = system
        self.limits = limits
        self.seed = seed
        self.bits = max(0, (limits.max_states // _KEPT).bit_length())
        self.starts = list(dict.fromkeys(starts))
        Random(seed).shuffle(self.starts)
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
            if part.stopped and not part.stopped.startswith("limit of "):
                break  # a limit on states is this start's own, all others are everybody's
        outcome.projections = len(self._projections)
        outcome.seconds = budget.seconds
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

    def sample(self) -> Sample:
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


def coverage(samples: Iterable[Sample]) -> Coverage:
    """Say what the members covered together; a member that is given twice counts once.

    Raises :class:`ValueError` if the samples cannot be compared (other engine or share).
    """
    members = list({sample.seed: sample for sample in samples}.values())
    if len({(sample.engine, sample.bits) for sample in members}) > 1:
        raise ValueError("members of one swarm need the same engine and the same limit")
    bits = members[0].bits if members else 0
    whole = any(member.whole for member in members)
    states = Counter(digest for member in members for digest in member.states)
    projections = Counter(digest for member in members for digest in member.projections)
    visits, alone = states.total(), Counter(states.values())[1]
    states_at_least, projections_at_least = len(states), len(projections)
    if not whole:
        states_at_least = _at_least([member.states for member in members])
        projections_at_least = _at_least([member.projections for member in members])
    return Coverage(
        members=len(members),
        states=len(states) << bits,
        at_least=states_at_least << bits,
        projections=len(projections),
        projections_at_least=projections_at_least,
        overlap=1 - alone / visits if visits else 0.0,
        whole=whole,
    )


def _at_least(members: Sequence[frozenset[int]]) -> int:
    """Estimate how many there are from what two halves of the members have in common."""
    seen = len(frozenset().union(*members))
    if len(members) < 2:
        return seen
    chance = Random(0)
    estimates = []
    for _ in range(_SPLITS):
        order = chance.sample(members, len(members))
        one = frozenset().union(*order[: len(order) // 2])
        other = frozenset().union(*order[len(order) // 2 :])
        estimates.append(len(one) * len(other) // max(1, len(one & other)))
    return max(seen, median_low(estimates))
