"""What the rows of a sweep add up to: counts, what was covered, what broke and whether it is known.

Why so: rows come from several processes and from earlier sweeps, in any order, and so they can be
added in any order.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from powercut.checkers.sweep.row import Row, Shown
from powercut.model.scope import Op, OpCode, Scope

Key = tuple[str, str, str]
"""Property, kind, and finding (nothing: new)."""


@dataclass(slots=True)
class Broken:
    """What is violated in the same way: in how many workloads, and the smallest of them."""

    workloads: int
    steps: int
    calls: int
    scope: Scope


@dataclass(slots=True)
class SweepTally:
    """The sum of the rows that were added; ``expected`` workloads in all."""

    expected: int
    workloads: int = 0
    states: int = 0
    transitions: int = 0
    longest: tuple[int, str] = (0, "")
    cut: Counter[str] = field(default_factory=Counter)
    broken: dict[Key, Broken] = field(default_factory=dict)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, rows: Iterable[Row], scopes: Mapping[str, Scope]) -> None:
        """Add rows; ``scopes`` has their workloads by name."""
        for row in rows:
            self._add(row, scopes[row.name])

    def _add(self, row: Row, scope: Scope) -> None:
        self.workloads += 1
        self.states += row.states
        self.transitions += row.transitions
        self.longest = max(self.longest, (row.states, row.name))
        if row.stopped:
            self.cut[row.stopped] += 1
        self.pairs.update(pairs_of(scope))
        for shown in row.shown:
            self._note(shown, scope)

    def _note(self, shown: Shown, scope: Scope) -> None:
        key = shown.prop, shown.kind, shown.finding
        calls = sum(len(task) for mount in scope.mounts for task in mount.tasks)
        before = self.broken.get(key)
        if before is None:
            self.broken[key] = Broken(1, shown.steps, calls, scope)
            return
        before.workloads += 1
        if (calls, shown.steps) < (before.calls, before.steps):
            before.calls, before.steps, before.scope = calls, shown.steps, scope

    @property
    def new(self) -> dict[Key, Broken]:
        """What no finding explains, the fewest calls first."""
        return self._sorted(known=False)

    @property
    def known(self) -> dict[Key, Broken]:
        """What a finding explains, the fewest calls first."""
        return self._sorted(known=True)

    def _sorted(self, *, known: bool) -> dict[Key, Broken]:
        chosen = [(k, b) for k, b in self.broken.items() if bool(k[2]) == known]
        return dict(sorted(chosen, key=lambda entry: (entry[1].calls, entry[1].steps, entry[0])))


def pairs_of(scope: Scope) -> set[tuple[str, str]]:
    """Return the pairs of operations, by name, that the workload has (once each)."""
    ops = [op for mount in scope.mounts for task in mount.tasks for op in task]
    names = [_word(op) for op in ops]
    if len(names) == 1:
        return {(names[0], "")}
    return {(names[a], names[b]) for a in range(len(names)) for b in range(len(names)) if a < b}


def _word(op: Op) -> str:
    return OpCode(op.code).name.lower()
