"""Swarm: many bounded searches with different seeds, for scopes no memory holds.

Every member is a hash-compact depth-first search that tries threads in an order of its own and
stops at its limit.  None is exhaustive, so a swarm finds violations and never proves their absence;
what it can say is how much its members overlap.  All of them sample the same small share of the
digests: a sampled state that only one member saw hints at how many nobody saw (Chao's estimator for
repeated captures, a lower bound for the size of the scope if the members were random samples, which
searches are not quite).

Rejected: bit-state hashing (its omission estimate assumes one search); sharing a table between the
members (then they cannot run on different machines).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from checkers.engine.c_search import CDepthFirst
from checkers.engine.outcome import Found, Limits, Outcome, Watch
from checkers.engine.system import System

SAMPLE_BITS = 8
"""One digest in ``2**SAMPLE_BITS`` is kept for the comparison of the members."""


@dataclass(frozen=True, slots=True)
class Member:
    """One search of a swarm: plain data, so that it can come from another process."""

    seed: int
    outcome: Outcome
    sample: frozenset[int]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the members saw together, estimated from their samples.

    ``states`` were seen by at least one; ``overlap`` is the share of all visits that some other
    member had made; ``total`` estimates the scope, ``covered`` is the share of it that was seen.
    """

    states: int
    overlap: float
    total: int
    covered: float


def search_member(
    system: System, watch: Watch, limits: Limits, seed: int, *, bits: int = SAMPLE_BITS
) -> Member:
    """Run the member with ``seed`` (from 1 up).  Raises as ``load_library`` does."""
    if seed < 1:
        raise ValueError(f"a seed is a number from 1 up, not {seed}")
    search = CDepthFirst(system, replace(watch, find_stuck=False), limits, seed=seed)
    outcome = search.run()
    return Member(seed, outcome, frozenset(search.sample(bits)))


def coverage(members: Iterable[Member], *, bits: int = SAMPLE_BITS) -> Coverage:
    """Estimate what ``members`` covered; an exhausted member covered everything."""
    everyone = list({member.seed: member for member in members}.values())
    seen = Counter(digest for member in everyone for digest in member.sample)
    visits = sum(seen.values())
    whole = [member.outcome.states for member in everyone if member.outcome.exhaustive]
    if whole:
        return Coverage(max(whole), 1 - len(seen) / visits if visits else 0.0, max(whole), 1.0)
    if not visits:
        return Coverage(0, 0.0, 0, 0.0)
    by_one = sum(count == 1 for count in seen.values())
    by_two = sum(count == 2 for count in seen.values())
    count = len(everyone)
    unseen = (count - 1) / count * by_one * (by_one - 1) / (2 * (by_two + 1))
    states, total = len(seen) << bits, int((len(seen) + unseen) * 2**bits)
    return Coverage(states, 1 - len(seen) / visits, total, states / total)


def findings(members: Iterable[Member]) -> dict[str, Found]:
    """Return what was found, by name: the shortest schedule of all members."""
    best: dict[str, Found] = {}
    for member in sorted(members, key=lambda member: member.seed):
        for name, found in member.outcome.found.items():
            if name not in best or len(found.schedule) < len(best[name].schedule):
                best[name] = found
    return best
