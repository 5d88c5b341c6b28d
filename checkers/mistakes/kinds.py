"""What can be taken for something else: fields of the same kind, and numbers of one family.

Both are read from the declarations of the state: a field's kind is its struct, whether it is an
array, and its bound; a family of numbers is a block of assignments without an empty line.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from powercut.model import state
from powercut.model.language import Array, Max, Struct

_FAMILIES = ("HOLE", "BLOCK_FREE", "IOEND_NONE", "WB_SYNC_NONE", "T_NONE", "TID_DONE", "OK")
"""First names of the families that kernel code chooses from; colours, contexts and the EOF rules
of the designs are none."""

_LEFT_OUT = frozenset({"mutant", "eof_rule", "revision", "oracle", "stable"})
"""Fields that say which program runs, and what the oracle keeps."""

Kind = tuple[object, ...]


@cache
def families() -> Mapping[str, tuple[str, ...]]:
    """Return, by name of a number, the names of its family in their order."""
    out: dict[str, tuple[str, ...]] = {}
    for block in inspect.getsource(state).split("\n\n"):
        nodes = ast.parse(block).body if _is_block_of_numbers(block) else []
        targets = [n.targets[0] for n in nodes if isinstance(n, ast.Assign)]
        names = tuple(t.id for t in targets if isinstance(t, ast.Name))
        if names and names[0] in _FAMILIES:
            out |= dict.fromkeys(names, names)
    return out


def _is_block_of_numbers(block: str) -> bool:
    lines = [line for line in block.strip().splitlines() if not line.startswith("#")]
    return bool(lines) and all(" = " in line and line[0].isupper() for line in lines)


def neighbours(names: tuple[str, ...], name: str) -> list[str]:
    """Return the name before and the one after ``name``, around the end; each once."""
    at = names.index(name)
    around = (names[at - 1], names[(at + 1) % len(names)])
    return [other for other in dict.fromkeys(around) if other != name]


def fields_of(struct: type[Struct]) -> Mapping[str, tuple[Kind, Any]]:
    """Return the fields of a struct of the state: their kind, and the struct they hold, if any."""
    return _fields(struct.__name__)


@cache
def _fields(struct: str) -> Mapping[str, tuple[Kind, Any]]:
    hints = get_type_hints(getattr(state, struct), include_extras=True)
    return {name: _kind(hint) for name, hint in hints.items() if name not in _LEFT_OUT}


def _kind(hint: Any) -> tuple[Kind, Any]:
    marks: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        marks = tuple(rest)
    is_array = get_origin(hint) is Array
    element = get_args(hint)[0] if is_array else hint
    bounds = tuple(mark.bound for mark in marks if isinstance(mark, Max))
    if get_origin(element) is Annotated:
        element, *rest = get_args(element)
        bounds += tuple(mark.bound for mark in rest if isinstance(mark, Max))
    held = element if isinstance(element, type) and issubclass(element, Struct) else None
    return (is_array, element, bounds), held


def alike(struct: type[Struct], name: str) -> list[str]:
    """Return the fields of ``struct`` next to ``name`` that could be taken for it."""
    fields = fields_of(struct)
    if name not in fields:
        return []
    same = tuple(other for other, (kind, _) in fields.items() if kind == fields[name][0])
    return neighbours(same, name)


class Types:
    """The structs that the expressions of one function stand for, as far as its names tell."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.locals: dict[str, type[Struct]] = {}
        for argument in function.args.args:
            held = (
                getattr(state, ast.unparse(argument.annotation), None)
                if (argument.annotation)
                else None
            )
            if isinstance(held, type) and issubclass(held, Struct):
                self.locals[argument.arg] = held
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found = self.struct_of(node.value)
                if found is not None:
                    self.locals[node.targets[0].id] = found

    def struct_of(self, node: ast.expr) -> type[Struct] | None:
        """Return the struct that ``node`` is, an array counting as its element."""
        if isinstance(node, ast.Name):
            return self.locals.get(node.id)
        if isinstance(node, ast.Subscript):
            return self.struct_of(node.value)
        if isinstance(node, ast.Attribute):
            owner = self.struct_of(node.value)
            return fields_of(owner).get(node.attr, ((), None))[1] if owner else None
        return None

    def others(self, whole: ast.expr) -> Iterator[tuple[ast.Attribute, str]]:
        """Yield the fields in ``whole``, each with a name that it could be taken for."""
        for node in ast.walk(whole):
            if isinstance(node, ast.Attribute):
                owner = self.struct_of(node.value)
                for name in alike(owner, node.attr) if owner else []:
                    yield node, name
