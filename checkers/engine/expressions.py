"""Resolve expressions of the model's language to flat accesses.

``k.inode[i].folio[f].dirty`` becomes ``S[17 + i * 40 + f * 5]``: a number is read from its byte, a
struct is its address.  Constant parts of addresses are added up when the graph is built; those that
depend on the array sizes keep their names, and become numbers when a build for certain sizes is
made (``sums``).
"""

import ast
import copy

from powercut.checkers.engine.language import BUILTINS, callee, constant_value
from powercut.checkers.engine.layout import (
    CONSTANT,
    SHARED,
    ArrayType,
    IndexCheck,
    NumberType,
    StructType,
)
from powercut.checkers.engine.operands import ANY_NUMBER, Operand, Scope, number
from powercut.checkers.engine.sums import Sum, name_of_constant, written
from powercut.checkers.engine.trees import uses_of

_PURE = frozenset({"check_index", "min", "max"})


def lower_expression(node: ast.expr, scope: Scope) -> Operand:
    """Lower ``node``; raises :class:`LanguageError` for an unknown name or field."""
    value = None if _shadowed(node, scope) else constant_value(scope.source, node)
    if value is not None:
        return Operand(ANY_NUMBER, constant=Sum(value))
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
        return number(ast.Name(name_of_constant(operand.constant), ast.Load()))
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
