"""One notation, three readings: concrete values, a finite instance, any number of cells.

What: the protocol is written once, against :class:`Logic`.  ``Concrete`` evaluates it on numbers
(the bridge to the executable model), ``Finite`` expands every quantifier over a few cells and works
on bit vectors (counterexamples, bounded search), ``Unbounded`` keeps the quantifiers and works on
mathematical integers (the proofs).
Why so: three separately written versions would be three protocols.  z3 is imported when a solver is
wanted, and its untyped terms are ``Any`` here and nowhere hidden.
Rejected: proving on the finite instance (says nothing about larger files) and refuting on the
unbounded one (z3 answers "unknown" where a quantified invariant fails).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import reduce
from typing import Any

Term = Any
"""A truth value or a number in whichever reading: ``bool`` and ``int``, or a z3 term."""

HOLE = -1
"""The physical cell of a cell that has none."""


class Logic(ABC):
    """What the protocol may say.  ``cells`` and ``phys`` quantify over file and disk cells."""

    true: Term = True
    false: Term = False

    @abstractmethod
    def land(self, *terms: Term) -> Term:
        """All of ``terms``."""

    @abstractmethod
    def lor(self, *terms: Term) -> Term:
        """Some of ``terms``."""

    @abstractmethod
    def lnot(self, term: Term) -> Term:
        """Not ``term``."""

    @abstractmethod
    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term:
        """``then`` where ``condition``, else ``otherwise``."""

    @abstractmethod
    def cells(self, body: Callable[[Term], Term]) -> Term:
        """``body`` holds of every cell of the file."""

    def pairs(self, body: Callable[[Term, Term], Term]) -> Term:
        """``body`` holds of every two cells of the file."""
        return self.cells(lambda c: self.cells(lambda d: body(c, d)))

    @abstractmethod
    def phys(self, body: Callable[[Term], Term]) -> Term:
        """``body`` holds of every cell of the disk."""

    @abstractmethod
    def up(self, cell: Term) -> Term:
        """Return the first block boundary at or behind ``cell``."""

    def number(self, value: int) -> Term:
        """Return a constant."""
        return value

    def implies(self, premise: Term, conclusion: Term) -> Term:
        """``premise`` implies ``conclusion``."""
        return self.lor(self.lnot(premise), conclusion)

    def least(self, a: Term, b: Term) -> Term:
        """Return the smaller of two numbers."""
        return self.ite(a < b, a, b)

    def most(self, a: Term, b: Term) -> Term:
        """Return the larger of two numbers."""
        return self.ite(a < b, b, a)


class Concrete(Logic):
    """Plain values; ``nr_cells`` cells, ``nr_phys`` disk cells, blocks of ``per_block`` cells."""

    def __init__(self, nr_cells: int, nr_phys: int, per_block: int) -> None:
        self.nr_cells = nr_cells
        self.nr_phys = nr_phys
        self.per_block = per_block

    def land(self, *terms: Term) -> Term:
        return all(terms)

    def lor(self, *terms: Term) -> Term:
        return any(terms)

    def lnot(self, term: Term) -> Term:
        return not term

    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term:
        return then if condition else otherwise

    def cells(self, body: Callable[[Term], Term]) -> Term:
        return all(body(c) for c in range(self.nr_cells))

    def phys(self, body: Callable[[Term], Term]) -> Term:
        return all(body(p) for p in range(self.nr_phys))

    def up(self, cell: Term) -> Term:
        return -(-cell // self.per_block) * self.per_block


class Solver(Logic):
    """What both symbolic readings share: z3's connectives."""

    def __init__(self) -> None:
        import z3

        self.z3: Any = z3
        self.true = z3.BoolVal(True)
        self.false = z3.BoolVal(False)

    def land(self, *terms: Term) -> Term:
        return self.z3.And(*terms)

    def lor(self, *terms: Term) -> Term:
        return self.z3.Or(*terms)

    def lnot(self, term: Term) -> Term:
        return self.z3.Not(term)

    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term:
        return self.z3.If(condition, then, otherwise)


class Finite(Solver):
    """``nr_cells`` cells in blocks of two, ``nr_phys`` disk cells; numbers are 5-bit vectors."""

    BITS = 5

    def __init__(self, nr_cells: int, nr_phys: int) -> None:
        super().__init__()
        self.nr_cells = nr_cells
        self.nr_phys = nr_phys

    def sort(self) -> Term:
        """Return the sort of numbers."""
        return self.z3.BitVecSort(self.BITS)

    def number(self, value: int) -> Term:
        return self.z3.BitVecVal(value, self.BITS)

    def cells(self, body: Callable[[Term], Term]) -> Term:
        return self.z3.And(*(body(self.number(c)) for c in range(self.nr_cells)))

    def phys(self, body: Callable[[Term], Term]) -> Term:
        return self.z3.And(*(body(self.number(p)) for p in range(self.nr_phys)))

    def up(self, cell: Term) -> Term:
        return cell + (cell & 1)

    def table(self, entries: list[Term]) -> Callable[[Term], Term]:
        """Return the function that ``entries`` tabulate."""

        def apply(index: Term) -> Term:
            if self.z3.is_bv_value(index):
                return entries[min(index.as_long(), len(entries) - 1)]
            numbered = list(enumerate(entries))[:-1]
            return reduce(
                lambda rest, entry: self.z3.If(index == entry[0], entry[1], rest),
                reversed(numbered),
                entries[-1],
            )

        return apply


class Unbounded(Solver):
    """Cells are all integers; a block may have any number of cells, different ones even.

    Of :meth:`up` only what a rounding to boundaries satisfies is known (``axioms``), so a proof
    holds for every block size.
    """

    def __init__(self) -> None:
        super().__init__()
        self._up = self.z3.Function("up", self.z3.IntSort(), self.z3.IntSort())
        self._fresh = 0

    def sort(self) -> Term:
        """Return the sort of numbers."""
        return self.z3.IntSort()

    def number(self, value: int) -> Term:
        return self.z3.IntVal(value)

    def cells(self, body: Callable[[Term], Term]) -> Term:
        self._fresh += 1
        bound = self.z3.Int(f"q{self._fresh}")
        return self.z3.ForAll([bound], body(bound))

    def pairs(self, body: Callable[[Term, Term], Term]) -> Term:
        self._fresh += 2
        c, d = self.z3.Ints(f"q{self._fresh - 1} q{self._fresh}")
        return self.z3.ForAll([c, d], body(c, d))

    def phys(self, body: Callable[[Term], Term]) -> Term:
        return self.cells(body)

    def up(self, cell: Term) -> Term:
        return self._up(cell)

    def axioms(self) -> list[Term]:
        """Return what is assumed of block boundaries."""
        x, y = self.z3.Ints("x y")
        up = self._up
        return [
            self.z3.ForAll([x], self.z3.And(up(x) >= x, up(up(x)) == up(x)), patterns=[up(x)]),
            self.z3.ForAll(
                [x, y],
                self.z3.And(
                    self.z3.Implies(x <= y, up(x) <= up(y)),
                    self.z3.Implies(self.z3.And(x <= y, y <= up(x)), up(y) == up(x)),
                ),
                patterns=[self.z3.MultiPattern(up(x), up(y))],
            ),
        ]
