"""What a generated syntax tree reads, stores and calls: asked often, answered once for every node.

Lowering makes new nodes and never changes one it has handed on, and back ends put the same nodes
into many functions; so a node keeps the answer.  Rejected: walking a tree for every question (that
was half of the time of a translation).
"""

import ast
from typing import NamedTuple

_NOTHING: frozenset[str] = frozenset()
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
_NO_CHILDREN = frozenset({"ctx", "op", "ops", "id", "attr", "name", "arg", "kind", "type_comment"})


class Uses(NamedTuple):
    """Names that are read (called functions among them), stored and called below a node.

    ``changes`` tells whether there is a store to a byte of a vector.
    """

    reads: frozenset[str] = _NOTHING
    writes: frozenset[str] = _NOTHING
    calls: frozenset[str] = _NOTHING
    changes: bool = False

    @property
    def names(self) -> frozenset[str]:
        """All names, whatever they are there for."""
        return self.reads | self.writes if self.writes else self.reads


_EMPTY = Uses()


def uses_of(node: ast.AST) -> Uses:
    """Return what is below a finished node of generated code."""
    found: Uses | None = getattr(node, "uses", None)
    if found is None:
        found = _found(node)
        node.uses = found  # type: ignore[attr-defined]
    return found


def uses_in(nodes: list[ast.stmt]) -> Uses:
    """Return what is in a list of statements."""
    return _joined([uses_of(node) for node in nodes])


def _found(node: ast.AST) -> Uses:
    if isinstance(node, ast.Name):
        name = frozenset((node.id,))
        return Uses(writes=name) if isinstance(node.ctx, ast.Store) else Uses(reads=name)
    if isinstance(node, ast.Constant):
        return _EMPTY
    parts = [uses_of(child) for child in children(node)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        parts.append(Uses(calls=frozenset((node.func.id,))))
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        parts.append(Uses(changes=True))
    return _joined(parts)


def _joined(parts: list[Uses]) -> Uses:
    parts = [part for part in parts if part is not _EMPTY]
    if len(parts) < 2:
        return parts[0] if parts else _EMPTY
    return Uses(
        _NOTHING.union(*[part.reads for part in parts]),
        _NOTHING.union(*[part.writes for part in parts]),
        _NOTHING.union(*[part.calls for part in parts]),
        any(part.changes for part in parts),
    )


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below ``node``, without operators and contexts."""
    out: list[ast.AST] = []
    for name in _fields(type(node)):
        value = getattr(node, name, None)
        if isinstance(value, list):
            out += value
        elif isinstance(value, ast.AST):
            out.append(value)
    return out


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    found = _FIELDS.get(kind)
    if found is None:
        names = () if kind is ast.Constant else kind._fields
        found = _FIELDS[kind] = tuple(name for name in names if name not in _NO_CHILDREN)
    return found


def locate(nodes: list[ast.stmt]) -> None:
    """Give every node the position that the compiler insists on; generated code has none."""
    todo: list[ast.AST] = list(nodes)
    while todo:
        node = todo.pop()
        if "lineno" not in node._attributes:
            todo += children(node)
        elif not hasattr(node, "col_offset"):  # else seen before, with all that is below
            node.lineno, node.col_offset = 1, 0  # type: ignore[attr-defined]
            node.end_lineno, node.end_col_offset = 1, 0  # type: ignore[attr-defined]
            todo += children(node)
