"""The C back end: the graphs and frames of ``emit_python``, as one C function a kind of thread.

``run_<kind>(S, C, F, T)`` switches on the program counter of the frame at ``F``, loads the locals
that are live there, and runs with plain gotos to the next point.  Nothing is duplicated and nothing
recurses.  Helpers and predicates become C functions of the same name.

The steps (:func:`emit_steps`) are the same text for all array sizes: what depends on those is read
from the tables that ``emit_geometry`` writes for one build.

The C code never decides what is *wrong*.  Where Python would raise (a store outside a byte, an
index outside the vector, a failed assertion, a division by zero) or where 64-bit numbers might not
do, it calls ``pc_fault`` and the caller lets the Python step decide; so messages and verdicts are
Python's.  A fault too many costs time, never a verdict.  Faults must therefore cover all that
Python rejects: the saves that ``emit_python`` does at shared blocks are range-checked here as well.

Numbers are ``int64_t``.  Locals and products stay below 2**32 (else: fault), so sums of them cannot
overflow.  Operands are evaluated in Python's order wherever one of them may change the state.

Rejected: translating the generated Python text (its duplicated tails and self-calling loops are
there for Python's sake); signed chars and shorts (promotion rules are where that goes wrong).
"""

import ast
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from powercut.checkers.engine.errors import LanguageError
from powercut.checkers.engine.graph import Branch, Jump, Wait
from powercut.checkers.engine.layout import CONSTANT, StructType
from powercut.checkers.engine.liveness import local_names
from powercut.checkers.engine.plan import Lowered, Plan
from powercut.checkers.engine.sums import constant_byte
from powercut.checkers.engine.translation import Steps, run_head
from powercut.checkers.engine.trees import uses_of

_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}
_CALLED = {
    ast.Mult: "pc_mul",
    ast.FloorDiv: "pc_div",
    ast.Mod: "pc_mod",
    ast.LShift: "pc_shl",
    ast.RShift: "pc_shr",
}
_COMPARED = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


_FIRST_SUMS = 3
"""``pc_geometry`` starts with the sizes of the state, the constants and the shared variables."""


def emit_steps(lowered: Lowered) -> Steps:
    """Return the C text of all steps and predicates.

    Raises :class:`LanguageError` for the little that only Python can run: recursive helpers and
    names outside ASCII.
    """
    return _Emitter(lowered).emit()


@dataclass(slots=True)
class _Emitter:
    lowered: Lowered
    out: list[str] = field(default_factory=list)
    sums: dict[str, int] = field(default_factory=dict)
    public: frozenset[str] = frozenset()
    indent: int = 0
    fresh: int = 0

    def emit(self) -> Steps:
        lowered = self.lowered
        if not lowered.zero_dead:  # what a dead local holds is an accident of each back end
            kinds = ", ".join(lowered.plans)
            raise LanguageError(kinds, 0, "dead locals are kept in Python")
        self._check_helpers()
        self.public = frozenset(lowered.predicates)
        self._bounds()
        definitions = lowered.helpers.definitions
        for name, definition in definitions.items():
            self._line(f"{self._head(name, definition)};")
        for name, definition in definitions.items():
            self._helper(name, definition)
        for plan in lowered.plans.values():
            _KindEmitter(self, plan).emit()
        return Steps("\n".join(self.out) + "\n", tuple(self.sums))

    def _check_helpers(self) -> None:
        """Refuse recursion, which C would answer with a crash."""
        definitions = self.lowered.helpers.definitions
        calls = {
            name: uses_of(node).reads & definitions.keys() for name, node in definitions.items()
        }
        settled: set[str] = set()
        while ready := [n for n, c in calls.items() if n not in settled and c <= settled]:
            settled.update(ready)
        for name in calls.keys() - settled:
            raise LanguageError(name, 0, "a recursive helper runs in the Python engine only")
        used = {name for each in definitions.values() for name in uses_of(each).names}
        names = {name for name in used if constant_byte(name) is None}
        graphs = [plan.graph for plan in self.lowered.plans.values()]
        names.update(*map(local_names, graphs), definitions)
        for name in sorted(names):
            if not name.isascii():
                raise LanguageError(name, 0, "a name outside ASCII runs in the Python engine only")

    def _bounds(self) -> None:
        for name, sum_ in (("pc_at", 0), ("pc_const", 1)):
            self._line(f"PC_UNUSED static size_t {name}(int64_t i)\n{{")
            self._line(f"    int64_t size = pc_geometry[{sum_}];")
            self._line("    return i >= 0 && i < size ? (size_t)i : pc_wrap(i, size);\n}")

    def number(self, text: str) -> str:
        """Return a written sum, which is a plain number or in the table."""
        if text.isdigit():
            return text
        return f"pc_geometry[{_FIRST_SUMS + self.sums.setdefault(text, len(self.sums))}]"

    def _head(self, name: str, node: ast.FunctionDef) -> str:
        parameters = "".join(f", int64_t {a.arg}" for a in node.args.args[1:])
        storage = "PC_SHARED" if name in self.public else "static"
        return f"PC_UNUSED {storage} int64_t {name}(uint8_t *S, const uint8_t *C{parameters})"

    def _helper(self, name: str, node: ast.FunctionDef) -> None:
        parameters = {a.arg for a in node.args.args[1:]}
        stored = _stored_in(node) - parameters
        self._line(self._head(name, node))
        self._line("{")
        self.indent += 1
        self._line("(void)S; (void)C;")
        self.declare(stored)
        self.statements(node.body)
        gives = any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(node))
        if not isinstance(node.body[-1], ast.Return):
            self._line("pc_fault();" if gives else "return 0;")
        self.indent -= 1
        self._line("}")

    def _line(self, text: str) -> None:
        self.out.append("    " * self.indent + text)

    def line(self, text: str) -> None:
        """Write one line at the current depth."""
        self._line(text)

    def declare(self, names: AbstractSet[str]) -> None:
        """Declare locals; a local may be set and never read, as in Python."""
        for name in sorted(names):
            self._line(f"PC_UNUSED int64_t {name} = 0;")

    def temporary(self) -> str:
        """Return a name that no other generated name looks like."""
        self.fresh += 1
        return f"v{self.fresh}"

    def statements(self, body: list[ast.stmt]) -> None:
        """Write structured statements, those without a preemption point."""
        for node in body:
            self._statement(node)

    def _nested(self, body: list[ast.stmt]) -> None:
        self.indent += 1
        self.statements(body)
        self.indent -= 1

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.If):
            self._line(f"if ({self.test(node.test)}) {{")
            self._nested(node.body)
            if node.orelse:
                self._line("} else {")
                self._nested(node.orelse)
            self._line("}")
        elif isinstance(node, ast.While):
            turns = self.temporary()
            self._line(f"for (int64_t {turns} = 0; {self.test(node.test)};) {{")
            self._line(f"    if (++{turns} > PC_MANY_TURNS) pc_fault();")
            self._nested(node.body)
            self._line("}")
        elif isinstance(node, ast.For):
            self._for(node)
        elif isinstance(node, ast.Return):
            self._line(f"return {self.value(node.value)};" if node.value else "return 0;")
        elif isinstance(node, ast.Break | ast.Continue):
            self._line("break;" if isinstance(node, ast.Break) else "continue;")
        elif isinstance(node, ast.Expr):
            self._line(f"(void){self.value(node.value)};")
        elif isinstance(node, ast.Assign | ast.AugAssign):
            self._store(node)
        else:
            assert isinstance(node, ast.Pass)
            self._line(";")

    def _for(self, node: ast.For) -> None:
        assert isinstance(node.target, ast.Name)
        assert isinstance(node.iter, ast.Call)
        bounds = node.iter.args
        turn, stop = self.temporary(), self.temporary()
        start = self.value(bounds[0]) if len(bounds) == 2 else "0"
        self._line(f"{{ int64_t {turn} = {start};")
        self._line(f"int64_t {stop} = {self.value(bounds[-1])};")
        self._line(f"for (; {turn} < {stop}; {turn}++) {{")
        self._line(f"    {node.target.id} = {turn};")
        self._nested(node.body)
        self._line("} }")

    def _store(self, node: ast.Assign | ast.AugAssign) -> None:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        value = self.value(node.value)
        if isinstance(target, ast.Name):
            text = value if _is_small(node.value) else f"pc_local({value})"
            self._line(f"{target.id} = {text};")
            return
        assert isinstance(target, ast.Subscript)
        index = self._index(target)
        if isinstance(node, ast.Assign):
            if isinstance(node.value, ast.Constant) and 0 <= int(value) <= 255:
                self._line(f"S[{index}] = {value};")
                return
            new = self.temporary()
            self._line(f"{{ int64_t {new} = {value}; S[{index}] = pc_byte({new}); }}")
            return
        at, old, new = self.temporary(), self.temporary(), self.temporary()
        self._line(f"{{ size_t {at} = {index}; int64_t {old} = S[{at}]; int64_t {new} = {value};")
        self._line(f"  S[{at}] = pc_byte({_operator(node.op, old, new)}); }}")

    def test(self, node: ast.expr) -> str:
        """Return ``node`` as a condition."""
        if isinstance(node, ast.BoolOp):
            join = " && " if isinstance(node.op, ast.And) else " || "
            return f"({join.join(self.test(v) for v in node.values)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"!{self.test(node.operand)}"
        if isinstance(node, ast.Compare):
            return self.value(node)
        return f"({self.value(node)} != 0)"

    def value(self, node: ast.expr) -> str:
        """Return ``node`` as a number; every result is one primary expression of C."""
        if isinstance(node, ast.Constant):
            return self._literal(node.value)
        if isinstance(node, ast.Name):
            at = constant_byte(node.id)
            return node.id if at is None else f"C[{self.number(at)}]"
        if isinstance(node, ast.Subscript):
            assert isinstance(node.value, ast.Name)
            return f"{node.value.id}[{self._index(node)}]"
        if isinstance(node, ast.BoolOp):
            return self._bool(node)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.IfExp):
            yes, no = self.value(node.body), self.value(node.orelse)
            return f"({self.test(node.test)} ? (int64_t){yes} : (int64_t){no})"
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        assert isinstance(node, ast.Call)
        return self._call(node)

    def _literal(self, value: object) -> str:
        if isinstance(value, bytes):
            return self.number(value.decode())
        assert isinstance(value, int)
        return f"({int(value)})" if value < 0 else str(int(value))

    def _index(self, node: ast.Subscript) -> str:
        assert isinstance(node.value, ast.Name)
        if isinstance(node.slice, ast.Constant):  # an address that the layout gave
            return self._literal(node.slice.value)
        index = self._address(node.slice)
        return f"{'pc_at' if node.value.id == 'S' else 'pc_const'}({index})"

    def _address(self, node: ast.expr) -> str:
        """Return an index; times a stride it is far from 64 bits, so plain products will do."""
        if isinstance(node, ast.BinOp) and not self._is_impure(node):
            left, right = node.left, node.right
            if isinstance(node.op, ast.Add):
                return f"({self._address(left)} + {self._address(right)})"
            if isinstance(node.op, ast.Mult) and isinstance(left, ast.Name) and _is_factor(right):
                return f"((int64_t){self.value(left)} * {self.value(right)})"
        return f"(int64_t){self.value(node)}"

    def _bool(self, node: ast.BoolOp) -> str:
        """Python's ``and`` and ``or`` give the operand that decided."""
        if all(_is_truth(v) for v in node.values):
            return self.test(node)
        left = self.value(node.values[0])
        rest = node.values[1:]
        right = self.value(rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))
        name = self.temporary()
        choice = f"{right} : {name}" if isinstance(node.op, ast.And) else f"{name} : {right}"
        return f"(__extension__ ({{ int64_t {name} = {left}; {name} ? {choice}; }}))"

    def _unary(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return f"({self.test(node)})"
        sign = "-" if isinstance(node.op, ast.USub) else "~"
        return f"({sign}(int64_t){self.value(node.operand)})"

    def _compare(self, node: ast.Compare) -> str:
        terms = [node.left, *node.comparators]
        if len(node.ops) == 1:
            sign = _COMPARED[type(node.ops[0])]
            return self._ordered(terms, lambda a: f"({a[0]} {sign} {a[1]})")
        texts = [self.value(term) for term in terms]
        pairs = [
            f"({left} {_COMPARED[type(op)]} {right})"
            for left, op, right in zip(texts, node.ops, texts[1:], strict=False)
        ]
        return f"({' && '.join(pairs)})"

    def _binary(self, node: ast.BinOp) -> str:
        if isinstance(node.op, ast.Mult) and _is_byte(node.left) and _is_factor(node.right):
            return f"((int64_t){self.value(node.left)} * {self.value(node.right)})"
        return self._ordered([node.left, node.right], lambda a: _operator(node.op, a[0], a[1]))

    def _call(self, node: ast.Call) -> str:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name in ("min", "max"):
            text = self.value(node.args[0])
            for argument in node.args[1:]:
                text = f"pc_{name}({text}, {self.value(argument)})"
            if any(self._is_impure(a) for a in node.args):
                return self._ordered(node.args, lambda a: _fold_calls(f"pc_{name}", a))
            return text
        if name == "assertion_failed":
            return "(pc_fault(), 0)"
        if name in ("check_range", "check_index"):
            return self._ordered(node.args[:2], lambda a: f"pc_{name}({a[0]}, {a[1]})")
        return self._ordered(node.args[1:], lambda a: f"{name}({', '.join(['S', 'C', *a])})")

    def _is_impure(self, node: ast.AST) -> bool:
        impure = self.lowered.helpers.impure
        return not uses_of(node).reads.isdisjoint(impure)

    def _ordered(self, operands: list[ast.expr], combine: Callable[[list[str]], str]) -> str:
        """Combine operands; C has no order of evaluation, so give it one where it matters."""
        texts = [self.value(operand) for operand in operands]
        moving = [o for o in operands if not isinstance(o, ast.Constant)]
        if len(moving) < 2 or not any(self._is_impure(o) for o in operands):
            return combine(texts)
        names = [self.temporary() for _ in texts]
        lets = " ".join(f"int64_t {n} = {t};" for n, t in zip(names, texts, strict=True))
        return f"(__extension__ ({{ {lets} {combine(names)}; }}))"


class _KindEmitter:
    """Writes the step function of one kind of thread."""

    def __init__(self, emitter: _Emitter, plan: Plan) -> None:
        self.emitter = emitter
        self.plan = plan
        self.frames = plan.frames
        self.graph = plan.graph
        self.all_slots = {self.frames.offset(name) for name in self.frames.slots}

    def emit(self) -> None:
        emitter = self.emitter
        kind, parameter = self.graph.kind, self.graph.parameter
        emitter.line(f"PC_UNUSED PC_SHARED {run_head(kind, parameter)}")
        emitter.line("{")
        emitter.indent += 1
        emitter.line(f"(void)C; (void){parameter};")
        emitter.line("PC_UNUSED int turns = 0;")
        emitter.declare(local_names(self.graph))
        is_wide = self.frames.counter_size == 2
        emitter.line(f"switch ({'S[F] + 255 * S[F + 1]' if is_wide else 'S[F]'}) {{")
        for number, point in self.graph.points.items():
            emitter.line(f"case {number}:")
            emitter.indent += 1
            self._loads(self.plan.liveness.at_point[number])
            if point.guard is not None:
                emitter.line(f"if (!{emitter.test(point.guard)}) return 0;")
            emitter.line(f"goto b{point.target};")
            emitter.indent -= 1
        emitter.line("default: return 0;\n    }")
        self._blocks()
        emitter.indent -= 1
        emitter.line("}")

    def _blocks(self) -> None:
        """Write all reachable blocks, a jump's target right after it where that is possible."""
        for block in self._in_order():
            self.emitter.line(f"b{block}:;")
            here = self.graph.blocks[block]
            self.emitter.statements(here.statements)
            if isinstance(here.end, Jump):
                self._goto(here.end.target)
            elif isinstance(here.end, Branch):
                self.emitter.line(f"if ({self.emitter.test(here.end.test)}) {{")
                self._goto(here.end.yes)
                self.emitter.line("} else {")
                self._goto(here.end.no)
                self.emitter.line("}")
            else:
                self._park(here.end.point if isinstance(here.end, Wait) else 0)

    def _in_order(self) -> Iterator[int]:
        seen: set[int] = set()
        for point in self.graph.points.values():
            todo = [point.target]
            while todo:
                block = todo.pop()
                if block in seen:
                    continue
                seen.add(block)
                yield block
                end = self.graph.blocks[block].end
                if isinstance(end, Jump):
                    todo.append(end.target)
                elif isinstance(end, Branch):
                    todo += [end.no, end.yes]

    def _goto(self, target: int) -> None:
        """Jump; where the Python back end saves its locals, what it could not save faults."""
        if target in self.plan.shared:
            for name in sorted(self.plan.liveness.at_block[target]):
                if name not in self.graph.pointers:
                    self.emitter.line(f"(void)pc_byte({name});")
            self.emitter.line("if (++turns > PC_FEW_TURNS) pc_fault();")
        self.emitter.line(f"goto b{target};")

    def _loads(self, names: frozenset[str]) -> None:
        for name in sorted(names):
            value = f"S[F + {self.frames.offset(name)}]"
            kind = self.graph.pointers.get(name)
            if kind is not None:
                value = f"A_{kind.name}[{value}]"
            self.emitter.line(f"{name} = {value};")

    def _park(self, point: int) -> None:
        live = self.plan.liveness.at_point[point] if point else frozenset()
        kept = set()
        for name in sorted(live):
            slot = self.frames.offset(name)
            kept.add(slot)
            kind = self.graph.pointers.get(name)
            value = name if kind is None else _instance_number(kind, name)
            self.emitter.line(f"S[F + {slot}] = pc_byte({value});")
        for slot in sorted(self.all_slots - kept):
            self.emitter.line(f"S[F + {slot}] = 0;")
        for offset, byte in enumerate(self.frames.counter(point)):
            self.emitter.line(f"S[F + {offset}] = {byte};")
        self.emitter.line("return 1;")


def _fold_calls(name: str, texts: list[str]) -> str:
    text = texts[0]
    for other in texts[1:]:
        text = f"{name}({text}, {other})"
    return text


def _operator(op: ast.operator, left: str, right: str) -> str:
    sign = _ARITHMETIC.get(type(op))
    if sign is not None:
        return f"((int64_t){left} {sign} {right})"
    return f"{_CALLED[type(op)]}({left}, {right})"


def _instance_number(kind: StructType, address: str) -> str:
    return (
        f"pc_number(N_{kind.name}, {address}, pc_geometry[{1 if kind.region == CONSTANT else 2}])"
    )


def _stored_in(node: ast.AST) -> frozenset[str]:
    return uses_of(node).writes


def _is_byte(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) or _is_constant_byte(node)


def _is_constant_byte(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and constant_byte(node.id) is not None


def _is_factor(node: ast.expr) -> bool:
    if not isinstance(node, ast.Constant):
        return False
    return isinstance(node.value, bytes) or (
        isinstance(node.value, int) and abs(node.value) < 1 << 16
    )


def _is_truth(node: ast.expr) -> bool:
    """Tell whether ``node`` can only be 0 or 1."""
    if isinstance(node, ast.BoolOp):
        return all(_is_truth(v) for v in node.values)
    if isinstance(node, ast.Constant):
        return node.value in (0, 1)
    return isinstance(node, ast.Compare) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def _is_small(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return True
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, int) or abs(node.value) < 1 << 30
    return _is_byte(node) or _is_truth(node)
