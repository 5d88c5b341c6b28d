"""The kernel paths as text that can be edited: functions, statements, and where they stand.

A mistake is an edit of the text and not of the tree, because a survivor is read as a patch.

Left out: the state, the designs and the scopes (declarations), the oracle (it judges), the disk
and its fault model, the tasks and the lock primitives (they are what the kernel paths run on), and
recovery (plain Python, outside the model's language).
"""

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from powercut.checkers.weave.patch import model_sources

PATHS = ("model/fs/", "model/mm/", "model/block/bio.py", "model/block/blk_flush.py")
"""Beginnings of the names of the files that mistakes are made in."""

_ORACLE = "powercut.model.oracle"


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes ``start`` to ``end`` of a file become ``new``."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class SourceFile:
    """A file of the model: its ``name`` (``model/...``) and its ``text``."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text)

    @cached_property
    def data(self) -> bytes:
        """The text as bytes, which places in a tree count."""
        return self.text.encode()

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.data.split(b"\n"):
            starts.append(starts[-1] + len(line) + 1)
        return starts

    @cached_property
    def imported(self) -> frozenset[str]:
        """The names that the file imports."""
        imports = (node for node in self.tree.body if isinstance(node, ast.ImportFrom))
        return frozenset(alias.name for node in imports for alias in node.names)

    @cached_property
    def oracle(self) -> frozenset[str]:
        """What the file calls of the oracle: no part of the kernel."""
        imports = (node for node in self.tree.body if isinstance(node, ast.ImportFrom))
        return frozenset(
            alias.name for node in imports if node.module == _ORACLE for alias in node.names
        )

    def functions(self) -> Iterator[ast.FunctionDef]:
        """Yield the functions, in order."""
        yield from (node for node in self.tree.body if isinstance(node, ast.FunctionDef))

    def edit(self, node: ast.expr, new: str) -> Edit:
        """Replace an expression."""
        start = self._starts[node.lineno - 1] + node.col_offset
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return Edit(start, self._starts[node.end_lineno - 1] + node.end_col_offset, new)

    def lines_of(self, node: ast.stmt) -> Edit:
        """Return the removal of the whole lines of a statement, with the comment behind it."""
        assert node.end_lineno is not None
        return Edit(self._starts[node.lineno - 1], self._starts[node.end_lineno], "")

    def words(self, node: ast.stmt) -> str:
        """Return the whole lines of a statement."""
        span = self.lines_of(node)
        return self.data[span.start : span.end].decode()

    def replace(self, node: ast.stmt, new: str) -> Edit:
        """Replace a statement by the line ``new``, indented as the statement is."""
        span = self.lines_of(node)
        return Edit(span.start, span.end, f"{' ' * node.col_offset}{new}\n")

    def insert_before(self, node: ast.stmt, lines: str) -> Edit:
        """Insert whole lines before a statement."""
        at = self.lines_of(node).start
        return Edit(at, at, lines)

    def insert_after(self, node: ast.stmt, lines: str) -> Edit:
        """Insert whole lines after a statement."""
        at = self.lines_of(node).end
        return Edit(at, at, lines)

    def edited(self, edits: Sequence[Edit]) -> str:
        """Return the text with ``edits``, which do not overlap."""
        data = self.data
        for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
            data = data[: edit.start] + edit.new.encode() + data[edit.end :]
        return data.decode()


def kernel_files() -> list[SourceFile]:
    """Return the files with the kernel's paths, in the order of their names."""
    return [
        SourceFile(name, text)
        for name, text in sorted(model_sources().items())
        if name.startswith(PATHS)
    ]


def is_docstring(node: ast.stmt) -> bool:
    """Tell whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def bodies(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield every list of statements inside ``node``, outer ones first, docstrings left out."""
    for name in ("body", "orelse"):
        body: list[ast.stmt] = getattr(node, name, [])
        kept = [inner for inner in body if not is_docstring(inner)]
        if kept:
            yield kept
        for inner in kept:
            yield from bodies(inner)


def statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield every statement inside ``node``."""
    for body in bodies(node):
        yield from body


def expressions(node: ast.stmt) -> list[ast.expr]:
    """Return the whole expressions of a statement that may be rewritten, nested ones left out."""
    if isinstance(node, ast.If | ast.While):
        return [node.test]
    if isinstance(node, ast.For):
        return [node.iter]
    if isinstance(node, ast.Assign):
        return [*(t for t in node.targets if not isinstance(t, ast.Name)), *_value(node.value)]
    if isinstance(node, ast.AugAssign):
        target = [] if isinstance(node.target, ast.Name) else [node.target]
        return [*target, node.value]
    if isinstance(node, ast.Return | ast.Expr | ast.AnnAssign) and node.value is not None:
        return _value(node.value)
    return []


def _value(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.YieldFrom):
        return [node.value]
    if isinstance(node, ast.Yield):
        return [node.value.body] if isinstance(node.value, ast.Lambda) else []
    return [node]


def with_part(whole: ast.expr, part: ast.expr, new: ast.expr) -> str:
    """Return the text of ``whole`` in which ``new`` stands for its node ``part``."""
    return ast.unparse(copy.deepcopy(whole, {id(part): new}))


def call_of(node: ast.stmt) -> ast.Call | None:
    """Return the call that a statement is, or takes its value from."""
    value = getattr(node, "value", None) if isinstance(node, ast.Expr | ast.Assign) else None
    if isinstance(value, ast.YieldFrom):
        value = value.value
    return value if isinstance(value, ast.Call) else None


def callee_of(node: ast.stmt) -> str:
    """Return the name of the function that a statement calls, empty if it calls none."""
    call = call_of(node)
    return call.func.id if call is not None and isinstance(call.func, ast.Name) else ""


def yields(*nodes: ast.AST) -> bool:
    """Tell whether a preemption point may be in any of ``nodes``."""
    kinds = (ast.Yield, ast.YieldFrom)
    return any(isinstance(inner, kinds) for node in nodes for inner in ast.walk(node))
