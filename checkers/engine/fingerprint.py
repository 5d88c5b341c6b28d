"""A key for everything that a translation is made from.

A translation follows names: from the paths and predicates of a program through the globals of
their modules to helpers, numbers and enumerations.  The key follows the same names, in the objects
that are loaded and not in what files say of them, so a function that was replaced at run time (a
planted mistake of a test) has another key.  In it are:

- every function that can be reached: its code, annotations, place, and the text of its file;
- every number and enumeration those functions name;
- the declared state, except the sizes that a translation keeps as names;
- the threads and the predicates in their order, the key of the program's variants, and what kind
  of build was asked for;
- the sources of the engine, and the version of Python.

A program has no key, and is translated again by every process, if one of its functions is not in a
file or not its own (a decorated one), if somebody has replaced a function of the engine, if Python
runs with ``-O`` (its code then lacks the names in assertions), or if it is small: a file would cost
more than the translation.

Rejected: a digest of all files of the model alone (does not see what was replaced; forgets the
translation of every program when any file changes).
"""

import builtins
import enum
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from powercut.checkers.engine.errors import EngineError
from powercut.checkers.engine.language import text_of
from powercut.checkers.engine.layout import ArrayType, Layout, StructType
from powercut.model.language import Program

_FEW_FUNCTIONS = 32
"""Programs of fewer functions are not worth a file."""
_ENGINE = Path(__file__).parent
_OWN = frozenset((__name__.partition(".")[0], *sys.stdlib_module_names))


class _Unknown(EngineError):
    """Something that the translation depends on cannot be told."""


def fingerprint(
    program: Program,
    predicates: Sequence[Callable[..., int]],
    layout: Layout,
    options: tuple[object, ...],
) -> str:
    """Return the key of a translation, or nothing if it is not to be kept.  Takes milliseconds."""
    if sys.flags.optimize or not _is_engine_as_written():
        return ""
    roots = [*(thread.path for thread in program.threads), *predicates]
    try:
        functions = _reached(roots)
        if len(functions) < _FEW_FUNCTIONS:
            return ""
        digest = blake2b(digest_size=20)
        for part in _parts(program, roots, functions, layout):
            digest.update(repr(part).encode("utf-8", "surrogatepass") + b"\0")
    except _Unknown:
        return ""
    digest.update(repr(options).encode())
    return digest.hexdigest()


def _parts(
    program: Program,
    roots: Sequence[Callable[..., Any]],
    functions: Sequence[FunctionType],
    layout: Layout,
) -> Iterator[object]:
    yield sys.version, sys.implementation.cache_tag, importlib.util.MAGIC_NUMBER
    yield _engine_digest()
    yield [(thread.name, thread.count == 1) for thread in program.threads]
    yield [_name(root) for root in roots]
    for function in functions:
        yield _name(function), _file_digest(function.__code__.co_filename)
        yield _code(function.__code__), sorted(function.__annotations__.items(), key=_first)
        yield [(name, _value(_global(function, name))) for name in _names(function.__code__)]
    for kind in layout.structs.values():
        yield _name(kind.cls), kind.number, kind.region, kind.written_size, sorted(kind.written)
        yield [(name, kind.written[name], _kind(inner)) for name, (_, inner) in kind.fields.items()]


def _reached(roots: Sequence[Callable[..., Any]]) -> list[FunctionType]:
    """Return the functions that the translation of ``roots`` may look at, in a fixed order."""
    out: dict[FunctionType, None] = {}
    todo: list[Any] = list(reversed(roots))
    while todo:
        function = todo.pop()
        if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
            raise _Unknown("not a plain function")
        if function not in out:
            out[function] = None
            named = (_global(function, name) for name in _names(function.__code__))
            todo += [value for value in named if isinstance(value, FunctionType)]
    return list(out)


@cache
def _names(code: CodeType) -> tuple[str, ...]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.update(_names(constant))
    return tuple(sorted(names))


def _global(function: FunctionType, name: str) -> Any:
    return function.__globals__.get(name, getattr(builtins, name, None))


def _value(value: Any) -> object:
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return [(name, _value(member.value)) for name, member in value.__members__.items()]
    if isinstance(value, int):
        return int(value)
    return _name(value) if isinstance(value, type | FunctionType) else type(value).__name__


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]


@cache
def _code(code: CodeType) -> tuple[object, ...]:
    constants = [_code(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    if any(isinstance(c, frozenset) for c in constants):
        raise _Unknown("a set has no order")
    return (code.co_code, code.co_varnames, code.co_names, code.co_firstlineno, constants)


def _kind(kind: object) -> object:
    """Return what generated code can know of a type: nothing that has a name instead."""
    if isinstance(kind, StructType):
        return kind.number
    if isinstance(kind, ArrayType):
        return kind.written_length, kind.has_fixed_size, _kind(kind.element)
    return getattr(kind, "written_bound", None)


@cache
def _file_digest(path: str) -> str:
    try:
        content = text_of(path).encode()
    except (OSError, ValueError):
        raise _Unknown(f"there is no text in {path}") from None
    return "/".join(Path(path).parts[-2:]) + blake2b(content).hexdigest()


@cache
def _engine_digest() -> str:
    return "".join(_file_digest(str(path)) for path in sorted(_ENGINE.glob("*.py")))


def _is_engine_as_written() -> bool:
    """Tell whether every function that a module of the engine names comes from where it should."""
    prefix = __name__.rpartition(".")[0] + "."
    modules = [m for name, m in list(sys.modules.items()) if name.startswith(prefix)]
    return all(_is_own(value) for module in modules for value in _functions(module))


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in list(vars(module).values()):
        if isinstance(value, FunctionType):
            yield value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            yield from (v for v in vars(value).values() if isinstance(v, FunctionType))


def _is_own(function: FunctionType) -> bool:
    return function.__module__.partition(".")[0] in _OWN
