"""A patch changes functions: what a module does when it is made stays as it is.

What: the statements of a patched module outside its functions are those of the model's file, but
for imports from the model and docstrings; a function's head runs nothing that the model's own does
not.
Why so: a trace brings its patches, traces come from anybody, and making a patched module executes
it.  Bodies of functions are held to the model's language before one of them runs.
Rejected: asking the user whether a trace may be trusted (nobody reads a patch inside a trace).
"""

import ast

from powercut.checkers.weave.errors import PatchError

PATHS = ("model/block/", "model/fs/", "model/kernel/", "model/mm/")
"""The folders of the kernel's paths; declarations and recovery stay the installed ones."""
_MODEL = "powercut.model"
_PLAIN = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Tuple,
    ast.List,
    ast.BinOp,
    ast.BitOr,
    ast.Load,
)


def check_outline(tree: ast.Module, base: ast.Module, name: str, file: str) -> None:
    """Raise :class:`PatchError` for anything but functions that ``tree`` has and ``base`` not."""
    if not file.startswith(PATHS):
        raise PatchError(name, file, f"only the kernel's paths can change: {', '.join(PATHS)}")
    known = {ast.dump(node) for node in base.body}
    heads = {_head(node) for node in base.body if isinstance(node, ast.FunctionDef)}
    called = _called(base)
    for node in tree.body:
        if ast.dump(node) in known:
            continue
        if taken := _bound(node) & called:
            place = f"{file}:{node.lineno}"
            raise PatchError(name, place, f"{', '.join(sorted(taken))} has another meaning there")
        if _is_text(node) or _is_import(node):
            continue
        place = f"{file}:{node.lineno}"
        if not isinstance(node, ast.FunctionDef):
            raise PatchError(name, place, "a patch changes functions of the model only")
        if _head(node) not in heads and not _is_plain_head(node):
            raise PatchError(name, place, f"the head of {node.name}() is more than plain names")


def _called(base: ast.Module) -> set[str]:
    """Return the names that a module calls when it is made."""
    outside = [node for node in base.body if not isinstance(node, ast.FunctionDef)]
    calls = [n for node in outside for n in ast.walk(node) if isinstance(n, ast.Call)]
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a definition or an import gives a meaning."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    aliases = node.names if isinstance(node, ast.ImportFrom) else []
    return {alias.asname or alias.name for alias in aliases}


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_import(node: ast.stmt) -> bool:
    module = node.module or "" if isinstance(node, ast.ImportFrom) and not node.level else ""
    return module == _MODEL or module.startswith(f"{_MODEL}.")


def _head(node: ast.FunctionDef) -> str:
    """Return what a definition evaluates: decorators, defaults, annotations."""
    parts = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
    return " ".join(map(ast.dump, parts))


def _is_plain_head(node: ast.FunctionDef) -> bool:
    """Tell whether a definition evaluates names and numbers only, and no text."""
    if node.decorator_list or getattr(node, "type_params", []):
        return False
    args = node.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    every += [arg for arg in (args.vararg, args.kwarg) if arg]
    evaluated = [*args.defaults, *(default for default in args.kw_defaults if default)]
    evaluated += [arg.annotation for arg in every if arg.annotation]
    evaluated += [node.returns] if node.returns else []
    return all(_is_plain(part) for root in evaluated for part in ast.walk(root))


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str | bytes)
    return isinstance(node, _PLAIN)
