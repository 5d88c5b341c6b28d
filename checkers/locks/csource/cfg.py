"""The control flow of one C function: blocks of calls and assignments, and conditional jumps.

Why so: locks are taken and released across ``goto``, early returns and conditions, so the order in
which calls can happen is what matters; arithmetic is not.  A condition is kept as normalised text
(``IS_ERR(handle)``, ``ret<0``), enough to know that two tests ask the same question.  Preprocessor
conditionals become branches on their own condition, so that ``#ifdef`` pairs agree.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from powercut.checkers.locks.csource.chunk import UNSEEN, Chunk
from powercut.checkers.locks.csource.source import Function, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

RETURNED = "@ret"
OUT_OF_SIGHT = "@unseen"
"""What an exit returns that leaves the part of the function that is given."""

_LOOP_MACRO = re.compile(r"(^|_)for_each(_|$)|^for_|_foreach(_|$)")
_SCOPED = re.compile(r"^scoped_(cond_)?guard$")
_HINTS = ("likely", "unlikely", "WARN_ON", "WARN_ON_ONCE", "IS_ENABLED")


@dataclass(frozen=True, slots=True)
class Call:
    """A call; ``name`` starts with ``*`` when it goes through a function pointer field."""

    name: str
    args: tuple[str, ...]
    line: int
    text: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Assign:
    """An assignment of something that is not a call."""

    target: str
    value: str


@dataclass(frozen=True, slots=True)
class EndScope:
    """The end of a block: locks that were tied to it are released."""

    scope: int


Op = Call | Assign | EndScope


@dataclass(frozen=True, slots=True)
class Jump:
    """A successor, taken when ``atom`` is ``truth`` (always, without an atom)."""

    to: int
    atom: str = ""
    truth: bool = True


@dataclass(slots=True)
class Block:
    """Calls in order, then one of the jumps, or the end of the function."""

    ops: list[Op] = field(default_factory=list)
    jumps: list[Jump] = field(default_factory=list)
    returns: str | None = None
    line: int = 0


@dataclass(slots=True)
class Cfg:
    """The blocks of a function; it starts at block 0."""

    blocks: list[Block]
    errors: list[int]
    labels: tuple[int, ...] = ()


def build_cfg(function: Function, body: "Node") -> Cfg:
    """Return the control flow of a function; in a part of one, jumps from outside are possible."""
    cfg = _Builder(function.chunk).build(body)
    if function.partial:
        reached = {jump.to for block in cfg.blocks for jump in block.jumps}
        labels = [number for number in cfg.labels if number not in reached]
        cfg.blocks[0].jumps += [Jump(number) for number in labels]
    return cfg


def normal(text: str) -> str:
    """Return an expression without blanks and outer parentheses."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"(?<![A-Za-z0-9_]) | (?![A-Za-z0-9_])", "", text)
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1]
    return text


def _closing(text: str) -> int:
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return index
    return -1


class _Builder:
    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.blocks: list[Block] = []
        self.errors: list[int] = []
        self.labels: dict[str, int] = {}
        self.gotos: list[tuple[int, str]] = []
        self.breaks: list[int] = []
        self.continues: list[int] = []
        self.cases: list[list[tuple[bool, int]]] = []
        self.scopes = 0
        self.scope_has_guard: list[bool] = []
        self.here = self.new()

    def build(self, body: "Node") -> Cfg:
        self.statement(body)
        self.leave("", self.line(body, end=True))
        for block, label in self.gotos:
            if label in self.labels:
                self.blocks[block].jumps.append(Jump(self.labels[label]))
            else:
                self.blocks[block].returns = OUT_OF_SIGHT
        return Cfg(self.blocks, self.errors, tuple(self.labels.values()))

    # Blocks.

    def new(self) -> int:
        self.blocks.append(Block())
        return len(self.blocks) - 1

    def jump(self, to: int, atom: str = "", truth: bool = True) -> None:
        block = self.blocks[self.here]
        if block.returns is None:
            block.jumps.append(Jump(to, atom, truth))

    def leave(self, returns: str, line: int) -> None:
        block = self.blocks[self.here]
        block.returns, block.line = returns, line
        self.here = self.new()

    def emit(self, op: Op) -> None:
        self.blocks[self.here].ops.append(op)

    def line(self, node: "Node", *, end: bool = False) -> int:
        return self.chunk.line((node.end_point if end else node.start_point)[0])

    # Statements.

    def statement(self, node: "Node") -> None:
        handler = getattr(self, f"_{node.type}", None)
        if handler:
            handler(node)
        elif node.type.startswith("preproc_"):
            self._preproc(node)
        elif node.type.endswith("expression"):
            self.expression(node)

    def sequence(self, nodes: "list[Node]") -> None:
        index = 0
        while index < len(nodes):
            node = nodes[index]
            name = _macro_head(node)
            following = next(
                (k for k in range(index + 1, len(nodes)) if nodes[k].type != "comment"), None
            )
            if name and following is not None and _LOOP_MACRO.search(name):
                self.macro_loop(node, nodes[following])
                index = following
            elif name and following is not None and _SCOPED.match(name):
                with self.scope():
                    self.expression(node.named_children[0])
                    self.statement(nodes[following])
                index = following
            else:
                self.statement(node)
            index += 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        self.scopes += 1
        mine = self.scopes
        self.scope_has_guard.append(False)
        yield
        if self.scope_has_guard.pop():
            self.emit(EndScope(mine))

    def _compound_statement(self, node: "Node") -> None:
        with self.scope():
            self.sequence(list(node.named_children))

    def _expression_statement(self, node: "Node") -> None:
        for child in node.named_children:
            self.expression(child)

    def _ERROR(self, node: "Node") -> None:
        self.errors.append(self.line(node))
        self.sequence(list(node.named_children))

    def _declaration(self, node: "Node") -> None:
        for child in node.named_children:
            if child.type != "init_declarator":
                continue
            value = child.child_by_field_name("value")
            name = child.child_by_field_name("declarator")
            while name is not None and name.type != "identifier":
                inner = name.child_by_field_name("declarator")
                if inner is None:
                    break
                name = inner
            if value is not None and name is not None:
                self.assign(text_of(name), value)

    def assign(self, target: str, value: "Node") -> None:
        inner = _stripped(value)
        choice = inner.type == "conditional_expression" and b"(" in (inner.text or b"")
        if inner.type == "call_expression" or choice:
            self.expression(inner, target)
        else:
            self.expression(inner)
            self.emit(Assign(normal(target), normal(_value_text(inner))))

    def _if_statement(self, node: "Node") -> None:
        condition = node.child_by_field_name("condition")
        then, other, after = self.new(), self.new(), self.new()
        self.condition(condition, then, other)
        self.here = then
        consequence = node.child_by_field_name("consequence")
        if consequence is not None:
            self.statement(consequence)
        self.jump(after)
        self.here = other
        alternative = node.child_by_field_name("alternative")
        if alternative is not None:
            self.statement(alternative)
        self.jump(after)
        self.here = after

    def _else_clause(self, node: "Node") -> None:
        self.sequence(list(node.named_children))

    def _while_statement(self, node: "Node") -> None:
        self.loop(node.child_by_field_name("condition"), node.child_by_field_name("body"), None)

    def _for_statement(self, node: "Node") -> None:
        first = node.child_by_field_name("initializer")
        if first is not None:
            self.statement(first)
        self.loop(
            node.child_by_field_name("condition"),
            node.child_by_field_name("body"),
            node.child_by_field_name("update"),
        )

    def loop(self, condition: "Node | None", body: "Node | None", update: "Node | None") -> None:
        head, inside, step, after = self.new(), self.new(), self.new(), self.new()
        self.jump(head)
        self.here = head
        if condition is None:
            self.jump(inside)
        else:
            self.condition(condition, inside, after)
        self.here = inside
        self.body(body, step, after)
        self.jump(step)
        self.here = step
        if update is not None:
            self.expression(update)
        self.jump(head)
        self.here = after

    def body(self, body: "Node | None", again: int, after: int) -> None:
        self.breaks.append(after)
        self.continues.append(again)
        if body is not None:
            self.statement(body)
        self.breaks.pop()
        self.continues.pop()

    def macro_loop(self, head: "Node", body: "Node") -> None:
        start, inside, after = self.new(), self.new(), self.new()
        self.expression(head.named_children[0])
        self.jump(start)
        self.here = start
        self.jump(inside)
        self.jump(after)
        self.here = inside
        self.body(body, start, after)
        self.jump(start)
        self.here = after

    def _do_statement(self, node: "Node") -> None:
        inside, test, after = self.new(), self.new(), self.new()
        self.jump(inside)
        self.here = inside
        self.body(node.child_by_field_name("body"), test, after)
        self.jump(test)
        self.here = test
        self.condition(node.child_by_field_name("condition"), inside, after)
        self.here = after

    def _switch_statement(self, node: "Node") -> None:
        condition = node.child_by_field_name("condition")
        if condition is not None:
            self.expression(condition)
        top, after = self.here, self.new()
        self.here = self.new()
        self.cases.append([])
        self.breaks.append(after)
        body = node.child_by_field_name("body")
        if body is not None:
            self.statement(body)
        self.breaks.pop()
        self.jump(after)
        cases = self.cases.pop()
        for _, block in cases:
            self.blocks[top].jumps.append(Jump(block))
        if not any(default for default, _ in cases):
            self.blocks[top].jumps.append(Jump(after))
        self.here = after

    def _case_statement(self, node: "Node") -> None:
        block = self.new()
        self.jump(block)
        value = node.child_by_field_name("value")
        if self.cases:
            self.cases[-1].append((value is None, block))
        else:  # the switch is outside
            self.blocks[0].jumps.append(Jump(block))
        self.here = block
        self.sequence([child for child in node.named_children if child != value])

    def _break_statement(self, node: "Node") -> None:
        self.go(self.breaks, node)

    def _continue_statement(self, node: "Node") -> None:
        self.go(self.continues, node)

    def go(self, targets: list[int], node: "Node") -> None:
        if targets:
            self.jump(targets[-1])
            self.here = self.new()
        else:
            self.leave(OUT_OF_SIGHT, self.line(node))

    def _goto_statement(self, node: "Node") -> None:
        label = node.child_by_field_name("label")
        self.gotos.append((self.here, text_of(label) if label else ""))
        self.blocks[self.here].line = self.line(node)
        self.here = self.new()

    def _labeled_statement(self, node: "Node") -> None:
        label = node.child_by_field_name("label")
        block = self.new()
        self.jump(block)
        self.here = block
        if label is not None:
            self.labels[text_of(label)] = block
        self.sequence([child for child in node.named_children if child != label])

    def _return_statement(self, node: "Node") -> None:
        value = node.named_children[0] if node.named_children else None
        returned = "void"
        if value is not None:
            self.assign(RETURNED, value)
            returned = RETURNED
        self.leave(returned, self.line(node))

    def _preproc(self, node: "Node") -> None:
        if node.type not in ("preproc_if", "preproc_ifdef", "preproc_elif"):
            return
        name = node.child_by_field_name("name") or node.child_by_field_name("condition")
        other = node.child_by_field_name("alternative")
        children = [c for c in node.named_children if c not in (name, other)]
        negated = node.children[0].type == "#ifndef"
        atom = "#" + (normal(text_of(name)) if name else "")
        inside, outside, after = self.new(), self.new(), self.new()
        self.jump(inside, atom, not negated)
        self.jump(outside, atom, negated)
        self.here = inside
        self.sequence(children)
        self.jump(after)
        self.here = outside
        if other is not None and other.type == "preproc_else":
            self.sequence(list(other.named_children))
        elif other is not None:
            self._preproc(other)
        self.jump(after)
        self.here = after

    # Expressions.

    def expression(self, node: "Node", target: str = "") -> None:
        kind = node.type
        if kind == "call_expression":
            self.call(node, target)
        elif kind == "assignment_expression":
            self.assignment(node)
        elif kind == "update_expression":
            self.emit(Assign(normal(text_of(node).strip("+-")), "?"))
        elif kind == "conditional_expression" and b"(" in (node.text or b""):
            self.choice(node, target)
        elif kind == "binary_expression" and _operator(node) in ("&&", "||"):
            after = self.new()
            self.condition(node, after, after)
            self.here = after
        elif kind == "compound_statement":
            self.statement(node)
        elif kind not in ("sizeof_expression", "string_literal", "identifier", "number_literal"):
            for child in node.named_children:
                self.expression(child)

    def choice(self, node: "Node", target: str) -> None:
        parts = [node.child_by_field_name(n) for n in ("condition", "consequence", "alternative")]
        yes, no, after = self.new(), self.new(), self.new()
        self.condition(parts[0], yes, no)
        for block, part in ((yes, parts[1]), (no, parts[2])):
            self.here = block
            if part is not None and target:
                self.assign(target, part)
            elif part is not None:
                self.expression(part)
            self.jump(after)
        self.here = after

    def assignment(self, node: "Node") -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        if _operator(node) == "=":
            self.assign(normal(text_of(left)), right)
        else:
            self.expression(right)
            self.emit(Assign(normal(text_of(left)), "?"))

    def call(self, node: "Node", target: str) -> None:
        function = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        parts = [c for c in arguments.named_children if c.type != "comment"] if arguments else []
        for part in parts:
            self.expression(part)
        args = tuple(normal(text_of(part)) for part in parts)
        if function is None:
            return
        name = text_of(function)
        if function.type == "call_expression":
            name = normal(name)
            inner = re.match(r"(?:guard|ACQUIRE)\((\w+)(?:,(\w+))?\)$", name)
            name = f"guard_{inner[1]}" if inner else name
            if inner and inner[2]:
                target = f"ACQUIRE_ERR({inner[1]},&{inner[2]})"
        elif function.type == "field_expression":
            field_name = function.child_by_field_name("field")
            name = "*" + (text_of(field_name) if field_name else "")
        elif function.type != "identifier":
            name = normal(name).lstrip("*")
        if _SCOPED.match(name) and args:
            name, args = f"guard_{args[0]}", args[1:]
        if name.startswith("guard_"):
            if self.scope_has_guard:
                self.scope_has_guard[-1] = True
            args = (*args, f"@scope{self.scopes}")
        self.emit(Call(name, args, self.line(node), normal(text_of(node)), normal(target)))

    def condition(self, node: "Node | None", yes: int, no: int) -> None:
        if node is None:
            self.jump(yes)
            self.jump(no)
            return
        node = _stripped(node)
        operator = _operator(node)
        if node.type == "unary_expression" and operator == "!":
            self.condition(node.child_by_field_name("argument"), no, yes)
        elif node.type == "binary_expression" and operator in ("&&", "||"):
            middle = self.new()
            both = operator == "&&"
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            self.condition(left, middle if both else yes, no if both else middle)
            self.here = middle
            self.condition(right, yes, no)
        elif _hint(node) is not None:
            self.condition(_hint(node), yes, no)
        else:
            self.expression(node)
            atom, truth = atom_of(node)
            if atom in ("1", "true"):
                self.jump(yes if truth else no)
            elif atom in ("0", "false"):
                self.jump(no if truth else yes)
            else:
                atom = "" if atom == UNSEEN else atom
                self.blocks[self.here].line = self.line(node)
                self.jump(yes, atom, truth)
                self.jump(no, atom, not truth)


def atom_of(node: "Node") -> tuple[str, bool]:
    """Return a condition as (question, the answer that makes it true)."""
    if node.type == "binary_expression":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = _operator(node)
        if left is not None and right is not None:
            one, other = normal(_value_text(left)), normal(_value_text(right))
            if other in ("NULL", "0", "false") and operator in ("==", "!="):
                return one, operator == "!="
            if other == "0" and operator in ("<", ">="):
                return f"{one}<0", operator == "<"
            if operator in ("==", "!="):
                return f"{one}=={other}", operator == "=="
            return f"{one}{operator}{other}", True
    return normal(_value_text(node)), True


def _value_text(node: "Node") -> str:
    """Return the text of an expression; of an assignment, what was assigned to."""
    inner = _stripped(node)
    if inner.type == "assignment_expression":
        left = inner.child_by_field_name("left")
        return text_of(left) if left is not None else ""
    hint = _hint(inner)
    return _value_text(hint) if hint is not None else text_of(inner)


def _stripped(node: "Node") -> "Node":
    while True:
        inner = None
        if node.type == "parenthesized_expression" and node.named_child_count == 1:
            inner = node.named_children[0]
        elif node.type == "cast_expression":
            inner = node.child_by_field_name("value")
        if inner is None or inner.type == "compound_statement":
            return node
        node = inner


def _hint(node: "Node") -> "Node | None":
    """Return what ``likely()`` and its like are asked about."""
    if node.type != "call_expression":
        return None
    function = node.child_by_field_name("function")
    arguments = node.child_by_field_name("arguments")
    if function is None or arguments is None or text_of(function) not in _HINTS:
        return None
    return arguments.named_children[0] if arguments.named_child_count == 1 else None


def _operator(node: "Node") -> str:
    operator = node.child_by_field_name("operator")
    return operator.type if operator is not None else ""


def _macro_head(node: "Node") -> str:
    """Return the macro's name if the statement is a call that its semicolon is missing from."""
    if node.type != "expression_statement" or not node.named_children:
        return ""
    if not node.children[-1].is_missing:
        return ""
    call = node.named_children[0]
    if call.type != "call_expression":
        return ""
    function = call.child_by_field_name("function")
    return text_of(function) if function is not None else ""
