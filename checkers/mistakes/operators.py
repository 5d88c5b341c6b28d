"""What can go wrong with a line of kernel code, an operator a kind of mistake.

An operator is a function from a :class:`Place` (a function of the model) to changes of its text.
What is changed is chosen by what fixes of real bugs change: guards, orders, locks, waits, flags and
sizes.

Left out: assertions (leaving one out weakens the checker, not the kernel), calls of the oracle, the
order of two statements that cannot meet (:mod:`.effects`), and switches of the designs (another
design is no mistake).
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from powercut.checkers.mistakes.effects import EffectTable
from powercut.checkers.mistakes.kinds import Types, families, neighbours
from powercut.checkers.mistakes.source import (
    Edit,
    SourceFile,
    bodies,
    call_of,
    callee_of,
    expressions,
    statements,
    with_part,
    yields,
)
from powercut.model import state


@dataclass(frozen=True, slots=True)
class Change:
    """Edits that make one mistake; a run can notice only if it executes one of ``statements``."""

    edits: tuple[Edit, ...]
    statements: tuple[ast.stmt, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A function where mistakes are made."""

    file: SourceFile
    function: ast.FunctionDef
    effects: EffectTable

    def is_oracle(self, node: ast.stmt) -> bool:
        """Tell whether a statement belongs to the oracle."""
        if callee_of(node) in self.file.oracle:
            return True
        return any(isinstance(n, ast.Attribute) and n.attr == "oracle" for n in ast.walk(node))

    def text(self, edits: Sequence[Edit] = ()) -> str:
        """Return the text of the function, after ``edits`` that lie within it."""
        span = self.file.lines_of(self.function)
        more = sum(len(edit.new.encode()) - (edit.end - edit.start) for edit in edits)
        return self.file.edited(edits).encode()[span.start : span.end + more].decode()

    def bodies(self) -> Iterator[list[ast.stmt]]:
        """Yield the lists of statements."""
        return bodies(self.function)

    def statements(self) -> Iterator[ast.stmt]:
        """Yield the statements that are the kernel's, assertions left out."""
        for node in statements(self.function):
            if not isinstance(node, ast.Assert) and not self._is_all_oracle(node):
                yield node

    def _is_all_oracle(self, node: ast.stmt) -> bool:
        """Tell whether a statement, and all that it holds, belongs to the oracle."""
        inner = [s for body in bodies(node) for s in body]
        return all(map(self.is_oracle, inner)) if inner else self.is_oracle(node)

    def left_out(self, node: ast.stmt, body: Sequence[ast.stmt]) -> Edit:
        """Return the edit that leaves ``node`` out: something else stays where something must."""
        rest = (n for n in ast.walk(self.function) if yields(n) and isinstance(n, ast.stmt))
        inside = set(map(id, ast.walk(node)))
        if yields(node) and all(id(n) in inside or not _is_own(n) for n in rest):
            return self.file.replace(node, "yield")
        return self.file.replace(node, "pass") if len(body) == 1 else self.file.lines_of(node)

    def rewritten(self, node: ast.stmt, whole: ast.expr, part: ast.expr, new: ast.expr) -> Change:
        """Return the change of ``part`` of the expression ``whole`` of ``node``."""
        return Change((self.file.edit(whole, with_part(whole, part, new)),), (node,))


def _is_own(node: ast.stmt) -> bool:
    """Tell whether a yield stands in the statement itself and not in one that it holds."""
    return isinstance(node, ast.Expr | ast.Assign)


Operator = Callable[[Place], Iterator[Change]]

LOCKS = {
    "down_write": "up_write",
    "down_read": "up_read",
    "percpu_down_read": "up_read",
    "folio_lock": "folio_unlock",
    "ext4_journal_start": "ext4_journal_stop",
    "ext4_journal_start_reserved": "ext4_journal_stop",
}
"""What takes a lock or a handle, and what gives it back."""
WAITS = ("folio_wait_writeback", "jbd2_complete_transaction", "filemap_fdatawait_range")
_BOTH = (*LOCKS, *LOCKS.values())


def _is_wait(node: ast.stmt) -> bool:
    name = callee_of(node)
    waits = name in WAITS or "wait" in name
    value = node.value if isinstance(node, ast.Expr) else None
    return waits or (isinstance(value, ast.Yield) and value.value is not None)


def left_out(place: Place) -> Iterator[Change]:
    """A statement is left out; where it is a call with a result, the result is 0 instead."""
    for body in place.bodies():
        for node in body:
            if _is_wait(node) or callee_of(node) in _BOTH or place.is_oracle(node):
                continue
            if _may_go(place, node):
                yield Change((place.left_out(node, body),), (node,))
            elif isinstance(node, ast.Assign) and call_of(node) is not None:
                yield from _without_result(place, node)


def _may_go(place: Place, node: ast.stmt) -> bool:
    """Tell whether a function makes sense without ``node``: no local is missing, no result."""
    if isinstance(node, ast.Return):
        return node is not place.function.body[-1]
    if isinstance(node, ast.Assign):
        return not isinstance(node.targets[0], ast.Name)
    simple = (ast.Expr, ast.AugAssign, ast.Break, ast.Continue)
    return isinstance(node, simple) and not _is_bare_yield(node)


def _is_bare_yield(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Yield)


def _without_result(place: Place, node: ast.Assign) -> Iterator[Change]:
    """The call is left out and its result is 0; the call stays and its result is not looked at."""
    target = ast.unparse(node.targets[0])
    zero = f"{target} = 0"
    if not yields(node):
        yield Change((place.file.replace(node, zero),), (node,))
        return
    assert isinstance(node.value, ast.YieldFrom)
    call = ast.unparse(node.value)
    indent = " " * node.col_offset
    yield Change(
        (place.file.replace(node, f"{call[1:-1] if call[0] == '(' else call}\n{indent}{zero}"),),
        (node,),
    )
    others = [n for n in statements(place.function) if _is_own(n) and yields(n) and n is not node]
    if others:
        yield Change((place.file.replace(node, zero),), (node,))


def no_guard(place: Place) -> Iterator[Change]:
    """A guard is left out, with or without what it guards; or one of several conditions is."""
    for node in place.statements():
        if isinstance(node, ast.If):
            yield Change((place.file.edit(node.test, "1"),), (node,))
        if isinstance(node, ast.If | ast.While) and not _is_endless(node):
            yield Change((place.file.edit(node.test, "0"),), (node,))
        for whole in expressions(node):
            for part in ast.walk(whole):
                if isinstance(part, ast.BoolOp):
                    for at in range(len(part.values)):
                        rest = part.values[:at] + part.values[at + 1 :]
                        new = rest[0] if len(rest) == 1 else ast.BoolOp(part.op, rest)
                        yield place.rewritten(node, whole, part, new)


def _is_endless(node: ast.If | ast.While) -> bool:
    return isinstance(node.test, ast.Constant)


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}
_MOVED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


def negated(place: Place) -> Iterator[Change]:
    """A condition is negated: a whole one, or one of several."""
    for node in place.statements():
        for whole in expressions(node):
            if isinstance(node, ast.If | ast.While) and not _is_endless(node):
                yield place.rewritten(node, whole, whole, _negation(whole))
            for part in ast.walk(whole):
                if isinstance(part, ast.BoolOp):
                    for value in part.values:
                        yield place.rewritten(node, whole, value, _negation(value))
                elif isinstance(part, ast.Compare) and not isinstance(node, ast.If | ast.While):
                    yield place.rewritten(node, whole, part, _negation(part))
                elif isinstance(part, ast.IfExp):
                    yield place.rewritten(node, whole, part.test, _negation(part.test))


def _negation(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return ast.Compare(node.left, [_OPPOSITE[type(node.ops[0])]()], node.comparators)
    return ast.UnaryOp(ast.Not(), node)


def off_by_one(place: Place) -> Iterator[Change]:
    """A comparison takes the equal case for the other one; a sum has 1 more or less."""
    for node in place.statements():
        for whole in expressions(node):
            for part in ast.walk(whole):
                if isinstance(part, ast.Compare) and _may_move_by_one(part):
                    ops: list[ast.cmpop] = [_MOVED[type(part.ops[0])](), *part.ops[1:]]
                    new = ast.Compare(part.left, ops, part.comparators)
                    yield place.rewritten(node, whole, part, new)
                if isinstance(part, ast.BinOp) and _adds_one(part):
                    yield place.rewritten(node, whole, part, part.left)


def _may_move_by_one(node: ast.Compare) -> bool:
    return type(node.ops[0]) in _MOVED and not _asks_design(node)


def _adds_one(node: ast.BinOp) -> bool:
    is_one = isinstance(node.right, ast.Constant) and node.right.value == 1
    return is_one and isinstance(node.op, ast.Add | ast.Sub)


def _asks_design(node: ast.AST) -> bool:
    switches = ("eof_rule", "revision")
    return any(isinstance(n, ast.Attribute) and n.attr in switches for n in ast.walk(node))


def and_or(place: Place) -> Iterator[Change]:
    """``and`` for ``or``, and the other way round."""
    for node in place.statements():
        for whole in expressions(node):
            for part in ast.walk(whole):
                if isinstance(part, ast.BoolOp):
                    op = ast.Or() if isinstance(part.op, ast.And) else ast.And()
                    yield place.rewritten(node, whole, part, ast.BoolOp(op, part.values))


def bound(place: Place) -> Iterator[Change]:
    """``min`` for ``max``, and the other way round; one of the two numbers is not looked at."""
    for node in place.statements():
        for whole in expressions(node):
            for part in ast.walk(whole):
                if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
                    other = {"min": "max", "max": "min"}.get(part.func.id)
                    if other:
                        new = ast.Call(ast.Name(other, ast.Load()), part.args, [])
                        yield place.rewritten(node, whole, part, new)
                        for argument in part.args:
                            yield place.rewritten(node, whole, part, argument)


def no_wait(place: Place) -> Iterator[Change]:
    """Nothing is waited for; others may still run where the wait was."""
    for body in place.bodies():
        for node in body:
            value = node.value if isinstance(node, ast.Expr) else None
            if isinstance(value, ast.Yield) and value.value is not None:
                yield Change((place.file.replace(node, "yield"),), (node,))
            elif _is_wait(node) and isinstance(node, ast.Expr):
                yield Change((place.left_out(node, body),), (node,))
            elif _is_wait(node) and isinstance(node, ast.Assign):
                yield from _without_result(place, node)


def no_lock(place: Place) -> Iterator[Change]:
    """A lock or handle is not taken, not given back, or neither."""
    taken = [(node, body) for body in place.bodies() for node in body if callee_of(node) in LOCKS]
    given = [
        (node, body)
        for body in place.bodies()
        for node in body
        if callee_of(node) in LOCKS.values()
    ]
    for node, body in taken:
        begin = _without_start(place, node, body)
        yield Change((begin,), (node,))
        partner, lock = LOCKS[callee_of(node)], lock_of(node)
        mine = [(n, b) for n, b in given if callee_of(n) == partner and lock_of(n) == lock]
        if mine:
            ends = tuple(place.left_out(n, b) for n, b in mine)
            yield Change((begin, *ends), (node,))
    for node, body in given:
        yield Change((place.left_out(node, body),), (node,))


def _without_start(place: Place, node: ast.stmt, body: Sequence[ast.stmt]) -> Edit:
    if not isinstance(node, ast.Assign):
        return place.left_out(node, body)
    zero = f"{ast.unparse(node.targets[0])} = 0"
    others = [n for n in statements(place.function) if _is_own(n) and yields(n) and n is not node]
    keep = "" if others else f"yield\n{' ' * node.col_offset}"
    return place.file.replace(node, keep + zero)


def lock_of(node: ast.stmt) -> str:
    """Return the text of the lock that a statement takes or gives back; a handle has none."""
    call = call_of(node)
    assert call is not None
    if "journal" in callee_of(node):
        return "handle"
    return ast.unparse(call.args[-1])


def exchanged(place: Place) -> Iterator[Change]:
    """Two neighbouring statements change places, where that can matter."""
    for body in place.bodies():
        for one, other in pairwise(body):
            if isinstance(one, ast.Assert) or isinstance(other, ast.Assert):
                continue
            if place.is_oracle(one) or place.is_oracle(other) or _leaves(one) or _leaves(other):
                continue
            if not _depend(place, one, other):
                yield _swap(place.file, one, other)


def _leaves(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return | ast.Break | ast.Continue)


def _depend(place: Place, one: ast.stmt, other: ast.stmt) -> bool:
    """Tell whether an exchange makes no sense (a local is not set yet), or no difference."""
    first, second = place.effects.of(one), place.effects.of(other)
    mine = {name for name in first.writes if name.startswith("local ")}
    theirs = {name for name in second.writes if name.startswith("local ")}
    if mine & (second.reads | second.writes) or theirs & first.reads:
        return True
    return first.commutes_with(second)


def _swap(file: SourceFile, one: ast.stmt, other: ast.stmt) -> Change:
    first, second = file.lines_of(one), file.lines_of(other)
    edits = (
        Edit(first.start, first.end, file.words(other)),
        Edit(second.start, second.end, file.words(one)),
    )
    return Change(edits, (one, other))


def moved_out(place: Place) -> Iterator[Change]:
    """A statement moves before what takes a lock or a handle, or behind what gives it back.

    Behind it others may run first: in the kernel they can, at every instruction.
    """
    for body in place.bodies():
        for start, begin in enumerate(body):
            if callee_of(begin) not in LOCKS:
                continue
            end = _end_of(body, start)
            for at in range(start + 1, len(body) if end is None else end):
                node = body[at]
                if _may_move(place, node):
                    yield from _moved(place, body, start, at, end)


def _end_of(body: Sequence[ast.stmt], start: int) -> int | None:
    partner, lock = LOCKS[callee_of(body[start])], lock_of(body[start])
    for at in range(start + 1, len(body)):
        if callee_of(body[at]) == partner and lock_of(body[at]) == lock:
            return at
    return None


def _may_move(place: Place, node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert | ast.Return | ast.Break | ast.Continue):
        return False
    return not place.is_oracle(node) and callee_of(node) not in _BOTH and not _is_bare_yield(node)


def _moved(
    place: Place, body: Sequence[ast.stmt], start: int, at: int, end: int | None
) -> Iterator[Change]:
    file, node = place.file, body[at]
    words = file.words(node)
    needs = {name for name in place.effects.of(node).reads if name.startswith("local ")}
    sets = place.effects.of(*body[start:at]).writes
    if not needs & sets:
        edits = (file.lines_of(node), file.insert_before(body[start], words))
        yield Change(edits, (body[start], node))
    if end is None or (isinstance(node, ast.If) and any(map(_leaves, statements(node)))):
        return
    gives = {n for n in place.effects.of(node).writes if n.startswith("local ")}
    if not gives & place.effects.of(*body[at + 1 : end + 1]).reads:
        pause = f"{' ' * node.col_offset}yield\n"
        edits = (file.lines_of(node), file.insert_after(body[end], pause + words))
        yield Change(edits, (node, body[end]))


def constant(place: Place) -> Iterator[Change]:
    """Another number of the same family, another flag, 0 for 1 and 1 for 0."""
    for node in place.statements():
        for whole in expressions(node):
            for part in ast.walk(whole):
                if isinstance(part, ast.Name) and part.id in families():
                    for other in neighbours(families()[part.id], part.id):
                        yield place.rewritten(node, whole, part, _named(place, other))
            for part in _numbers(node, whole):
                assert isinstance(part.value, int)
                yield place.rewritten(node, whole, part, ast.Constant(int(not part.value)))


def _named(place: Place, name: str) -> ast.expr:
    """Return a number of the state by its name, or itself where the file does not know the name."""
    if name in place.file.imported:
        return ast.Name(name, ast.Load())
    return ast.Constant(getattr(state, name))


def _numbers(node: ast.stmt, whole: ast.expr) -> Iterator[ast.Constant]:
    """Yield the flags: 0 and 1 as a value that is stored, returned or passed on."""
    is_value = not isinstance(node, ast.If | ast.While)
    if isinstance(whole, ast.Constant) and is_value and whole.value in (0, 1):
        yield whole
    for call in ast.walk(whole):
        if isinstance(call, ast.Call):
            for argument in call.args:
                if isinstance(argument, ast.Constant) and argument.value in (0, 1):
                    yield argument


def wrong_field(place: Place) -> Iterator[Change]:
    """Another field of the same kind: another size, another list, another lock."""
    types = Types(place.function)
    for node in place.statements():
        for whole in expressions(node):
            for part, name in types.others(whole):
                new = ast.Attribute(part.value, name, part.ctx)
                yield place.rewritten(node, whole, part, new)


OPERATORS: dict[str, Operator] = {
    "left-out": left_out,
    "guard": no_guard,
    "negated": negated,
    "off-by-one": off_by_one,
    "and-or": and_or,
    "bound": bound,
    "wait": no_wait,
    "lock": no_lock,
    "exchanged": exchanged,
    "moved-out": moved_out,
    "constant": constant,
    "field": wrong_field,
}
"""The kinds of mistakes by name; what a kind is says the first sentence of its operator."""
