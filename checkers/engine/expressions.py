"""Resolve expressions of the model's language to flat accesses.

``k.inode[i].folio[f].dirty`` becomes ``S[17 + i * 40 + f * 5]``: a number is read from its byte, a
struct is its address.  Constant parts of addresses are added up when the graph is built; those that
depend on the array sizes keep their names (``layout.Written``), joined by ``+`` in a constant of
bytes, and become numbers when a build for certain sizes is made.
"""

import ast
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from powercut.checkers.engine.errors import LanguageError
from powercut.checkers.engine.language import BUILTINS, Source, callee, constant_value, struct_hint
from powercut.checkers.engine.layout import (
    CONSTANT,
    SHARED,
    ArrayType,
    Layout,
    NumberType,
    StructType,
    Written,
)
from powercut.checkers.engine.trees import uses_of

if TYPE_CHECKING:
    from powercut.checkers.engine.graph import HelperSet

_ANY_NUMBER = NumberType(255, 255)
_PURE = frozenset({"check_index", "min", "max"})
_CONSTANT_BYTE = "C@"


@dataclass(frozen=True, slots=True)
class Sum:
    """A number plus named ones, each ``name`` or ``factor*name``."""

    number: int = 0
    names: tuple[str, ...] = ()

    def plus(self, written: Written, factor: int = 1) -> "Sum":
        """Add ``factor`` times a number."""
        if isinstance(written, int):
            return Sum(self.number + factor * written, self.names)
        name = written if factor == 1 else f"{factor}*{written}"
        return Sum(self.number, (*self.names, name) if factor else self.names)

    @property
    def text(self) -> str:
        """The same sum is the same text."""
        return "+".join((*sorted(self.names), str(self.number)))

    def node(self) -> ast.Constant:
        """Return it as an expression: a number, or bytes that stand for one."""
        return ast.Constant(self.text.encode() if self.names else self.number)


def written(number: Written) -> ast.Constant:
    """Return a number of the layout as an expression."""
    return Sum().plus(number).node()


def constant_byte(name: str) -> str | None:
    """Return where in the constant vector the byte is that ``name`` stands for, if it does."""
    return name.removeprefix(_CONSTANT_BYTE) if name.startswith(_CONSTANT_BYTE) else None


@dataclass(frozen=True, slots=True)
class Operand:
    """A lowered expression: a number, or the address (constant + dynamic) of a struct or array."""

    kind: NumberType | ArrayType | StructType
    region: str = SHARED
    constant: Sum = Sum()
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
        if self.constant == Sum():
            return self.dynamic
        return ast.BinOp(self.dynamic, ast.Add(), self.constant.node())


def number(expression: ast.expr, *, is_name: bool = False) -> Operand:
    """Wrap a number-valued expression."""
    if isinstance(expression, ast.Constant):
        assert isinstance(expression.value, int)
        return Operand(_ANY_NUMBER, constant=Sum(int(expression.value)))
    return Operand(_ANY_NUMBER, dynamic=expression, is_name=is_name)


@dataclass(slots=True)
class Scope:
    """The names one function instance sees, and where new ones go."""

    source: Source
    helpers: "HelperSet"
    layout: Layout
    checked: bool
    root: str = ""
    names: dict[str, Operand] = field(default_factory=dict)

    def declare(self, name: str, emitted: str, kind: StructType | None) -> Operand:
        """Bind a local to the emitted name that holds it."""
        reference = ast.Name(emitted, ast.Load())
        if kind is None:
            operand = Operand(_ANY_NUMBER, dynamic=reference, is_name=True)
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


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """A constant index, to be compared with the length of its array in every layout."""

    file: str
    line: int
    text: str
    index: int
    length: Written

    def against(self, layout: Layout) -> None:
        """Raise :class:`LanguageError` if the index is outside."""
        length = layout.measure(self.length)
        if not 0 <= self.index < length:
            reason = f"{self.text}: index outside 0..{length - 1}"
            raise LanguageError(self.file, self.line, reason)


def lower_expression(node: ast.expr, scope: Scope) -> Operand:
    """Lower ``node``; raises :class:`LanguageError` for an unknown name or field."""
    value = None if _shadowed(node, scope) else constant_value(scope.source, node)
    if value is not None:
        return Operand(_ANY_NUMBER, constant=Sum(value))
    if isinstance(node, ast.Name):
        return _lower_name(node, scope)
    if isinstance(node, ast.Attribute):
        return _lower_attribute(node, scope)
    if isinstance(node, ast.Subscript):
        return _lower_subscript(node, scope)
    if isinstance(node, ast.Call):
        return _lower_call(node, scope)
    return number(_lower_operator(node, scope))


def lower_number(node: ast.expr, scope: Scope) -> ast.expr:
    """Lower ``node`` where only a number makes sense (a test, an operand, an index)."""
    operand = lower_expression(node, scope)
    if not isinstance(operand.kind, NumberType):
        raise scope.source.error(node, f"{ast.unparse(node)} is not a number")
    return operand.value()


def check_kind(operand: Operand, wanted: StructType | None, node: ast.AST, scope: Scope) -> None:
    """Raise unless ``operand`` is a number, or points to ``wanted`` if that is given."""
    if operand.struct is not wanted or isinstance(operand.kind, ArrayType):
        text = "a number" if wanted is None else f"a {wanted.name}"
        raise scope.source.error(node, f"{ast.unparse(node)}: {text} is expected here")


def check_root(node: ast.Call, scope: Scope) -> None:
    """Raise unless the first argument of a call is the caller's own state root."""
    first = node.args[0] if node.args else None
    if not isinstance(first, ast.Name) or first.id != scope.root:
        raise scope.source.error(node, f"the first argument must be the state root {scope.root!r}")


def _shadowed(node: ast.expr, scope: Scope) -> bool:
    return isinstance(node, ast.Name) and (node.id in scope.names or node.id == scope.root)


def _lower_name(node: ast.Name, scope: Scope) -> Operand:
    if node.id == scope.root:
        return Operand(scope.layout.root)
    found = scope.names.get(node.id)
    if found is None:
        raise scope.source.error(node, f"unknown name {node.id!r}")
    return found


def _lower_attribute(node: ast.Attribute, scope: Scope) -> Operand:
    base = lower_expression(node.value, scope)
    if not isinstance(base.kind, StructType):
        raise scope.source.error(node, f"{ast.unparse(node.value)} is not a struct")
    found = base.kind.fields.get(node.attr)
    if found is None:
        raise scope.source.error(node, f"{base.kind.name} has no field {node.attr!r}")
    _, kind = found
    offset = base.kind.written[node.attr]
    region = base.region
    if base.kind is scope.layout.root and getattr(kind, "region", SHARED) == CONSTANT:
        region = CONSTANT
    return _read(Operand(kind, region, base.constant.plus(offset), base.dynamic))


def _lower_subscript(node: ast.Subscript, scope: Scope) -> Operand:
    base = lower_expression(node.value, scope)
    if not isinstance(base.kind, ArrayType):
        raise scope.source.error(node, f"{ast.unparse(node.value)} is not an array")
    index = lower_number(node.slice, scope)
    return _read(_element(base, index, node, scope))


def _element(base: Operand, index: ast.expr, node: ast.Subscript, scope: Scope) -> Operand:
    assert isinstance(base.kind, ArrayType)
    kind = base.kind.element
    if isinstance(index, ast.Constant):
        assert isinstance(index.value, int)
        where = int(index.value)
        length = base.kind.written_length
        check = IndexCheck(scope.source.file, node.lineno, ast.unparse(node), where, length)
        scope.helpers.index_checks.append(check)
        check.against(scope.layout)
        constant = base.constant.plus(kind.written_size, where)
        return Operand(kind, base.region, constant, base.dynamic)
    if scope.checked:
        text = ast.Constant(f"{scope.source.file}:{node.lineno}: {ast.unparse(node)}")
        arguments: list[ast.expr] = [index, written(base.kind.written_length), text]
        index = ast.Call(ast.Name("check_index", ast.Load()), arguments, [])
    if kind.written_size != 1:
        index = ast.BinOp(index, ast.Mult(), written(kind.written_size))
    dynamic = index if base.dynamic is None else ast.BinOp(base.dynamic, ast.Add(), index)
    return Operand(kind, base.region, base.constant, dynamic)


def _read(operand: Operand) -> Operand:
    """Turn the address of a number into the number; leave structs and arrays as addresses."""
    if not isinstance(operand.kind, NumberType):
        return operand
    if operand.region == CONSTANT and operand.dynamic is None:
        return number(ast.Name(_CONSTANT_BYTE + operand.constant.text, ast.Load()))
    vector = ast.Name("C" if operand.region == CONSTANT else "S", ast.Load())
    return number(ast.Subscript(vector, operand.value(), ast.Load()))


def _lower_call(node: ast.Call, scope: Scope) -> Operand:
    assert isinstance(node.func, ast.Name)
    if node.func.id in BUILTINS:
        numbers = [lower_number(a, scope) for a in node.args]
        if len(numbers) < 2:
            raise scope.source.error(node, f"{node.func.id} takes two arguments or more")
        return number(ast.Call(ast.Name(node.func.id, ast.Load()), numbers, []))
    source = callee(scope.source, node)
    if source.is_path:
        raise scope.source.error(node, f"{source.name} is a path: call it with `yield from`")
    check_root(node, scope)
    arguments: list[ast.expr] = [ast.Name("S", ast.Load())]
    for parameter, argument in zip(source.parameters[1:], node.args[1:], strict=True):
        operand = lower_expression(argument, scope)
        check_kind(operand, scope.hinted(source, parameter), argument, scope)
        arguments.append(operand.value())
    name = scope.helpers.name_of(source.function)
    call = ast.Call(ast.Name(name, ast.Load()), arguments, [])
    result = scope.hinted(source, "return")
    if result is not None:
        return Operand(result, result.region, dynamic=call)
    return number(call)


def _lower_operator(node: ast.expr, scope: Scope) -> ast.expr:
    def inner(part: ast.expr) -> ast.expr:
        return lower_number(part, scope)

    if isinstance(node, ast.BinOp):
        return ast.BinOp(inner(node.left), node.op, inner(node.right))
    if isinstance(node, ast.BoolOp):
        return ast.BoolOp(node.op, [inner(v) for v in node.values])
    if isinstance(node, ast.UnaryOp):
        return ast.UnaryOp(node.op, inner(node.operand))
    if isinstance(node, ast.Compare):
        return ast.Compare(inner(node.left), node.ops, [inner(c) for c in node.comparators])
    assert isinstance(node, ast.IfExp)
    return ast.IfExp(inner(node.test), inner(node.body), inner(node.orelse))


def lower_target(
    target: ast.expr,
    value: ast.expr,
    node: ast.Assign | ast.AnnAssign | ast.AugAssign,
    scope: Scope,
) -> ast.stmt:
    """Lower a store to a declared variable, with its range check in a checked build."""
    where = _target_operand(target, scope)
    if not isinstance(where.kind, NumberType):
        raise scope.source.error(target, f"{ast.unparse(target)} is not a number")
    if where.region == CONSTANT:
        raise scope.source.error(target, f"{ast.unparse(target)} is constant during a run")
    slot = ast.Subscript(ast.Name("S", ast.Load()), where.value(), ast.Store())
    if not scope.checked:
        if isinstance(node, ast.AugAssign):
            return ast.AugAssign(slot, node.op, value)
        return ast.Assign([slot], value, lineno=1)
    if isinstance(node, ast.AugAssign):
        old = ast.Subscript(ast.Name("S", ast.Load()), where.value(), ast.Load())
        value = ast.BinOp(old, node.op, value)
    text = ast.Constant(f"{scope.source.file}:{node.lineno}: {ast.unparse(target)}")
    call = ast.Call(
        ast.Name("check_range", ast.Load()), [value, written(where.kind.written_bound), text], []
    )
    return ast.Assign([slot], call, lineno=1)


def _target_operand(target: ast.expr, scope: Scope) -> Operand:
    if isinstance(target, ast.Attribute):
        base = lower_expression(target.value, scope)
        if not isinstance(base.kind, StructType) or target.attr not in base.kind.fields:
            raise scope.source.error(target, f"{ast.unparse(target)} is not declared")
        _, kind = base.kind.fields[target.attr]
        offset = base.kind.written[target.attr]
        return Operand(kind, base.region, base.constant.plus(offset), base.dynamic)
    assert isinstance(target, ast.Subscript)
    base = lower_expression(target.value, scope)
    if not isinstance(base.kind, ArrayType):
        raise scope.source.error(target, f"{ast.unparse(target.value)} is not an array")
    return _element(base, lower_number(target.slice, scope), target, scope)


def reads_shared(node: ast.expr) -> bool:
    """Tell whether ``node`` depends on shared variables or calls a function of the model."""
    uses = uses_of(node)
    return "S" in uses.reads or not uses.calls <= _PURE


def writes_shared(node: ast.AST, impure: set[str]) -> bool:
    """Tell whether ``node`` stores to a declared variable, or calls a helper in ``impure``."""
    uses = uses_of(node)
    return uses.changes or not uses.names.isdisjoint(impure)


def names_in(node: ast.expr) -> frozenset[str]:
    """Return the names ``node`` reads."""
    return uses_of(node).names - _PURE


def fold(node: ast.expr) -> ast.expr:
    """Fold an expression of constants to one constant; return anything else unchanged."""
    if isinstance(node, ast.Constant) or uses_of(node).names:
        return node
    expression = ast.Expression(copy.deepcopy(node))
    ast.fix_missing_locations(expression)
    try:
        value = eval(compile(expression, "<fold>", "eval"), {"__builtins__": {}})
    except (ArithmeticError, ValueError, TypeError):
        return node
    return ast.Constant(int(value))
