"""The finite instance: counterexamples to induction, bounded search, and the smoke tests.

What: the protocol expanded over a few cells in blocks of two.  A counterexample to induction is a
state of the invariant from which one step leaves it; it may be unreachable.  A *run* starts from a
fresh mount and is found by unrolling.
Why so: everything here is propositional, so z3 answers unless it is stopped (then
:class:`Undecided` says so: "not found" is only said after an answer), and a refutation is a picture
of a few cells.  Runs are kept realistic beyond what the proof needs (one block an ioend, only dirty
blocks are written back, marks exactly as the model sets them): a proof should cover more than the
kernel does, a counterexample no more.
Rejected: unrolling the unbounded protocol (fifty seconds for twelve steps on a prototype).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from powercut.checkers.proof.answers import Undecided, demand, look
from powercut.checkers.proof.invariant import (
    PROPERTIES,
    Conjunct,
    Property,
    Sentence,
    conjuncts_of,
    conjuncts_wished,
    initial,
    properties_of,
)
from powercut.checkers.proof.logic import HOLE, Finite, Term
from powercut.checkers.proof.protocol import Move, Params, Step, in_tail
from powercut.checkers.proof.rules import NO_RULE, Rules
from powercut.checkers.proof.state import BOOL, FIELDS, FREE, PHYS, SCALAR, SUBMITTED, State
from powercut.checkers.proof.steps import STEPS

NR_CELLS = 4
NR_PHYS = 6
RUN_DEPTH = 18
_PER_BLOCK = 2
_LARGEST = 8
_BLOCKWISE = frozenset(
    {
        "allocate",
        "build",
        "submit",
        "complete",
        "take_list",
        "merge",
        "convert",
        "finish",
        "give_up",
    }
)
_NOT_IN_RUNS = frozenset({"merge", "flush", "end_extension", "discard", "touch"})
_SYNCS = frozenset(name for name in STEPS if name.startswith("sync_"))


@dataclass(slots=True)
class Taken:
    """One step of a run with its parameters; sets of cells are lists."""

    step: str
    params: dict[str, Any]

    def __str__(self) -> str:
        values = ", ".join(f"{name}={_shown(value)}" for name, value in self.params.items())
        return f"{self.step}({values})"


@dataclass(slots=True)
class Run:
    """A run from a fresh mount: where it starts, its steps, the state it ends in."""

    start: dict[str, Any]
    steps: list[Taken]
    last: dict[str, Any]


@dataclass(slots=True)
class Escape:
    """A counterexample to induction: the state before, the step, and what it breaks."""

    step: str
    broken: list[str]
    before: dict[str, Any]
    taken: Taken | None

    def __str__(self) -> str:
        step = str(self.taken) if self.taken else "no step"
        return f"{step} breaks {', '.join(self.broken)} in {describe(self.before)}"


def describe(values: dict[str, Any]) -> str:
    """Return a state in one line: only what differs from zero, false and a hole."""
    shown = []
    for name, value in values.items():
        entries = value if isinstance(value, list) else [value]
        if any(entry not in (0, HOLE) for entry in entries):
            shown.append(f"{name}={_shown(value)}")
    return " ".join(shown)


class Instance:
    """Variables of a finite instance and their values in a model."""

    def __init__(self, nr_cells: int = NR_CELLS, nr_phys: int = NR_PHYS) -> None:
        self.x = Finite(nr_cells, nr_phys)
        self.sizes = {"cell": nr_cells, PHYS: nr_phys}

    def variables(self, prefix: str, fields: Params) -> tuple[State, dict[str, list[Term]]]:
        """Return symbols for ``fields`` as a state, and the same as plain tables."""
        tables: dict[str, list[Term]] = {}
        values: dict[str, Any] = {}
        for name, (kind, sort) in fields.items():
            target = self.x.z3.BoolSort() if sort == BOOL else self.x.sort()
            count = 1 if kind == SCALAR else self.sizes[kind]
            tables[name] = [self.x.z3.Const(f"{prefix}{name}_{n}", target) for n in range(count)]
            values[name] = tables[name][0] if kind == SCALAR else self.x.table(tables[name])
        return State(values), tables

    def bounds(self, tables: dict[str, list[Term]]) -> Term:
        """Numbers are cells, sizes, or -1."""
        numbers = [t for table in tables.values() for t in table if not self.x.z3.is_bool(t)]
        return self.x.land(*(self.x.land(t >= HOLE, t <= _LARGEST) for t in numbers))

    def maps_in_range(self, s: State) -> Term:
        """What is looked up in a table lies in it."""
        x, cells, phys = self.x, self.x.nr_cells, self.x.nr_phys
        return x.land(
            s.isz >= 0,
            s.isz <= cells,
            s.dsz >= 0,
            s.m_size <= cells,
            s.c_size <= cells,
            s.target >= 0,
            s.target <= cells,
            x.cells(lambda c: x.land(*(m(c) < phys for m in (s.map, s.m_map, s.c_map, s.dest)))),
            x.phys(lambda d: x.land(s.own(d) >= 0, s.own(d) < cells)),
        )

    def values(self, model: Any, tables: dict[str, list[Term]]) -> dict[str, Any]:
        """Read ``tables`` from a model: plain numbers and truth values."""
        out: dict[str, Any] = {}
        for name, table in tables.items():
            read = [self._value(model, term) for term in table]
            out[name] = read[0] if len(read) == 1 else read
        return out

    def _value(self, model: Any, term: Term) -> int | bool:
        value = model.eval(term, model_completion=True)
        if self.x.z3.is_bool(value):
            return bool(self.x.z3.is_true(value))
        return int(value.as_signed_long())


def fields_of_state() -> Params:
    """Return kind and sort of every field."""
    return {name: (f.kind, f.sort) for name, f in FIELDS.items()}


def escapes(rules: Rules, *, first: bool = True) -> list[Escape]:
    """Return counterexamples to induction: a state of the invariant that one step leads out of.

    One a step; ``first`` stops at the first.  Also a state of the invariant that breaks a property.
    Raises :class:`Undecided` if some query had no answer, unless the first one is found anyway.
    """
    found: list[Escape] = []
    undecided = ""
    for query in _escape_queries(rules):
        try:
            escape = query()
        except Undecided as error:
            undecided = undecided or str(error)
            continue
        found += [escape] if escape else []
        if found and first:
            return found
    if undecided:
        raise Undecided(undecided)
    return found


def _escape_queries(rules: Rules) -> Iterator[Callable[[], Escape | None]]:
    instance = Instance()
    x = instance.x
    s, tables = instance.variables("s_", fields_of_state())
    claimed = conjuncts_wished(rules)
    holds = [instance.bounds(tables), instance.maps_in_range(s)]
    holds += [c.sentence(x, s) for c in claimed]
    for step in STEPS.values():
        yield partial(_leaves, instance, s, tables, rules, step, holds, claimed)
    for prop in properties_of(rules):
        yield partial(_breaks, instance, s, tables, prop, holds)


def _leaves(
    instance: Instance,
    s: State,
    tables: dict[str, list[Term]],
    rules: Rules,
    step: Step,
    holds: Sequence[Term],
    claimed: Sequence[Conjunct],
) -> Escape | None:
    """Return a state in ``holds`` from which ``step`` breaks one of ``claimed``, if there is one.

    Raises :class:`Undecided`.
    """
    x = instance.x
    p, ptables = instance.variables("p_", step.params)
    move = step.take(x, rules, s, p)
    after = s.updated(move.changes)
    kept = {c.name: c.sentence(x, after) for c in claimed}
    solver = x.z3.SolverFor("QF_BV")
    solver.add(*holds, instance.bounds(ptables), move.guard, _in_tables(x, step.params, p))
    solver.add(instance.maps_in_range(after), x.lnot(x.land(*kept.values())))
    if not demand(solver, f"a state that {step.name} leads out of"):
        return None
    model = solver.model()
    broken = [n for n, term in kept.items() if x.z3.is_false(model.eval(term, True))]
    taken = _taken(instance, model, step.name, ptables)
    return Escape(step.name, broken, instance.values(model, tables), taken)


def _breaks(
    instance: Instance,
    s: State,
    tables: dict[str, list[Term]],
    prop: Property,
    holds: Sequence[Term],
) -> Escape | None:
    """Return a state in ``holds`` that breaks ``prop``, if there is one.  Raises Undecided."""
    solver = instance.x.z3.SolverFor("QF_BV")
    solver.add(*holds, instance.x.lnot(prop.sentence(instance.x, s)))
    if not demand(solver, f"a state of the invariant that breaks {prop.name}"):
        return None
    return Escape("", [prop.name], instance.values(solver.model(), tables), None)


def induction_fails(
    rules: Rules, pairs: set[tuple[str, str]]
) -> dict[tuple[str, str], Escape | Undecided]:
    """Return counterexamples to induction for the given (step, conjunct) pairs, where there are.

    A pair whose query had no answer has the :class:`Undecided` instead.
    """
    instance = Instance()
    x = instance.x
    s, tables = instance.variables("s_", fields_of_state())
    claimed = {c.name: c for c in conjuncts_of(rules)}
    holds = [instance.bounds(tables), instance.maps_in_range(s)]
    holds += [c.sentence(x, s) for c in claimed.values()]
    found: dict[tuple[str, str], Escape | Undecided] = {}
    for name, conjunct in sorted(pairs):
        try:
            escape = _leaves(instance, s, tables, rules, STEPS[name], holds, [claimed[conjunct]])
        except Undecided as error:
            found[name, conjunct] = error
            continue
        if escape is not None:
            found[name, conjunct] = escape
    return found


def property_fails(rules: Rules, prop: str) -> Escape | None:
    """Return a state of the claimed invariant that breaks ``prop``, if there is one.

    Raises :class:`Undecided`.
    """
    instance = Instance()
    x = instance.x
    s, tables = instance.variables("s_", fields_of_state())
    holds = [instance.bounds(tables), instance.maps_in_range(s)]
    holds += [c.sentence(x, s) for c in conjuncts_of(rules)]
    return _breaks(instance, s, tables, PROPERTIES[prop], holds)


def _in_tables(x: Finite, params: Params, p: State) -> Term:
    """Parameters that are looked up in tables lie in them."""
    limits = [
        x.land(getattr(p, name) >= 0, getattr(p, name) < x.nr_cells)
        for name in ("at", "one", "other", "last")
        if name in params
    ]
    limits += [
        x.land(getattr(p, name) >= 0, getattr(p, name) <= x.nr_cells)
        for name in ("start", "stop", "size", "end", "allowed")
        if name in params
    ]
    if "owner" in params:
        limits.append(x.phys(lambda d: x.land(p.owner(d) >= 0, p.owner(d) < x.nr_cells)))
        limits.append(x.cells(lambda c: p.place(c) < x.nr_phys))
    return x.land(*limits)


def _taken(instance: Instance, model: Any, step: str, tables: dict[str, list[Term]]) -> Taken:
    return Taken(step, instance.values(model, tables))


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(v, bool) for v in value):
        return "{" + ",".join(str(n) for n, v in enumerate(value) if v) + "}"
    return str(value)


def enabled_steps(rules: Rules) -> dict[str, bool]:
    """Tell for every step whether some state of the invariant enables it, and for the start.

    Raises :class:`Undecided`.
    """
    instance = Instance()
    x = instance.x
    s, tables = instance.variables("s_", fields_of_state())
    base = [instance.bounds(tables), instance.maps_in_range(s)]
    inv = [c.sentence(x, s) for c in conjuncts_of(rules)]
    out: dict[str, bool] = {}
    start = x.z3.SolverFor("QF_BV")
    start.add(*base, initial(x, s), *inv, s.isz > 0)
    out["initial"] = demand(start, "a fresh mount")
    for step in STEPS.values():
        p, ptables = instance.variables("p_", step.params)
        solver = x.z3.SolverFor("QF_BV")
        solver.add(*base, *inv, instance.bounds(ptables), _in_tables(x, step.params, p))
        solver.add(step.take(x, rules, s, p).guard)
        chosen = [t for name, t in ptables.items() if name == "cells"]
        solver.add(*(x.lor(*table) for table in chosen))
        out[step.name] = demand(solver, f"a state that enables {step.name}")
    return out


class Search:
    """Bounded search from a fresh mount for a state that breaks ``sentence``."""

    def __init__(self, rules: Rules, sentence: Sentence, unused: frozenset[str]) -> None:
        self.rules = rules
        self.instance = Instance()
        self.x = self.instance.x
        self.sentence = sentence
        self.names = [n for n in STEPS if n not in unused]
        self.solver = self.x.z3.SolverFor("QF_BV")
        self.states: list[dict[str, list[Term]]] = []
        self.chosen: list[tuple[Term, dict[str, dict[str, list[Term]]]]] = []
        s = self._new_state(0)
        self.current = s
        self.solver.add(
            self.instance.bounds(self.states[0]),
            self.instance.maps_in_range(s),
            initial(self.x, s),
            *self._mkfs(s),
        )

    def runs(self, depth: int) -> Iterator[Run]:
        """Yield runs of at most ``depth`` steps, shortest first, each with other steps.

        Raises :class:`Undecided` at the first depth that z3 does not decide.
        """
        for n in range(depth):
            self._unroll(n)
            self.solver.push()
            self.solver.add(self.x.lnot(self.sentence(self.x, self.current)))
            while demand(self.solver, f"a run of {n + 1} steps"):
                model = self.solver.model()
                yield self._decode(model)
                taken = [c == model.eval(c, model_completion=True) for c, _ in self.chosen]
                self.solver.add(self.x.lnot(self.x.land(*taken)))
            self.solver.pop()

    def _new_state(self, n: int) -> State:
        s, tables = self.instance.variables(f"s{n}_", fields_of_state())
        self.states.append(tables)
        return s

    def _mkfs(self, s: State) -> list[Term]:
        """The disk that ``model.recovery.mkfs`` makes: the first blocks written, the rest free."""
        x = self.x
        used = lambda c: c < x.up(s.isz)  # noqa: E731
        return [
            x.cells(
                lambda c: x.land(
                    s.wr(c) == used(c),
                    (s.map(c) != HOLE) == used(c),
                    x.implies(used(c), s.map(c) == c),
                )
            ),
            x.phys(
                lambda d: x.land(
                    (s.pst(d) == 1) == used(d),
                    x.implies(s.pst(d) == 0, s.cached(d) == s.is_foreign),
                )
            ),
            s.target == 0,
            s.m_size == 0,
            x.lnot(s.m_orphan),
            x.cells(lambda c: x.lnot(s.dirty(c))),
            # One colour: OLD inside the file, or what an earlier append left behind EOF.
            x.lor(*(x.lnot(s.cached(x.number(d))) for d in range(2))),
        ]

    def _unroll(self, n: int) -> None:
        x, s = self.x, self.current
        choice = x.z3.BitVec(f"step{n}", x.BITS)
        after = self._new_state(n + 1)
        tables = self.states[n + 1]
        moves: list[tuple[Term, Move]] = []
        parameters: dict[str, dict[str, list[Term]]] = {}
        for number, name in enumerate(self.names):
            look()
            step = STEPS[name]
            p, ptables = self.instance.variables(f"p{n}_{name}_", step.params)
            parameters[name] = ptables
            move = step.take(x, self.rules, s, p)
            picked = choice == number
            self.solver.add(
                x.implies(
                    picked,
                    x.land(
                        move.guard,
                        self.instance.bounds(ptables),
                        _in_tables(x, step.params, p),
                        self._realistic(name, s, p),
                    ),
                )
            )
            moves.append((picked, move))
        self.solver.add(x.lor(*(picked for picked, _ in moves)))
        for name, table in tables.items():
            for index, term in enumerate(table):
                self.solver.add(term == self._next(name, index, moves, FIELDS[name].kind))
        self.solver.add(self.instance.maps_in_range(after))
        self.chosen.append((choice, parameters))
        self.current = after

    def _next(self, name: str, index: int, moves: list[tuple[Term, Move]], kind: str) -> Term:
        x = self.x
        at: Callable[[Any], Term] = lambda v: v if kind == SCALAR else v(x.number(index))  # noqa: E731
        value = at(getattr(self.current, name))
        for picked, move in moves:
            if name in move.changes:
                value = x.ite(picked, at(move.changes[name]), value)
        return value

    def _realistic(self, name: str, s: State, p: State) -> Term:
        """Return what a run demands beyond the guard: what the kernel does, and no more."""
        x = self.x
        demands: list[Term] = []
        if name in _BLOCKWISE:
            demands += self._one_block(p)
        demand = getattr(self, f"_demand_{name}", None)
        return x.land(*demands, demand(s, p) if demand else x.true)

    def _demand_write(self, s: State, p: State) -> Term:
        inside = self._blocks(lambda c: self.x.land(p.start <= c, c < p.stop))
        exactly = self.x.cells(lambda c: p.dirt(c) == inside(c))
        return self.x.land(p.stop <= self.x.up(p.start + 1), exactly)

    def _demand_store(self, s: State, p: State) -> Term:
        # Behind the EOF block a store reserves nothing: writeback finds a hole there.
        x = self.x
        stored = self._blocks(lambda c: x.land(c == p.at, p.at < x.up(s.isz)))
        return x.cells(lambda c: p.dirt(c) == stored(c))

    def _demand_zero_eof(self, s: State, p: State) -> Term:
        x = self.x
        mapped = lambda c: x.land(in_tail(x, s, c), s.map(c) != HOLE)  # noqa: E731
        dirt = self._blocks(lambda c: x.lor(mapped(c), x.land(in_tail(x, s, c), s.dirty(c))))
        exactly = x.cells(lambda c: p.dirt(c) == dirt(c))
        if self.rules.eof == NO_RULE:
            return exactly
        return x.land(exactly, x.cells(lambda c: p.mark(c) == mapped(c)))

    def _demand_zero_behind_eof(self, s: State, p: State) -> Term:
        return self.x.cells(lambda c: self.x.lnot(self.x.lor(p.drop(c), p.dirt(c))))

    def _demand_allocate(self, s: State, p: State) -> Term:
        """Lowest dirty hole to the lowest free block, cell by cell in order."""
        x = self.x
        return x.land(
            x.cells(
                lambda c: x.implies(p.cells(c), x.land(s.dirty(c), (p.place(c) & 1) == (c & 1)))
            ),
            x.pairs(
                lambda c, e: x.implies(
                    x.land(p.cells(c), e < (c & ~1), s.dirty(e)), s.map(e) != HOLE
                )
            ),
            x.cells(
                lambda c: x.phys(
                    lambda d: x.implies(x.land(p.cells(c), d < (p.place(c) & ~1)), s.pst(d) != FREE)
                )
            ),
        )

    def _demand_build(self, s: State, p: State) -> Term:
        x = self.x
        return x.cells(lambda c: x.implies(p.cells(c), p.end == x.least(x.up(c + 1), s.isz)))

    def _demand_submit(self, s: State, p: State) -> Term:
        x = self.x
        some = x.lnot(x.cells(lambda c: x.lnot(x.land(p.cells(c), s.need(c)))))
        return x.land(p.orders == some, x.cells(lambda c: x.implies(p.cells(c), p.end == s.end(c))))

    def _demand_complete(self, s: State, p: State) -> Term:
        x = self.x
        plain = lambda c: x.land(s.wr(c), s.end(c) <= s.dsz, x.lnot(s.orders(c)))  # noqa: E731
        return x.cells(lambda c: x.implies(p.cells(c), p.inline == plain(c)))

    def _demand_truncate_sizes(self, s: State, p: State) -> Term:
        """No plain overwrite is in flight: who completes it was decided before i_disksize fell."""
        x = self.x
        plain = lambda c: x.land(s.wr(c), s.end(c) <= s.dsz, x.lnot(s.orders(c)))  # noqa: E731
        return x.cells(lambda c: x.implies(s.io(c) == SUBMITTED, x.lnot(plain(c))))

    def _demand_finish(self, s: State, p: State) -> Term:
        there = self.x.land(s.end(p.one) <= s.dsz, self.x.lnot(s.orders(p.one)))
        return self.x.land(p.skip == there)

    def _one_block(self, p: State) -> list[Term]:
        x = self.x
        firsts = [x.number(b) for b in range(0, x.nr_cells, _PER_BLOCK)]
        alone = [
            x.lnot(x.land(p.cells(a), p.cells(b))) for a in firsts for b in firsts if a is not b
        ]
        return [
            *alone,
            x.lor(*(p.cells(a) for a in firsts)),
            *(p.cells(a) == p.cells(a + 1) for a in firsts),
        ]

    def _blocks(self, where: Callable[[Term], Term]) -> Callable[[Term], Term]:
        """Return whether a cell's block has a cell that ``where`` says."""
        return lambda c: self.x.lor(*(where((c & ~1) + n) for n in range(_PER_BLOCK)))

    def _decode(self, model: Any) -> Run:
        steps = []
        for choice, parameters in self.chosen:
            number = model.eval(choice, model_completion=True).as_long()
            name = self.names[number]
            steps.append(_taken(self.instance, model, name, parameters[name]))
        first = self.instance.values(model, self.states[0])
        return Run(first, steps, self.instance.values(model, self.states[-1]))


def search(
    rules: Rules, prop: str, depth: int = RUN_DEPTH, without: frozenset[str] = frozenset()
) -> Iterator[Run]:
    """Yield runs that break the property ``prop``, of at most ``depth`` steps, shortest first.

    Raises :class:`Undecided` as :meth:`Search.runs` does.
    ``without`` are steps they do not take: a run that needs none of them is found sooner.
    """
    unused = _NOT_IN_RUNS | without | (frozenset() if prop == "fsync" else _SYNCS)
    return Search(rules, PROPERTIES[prop].sentence, unused).runs(depth)
