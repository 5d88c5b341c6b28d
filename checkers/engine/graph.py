"""From paths to a control-flow graph over flat vectors: the form every back end starts from.

One :class:`Graph` stands for one kind of thread.  Calls of other paths are inlined (no recursion),
so a thread has no stack; statements without a preemption point stay structured; everything else
becomes blocks that end in a jump, a branch, a wait or the end.  Variables are already resolved:
``S[n]`` is a shared byte, ``C[n]`` a constant, anything else a local of the thread or of the step.
Numbers that depend on the array sizes have names still, so one graph serves all sizes.

Aliases cost nothing: a parameter or a once-assigned local that stands for a declared struct or for
an unchanging expression is substituted, not stored.

Rejected: a call stack in the frame (every live caller local would stay in the state); unrolling
loops (code grows with the geometry, measured on a prototype as the main build cost).
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from powercut.checkers.engine.expressions import (
    check_kind,
    check_root,
    fold,
    lower_expression,
    lower_number,
    lower_target,
    names_in,
    reads_shared,
    writes_shared,
)
from powercut.checkers.engine.frames import Place
from powercut.checkers.engine.language import Source, callee, load
from powercut.checkers.engine.layout import ArrayType, IndexCheck, Layout, StructType
from powercut.checkers.engine.operands import Operand, Scope, number
from powercut.checkers.engine.trees import uses_of


@dataclass(slots=True)
class Jump:
    target: int


@dataclass(slots=True)
class Branch:
    test: ast.expr
    yes: int
    no: int


@dataclass(slots=True)
class Wait:
    point: int


@dataclass(slots=True)
class End:
    pass


Terminator = Jump | Branch | Wait | End


@dataclass(slots=True)
class Block:
    """Straight-line statements (structured where they contain no yield) and how they end."""

    statements: list[ast.stmt] = field(default_factory=list)
    end: Terminator = field(default_factory=End)


@dataclass(slots=True)
class Point:
    """A preemption point: the guard to wait for (``None``: always runnable) and what follows."""

    guard: ast.expr | None
    target: int
    place: Place


@dataclass(slots=True)
class Graph:
    """The control-flow graph of one kind of thread.

    ``points[0]`` does not exist: program counter 0 is "finished".  ``pointers`` maps the locals
    that hold the address of a declared struct to its type.
    """

    kind: str
    parameter: str
    blocks: list[Block] = field(default_factory=list)
    points: dict[int, Point] = field(default_factory=dict)
    pointers: dict[str, StructType] = field(default_factory=dict)


@dataclass(slots=True)
class _Call:
    """One inlined instance of a path."""

    source: Source
    scope: Scope
    callers: tuple[str, ...]
    result: Operand | None
    after: int
    loops: list[tuple[int, int]] = field(default_factory=list)


class HelperSet:
    """The helper functions (no yields) that the graphs call, lowered once each."""

    def __init__(self, layout: Layout, *, checked: bool) -> None:
        self.layout = layout
        self.checked = checked
        self.names: dict[Callable[..., Any], str] = {}
        self.definitions: dict[str, ast.FunctionDef] = {}
        self.impure: set[str] = set()
        self.index_checks: list[IndexCheck] = []

    def name_of(self, function: Callable[..., Any]) -> str:
        """Return the generated name of ``function``, lowering it on first use."""
        if function in self.names:
            return self.names[function]
        name = f"h_{function.__name__}"
        while name in self.names.values():
            name += "_"
        self.names[function] = name
        source = load(function)
        if source.is_path:
            raise source.error(source.node, f"{source.name} is a path: call it with `yield from`")
        definition = self._lower(source, name)
        self.definitions[name] = definition
        if writes_shared(definition, self.impure):
            self.impure.add(name)
        return name

    def predicate(self, function: Callable[..., Any]) -> str:
        """Return the generated name of a function of the state root that changes nothing."""
        name = self.name_of(function)
        source = load(function)
        if len(source.parameters) != 1:
            raise source.error(source.node, "a predicate takes the state root and nothing else")
        if name in self.impure:
            raise source.error(source.node, "a predicate must not change the state")
        return name

    def _lower(self, source: Source, name: str) -> ast.FunctionDef:
        scope = Scope(source, self, self.layout, self.checked)
        parameters = ["S"]
        for parameter in source.parameters[1:]:
            operand = _declare_helper(scope, parameter, scope.hinted(source, parameter))
            parameters.append(_name_of(operand))
        scope.root = source.parameters[0]
        body = _lower_plain(source.node.body, scope)
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(arg=p) for p in parameters],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        )
        return ast.FunctionDef(name, arguments, body or [ast.Pass()], [], lineno=1)


def build_graph(kind: str, path: Callable[..., Any], layout: Layout, helpers: HelperSet) -> Graph:
    """Lower ``path`` and all it calls.  Raises :class:`LanguageError` outside the language."""
    return _Builder(kind, path, layout, helpers).graph


@cache
def has_control(node: ast.AST, *, in_loop: bool = False) -> bool:
    """Tell whether ``node`` holds a yield, a return, or a break/continue of an outer loop."""
    if isinstance(node, ast.Yield | ast.YieldFrom | ast.Return):
        return True
    if isinstance(node, ast.Break | ast.Continue):
        return not in_loop
    inside = in_loop or isinstance(node, ast.For | ast.While)
    return any(has_control(child, in_loop=inside) for child in ast.iter_child_nodes(node))


class _Builder:
    def __init__(
        self, kind: str, path: Callable[..., Any], layout: Layout, helpers: HelperSet
    ) -> None:
        self.layout = layout
        self.helpers = helpers
        self.counter = 0
        source = load(path)
        if not source.is_path or len(source.parameters) != 2:
            raise source.error(source.node, "a thread is a path of (state, thread number)")
        self.graph = Graph(kind, f"{source.parameters[1]}_0")
        scope = Scope(source, helpers, layout, helpers.checked)
        scope.root = source.parameters[0]
        start = self._block()
        done = self._block()
        number_of_thread = number(ast.Name(self.graph.parameter, ast.Load()))
        self._bind(source.parameters[1], number_of_thread, scope, start)
        call = _Call(source, scope, (), None, done)
        last = self._body(source.node.body, call, start)
        self._close(last, Jump(done))

    def _block(self) -> int:
        self.graph.blocks.append(Block())
        return len(self.graph.blocks) - 1

    def _close(self, block: int | None, end: Terminator) -> None:
        if block is not None:
            self.graph.blocks[block].end = end

    def _fresh(self, name: str) -> str:
        self.counter += 1
        return f"{name}_{self.counter}"

    def _add(self, block: int, *statements: ast.stmt) -> None:
        self.graph.blocks[block].statements.extend(statements)

    def _body(self, body: list[ast.stmt], call: _Call, block: int | None) -> int | None:
        """Lower statements into ``block``; return the block that continues, None if none does."""
        for statement in body:
            if block is None:
                return None
            block = self._statement(statement, call, block)
        return block

    def _statement(self, node: ast.stmt, call: _Call, block: int) -> int | None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield):
            return self._wait(node.value, call, block)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.YieldFrom):
            return self._inline(node.value, call, block, None)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return self._assign(node, call, block)
        if isinstance(node, ast.Return):
            self._return(node, call, block)
            return None
        if isinstance(node, ast.Break | ast.Continue):
            leave, again = call.loops[-1]
            self._close(block, Jump(leave if isinstance(node, ast.Break) else again))
            return None
        if isinstance(node, ast.If):
            return self._if(node, call, block)
        if has_control(node):
            if isinstance(node, ast.While):
                return self._while(node, call, block)
            assert isinstance(node, ast.For)
            return self._for(node, call, block)
        self._add(block, *_lower_plain([node], call.scope, self._declare_plain))
        return block

    def _declare_plain(self, scope: Scope, name: str, kind: StructType | None) -> Operand:
        """Give a local first assigned inside a structured statement its name in the frame."""
        fresh = self._fresh(name)
        if kind is not None:
            self.graph.pointers[fresh] = kind
        return scope.declare(name, fresh, kind)

    def _wait(self, node: ast.Yield, call: _Call, block: int) -> int:
        guard = None
        if node.value is not None:
            assert isinstance(node.value, ast.Lambda)
            guard = fold(lower_number(node.value.body, call.scope))
            if writes_shared(guard, self.helpers.impure):
                raise call.source.error(node, "the condition of a wait must not change the state")
        target = self._block()
        point = len(self.graph.points) + 1
        label = call.source.label(node)
        place = Place(call.source.name, call.source.file, node.lineno, label, call.callers)
        self.graph.points[point] = Point(guard, target, place)
        self._close(block, Wait(point))
        return target

    def _inline(self, node: ast.YieldFrom, call: _Call, block: int, result: Operand | None) -> int:
        target_call = node.value
        assert isinstance(target_call, ast.Call)
        source = callee(call.source, target_call)
        check_root(target_call, call.scope)
        if not source.is_path:
            raise call.source.error(node, f"{source.name} has no yield: call it directly")
        here = f"{call.source.name}:{node.lineno}"
        if any(c.startswith(f"{source.name}:") for c in (*call.callers, here)):
            raise call.source.error(node, f"{source.name} calls itself: recursion is not allowed")
        scope = Scope(source, self.helpers, self.layout, self.helpers.checked)
        scope.root = source.parameters[0]
        for parameter, argument in zip(source.parameters[1:], target_call.args[1:], strict=True):
            operand = lower_expression(argument, call.scope)
            if not isinstance(operand.kind, ArrayType):
                check_kind(operand, scope.hinted(source, parameter), argument, call.scope)
            elif reads_shared(operand.value()) or parameter in source.stores:
                raise call.source.error(node, f"{ast.unparse(argument)}: pass its struct instead")
            self._bind(parameter, operand, scope, block)
        after = self._block()
        inner = _Call(source, scope, (*call.callers, here), result, after)
        last = self._body(source.node.body, inner, block)
        if last is not None and result is not None:
            raise source.error(
                source.node, f"{source.name} can end without a value, {here} needs it"
            )
        self._close(last, Jump(after))
        return after

    def _bind(self, parameter: str, operand: Operand, scope: Scope, block: int) -> None:
        """Pass an argument: by substitution where its value cannot change during the call."""
        if parameter not in scope.source.stores and not reads_shared(operand.value()):
            scope.names[parameter] = operand
            return
        fresh = self._fresh(parameter)
        if operand.struct is not None:
            self.graph.pointers[fresh] = operand.struct
        scope.declare(parameter, fresh, operand.struct)
        self._add(block, _store_name(fresh, operand.value()))

    def _assign(self, node: ast.Assign | ast.AnnAssign, call: _Call, block: int) -> int:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        assert node.value is not None
        if not isinstance(target, ast.Name):
            if isinstance(node.value, ast.YieldFrom):
                raise call.source.error(node, "assign the result of a path to a local first")
            self._add(block, *_lower_plain([node], call.scope))
            return block
        if isinstance(node.value, ast.YieldFrom):
            result = self._result(target.id, node.value, call)
            return self._inline(node.value, call, block, result)
        operand = lower_expression(node.value, call.scope)
        if self._can_substitute(target.id, operand, call, node):
            call.scope.names[target.id] = operand
            return block
        known = call.scope.names.get(target.id)
        if known is None:
            known = self._declare_plain(call.scope, target.id, operand.struct)
        check_kind(operand, known.struct, node.value, call.scope)
        self._add(block, _store_name(_name_of(known), operand.value()))
        return block

    def _result(self, name: str, node: ast.YieldFrom, call: _Call) -> Operand:
        """Return the local that takes the result of a path."""
        known = call.scope.names.get(name)
        if known is not None:
            return known
        assert isinstance(node.value, ast.Call)
        hint = _path_result(callee(call.source, node.value))
        kind = self.layout.structs.get(hint) if hint else None
        return self._declare_plain(call.scope, name, kind)

    def _can_substitute(self, name: str, operand: Operand, call: _Call, node: ast.stmt) -> bool:
        """A once-assigned local is an alias if nothing its value depends on can change later."""
        source = call.source
        if source.stores.get(name) != 1 or name in source.parameters:
            return False
        if reads_shared(operand.value()) or not _only_used_below(name, node, source.node):
            return False
        needed = names_in(operand.value())
        own = [
            local
            for local, value in call.scope.names.items()
            if value.is_name and _name_of(value) in needed
        ]
        # A parameter has a value before its first assignment, any other local has not.
        return all(source.stores.get(x, 0) <= (x not in source.parameters) for x in own)

    def _return(self, node: ast.Return, call: _Call, block: int) -> None:
        if isinstance(node.value, ast.YieldFrom):
            after = self._inline(node.value, call, block, call.result)
            self._close(after, Jump(call.after))
            return
        if node.value is not None:
            operand = lower_expression(node.value, call.scope)
            value = operand.value()
            if call.result is not None:
                check_kind(operand, call.result.struct, node.value, call.scope)
                self._add(block, _store_name(_name_of(call.result), value))
            elif uses_of(value).calls:
                self._add(block, ast.Expr(value))
        elif call.result is not None:
            raise call.source.error(node, f"{call.callers[-1]} needs a value from this return")
        self._close(block, Jump(call.after))

    def _if(self, node: ast.If, call: _Call, block: int) -> int | None:
        test = fold(lower_number(node.test, call.scope))
        if isinstance(test, ast.Constant):
            return self._body(node.body if test.value else node.orelse, call, block)
        if not has_control(node):
            self._add(block, *_lower_plain([node], call.scope, self._declare_plain))
            return block
        yes, no = self._block(), self._block()
        self._close(block, Branch(test, yes, no))
        ends = [self._body(node.body, call, yes), self._body(node.orelse, call, no)]
        open_ends = [end for end in ends if end is not None]
        if not open_ends:
            return None
        after = self._block()
        for end in open_ends:
            self._close(end, Jump(after))
        return after

    def _while(self, node: ast.While, call: _Call, block: int) -> int | None:
        head, body, after = self._block(), self._block(), self._block()
        self._close(block, Jump(head))
        test = fold(lower_number(node.test, call.scope))
        always = isinstance(test, ast.Constant) and bool(test.value)
        self._close(head, Jump(body) if always else Branch(test, body, after))
        call.loops.append((after, head))
        self._close(self._body(node.body, call, body), Jump(head))
        call.loops.pop()
        left = any(isinstance(b.end, Jump) and b.end.target == after for b in self.graph.blocks)
        return None if always and not left else after

    def _for(self, node: ast.For, call: _Call, block: int) -> int:
        assert isinstance(node.target, ast.Name)
        assert isinstance(node.iter, ast.Call)
        bounds = [lower_number(a, call.scope) for a in node.iter.args]
        stop = bounds[-1]
        known = call.scope.names.get(node.target.id)
        if known is None:
            known = self._declare_plain(call.scope, node.target.id, None)
        if reads_shared(stop) or names_in(stop) & _stored_names(node, call.scope):
            raise call.source.error(node, "a loop with a yield needs an unchanging stop value")
        _check_loop_variable(node.target.id, call.source)
        name = _name_of(known)
        self._add(block, _store_name(name, bounds[0] if len(bounds) == 2 else ast.Constant(0)))
        head, body, step, after = (self._block() for _ in range(4))
        self._close(block, Jump(head))
        test = ast.Compare(ast.Name(name, ast.Load()), [ast.Lt()], [stop])
        self._close(head, Branch(test, body, after))
        call.loops.append((after, step))
        self._close(self._body(node.body, call, body), Jump(step))
        call.loops.pop()
        one_more = ast.BinOp(ast.Name(name, ast.Load()), ast.Add(), ast.Constant(1))
        self._add(step, _store_name(name, one_more))
        self._close(step, Jump(head))
        return after


def _name_of(operand: Operand) -> str:
    value = operand.value()
    assert isinstance(value, ast.Name)
    return value.id


@cache
def _only_used_below(name: str, node: ast.stmt, function: ast.FunctionDef) -> bool:
    """Tell whether every use of ``name`` is ``node`` or below it, in the same suite.

    Then no use can be reached without running ``node`` again after anything it depends on changed.
    """
    inside: set[int] = set()
    for parent in ast.walk(function):
        for suite in (getattr(parent, "body", None), getattr(parent, "orelse", None)):
            if isinstance(suite, list) and node in suite:
                below = suite[suite.index(node) :]
                inside = {id(n) for statement in below for n in ast.walk(statement)}
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
    return all(id(use) in inside for use in uses)


def _stored_names(node: ast.For, scope: Scope) -> set[str]:
    """Return the emitted names of the locals that ``node`` assigns, its own variable included."""
    stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and _is_store(n)}
    return {_name_of(v) for local, v in scope.names.items() if v.is_name and local in stored}


def _is_store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _check_loop_variable(name: str, source: Source) -> None:
    """Raise if a loop variable is read outside its loop: only there both runs agree about it."""
    loops = [
        n
        for n in ast.walk(source.node)
        if isinstance(n, ast.For) and isinstance(n.target, ast.Name) and n.target.id == name
    ]
    inside = {id(n) for loop in loops for statement in loop.body for n in ast.walk(statement)}
    for node in ast.walk(source.node):
        is_read = isinstance(node, ast.Name) and node.id == name and not _is_store(node)
        if is_read and id(node) not in inside:
            raise source.error(node, f"the loop variable {name!r} is read outside its loop")


def _path_result(source: Source) -> type[Any] | None:
    hint = source.hints.get("return")
    args = getattr(hint, "__args__", ())
    result = args[-1] if args else None
    return result if isinstance(result, type) else None


def _store_name(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value, lineno=1)


Declare = Callable[[Scope, str, StructType | None], Operand]


def _declare_helper(scope: Scope, name: str, kind: StructType | None) -> Operand:
    # No generated name ends like this, so a local called S or C0 stays apart.
    return scope.declare(name, f"{name}_0", kind)


def _lower_plain(
    body: list[ast.stmt], scope: Scope, declare: Declare = _declare_helper
) -> list[ast.stmt]:
    """Lower statements that hold no yield, keeping their structure."""
    out: list[ast.stmt] = []
    for node in body:
        out.extend(_lower_one(node, scope, declare))
    return out


def _lower_one(node: ast.stmt, scope: Scope, declare: Declare) -> list[ast.stmt]:
    if isinstance(node, ast.Pass | ast.Break | ast.Continue):
        return [node]
    if isinstance(node, ast.Return):
        if node.value is None:
            return [ast.Return(None)]
        operand = lower_expression(node.value, scope)
        check_kind(operand, scope.hinted(scope.source, "return"), node.value, scope)
        return [ast.Return(operand.value())]
    if isinstance(node, ast.Expr):
        if isinstance(node.value, ast.Constant):
            return []
        return [ast.Expr(lower_expression(node.value, scope).value())]
    if isinstance(node, ast.Assert):
        where = ast.Constant(f"{scope.source.file}:{node.lineno}: {ast.unparse(node.test)}")
        failed = ast.UnaryOp(ast.Not(), lower_number(node.test, scope))
        call = ast.Call(ast.Name("assertion_failed", ast.Load()), [where], [])
        return [ast.If(failed, [ast.Expr(call)], [])]
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return [_lower_store(node, scope, declare)]
    if isinstance(node, ast.If):
        return _lower_plain_if(node, scope, declare)
    if isinstance(node, ast.While):
        test = lower_number(node.test, scope)
        return [ast.While(test, _lower_plain(node.body, scope, declare), [])]
    assert isinstance(node, ast.For)
    return [_lower_plain_for(node, scope, declare)]


def _lower_plain_if(node: ast.If, scope: Scope, declare: Declare) -> list[ast.stmt]:
    test = fold(lower_number(node.test, scope))
    if isinstance(test, ast.Constant):
        return _lower_plain(node.body if test.value else node.orelse, scope, declare)
    yes = _lower_plain(node.body, scope, declare)
    no = _lower_plain(node.orelse, scope, declare)
    return [ast.If(test, yes or [ast.Pass()], no)]


def _lower_plain_for(node: ast.For, scope: Scope, declare: Declare) -> ast.For:
    assert isinstance(node.target, ast.Name)
    assert isinstance(node.iter, ast.Call)
    bounds = [lower_number(a, scope) for a in node.iter.args]
    known = scope.names.get(node.target.id)
    if known is None:
        known = declare(scope, node.target.id, None)
    target = ast.Name(_name_of(known), ast.Store())
    call = ast.Call(ast.Name("range", ast.Load()), bounds, [])
    body = _lower_plain(node.body, scope, declare)
    return ast.For(target, call, body or [ast.Pass()], [], lineno=1)


def _lower_store(
    node: ast.Assign | ast.AnnAssign | ast.AugAssign, scope: Scope, declare: Declare
) -> ast.stmt:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    assert node.value is not None
    operand = lower_expression(node.value, scope)
    if isinstance(target, ast.Name):
        known = scope.names.get(target.id)
        if known is None:
            if isinstance(node, ast.AugAssign):
                raise scope.source.error(node, f"{target.id!r} is not assigned yet")
            known = declare(scope, target.id, operand.struct)
        check_kind(operand, known.struct, node.value, scope)
        value = operand.value()
        if isinstance(node, ast.AugAssign):
            check_kind(known, None, target, scope)
            value = ast.BinOp(known.value(), node.op, value)
        return _store_name(_name_of(known), value)
    check_kind(operand, None, node.value, scope)
    return lower_target(target, operand.value(), node, scope)
