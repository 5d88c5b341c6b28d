"""Lowered expressions, and the names that a function sees while it is lowered.

``expressions`` and ``graph`` both build on these; a helper that an expression calls is lowered by
``graph``, so a scope knows only what it asks of the set of helpers (:class:`Helpers`).
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from powercut.checkers.engine.language import Source, struct_hint
from powercut.checkers.engine.layout import (
    SHARED,
    ArrayType,
    IndexCheck,
    Layout,
    NumberType,
    StructType,
)
from powercut.checkers.engine.sums import NOTHING, Sum

ANY_NUMBER = NumberType(255, 255)


class Helpers(Protocol):
    """The helper functions of a program, as far as expressions call them."""

    index_checks: list[IndexCheck]

    def name_of(self, function: Callable[..., Any]) -> str:
        """Return the generated name of ``function``, lowering it on first use."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A lowered expression: a number, or the address (constant + dynamic) of a struct or array."""

    kind: NumberType | ArrayType | StructType
    region: str = SHARED
    constant: Sum = NOTHING
    dynamic: ast.expr | None = None
    is_name: bool = False

    @property
    def struct(self) -> StructType | None:
        """The type of the struct this is the address of; ``None`` for a number."""
        return self.kind if isinstance(self.kind, StructType) else None

    def value(self) -> ast.expr:
        """The expression to emit: the number itself, or the address."""
        if self.dynamic is None:
            return self.constant.node()
        if self.constant == NOTHING:
            return self.dynamic
        return ast.BinOp(self.dynamic, ast.Add(), self.constant.node())


def number(expression: ast.expr, *, is_name: bool = False) -> Operand:
    """Wrap a number-valued expression."""
    if isinstance(expression, ast.Constant):
        assert isinstance(expression.value, int)
        return Operand(ANY_NUMBER, constant=Sum(int(expression.value)))
    return Operand(ANY_NUMBER, dynamic=expression, is_name=is_name)


@dataclass(slots=True)
class Scope:
    """The names one function instance sees, and where new ones go."""

    source: Source
    helpers: Helpers
    layout: Layout
    checked: bool
    root: str = ""
    names: dict[str, Operand] = field(default_factory=dict)

    def declare(self, name: str, emitted: str, kind: StructType | None) -> Operand:
        """Bind a local to the emitted name that holds it."""
        reference = ast.Name(emitted, ast.Load())
        if kind is None:
            operand = Operand(ANY_NUMBER, dynamic=reference, is_name=True)
        else:
            operand = Operand(kind, kind.region, dynamic=reference, is_name=True)
        self.names[name] = operand
        return operand

    def hinted(self, source: Source, name: str) -> StructType | None:
        """Return the struct that parameter ``name`` (or ``"return"``) of ``source`` points to."""
        hint = struct_hint(source, name)
        if hint is None:
            return None
        found = self.layout.structs.get(hint)
        if found is None:
            raise source.error(source.node, f"no declared variable is a {hint.__name__}")
        return found
