"""What a patch does to the orders: each change with the path that has it, on both sides.

Why so: an order that a patch brings into one function may be there already in another, so a
difference of graphs would not show it; the paths are compared, function by function.  An order that
is gone from one function and new in another has moved.  An order that is gone from a function which
now calls something that is not given may be behind that call: it is not known to be gone.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from powercut.checkers.locks.csource.program import Program
from powercut.checkers.locks.graph import Edge

ADDED, REMOVED, MOVED = "added", "removed", "moved"
MAX_CHANGES = 200

_Key = tuple[str, str, str, bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One order that differs: the path before and the path after, as far as there is one.

    ``elsewhere`` is a path that has the order on both sides.  ``helpers`` are functions which are
    not given and may hide the order on the other side: then nobody knows whether it changed.
    ``functions`` is how many functions have the change.
    """

    kind: str
    before: Edge | None
    after: Edge | None
    elsewhere: Edge | None = None
    helpers: tuple[str, ...] = ()
    functions: int = 1

    @property
    def edge(self) -> Edge:
        """The edge that changed, of the side that has it."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def pair(self) -> tuple[str, str]:
        """The two classes, the outer one first."""
        return self.edge.source, self.edge.target


def changes_of(old: Program, new: Program, changed: Iterable[str] = ()) -> list[Change]:
    """Return the changes of orders; paths through ``changed`` functions are shown first."""
    preferred = frozenset(changed)
    before, after = _by_order(old), _by_order(new)
    found: list[Change] = []
    for key in sorted({*before, *after}):
        change = _change(before.get(key, {}), after.get(key, {}), preferred)
        if change is not None:
            found.append(_doubted(change, old, new))
    rank = {ADDED: 0, MOVED: 1, REMOVED: 2}
    found.sort(
        key=lambda one: (bool(one.helpers), rank[one.kind], one.elsewhere is not None, one.pair)
    )
    return found[:MAX_CHANGES]


def _by_order(program: Program) -> dict[_Key, dict[str, Edge]]:
    """Return for every order the functions that hold its first class, with an edge of each."""
    found: dict[_Key, dict[str, Edge]] = defaultdict(dict)
    for edge in program.edges:
        function = edge.chain[0] if edge.chain else edge.where.function if edge.where else ""
        key = (edge.source, edge.target, edge.kind, edge.trylock)
        found[key].setdefault(function, edge)
    return found


def _change(
    before: dict[str, Edge], after: dict[str, Edge], preferred: frozenset[str]
) -> Change | None:
    gained = [after[name] for name in after if name not in before]
    lost = [before[name] for name in before if name not in after]
    if not gained and not lost:
        return None
    stays = [after[name] for name in after if name in before]
    new, old = _shown(gained, preferred), _shown(lost, preferred)
    kind = MOVED if new and old else ADDED if new else REMOVED
    elsewhere = None if kind == MOVED else _shown(stays, frozenset())
    return Change(kind, old, new, elsewhere, functions=max(len(gained), len(lost)))


def _shown(edges: list[Edge], preferred: frozenset[str]) -> Edge | None:
    """Return the edge to show: through a changed function, else the shortest path."""
    if not edges:
        return None
    return min(edges, key=lambda edge: (not preferred & set(edge.chain), len(edge.chain)))


def _doubted(change: Change, old: Program, new: Program) -> Change:
    """Name what may hide the order on the side that seems to lack it."""
    if change.kind == MOVED:
        return change
    here, there = (new, old) if change.kind == ADDED else (old, new)
    helpers: set[str] = set()
    for name in change.edge.chain:
        helpers |= _outside(there, name) - _outside(here, name)
    return replace(change, helpers=tuple(sorted(helpers))) if helpers else change


def _outside(program: Program, function: str) -> set[str]:
    """Return the functions that ``function`` calls and nobody gave."""
    found: set[str] = set()
    for definition in program.by_name.get(function, ()):
        done = program.followed.get(id(definition))
        if done is not None:
            found |= done.unseen
        else:
            known = set(program.by_name) | set(program.knowledge.primitives)
            found |= definition.calls - known
    return {name for name in found if not program.knowledge.harmless(name)}
