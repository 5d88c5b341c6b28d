"""Chunks of C become functions and tables of function pointers, through tree-sitter.

Why so: the parser does not preprocess, so annotations that stand where C has nothing
(``__releases(lock)``, ``noinline_for_stack``) are blanked out before it runs, column for column.
Only the top level is walked here; a body is opened when its function turns out to matter.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from powercut.checkers.locks.csource.chunk import Chunk
from powercut.errors import MissingExtraError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_ANNOTATION = re.compile(
    r"\b(?:__(?:releases|acquires|must_hold|cond_acquires|cond_releases|context_unsafe|printf)"
    r"\s*\([^()]*\)"
    r"|(?:__init|__exit|__cold|__must_check|__always_inline|__always_unused|__maybe_unused"
    r"|__user|__iomem|__force|__rcu|__percpu|__sched|__bitwise|__net_init|__net_exit|__ref"
    r"|__read_mostly|__ro_after_init|__cacheline_aligned_in_smp|__latent_entropy|__pure"
    r"|__visible|__used|__refdata|__initdata|noinline_for_stack|noinline|asmlinkage"
    r"|__attribute_const__|notrace|noinstr|__no_kcsan|__no_sanitize_or_inline)\b)"
)
_FAILING_PART = re.compile(r"(?<=\bscoped_cond_guard\()(\s*\w+\s*,)([^,;{}]*,)")
"""The statement among the arguments of a guard, which no expression has."""

MAX_NESTING = 300
"""How deep brackets of a file may nest, and the syntax of one function; code of people is at 60."""

_CALL = re.compile(r"(->\s*|\.\s*)?\b([A-Za-z_]\w*)\s*\(")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_BRACKET = re.compile(r"[][(){}]")
_HOLDERS = {
    "preproc_if",
    "preproc_ifdef",
    "preproc_else",
    "preproc_elif",
    "preproc_elifdef",
    "linkage_specification",
    "declaration_list",
    "ERROR",
}


@dataclass(slots=True)
class Function:
    """A function definition: where it is, its body, and what is missing of it.

    ``calls`` has the names of what it may call; what goes through a field starts with a ``*``.

    A copy that was kept between runs has no syntax until :func:`syntax_of` is asked.
    """

    name: str
    file: str
    line: int
    chunk: Chunk
    node: "Node | None"
    params: tuple[str, ...]
    static: bool
    calls: frozenset[str]
    types: dict[str, str] = field(default_factory=dict)
    partial: str = ""
    digest: bytes = b""
    """What tells its text from another one."""

    @property
    def key(self) -> str:
        """A name that is unique in the source."""
        return f"{self.file}:{self.name}"

    def __getstate__(self) -> dict[str, object]:
        """Return everything but the syntax, which cannot be kept."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"node": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take what was kept."""
        for name, value in state.items():
            setattr(self, name, value)


@dataclass(frozen=True, slots=True)
class Pointer:
    """A function put into a field: ``.field = function`` of a struct, or a registration call."""

    struct: str
    field: str
    function: str
    file: str
    line: int


@dataclass(slots=True)
class SetIn:
    """What the code of a chunk sets, if the names are functions: see the program."""

    queues: dict[str, str] = field(default_factory=dict)
    pointers: list[Pointer] = field(default_factory=list)
    registered: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Unit:
    """What one chunk contains."""

    functions: list[Function] = field(default_factory=list)
    pointers: list[Pointer] = field(default_factory=list)
    errors: list[tuple[str, int]] = field(default_factory=list)
    set: SetIn | None = None


@cache
def _parser() -> "Parser":
    try:
        import tree_sitter_c
        from tree_sitter import Language, Parser
    except ImportError:
        raise MissingExtraError("C source", "tree-sitter", "locks") from None

    return Parser(Language(tree_sitter_c.language()))


def text_of(node: "Node") -> str:
    """Return the source text of a node on one line."""
    return " ".join((node.text or b"").decode("utf-8", "replace").split())


def read_chunk(chunk: Chunk) -> Unit:
    """Parse a chunk."""
    unit = Unit()
    too_deep = _line_too_deep(chunk.text)
    if too_deep:
        unit.errors.append((chunk.file, chunk.line(too_deep - 1)))
        return unit
    blanked = _ANNOTATION.sub(lambda match: _blank(match[0]), chunk.text)
    blanked = _FAILING_PART.sub(lambda found: found[1] + _blank(found[2]), blanked)
    root = _parser().parse(blanked.encode("utf-8")).root_node
    for node in _definitions(root):
        if _is_too_deep(node):
            unit.errors.append((chunk.file, chunk.line(node.start_point[0])))
            continue
        if node.type == "function_definition":
            function = _function(node, chunk)
            if function:
                unit.functions.append(function)
                continue
        if node.type == "declaration":
            unit.pointers += _table(node, chunk)
        if node.has_error:
            unit.errors.append((chunk.file, chunk.line(_first_error(node).start_point[0])))
    if chunk.partial.get("") and unit.functions:
        last = unit.functions[-1]
        last.partial = chunk.partial[""]
    return unit


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def syntax_of(function: Function, unit: Unit) -> "Node":
    """Return the body of a function; if it has none, that of the whole ``unit`` is read again."""
    if function.node is None:
        again = {(one.name, one.line): one for one in read_chunk(function.chunk).functions}
        for kept in unit.functions:
            kept.node = again[kept.name, kept.line].node
    assert function.node is not None
    return function.node


def _line_too_deep(text: str) -> int:
    """Return the line (from 1) where brackets nest too deep, or 0: the parser is not asked then."""
    depth = 0
    for match in _BRACKET.finditer(text):
        depth = depth + 1 if match[0] in "([{" else max(0, depth - 1)
        if depth > MAX_NESTING:
            return text.count("\n", 0, match.start()) + 1
    return 0


def _is_too_deep(node: "Node") -> bool:
    """Whether the syntax below ``node`` nests deeper than is followed."""
    cursor = node.walk()
    depth = 0
    while True:
        if cursor.goto_first_child():
            depth += 1
            if depth > MAX_NESTING:
                return True
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return False
            depth -= 1


def _definitions(root: "Node") -> "Iterator[Node]":
    stack = [root]
    while stack:
        node = stack.pop()
        if node is root or node.type in _HOLDERS:
            if node.type == "ERROR" and not any(
                child.type in ("function_definition", "declaration") for child in node.children
            ):
                yield node
                continue
            stack.extend(reversed(node.named_children))
        elif node.type in ("function_definition", "declaration"):
            yield node


def _first_error(node: "Node") -> "Node":
    """Return the first node below that the parser did not understand."""
    stack = [node]
    while stack:
        found = stack.pop()
        if found.type == "ERROR" or found.is_missing:
            return found
        stack.extend(child for child in reversed(found.children) if child.has_error)
    return node


def _function(node: "Node", chunk: Chunk) -> Function | None:
    body = node.child_by_field_name("body")
    declarator = node.child_by_field_name("declarator")
    while declarator and declarator.type != "function_declarator":
        declarator = declarator.child_by_field_name("declarator")
    if body is None or declarator is None:
        return None
    inner = declarator.child_by_field_name("declarator")
    if inner is None or inner.type != "identifier":
        return None
    name = text_of(inner)
    types: dict[str, str] = {}
    params = []
    parameters = declarator.child_by_field_name("parameters")
    for parameter in parameters.named_children if parameters else ():
        found = _declared(parameter)
        params.append(found[0] if found else "")
        types.update([found] if found else [])
    line = chunk.line(inner.start_point[0])
    code = _COMMENT.sub(" ", (body.text or b"").decode("utf-8", "replace"))
    calls = frozenset(("*" if pointer else "") + called for pointer, called in _CALL.findall(code))
    head = (chunk.text.split("\n")[node.start_point[0]] if chunk.text else "").lstrip()
    return Function(
        name,
        chunk.file,
        line,
        chunk,
        body,
        tuple(params),
        head.startswith("static"),
        calls,
        types,
        chunk.partial.get(name, ""),
        blake2b(node.text or b"", digest_size=12).digest(),
    )


def _declared(node: "Node") -> tuple[str, str] | None:
    """Return (name, struct type) of a parameter or variable declaration."""
    kind = node.child_by_field_name("type")
    declarator = node.child_by_field_name("declarator")
    while declarator and declarator.type not in ("identifier", "field_identifier"):
        inner = declarator.child_by_field_name("declarator")
        if inner is None:
            named = [c for c in declarator.named_children if c.type == "identifier"]
            inner = named[0] if named else None
        declarator = inner
    if declarator is None:
        return None
    struct = kind.child_by_field_name("name") if kind else None
    return text_of(declarator), text_of(struct) if struct else text_of(kind) if kind else ""


def local_types(node: "Node") -> Iterator[tuple[str, str]]:
    """Yield (name, struct type) of every variable declared below ``node``."""
    stack = [node]
    while stack:
        here = stack.pop()
        if here.type == "declaration":
            found = _declared(here)
            if found:
                yield found
        elif here.type.endswith("statement") or here.type.startswith("preproc"):
            stack.extend(here.named_children)


def _table(node: "Node", chunk: Chunk) -> Iterator[Pointer]:
    """Yield the function pointers that a designated initialiser sets."""
    kind = node.child_by_field_name("type")
    name = kind.child_by_field_name("name") if kind else None
    struct = text_of(name) if name else ""
    for declarator in node.named_children:
        if declarator.type == "init_declarator":
            yield from initialised(struct, declarator.child_by_field_name("value"), chunk)


def initialised(struct: str, value: "Node | None", chunk: Chunk) -> Iterator[Pointer]:
    """Yield the pointers in an initialiser list of ``struct``."""
    stack = [value] if value else []
    while stack:
        node = stack.pop()
        if node.type == "initializer_pair":
            target = node.child_by_field_name("designator")
            inner = node.child_by_field_name("value")
            if inner is not None and inner.type == "initializer_list":
                stack.append(inner)
            elif target is not None and inner is not None:
                function = text_of(inner).lstrip("&")
                if re.fullmatch(r"[A-Za-z_]\w*", function):
                    label = text_of(target).lstrip(".")
                    line = chunk.line(node.start_point[0])
                    yield Pointer(struct, label, function, chunk.file, line)
        elif node.type == "initializer_list":
            stack.extend(reversed(node.named_children))
