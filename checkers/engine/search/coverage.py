"""What the members of a swarm saw together, from samples of what each saw.

Members draw their orders independently and in the same way: capture and recapture.  Let one half of
the members see A states, the other half B and both C; if all states were equally easy to see there
would be A·B/C of them.  They are not, and what is easy for one half is easy for the other, so that
number is too low: it is reported as *at least*, and the share covered as *at most*.  Neither is an
estimate of the truth: in scopes of known size the bound on the share was typically five times the
share (``docs/cluster.md``).

Of several ways to halve the members the least number counts: members that saw one region may all be
in one half, and then the halves have next to nothing in common.

Rejected: the median of those numbers (for four members, which halve in three ways, it was above the
truth in 5 of 144 swarms; the least one never was); Chao's estimator from what one and two members
saw (nearer, but a member sees regions, not states drawn one by one, and the estimate jumped, to 400
times the truth once); asking how many states of random runs were seen (nearly all, always: likely
states are easy).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

_SPLITS = 9
"""Ways to halve the members; the least of their estimates counts."""

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
    return max(seen, min(estimates))
