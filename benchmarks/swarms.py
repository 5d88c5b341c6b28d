"""How far the bounds of a swarm are from the truth, in scopes of known size.

``python -m benchmarks.swarms`` runs swarms over the first mount of some scopes (design ``seed``, C
engine), each member limited to a share of the scope's states, and prints a Markdown table: what
part of the states and of the crash states was seen, and what the swarm itself says at most.
"""

from statistics import median, quantiles

from powercut.checkers.engine.search.c import CDepthFirst
from powercut.checkers.engine.search.coverage import Coverage, Sample, coverage
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.search.strategy import Swarm
from powercut.checkers.engine.search.swarm import SwarmSearch
from powercut.checkers.engine.system import System
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS

NAMES = ("span-truncate", "two-fsyncs", "new-file", "eof-mmap", "cookie-race", "punch")
SHARES = (100, 20, 5)
SIZES = (8, 32)
ROUNDS = 3


def size_of(system: System) -> tuple[int, int]:
    """Return how many states and crash states there are."""
    watch = Watch(on_projection=lambda _projection, _number: [])
    outcome = CDepthFirst(system, watch, Limits(max_states=10**8)).run()
    return outcome.states, outcome.projections


def member(system: System, states: int, seed: int) -> Sample:
    """Run one member; what it finds is of no interest here."""
    watch = Watch(on_projection=lambda _projection, _number: [])
    limits = Limits(max_states=states)
    search = SwarmSearch("c", system, watch, limits, [system.initial], Swarm(seed))
    sample = search.run().sample
    assert sample is not None, "a member of a swarm says what it saw"
    return sample


def swarms(system: System, states: int, size: int) -> list[Coverage]:
    """Run some swarms that differ in their seeds."""
    return [
        coverage([member(system, states, first * size + n + 1) for n in range(size)])
        for first in range(ROUNDS)
    ]


def main() -> None:
    """Measure and print."""
    print("| scope | states | a member | members | seen | said at most | crash states seen |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    looseness, broken, total = [], 0, 0
    for name in NAMES:
        system = Mount.of(Question(DESIGNS["seed"], SCOPES[name])).system
        states, projections = size_of(system)
        for share in SHARES:
            for size in SIZES:
                found = swarms(system, states // share, size)
                seen = median(c.states for c in found) / states
                said = median(c.covered_at_most for c in found)
                crashes = median(c.projections for c in found) / projections
                looseness += [c.covered_at_most * states / c.states for c in found]
                broken += sum(c.at_least > states for c in found)
                total += len(found)
                print(
                    f"| {name} | {states:,} | 1/{share} | {size} | {seen:.0%} | {said:.0%} | "
                    f"{crashes:.0%} |",
                    flush=True,
                )
    low, *_, high = quantiles(looseness, n=10)
    print(f"\nbound wrong in {broken} of {total} swarms")
    print(f"bound over truth: {median(looseness):.1f}, from {low:.1f} to {high:.1f} in 8 of 10")


if __name__ == "__main__":
    main()
