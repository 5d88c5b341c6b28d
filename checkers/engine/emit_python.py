"""The Python back end: one function a program point, over flat states.

``step(S, F, T)`` takes a state and returns the one after thread number ``T`` of its kind, whose
frame starts at ``F``, ran from the point it is parked at to the next one; ``None`` if it has to
wait.  ``guard(S, F, T)`` only tells whether it may run.  A frame is ``[program counter | slots]``;
a kind with many points has a counter of two bytes, whose first alone tells who has finished.
Values that differ between runs of one build (design, mutant, programs) are globals ``C`` and
``C@<offset>`` of the generated module, so that one build serves them all.  Constants of bytes stand
for numbers that depend on the array sizes; see ``sums``.

Code reached from several places within a step is emitted once, as a function of its own that finds
its locals in the frame; the rest is duplicated into the step that runs it, which is what makes a
step fast.  A loop without a preemption point becomes such a function calling itself; its depth is
bounded by the loop's.
"""

import ast
from dataclasses import dataclass, field
from types import CodeType

from powercut.checkers.engine.graph import Branch, Jump, Wait
from powercut.checkers.engine.layout import StructType
from powercut.checkers.engine.plan import Plan
from powercut.checkers.engine.runtime import frame_of
from powercut.checkers.engine.sums import Sum
from powercut.checkers.engine.trees import locate, uses_in, uses_of


@dataclass(slots=True)
class Emitter:
    """Emits the functions of one kind; names carry the kind so that all share one module.

    ``is_alone`` says that there is only one thread of the kind: then slots are literal offsets.
    """

    plan: Plan
    pointer_tables: dict[str, StructType]
    zero_dead: bool = True
    checked: bool = False
    is_alone: bool = False
    out: list[ast.stmt] = field(default_factory=list)

    def emit(self) -> list[ast.stmt]:
        """Return the guard and step functions of every point and the start function."""
        kind = self.plan.graph.kind
        self._function(f"{kind}_start", 0, None)
        for number, point in self.plan.graph.points.items():
            self._function(f"{kind}_step{number}", point.target, number)
            if point.guard is not None:
                self._guard(f"{kind}_guard{number}", point.guard, number)
        for block in sorted(self.plan.shared):
            self._function(f"{kind}_block{block}", block, None, shared=True)
        return self.out

    def _guard(self, name: str, guard: ast.expr, point: int) -> None:
        wanted = self.plan.liveness.at_point[point]
        body: list[ast.stmt] = self._loads(wanted & uses_of(guard).names)
        body.append(ast.Return(guard))
        self.out.append(self._definition(name, body))

    def _function(self, name: str, block: int, point: int | None, *, shared: bool = False) -> None:
        start = frozenset[str]()
        if point is not None:
            start = self.plan.liveness.at_point[point]
        elif shared:
            start = self.plan.liveness.at_block[block]
        dirty = None if shared else self._slots_of(start)
        body = self._tail(block, frozenset(), dirty, first=True)
        if point is not None:
            body = [*self._wait(point), _COPY, *body]
        body = [*self._loads(start & uses_in(body).names), *body]
        self.out.append(self._definition(name, body))

    def _wait(self, point: int) -> list[ast.stmt]:
        guard = self.plan.graph.points[point].guard
        if guard is None:
            return []
        blocked = ast.UnaryOp(ast.Not(), guard)
        return [ast.If(blocked, [ast.Return(ast.Constant(None))], [])]

    def _slots_of(self, names: frozenset[str]) -> frozenset[int]:
        return frozenset(self.plan.frames.slots[n] for n in names if n in self.plan.frames.slots)

    def _definition(self, name: str, body: list[ast.stmt]) -> ast.FunctionDef:
        parameter = self.plan.graph.parameter
        args = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(arg=a) for a in ("S", "F", parameter)],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        )
        return ast.FunctionDef(name, args, body or [ast.Pass()], [], lineno=1)

    def _tail(
        self, block: int, written: frozenset[str], dirty: frozenset[int] | None, *, first: bool
    ) -> list[ast.stmt]:
        """Emit ``block`` and what follows up to the next point.

        ``written`` are locals changed since they were loaded; ``dirty`` the slots that may be
        non-zero (``None``: any).
        """
        if block in self.plan.shared and not first:
            saves = self._saves(self.plan.liveness.at_block[block], written)
            return [*saves, self._call_shared(block)]
        here = self.plan.graph.blocks[block]
        written |= uses_in(here.statements).writes
        body = list(here.statements)
        end = here.end
        if isinstance(end, Jump):
            return body + self._tail(end.target, written, dirty, first=False)
        if isinstance(end, Branch):
            yes = self._tail(end.yes, written, dirty, first=False)
            no = self._tail(end.no, written, dirty, first=False)
            return [*body, ast.If(end.test, yes, []), *no]
        live = frozenset[str]()
        counter = 0
        if isinstance(end, Wait):
            live = self.plan.liveness.at_point[end.point]
            counter = end.point
        body += self._saves(live, written)
        body += self._zeroes(live, dirty)
        for offset, byte in enumerate(self.plan.frames.counter(counter)):
            body.append(self._store_slot(offset, ast.Constant(byte)))
        body.append(_DONE)
        return body

    def _call_shared(self, block: int) -> ast.stmt:
        name = ast.Name(f"{self.plan.graph.kind}_block{block}", ast.Load())
        arguments: list[ast.expr] = [
            ast.Name(a, ast.Load()) for a in ("S", "F", self.plan.graph.parameter)
        ]
        return ast.Return(ast.Call(name, arguments, []))

    def _loads(self, names: frozenset[str] | set[str]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for name in sorted(names):
            value: ast.expr = self._slot(self.plan.frames.offset(name), ast.Load())
            kind = self.plan.graph.pointers.get(name)
            if kind is not None:
                table = self._table(kind)
                value = ast.Subscript(ast.Name(f"A_{table}", ast.Load()), value, ast.Load())
            out.append(ast.Assign([ast.Name(name, ast.Store())], value, lineno=1))
        return out

    def _saves(self, live: frozenset[str], written: frozenset[str]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for name in sorted(live & written):
            value: ast.expr = ast.Name(name, ast.Load())
            kind = self.plan.graph.pointers.get(name)
            if kind is not None:
                table = self._table(kind)
                value = ast.Subscript(ast.Name(f"N_{table}", ast.Load()), value, ast.Load())
            elif self.checked:
                where = ast.Constant(f"local {name.rpartition('_')[0]} of {self.plan.graph.kind}")
                arguments = [value, ast.Constant(255), where]
                value = ast.Call(ast.Name("check_range", ast.Load()), arguments, [])
            out.append(self._store_slot(self.plan.frames.offset(name), value))
        return out

    def _table(self, kind: StructType) -> str:
        self.pointer_tables[kind.name] = kind
        return kind.name

    def _zeroes(self, live: frozenset[str], dirty: frozenset[int] | None) -> list[ast.stmt]:
        if not self.zero_dead:
            return []
        if dirty is None:
            dirty = frozenset(self.plan.frames.slots.values())
        kept = self._slots_of(live)
        first = self.plan.frames.counter_size
        return [self._store_slot(first + slot, ast.Constant(0)) for slot in sorted(dirty - kept)]

    def _slot(self, offset: int, context: ast.expr_context) -> ast.Subscript:
        index: ast.expr = ast.Name("F", ast.Load())
        if self.is_alone:
            index = Sum(offset).plus(frame_of(self.plan.graph.kind)).node()
        elif offset:
            index = ast.BinOp(index, ast.Add(), ast.Constant(offset))
        return ast.Subscript(ast.Name("S", ast.Load()), index, context)

    def _store_slot(self, offset: int, value: ast.expr) -> ast.Assign:
        return ast.Assign([self._slot(offset, ast.Store())], value, lineno=1)


_COPY = ast.parse("S = bytearray(S)").body[0]
_DONE = ast.parse("return bytes(S)").body[0]


def compile_module(statements: list[ast.stmt]) -> CodeType:
    """Compile generated functions."""
    locate(statements)
    return compile(ast.Module(statements, []), "<generated steps>", "exec")
