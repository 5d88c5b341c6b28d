"""The restricted coroutine language: what a path or a helper function may contain.

A *path* is a generator function; a *helper* is a function without ``yield`` that runs inside one
step.  Both take the state root as their first parameter.  Allowed are: small-int locals and
pointers to declared structs, assignment, ``if``, ``while``, ``for`` over ``range``, ``assert``,
``return``, integer and boolean expressions, calls of helpers and of ``min``/``max``, and in paths
``yield``, ``yield lambda: condition`` and ``[x =] yield from path(...)``.  Everything else is
rejected here with file, line and reason, before anything runs, so that native and compiled runs
cannot differ by a construct only one of them knows.

Rejected: compiling arbitrary Python through bytecode (unreadable errors, tied to one interpreter).
"""

import ast
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from pathlib import Path as FilePath
from typing import Any, get_type_hints

from powercut.checkers.engine.errors import LanguageError
from powercut.model.language import Struct

BUILTINS = {"min": min, "max": max}

_STATEMENTS = (
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.If,
    ast.While,
    ast.For,
    ast.Return,
    ast.Pass,
    ast.Break,
    ast.Continue,
    ast.Expr,
    ast.Assert,
)
_EXPRESSIONS = (
    ast.Name,
    ast.Constant,
    ast.Attribute,
    ast.Subscript,
    ast.BinOp,
    ast.BoolOp,
    ast.UnaryOp,
    ast.Compare,
    ast.IfExp,
    ast.Call,
)
_OPERATORS = (
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.FloorDiv,
    ast.Mod,
    ast.BitAnd,
    ast.BitOr,
    ast.BitXor,
    ast.LShift,
    ast.RShift,
    ast.And,
    ast.Or,
    ast.Not,
    ast.Invert,
    ast.USub,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Load,
    ast.Store,
    ast.expr_context,
)


@dataclass(frozen=True, slots=True)
class Text:
    """The parsed text of a function whose file has another one; it is its ``__text__``.

    A ``yield`` that the file does not have carries its label as the attribute ``label``.
    """

    node: ast.FunctionDef
    file: str


@dataclass(slots=True)
class Source:
    """A parsed function of the model.

    ``stores`` counts the assignments to each local (a ``for`` target counts as one); it feeds the
    substitution of aliases in ``graph``.
    """

    function: Callable[..., Any]
    node: ast.FunctionDef
    file: str
    is_path: bool
    parameters: list[str]
    hints: dict[str, Any]
    lines: list[str]
    stores: dict[str, int] = field(default_factory=dict)
    loop_targets: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.node.name

    def error(self, node: ast.AST, reason: str) -> LanguageError:
        """Build the rejection of ``node``, naming file and line."""
        return LanguageError(self.file, getattr(node, "lineno", self.node.lineno), reason)

    def comment(self, line: int) -> str:
        """Return the comment behind a statement of the language, which has no strings."""
        comment = self.lines[line - 1].partition("#")[2]
        return "" if "noqa" in comment else comment.lstrip("# ").strip()

    def label(self, node: ast.Yield) -> str:
        """Return the comment beside a preemption point."""
        if hasattr(node, "label"):
            return str(node.label)
        return self.comment(node.lineno) or self.comment(node.end_lineno or 1)

    def resolve(self, name: str) -> Any:
        """Return the global object ``name`` stands for, or ``None``."""
        if name in BUILTINS:
            return BUILTINS[name]
        return getattr(self.function, "__globals__", {}).get(name)


@cache
def text_of(path: str) -> str:
    """Return the text of a source file, read once: what is parsed is what was fingerprinted.

    Raises :class:`OSError` and :class:`ValueError`.
    """
    return FilePath(path).read_text(encoding="utf-8")


@cache
def _lines(path: str) -> list[str]:
    return text_of(path).split("\n")


@cache
def _functions(path: str) -> dict[int, ast.FunctionDef]:
    """Return the functions of a file by the line they start in, decorators included."""
    out: dict[int, ast.FunctionDef] = {}
    todo: list[ast.AST] = list(ast.parse(text_of(path)).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef):
            out[min([node.lineno, *(d.lineno for d in node.decorator_list)])] = node
        for suite in ("body", "orelse", "finalbody", "handlers"):
            inner = getattr(node, suite, None)
            todo += inner if isinstance(inner, list) else []
    return out


@cache
def load(function: Callable[..., Any]) -> Source:
    """Parse and validate ``function``.  Raises :class:`LanguageError` outside the language."""
    if not isinstance(function, types.FunctionType):
        raise LanguageError("<unknown>", 0, f"{function!r} is not a plain Python function")
    path, first = function.__code__.co_filename, function.__code__.co_firstlineno
    text: Text | None = getattr(function, "__text__", None)
    file = text.file if text else _short(path, function.__module__)
    node = text.node if text else _functions(path).get(first)
    if node is None:
        raise LanguageError(file, first, "expected a plain function")
    is_path = any(isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(node))
    source = Source(
        function=function,
        node=node,
        file=file,
        is_path=is_path,
        parameters=[a.arg for a in node.args.args],
        hints=_hints(function, file, first),
        lines=_lines(path),
    )
    _check_signature(source)
    _check_body(source, node.body, loops=())
    return source


def _hints(function: Callable[..., Any], file: str, line: int) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except NameError as error:
        raise LanguageError(file, line, f"an annotation of {function.__name__}: {error}") from None


def _short(path: str, module: str) -> str:
    """Return the place as people say it: from the folder below ``powercut`` on, or the last two."""
    parts = FilePath(path).parts
    names = module.split(".")
    return "/".join(parts[1 - len(names) :] if names[0] == "powercut" else parts[-2:])


def _check_signature(source: Source) -> None:
    args = source.node.args
    if args.vararg or args.kwarg or args.kwonlyargs or args.defaults or args.posonlyargs:
        raise source.error(source.node, "only plain positional parameters without defaults")
    if source.node.decorator_list:
        raise source.error(source.node, "decorators are not allowed on model functions")
    if not source.parameters:
        raise source.error(source.node, "the first parameter must be the state root")


def _check_body(source: Source, body: list[ast.stmt], loops: tuple[str, ...]) -> None:
    for statement in body:
        _check_statement(source, statement, loops)


def _check_statement(source: Source, node: ast.stmt, loops: tuple[str, ...]) -> None:
    if not isinstance(node, _STATEMENTS):
        raise source.error(node, f"{type(node).__name__} is outside the model's language")
    if isinstance(node, ast.Assign):
        if len(node.targets) != 1:
            raise source.error(node, "assign to one target at a time")
        _check_target(source, node.targets[0])
        _check_value(source, node.value)
    elif isinstance(node, ast.AnnAssign):
        _check_target(source, node.target)
        if node.value is None:
            raise source.error(node, "a declared local needs a value")
        _check_value(source, node.value)
    elif isinstance(node, ast.AugAssign):
        _check_target(source, node.target)
        _check_operators(source, node)
        _check_expression(source, node.value)
    elif isinstance(node, ast.If | ast.While):
        if isinstance(node, ast.While) and node.orelse:
            raise source.error(node, "a loop with else is outside the model's language")
        _check_expression(source, node.test)
        _check_body(source, node.body, loops)
        _check_body(source, node.orelse, loops)
    elif isinstance(node, ast.For):
        _check_for(source, node, loops)
    elif isinstance(node, ast.Assert):
        _check_expression(source, node.test)
        if node.msg is not None and not isinstance(node.msg, ast.Constant):
            raise source.error(node, "the message of an assert is a plain string")
    elif isinstance(node, ast.Return) and node.value is not None:
        _check_value(source, node.value)
    elif isinstance(node, ast.Expr) and not _is_docstring(node):
        _check_effect(source, node)


def _check_for(source: Source, node: ast.For, loops: tuple[str, ...]) -> None:
    if node.orelse or not isinstance(node.target, ast.Name):
        raise source.error(node, "write `for name in range(...)` without else")
    call = node.iter
    is_range = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    if not is_range or call.func.id != "range" or not 1 <= len(call.args) <= 2:  # type: ignore[attr-defined]
        raise source.error(node, "a for loop runs over range(stop) or range(start, stop) only")
    assert isinstance(call, ast.Call)
    if node.target.id in loops:
        raise source.error(node, f"an outer loop has the loop variable {node.target.id!r} already")
    _check_not_root(source, node.target)
    for arg in call.args:
        _check_expression(source, arg)
    source.loop_targets.add(node.target.id)
    source.stores[node.target.id] = source.stores.get(node.target.id, 0) + 1
    _check_body(source, node.body, (*loops, node.target.id))


def _check_target(source: Source, target: ast.expr) -> None:
    if isinstance(target, ast.Name):
        source.stores[target.id] = source.stores.get(target.id, 0) + 1
        _check_not_root(source, target)
        if target.id in source.loop_targets:
            raise source.error(target, f"the loop variable {target.id!r} must not be assigned")
        return
    if not isinstance(target, ast.Attribute | ast.Subscript):
        raise source.error(target, "assign to a local or to a declared variable")
    _check_expression(source, target)


def _check_not_root(source: Source, target: ast.Name) -> None:
    if target.id == source.parameters[0]:
        raise source.error(target, f"the state root {target.id!r} must not be assigned")


def _check_value(source: Source, value: ast.expr) -> None:
    if isinstance(value, ast.YieldFrom):
        _check_call(source, value.value)
        return
    _check_expression(source, value)


def _check_call(source: Source, value: ast.expr) -> None:
    if not isinstance(value, ast.Call):
        raise source.error(value, "`yield from` takes a call of another path")
    _check_expression(source, value)


def _check_effect(source: Source, node: ast.Expr) -> None:
    value = node.value
    if isinstance(value, ast.Yield):
        if value.value is None:
            return
        if not isinstance(value.value, ast.Lambda) or ast.unparse(value.value.args):
            raise source.error(node, "yield nothing, or `lambda: condition`")
        _check_expression(source, value.value.body)
    elif isinstance(value, ast.YieldFrom):
        _check_call(source, value.value)
    elif isinstance(value, ast.Call):
        _check_expression(source, value)
    else:
        raise source.error(node, "an expression without effect")


def _check_expression(source: Source, node: ast.expr) -> None:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Yield | ast.YieldFrom):
            raise source.error(inner, "yield must be a statement of its own or `x = yield from`")
        if isinstance(inner, ast.Constant) and not isinstance(inner.value, int):
            raise source.error(inner, f"the constant {inner.value!r} is not a small number")
        if isinstance(inner, ast.Call) and (not isinstance(inner.func, ast.Name) or inner.keywords):
            raise source.error(inner, "call functions by name, with positional arguments")
        if isinstance(inner, ast.Compare) and len(inner.ops) != 1 and _has_call(inner):
            raise source.error(inner, "a chained comparison must not call functions")
        if isinstance(inner, ast.expr) and not isinstance(inner, _EXPRESSIONS):
            raise source.error(inner, f"{type(inner).__name__} is outside the model's language")
        _check_operators(source, inner)


def _check_operators(source: Source, node: ast.AST) -> None:
    """Operators carry no line of their own, so they are checked from the node that holds them."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.expr, *_OPERATORS)):
            raise source.error(node, f"{type(child).__name__} is outside the model's language")


def _has_call(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Call) for n in ast.walk(node))


def _is_docstring(node: ast.Expr) -> bool:
    return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def constant_value(source: Source, node: ast.expr) -> int | None:
    """Return the number ``node`` names (a literal, a global number, an enum member), if it does."""
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int)
        return int(node.value)
    if isinstance(node, ast.Name):
        value = source.resolve(node.id)
        return int(value) if isinstance(value, int) else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        holder = source.resolve(node.value.id)
        if isinstance(holder, type) and issubclass(holder, IntEnum):
            if node.attr not in holder.__members__:
                raise source.error(node, f"{holder.__name__} has no member {node.attr!r}")
            return int(holder[node.attr])
    return None


def callee(source: Source, call: ast.Call) -> Source:
    """Return the function that ``call`` in ``source`` calls; check the number of arguments."""
    assert isinstance(call.func, ast.Name)
    function = source.resolve(call.func.id)
    if not isinstance(function, types.FunctionType):
        raise source.error(call, f"{call.func.id!r} is not a function of the model")
    called = load(function)
    if len(call.args) != len(called.parameters):
        raise source.error(call, f"{called.name} takes {len(called.parameters)} arguments")
    return called


def struct_hint(source: Source, name: str) -> type[Struct] | None:
    """Return the declared struct class a parameter or the return value is annotated with."""
    hint = source.hints.get(name)
    return hint if isinstance(hint, type) and issubclass(hint, Struct) else None
