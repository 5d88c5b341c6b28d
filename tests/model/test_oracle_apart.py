"""No kernel path touches what the declaration says to be the oracle's."""

import ast
from pathlib import Path
from typing import get_args, get_type_hints

from powercut.model import state
from powercut.model.language import Oracle, Struct

MODEL = Path(__file__).parents[2] / "model"
PATHS = sorted(
    p for folder in ("block", "fs", "kernel", "mm") for p in (MODEL / folder).rglob("*.py")
)


def oracle_fields() -> set[str]:
    """Return the names of the fields that the declaration marks as the oracle's."""
    structs = [s for s in vars(state).values() if isinstance(s, type) and issubclass(s, Struct)]
    return {
        name
        for struct in structs
        for name, hint in get_type_hints(struct, include_extras=True).items()
        if any(isinstance(mark, Oracle) for mark in get_args(hint)[1:])
    }


def touches(source: str, fields: set[str]) -> list[str]:
    """Return what a kernel path must not do: touch such a field, or take in more than a note."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in fields:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.ImportFrom) and node.module == "powercut.model.oracle":
            found += [
                f"line {node.lineno}: imports {alias.name}"
                for alias in node.names
                if not alias.name.startswith("note_")
            ]
    return found


def used_notes(source: str) -> list[str]:
    """Return the notes whose result is used: a note is a statement of its own."""
    tree = ast.parse(source)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id.startswith("note_")
        and id(node) not in statements
    ]


def test_no_kernel_path_touches_the_oracle() -> None:
    assert oracle_fields() == {"oracle"}
    assert len(PATHS) > 40
    found = {}
    for path in PATHS:
        source = path.read_text(encoding="utf-8")
        wrong = touches(source, oracle_fields()) + used_notes(source)
        if wrong:
            found[path.name] = wrong
    assert found == {}


def test_the_oracle_writes_nothing_of_the_kernel() -> None:
    """Its stores go to its own fields, or to names that stand for them."""
    text = (MODEL / "oracle.py").read_text(encoding="utf-8")
    stores = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store)
    ]
    own = ("k.oracle.", "k.stable.oracle.", "oracle.", "promised.", "calls.")
    assert len(stores) > 20
    assert [store for store in stores if not store.startswith(own)] == []


def test_a_path_that_reads_the_oracle_is_found() -> None:
    planted = (
        "from powercut.model.oracle import is_lost\nif k.oracle.misread:\n    x = note_store(k)\n"
    )
    assert touches(planted, oracle_fields()) == ["line 1: imports is_lost", "line 2: k.oracle"]
    assert used_notes(planted) == ["line 3: note_store(k)"]
