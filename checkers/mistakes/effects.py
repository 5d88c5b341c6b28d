"""What a statement reads and writes, by field and local: two that do not meet may change places.

Fields are told apart by their names alone, so ``a.x`` and ``b.x`` count as the same.  That errs on
one side: an exchange that might mean something is always kept.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from powercut.checkers.mistakes.source import SourceFile, yields


@dataclass(slots=True)
class Effects:
    """Names that are read and written; ``stops`` if control may leave or others may run."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    stops: bool = False

    def commutes_with(self, other: "Effects") -> bool:
        """Tell whether the order of two statements cannot matter."""
        if self.stops or other.stops:
            return False
        mine, theirs = self.writes, other.writes
        return not (mine & (other.reads | theirs) or theirs & self.reads)


class EffectTable:
    """The effects of statements of the model, through the functions that they call."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self.functions = {node.name: node for file in files for node in file.functions()}
        self.known: dict[str, Effects] = {}

    def of(self, *nodes: ast.stmt) -> Effects:
        """Return the effects of statements together, locals included."""
        found = Effects()
        for node in nodes:
            self._add(node, found)
        return found

    def _add(self, node: ast.AST, found: Effects) -> None:
        leaves = (ast.Return, ast.Break, ast.Continue)
        found.stops |= yields(node) or any(isinstance(n, leaves) for n in ast.walk(node))
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute | ast.Name):
                name = inner.attr if isinstance(inner, ast.Attribute) else f"local {inner.id}"
                (found.writes if isinstance(inner.ctx, ast.Store) else found.reads).add(name)
            if isinstance(inner, ast.Subscript) and isinstance(inner.ctx, ast.Store):
                found.writes |= _names(inner.value)
                found.stops |= isinstance(inner.value, ast.Name)  # an array nobody can tell
            if isinstance(inner, ast.AugAssign):
                found.reads |= _names(inner.target)
            if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
                called = self._of_function(inner.func.id)
                found.reads |= called.reads
                found.writes |= called.writes
                found.stops |= called.stops

    def _of_function(self, name: str) -> Effects:
        if name not in self.known:
            self.known[name] = Effects()
            node = self.functions.get(name)
            if node is not None:
                self.known[name] = _without_locals(self, node)
        return self.known[name]


def _without_locals(table: EffectTable, node: ast.FunctionDef) -> Effects:
    """Return what a helper does to the state; its returns end only itself."""
    found = Effects()
    for statement in node.body:
        table._add(statement, found)
    local = {name for name in found.reads | found.writes if name.startswith("local ")}
    return Effects(found.reads - local, found.writes - local, yields(node))


def _names(node: ast.expr) -> set[str]:
    return {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
