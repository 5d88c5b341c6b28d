"""Protocols in a user's Python file: run the file, take what it declares, say where it is wrong.

What: the file is the user's own program and is executed, as ``python FILE`` would do, with its
folder in front of the import path and what it prints on standard error.  Nothing is written beside
it.  Every protocol that a global name stands for is taken.
Why so: a protocol is functions, and Python is their notation; a mistake in the file, in its
declarations or against the language is one line with file and line.
Rejected: a format of our own for state and steps (a second language), and a sandbox (there is none
for Python that holds).
"""

import ast
import contextlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from powercut.checkers.engine.errors import DeclarationError, LanguageError
from powercut.checkers.protocol.closed import STATEMENTS, Closed
from powercut.errors import InputError, one_line
from powercut.model.language import Program, Property, Protocol, Thread

_MODULE = "powercut_protocol"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_REMEDY = "correct the file"


def read_protocols(path: Path) -> list[Closed]:
    """Run the file ``path`` and return its protocols, ready to run, in their order.

    Raises :class:`InputError` with file and line for whatever is wrong with it.
    """
    file = _File(path)
    module = file.run()
    found = {name: value for name, value in vars(module).items() if isinstance(value, Protocol)}
    if not found:
        raise InputError(
            "declares no Protocol",
            "give one a name, as in docs/own-protocol.md: NAME = Protocol(Program(...), ...)",
            place=path,
        )
    once = {id(value): name for name, value in reversed(found.items())}
    return [file.closed(name, found[name]) for name in found if once[id(found[name])] == name]


class _File:
    """One file; ``tree`` is its text, in which the lines of declarations are looked up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not text in UTF-8"
            raise InputError(
                f"{reason}", "give a Python file with a Protocol", place=path
            ) from None
        try:
            self.tree = ast.parse(self.text, str(path))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or 1
            raise self.error(line, f"no Python: {getattr(error, 'msg', error)}") from None

    def error(self, line: int, message: str, remedy: str = _REMEDY) -> InputError:
        """Return the error about ``line``."""
        return InputError(one_line(message), remedy, place=f"{self.path}:{line}")

    def run(self) -> ModuleType:
        """Execute the file as a module of its own."""
        module = ModuleType(_MODULE)
        full = str(self.path.resolve())
        module.__file__ = full
        sys.modules[_MODULE] = module  # where annotations are looked up
        with self._running():
            exec(compile(self.text, full, "exec", dont_inherit=True), vars(module))
        return module

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Let the user's code run; whatever it raises names its line."""
        folder = str(self.path.resolve().parent)
        sys.path.insert(0, folder)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except (LanguageError, DeclarationError):
            raise
        except (Exception, SystemExit) as error:
            line = self._line_in(error)
            if not line:  # not the user's code: a bug of ours
                raise
            raise self.error(line, f"{type(error).__name__}: {error}") from None
        finally:
            sys.path.remove(folder)

    def _line_in(self, error: BaseException) -> int:
        """Return the line of this file that ``error`` came through last; 0 if there is none."""
        full = str(self.path.resolve())
        if isinstance(error, SyntaxError) and error.filename == full:
            return error.lineno or 1
        frames = traceback.extract_tb(error.__traceback__)
        return next((f.lineno or 1 for f in reversed(frames) if f.filename == full), 0)

    def closed(self, name: str, protocol: Protocol) -> Closed:
        """Return ``protocol``, called ``name``, ready to run."""
        line = self._line_of(name)
        fault = _fault(protocol)
        if fault:
            raise self.error(line, f"{name}: {fault}", "correct the declaration")
        try:
            with self._running():
                return Closed(name, protocol)
        except LanguageError as error:
            inside = Path(error.file).name == self.path.name
            place = f"{self.path if inside else error.file}:{error.line or line}"
            raise InputError(error.reason, error.remedy, place=place) from None
        except DeclarationError as error:
            line = self._line_of_struct(str(error)) or line
            raise self.error(line, f"{name}: {error}", error.remedy) from None

    def _line_of(self, name: str) -> int:
        """Return the line that assigns ``name``, the last one if there are several."""
        lines = [
            node.lineno
            for node in self.tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and any(isinstance(n, ast.Name) and n.id == name for n in _targets(node))
        ]
        return lines[-1] if lines else 1

    def _line_of_struct(self, message: str) -> int:
        """Return the line of the struct, or of its field, that a message begins with."""
        words = re.match(r"(\w+)(?:\.(\w+))?", message)
        if words is None:
            return 0
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == words[1]:
                fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
                return next((n.lineno for n in fields if _field(n) == words[2]), node.lineno)
        return 0


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _field(node: ast.AnnAssign) -> str:
    return node.target.id if isinstance(node.target, ast.Name) else ""


def _fault(protocol: Protocol) -> str:
    """Say what is wrong with a declaration; nothing if it is right."""
    kinds: list[tuple[str, Any, Callable[[Any], bool], str]] = [
        ("program", protocol.program, lambda v: isinstance(v, Program), "a Program"),
        ("properties", protocol.properties, _are(Property), "a tuple of Property"),
        ("crash_properties", protocol.crash_properties, _are(Property), "a tuple of Property"),
        ("situations", protocol.situations, _are_helpers, "names with a helper each"),
        ("dims", protocol.dims, _are_sizes, "names with a whole number each, from 0 to 255"),
        ("setup", protocol.setup, _is_helper, "a function of the state"),
        ("recover", protocol.recover, _is_helper, "a function of the state"),
        ("summary", protocol.summary, lambda v: isinstance(v, str), "text"),
    ]
    for name, value, is_right, wanted in kinds:
        if not is_right(value):
            return f"{name} is {wanted}, not {type(value).__name__} {one_line(repr(value))[:60]}"
    return _program_fault(protocol.program) or _names_fault(protocol) or _crash_fault(protocol)


def _program_fault(program: Program) -> str:
    if not program.threads or not _are(Thread)(program.threads):
        return "the threads of the program are a tuple of Thread, at least one"
    return "" if isinstance(program.state, type) else "the state of the program is a Struct"


def _names_fault(protocol: Protocol) -> str:
    known = dict.fromkeys(STATEMENTS, "every protocol has that one")
    own: tuple[Any, ...] = (*protocol.properties, *protocol.crash_properties)
    for prop in own:
        if not isinstance(prop.name, str) or not _NAME.fullmatch(prop.name):
            return f"a property is called {prop.name!r}: use small letters, digits and hyphens"
        if prop.name in known:
            return f'two properties are called "{prop.name}": {known[prop.name]}'
        if not isinstance(prop.statement, str) or not prop.statement.strip():
            return f'the property "{prop.name}" needs a statement: what holds, in words'
        if not callable(prop.check):
            return f'the property "{prop.name}" needs a check: a helper of the state'
        known[prop.name] = "give one of them another name"
    return ""


def _crash_fault(protocol: Protocol) -> str:
    asks = (
        "crash_properties" if protocol.crash_properties else "recover" if protocol.recover else ""
    )
    if asks and not protocol.program.projected:
        return f'{asks}: nothing survives a power cut; name what does: Program(projected="...")'
    return ""


def _are(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(isinstance(v, kind) for v in value)


def _are_helpers(value: Any) -> bool:
    is_table = isinstance(value, dict)
    return is_table and all(isinstance(k, str) and callable(v) for k, v in value.items())


def _are_sizes(value: Any) -> bool:
    is_table = isinstance(value, dict)
    return is_table and all(
        isinstance(k, str) and type(v) is int and 0 <= v <= 255 for k, v in value.items()
    )


def _is_helper(value: Any) -> bool:
    return value is None or callable(value)
