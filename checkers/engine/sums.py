"""Numbers of generated code that depend on the array sizes: sums of named parts.

``17 + i * nr_blocks`` has a part that is known when code is generated and one that is not.  A
:class:`Sum` is the first plus named ones, ``f"{factor}*{name}"`` each; ``evaluate`` makes a number
of it when a build for certain sizes is made.

In between a sum has to live in a compiled code object, as a constant that the compiler keeps as it
is and that no number of the program can be mistaken for.  So it is written as text in a constant of
*bytes*, which the model's language has no other use for: :meth:`Sum.node` writes it,
:meth:`Sum.parse` is the only reader.  The constants of one code object are then replaced for each
layout, which takes 20 ms for the whole model, and the steps run with plain numbers.

Rejected: an object as constant (``compile`` refuses it, ``marshal`` cannot keep it); large numbers
as placeholders (the compiler folds arithmetic on them); names looked up at run time (slower steps).
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

Written = int | str
"""A number in generated code: itself, or the name of one that depends on the array sizes."""

_CONSTANT_BYTE = "C@"


@dataclass(frozen=True, slots=True)
class Sum:
    """``number`` plus named numbers, each with its factor."""

    number: int = 0
    names: tuple[tuple[int, str], ...] = ()

    def plus(self, written: Written, factor: int = 1) -> "Sum":
        """Add ``factor`` times a number."""
        if isinstance(written, int):
            return Sum(self.number + factor * written, self.names)
        return Sum(self.number, (*self.names, (factor, written)) if factor else self.names)

    @property
    def text(self) -> str:
        """The same sum is the same text."""
        names = sorted(name if factor == 1 else f"{factor}*{name}" for factor, name in self.names)
        return "+".join((*names, str(self.number)))

    @staticmethod
    @cache
    def parse(text: str) -> "Sum":
        """Return the sum that has this :attr:`text`."""
        *terms, number = text.split("+")
        pairs = (term.rpartition("*") for term in terms)
        return Sum(int(number), tuple((int(f) if star else 1, n) for f, star, n in pairs))

    def evaluate(self, measure: Callable[[str], int]) -> int:
        """Return the number it is where ``measure`` gives the numbers behind the names."""
        return self.number + sum(factor * measure(name) for factor, name in self.names)

    def node(self) -> ast.Constant:
        """Return it as an expression: a number, or bytes that stand for one."""
        return ast.Constant(self.text.encode() if self.names else self.number)


NOTHING = Sum()


def written(number: Written) -> ast.Constant:
    """Return a number of the layout as an expression."""
    return NOTHING.plus(number).node()


def name_of_constant(place: Sum) -> str:
    """Return the global through which generated code reads the constant byte at ``place``."""
    return _CONSTANT_BYTE + place.text


def constant_byte(name: str) -> str | None:
    """Return where in the constant vector the byte is that ``name`` stands for, if it does."""
    return name.removeprefix(_CONSTANT_BYTE) if name.startswith(_CONSTANT_BYTE) else None
