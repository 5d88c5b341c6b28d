"""What two reductions that powercut does not have could save at most.

``python -m benchmarks.reductions`` explores small scopes whole and counts afterwards, so it can
afford an oracle no search has:

* *partial order*: which steps are independent is read off the explored graph itself (neither
  changes whether the other can run, and both orders end alike, in every reachable state), and so is
  what another thread may still do.  A state may then leave all threads but one alone if that one's
  step is independent of all the others may do, changes no crash state and no watched predicate, and
  leads to a state not seen before.  A static analysis can only be worse.
* *symmetry*: threads, inodes and blocks that could be exchanged.  For tasks and inodes it is enough
  to look at the scopes.  For blocks all block numbers are wiped from every state, which merges more
  than any exchange of blocks does.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.system import System
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.scope import Op

NAMES = (
    "append-fsync",
    "eof-truncate-up",
    "truncate-truncate",
    "zero-truncate",
    "log-full",
    "eio-append",
    "eof-unsubmitted",
    "punch",
    "cookie-race",
    "truncate-extend",
)

Location = tuple[int, bytes]
"""A thread and its frame: where it stands, with its locals."""


@dataclass(frozen=True)
class Graph:
    """Every reachable state of the first mount of a scope, and who leads where."""

    system: System
    states: list[bytes]
    next: list[dict[int, int]]
    visible: Sequence[object]

    def location(self, state: int, thread: int) -> Location:
        """Return where ``thread`` stands in state number ``state``."""
        infos = self.system.threads
        end = infos[thread + 1].frame if thread + 1 < len(infos) else None
        return thread, self.states[state][infos[thread].frame : end]


def explored(name: str) -> Graph:
    """Explore the first mount of a scope under the design ``seed``."""
    system = Mount.of(Question(DESIGNS["seed"], SCOPES[name])).system
    search = BreadthFirst(system, Watch(), Limits())
    search.run()
    numbers = {state: number for number, state in enumerate(search.order)}
    steps = [
        {t: numbers[system.step(state, t)] for t in system.enabled(state)} for state in search.order
    ]
    visible = [
        (state[system.projected], tuple(bool(p(state)) for p in system.predicates))
        for state in search.order
    ]
    return Graph(system, search.order, steps, visible)


class Oracle:
    """What of a graph a partial-order search has to know: dependent steps, later locations."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.threads = range(len(graph.system.threads))
        self.numbers: dict[Location, int] = {}
        self.dependent: dict[Location, int] = defaultdict(int)
        self.visible: set[Location] = set()
        edges: dict[Location, set[Location]] = defaultdict(set)
        for state, steps in enumerate(graph.next):
            here = [graph.location(state, t) for t in self.threads]
            for location in here:
                self.numbers.setdefault(location, len(self.numbers))
            for thread, after in steps.items():
                edges[here[thread]].add(graph.location(after, thread))
                if graph.visible[state] != graph.visible[after]:
                    self.visible.add(here[thread])
                for other in self.threads:
                    if other != thread and self._depend(state, thread, other):
                        self.dependent[here[thread]] |= 1 << self.numbers[here[other]]
        self.later = {location: self._closure(location, edges) for location in self.numbers}

    def _depend(self, state: int, thread: int, other: int) -> bool:
        steps = self.graph.next
        after = steps[state][thread]
        if (other in steps[state]) != (other in steps[after]):
            return True
        if other not in steps[state]:
            return False
        return steps[after][other] != steps[steps[state][other]].get(thread)

    def _closure(self, start: Location, edges: dict[Location, set[Location]]) -> int:
        seen, stack = {start}, [start]
        while stack:
            for location in edges[stack.pop()] - seen:
                seen.add(location)
                stack.append(location)
        return sum(1 << self.numbers[location] for location in seen)

    def enough(self, state: int) -> Iterator[int]:
        """Yield the threads of which each is enough to go on with."""
        here = [self.graph.location(state, t) for t in self.threads]
        for thread in self.graph.next[state]:
            if here[thread] in self.visible:
                continue
            others = [self.later[here[other]] for other in self.threads if other != thread]
            if not any(self.dependent[here[thread]] & later for later in others):
                yield thread


def reduced(graph: Graph) -> tuple[list[int], int]:
    """Return the states and the number of transitions that a partial-order search visits."""
    oracle = Oracle(graph)
    order, seen, transitions = [0], {0}, 0
    for state in order:
        steps = graph.next[state]
        alone = [thread for thread in oracle.enough(state) if steps[thread] not in seen]
        chosen = alone[:1] or list(steps)
        transitions += len(chosen)
        for thread in chosen:
            if steps[thread] not in seen:
                seen.add(steps[thread])
                order.append(steps[thread])
    return order, transitions


def without_block_numbers(graph: Graph) -> int:
    """Count states that differ in more than the numbers of blocks, or in fewer."""
    system = graph.system
    names = system.build.layout.names()
    per_block = sum(name.startswith("device.cached[") for name in names) // sum(
        name.startswith("block[") for name in names
    )
    wiped = [n for n, name in enumerate(names) if name.endswith(("pblk", "bitmap"))]
    block = [n for n, name in enumerate(names) if name.startswith("block[")]
    cached = [n for n, name in enumerate(names) if name.startswith("device.cached[")]
    may = [n for n, name in enumerate(names) if name.startswith("stable.may[")]
    merged = set()
    for state in graph.states:
        parts = sorted(
            (
                state[b],
                *(state[c] for c in cached[p * per_block : (p + 1) * per_block]),
                *(state[c] for c in may[p * per_block : (p + 1) * per_block]),
            )
            for p, b in enumerate(block)
        )
        rest = bytearray(state)
        for n in (*wiped, *block, *cached, *may):
            rest[n] = 0
        merged.add((bytes(rest), tuple(parts)))
    return len(merged)


def equal_tasks() -> list[str]:
    """Return the scopes in which two tasks of a mount do the same."""
    return [
        name
        for name, scope in SCOPES.items()
        for mount in scope.mounts
        if len(set(mount.tasks)) < len(mount.tasks)
    ]


def equal_inodes() -> list[str]:
    """Return the scopes with two files that are used alike."""
    found = []
    for name, scope in SCOPES.items():
        uses = [
            [[_use(op) for op in task if op.inode == i] for task in mount.tasks]
            for i in range(scope.geometry.nr_inodes)
            for mount in scope.mounts
        ]
        if scope.geometry.nr_inodes > 1 and all(use == uses[0] for use in uses):
            found.append(name)
    return found


def _use(op: Op) -> tuple[int, int, int]:
    return int(op.code), op.pos_cells, op.length_cells


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scopes", nargs="*", default=NAMES)
    print("| scope | states | partial order | saves | transitions | saves | no block numbers |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name in parser.parse_args().scopes:
        graph = explored(name)
        kept, transitions = reduced(graph)
        if {str(graph.visible[n]) for n in kept} != {str(v) for v in graph.visible}:
            raise AssertionError(f"{name}: the reduced search misses something that is watched")
        all_transitions = sum(map(len, graph.next))
        states = len(graph.states)
        print(
            f"| {name} | {states:,} | {len(kept):,} | {states / len(kept):.2f}x | "
            f"{transitions:,} | {all_transitions / transitions:.2f}x | "
            f"{without_block_numbers(graph):,} |",
            flush=True,
        )
    print(f"\nscopes with equal tasks: {', '.join(equal_tasks()) or 'none'} of {len(SCOPES)}")
    print(f"scopes with equal inodes: {', '.join(equal_inodes()) or 'none'}")


if __name__ == "__main__":
    main()
