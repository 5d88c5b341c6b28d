"""Put many variants of a module into one tree, each change under the number of its variant.

One compilation then serves the model and all its mutants: ``conf.mutant`` says which one runs.  A
change is taken as deep as possible, because a copied statement is copied code: a condition that
differs becomes one that chooses between both, a body that differs is compared statement by
statement, and only what is left is written out twice behind ``if``.

Rejected: a build for every mutant (seconds of compilation each); choosing whole functions (every
preemption point of a changed function would exist twice).
"""

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeVar

from powercut.checkers.weave.errors import PatchError

Variants = Mapping[int, list[ast.stmt]]
Change = tuple[int, int, list[ast.stmt]]
Block = TypeVar("Block", ast.If, ast.While, ast.For)


@dataclass(frozen=True, slots=True)
class Variant:
    """A patched module: its ``number`` in ``conf.mutant``, and the ``name`` that heads messages."""

    number: int
    name: str
    tree: ast.Module


def weave(base: ast.Module, variants: Sequence[Variant]) -> ast.Module:
    """Return ``base`` with the changes of every variant, each behind its number.

    Raises :class:`PatchError` for a change outside the functions, or of a function's parameters.
    """
    woven = ast.Module(list(base.body), list(base.type_ignores))
    for variant in variants:
        _check_outside(base, variant)
        known = _imports(woven)
        added = [node for node in _new_imports(variant.tree) if ast.dump(node) not in known]
        woven.body[1:1] = added
    originals = _functions(base)
    for index, node in enumerate(woven.body):
        if isinstance(node, ast.FunctionDef) and node is originals.get(node.name):
            woven.body[index] = _weave_function(node, variants)
    woven.body += _added_functions(originals, variants)
    return ast.fix_missing_locations(woven)


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _new_imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    """Yield every imported name as an import of its own."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield ast.copy_location(ast.ImportFrom(node.module, [alias], node.level), node)


def _imports(tree: ast.Module) -> set[str]:
    return {ast.dump(node) for node in _new_imports(tree)}


def _check_outside(base: ast.Module, variant: Variant) -> None:
    """Check that only functions and imports differ."""

    def rest(tree: ast.Module) -> list[str]:
        kinds = (ast.FunctionDef, ast.ImportFrom)
        others = (n for n in tree.body if not isinstance(n, kinds) and not _is_docstring(n))
        return [ast.dump(node) for node in others]

    if rest(base) != rest(variant.tree):
        raise PatchError(variant.name, "", "a mutant changes functions only, no declaration")


def _added_functions(
    originals: Mapping[str, ast.FunctionDef], variants: Sequence[Variant]
) -> list[ast.stmt]:
    added: dict[str, ast.FunctionDef] = {}
    for variant in variants:
        for name, node in _functions(variant.tree).items():
            if name in originals:
                continue
            if name in added and ast.dump(added[name]) != ast.dump(node):
                message = f"another patch adds another {name}(): choose another name"
                raise PatchError(variant.name, "", message)
            added.setdefault(name, node)
    return list(added.values())


def _weave_function(base: ast.FunctionDef, variants: Sequence[Variant]) -> ast.FunctionDef:
    bodies: dict[int, list[ast.stmt]] = {}
    for variant in variants:
        other = _functions(variant.tree).get(base.name)
        if other is None:  # gone together with its callers
            continue
        if ast.dump(other.args) != ast.dump(base.args):
            place = f"{base.name}()"
            raise PatchError(variant.name, place, "a mutant keeps a function's parameters")
        if _yields(other) != _yields(base):
            message = "with its last yield gone it is no path any more: change its callers instead"
            raise PatchError(variant.name, f"{base.name}()", message)
        body = _without_docstring(other.body)
        if _dumps(body) != _dumps(_without_docstring(base.body)):
            bodies[variant.number] = body
    if not bodies:
        return base
    woven = copy.copy(base)
    head = base.body[:1] if _is_docstring(base.body[0]) else []
    weaver = _Weaver(base)
    woven.body = head + weaver.bodies(base.body[len(head) :], bodies)
    return woven


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    return body[1:] if _is_docstring(body[0]) else body


def _dumps(body: Sequence[ast.AST]) -> list[str]:
    return [ast.dump(node) for node in body]


def _head(loop: ast.For) -> str:
    return ast.dump(loop.target) + ast.dump(loop.iter)


def _yields(*nodes: ast.AST | None) -> bool:
    kinds = (ast.Yield, ast.YieldFrom)
    return any(
        isinstance(inner, kinds) for node in nodes if node is not None for inner in ast.walk(node)
    )


class _Weaver:
    """Weaves inside one function."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.root = function.args.args[0].arg
        self.pointers = {
            node.value.id
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }

    def _is_pointer(self, node: ast.stmt) -> bool:
        """Tell whether a local gets an address, which is no value that a condition may choose."""
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        return isinstance(target, ast.Name) and target.id in self.pointers

    def _is(self, number: int) -> ast.expr:
        conf = ast.Attribute(ast.Name(self.root, ast.Load()), "conf", ast.Load())
        mutant = ast.Attribute(conf, "mutant", ast.Load())
        return ast.Compare(mutant, [ast.Eq()], [ast.Constant(number)])

    def bodies(self, base: list[ast.stmt], variants: Variants) -> list[ast.stmt]:
        """Return the statements of ``base`` with those of the variants."""
        out: list[ast.stmt] = []
        at = 0
        for start, end, news in _groups(base, variants):
            out += base[at:start]
            out += self._group(base[start:end], news)
            at = end
        return out + base[at:]

    def _group(self, old: list[ast.stmt], news: Variants) -> list[ast.stmt]:
        if len(old) == 1 and all(len(new) == 1 for new in news.values()):
            merged = self._statement(old[0], {v: new[0] for v, new in news.items()})
            if merged is not None:
                return [merged]
        chain = old
        for number, new in reversed(list(news.items())):
            where = (old or new)[0]
            node = ast.If(self._is(number), new or [ast.Pass()], chain)
            chain = [_located(node, where)]
        return chain

    def _statement(self, old: ast.stmt, news: Mapping[int, ast.stmt]) -> ast.stmt | None:
        """Return one statement that is ``old`` or the variant's, if their shapes allow it."""
        if any(type(new) is not type(old) for new in news.values()):
            return None
        if isinstance(old, ast.If):
            return self._block(old, {v: n for v, n in news.items() if isinstance(n, ast.If)})
        if isinstance(old, ast.While):
            return self._block(old, {v: n for v, n in news.items() if isinstance(n, ast.While)})
        if isinstance(old, ast.For):
            loops = {v: n for v, n in news.items() if isinstance(n, ast.For)}
            if any(_head(loop) != _head(old) for loop in loops.values()):
                return None
            return self._block(old, loops)
        if isinstance(old, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return):
            return self._value(old, news)
        return None

    def _block(self, old: Block, news: Mapping[int, Block]) -> Block:
        woven = copy.copy(old)
        if isinstance(old, ast.If | ast.While) and isinstance(woven, ast.If | ast.While):
            tests = {v: n.test for v, n in news.items() if isinstance(n, ast.If | ast.While)}
            woven.test = self._choice(old.test, tests)
        woven.body = self.bodies(old.body, _changed(old.body, {v: n.body for v, n in news.items()}))
        woven.orelse = self.bodies(
            old.orelse, _changed(old.orelse, {v: n.orelse for v, n in news.items()})
        )
        return woven

    def _value(self, old: ast.stmt, news: Mapping[int, ast.stmt]) -> ast.stmt | None:
        """Return an assignment or return of one value or another, if only pure values differ."""
        value = getattr(old, "value", None)
        found = {v: getattr(new, "value", None) for v, new in news.items()}
        values = {v: new for v, new in found.items() if isinstance(new, ast.expr)}
        if not isinstance(value, ast.expr) or len(values) < len(news):
            return None
        if _yields(value, *values.values()) or self._is_pointer(old):
            return None
        for new in news.values():
            bare = copy.copy(new)
            bare.value = value  # type: ignore[attr-defined]
            if ast.dump(bare) != ast.dump(old):
                return None
        woven = copy.copy(old)
        woven.value = self._choice(value, values)  # type: ignore[attr-defined]
        return woven

    def _choice(self, old: ast.expr, news: Mapping[int, ast.expr]) -> ast.expr:
        chosen = old
        for number, new in reversed(list(news.items())):
            if ast.dump(new) != ast.dump(old):
                chosen = _located(ast.IfExp(self._is(number), new, chosen), old)
        return chosen


Node = TypeVar("Node", bound=ast.stmt | ast.expr)


def _located(node: Node, where: ast.stmt | ast.expr) -> Node:
    """Put ``node``, and what it holds without a place of its own, where ``where`` is."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.stmt | ast.expr) and not hasattr(inner, "lineno"):
            ast.copy_location(inner, where)
    return node


def _changed(base: list[ast.stmt], variants: Variants) -> dict[int, list[ast.stmt]]:
    return {v: body for v, body in variants.items() if _dumps(body) != _dumps(base)}


@dataclass(slots=True)
class _Group:
    """A range of the base that variants replace, and what each of them has for parts of it."""

    start: int
    end: int
    changes: dict[int, list[Change]]


def _groups(
    base: list[ast.stmt], variants: Variants
) -> Iterator[tuple[int, int, dict[int, list[ast.stmt]]]]:
    """Yield ranges of ``base`` that some variants replace: start, end, what each of them has."""
    dumps = _dumps(base)
    found = [(s, e, v, new) for v, body in variants.items() for s, e, new in _changes(dumps, body)]
    for group in _joined(sorted(found, key=lambda change: change[:2])):
        news = {
            v: _replaced(base, group.start, group.end, changes)
            for v, changes in sorted(group.changes.items())
        }
        yield group.start, group.end, news


def _changes(base: list[str], body: list[ast.stmt]) -> Iterator[Change]:
    """Yield what ``body`` has instead of ranges of ``base``; statement for statement if it can."""
    matcher = SequenceMatcher(None, base, _dumps(body), autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        if i2 - i1 == j2 - j1:
            for offset in range(i2 - i1):
                yield i1 + offset, i1 + offset + 1, [body[j1 + offset]]
        else:
            yield i1, i2, body[j1:j2]


def _joined(found: Sequence[tuple[int, int, int, list[ast.stmt]]]) -> Iterator[_Group]:
    """Join changes of ranges that overlap, and insertions at the same place."""
    group: _Group | None = None
    for start, end, variant, new in found:
        if group is None or not (start < group.end or (start, end) == (group.start, group.end)):
            if group is not None:
                yield group
            group = _Group(start, end, {})
        group.end = max(group.end, end)
        group.changes.setdefault(variant, []).append((start, end, new))
    if group is not None:
        yield group


def _replaced(base: list[ast.stmt], start: int, end: int, ops: Sequence[Change]) -> list[ast.stmt]:
    out: list[ast.stmt] = []
    at = start
    for s, e, new in ops:
        out += base[at:s] + new
        at = e
    return out + base[at:end]
