"""Compile an engine with the system's C compiler, keep it, load it.

A library is kept in the user's cache folder under a digest of its source, the compiler's version
and the flags; it is written under another name first, so that processes can share the folder.
Without a usable folder it lives in a temporary one for as long as the process.

The steps of a large program take seconds to compile and do not depend on the array sizes, so they
are kept as an object file; what is compiled and linked for each geometry takes a fraction of a
second.  The searches keep their sizes as constants: all they do is copy, cut and compare vectors.

Bound with ``ctypes``: part of Python, needs no build step of its own, releases the interpreter
while C runs.  A call is slow, but a search makes only a few a second.  Rejected: cffi (a dependency
with a compiled part, for a dozen functions); an extension module (tied to one interpreter).
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

from powercut.checkers.engine.cengine import searches_unit, steps_unit, translation_unit
from powercut.checkers.engine.emit_c import emit_steps
from powercut.checkers.engine.emit_geometry import (
    emit_c,
    emit_declarations,
    emit_dispatch,
    emit_geometry,
)
from powercut.checkers.engine.errors import EngineError, LanguageError
from powercut.checkers.engine.system import Build

FLAGS = ("-std=gnu11", "-fPIC", "-Wall", "-Wextra")
_LARGE_SOURCE = 150_000
"""Characters from which steps are compiled apart, once for all geometries and in a hurry."""
_COMPILE_TIMEOUT_S = 300


class NoCompiler(EngineError):
    """There is no C compiler to run; the message names what was looked for."""


class CannotCompile(EngineError):
    """The C engine cannot be built for this program; the message says why in one line."""


def compiler() -> str:
    """Return the path of the C compiler (``$CC``, else ``cc``).  Raises :class:`NoCompiler`."""
    name = os.environ.get("CC") or "cc"
    found = shutil.which(name)
    if found is None:
        raise NoCompiler(f"no C compiler: there is no {name!r} (Debian, Ubuntu: apt install gcc)")
    return found


@cache
def _version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def cache_folder() -> Path:
    """Return where compiled engines are kept: ``$XDG_CACHE_HOME/powercut``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "powercut"


@cache
def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="powercut-")


def _usable_folder() -> tuple[Path, str]:
    """Return the cache folder, or a temporary one and a line that says so if it is not usable."""
    try:
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder, ""
    except (OSError, RuntimeError) as error:
        return Path(_temporary_folder().name), f"the compiled engine is not kept: {error}"


@dataclass(frozen=True, slots=True)
class _Unit:
    """One translation unit, how to compile it, and the one to link it with."""

    source: str
    flags: tuple[str, ...]
    suffix: str
    other: "_Unit | None" = None

    def path(self, folder: Path) -> Path:
        """Return where the result is kept.  Raises :class:`NoCompiler`."""
        path = compiler()
        digest = blake2b(digest_size=16)
        other = self.other.path(folder).name if self.other else ""
        for part in (self.source, path, _version(path), other, *self.flags):
            digest.update(part.encode() + b"\0")
        return folder / f"{digest.hexdigest()}{self.suffix}"


def _unit_of(build: Build) -> _Unit:
    """Return what to compile for ``build``.  Raises :class:`CannotCompile`."""
    try:
        steps = emit_steps(build.translation)
    except LanguageError as error:
        raise CannotCompile(f"the C engine cannot express the program: {error}") from None
    if len(steps.text) < _LARGE_SOURCE:
        return _Unit(translation_unit(emit_c(build)), ("-O2", *FLAGS, "-shared"), ".so")
    tables = emit_declarations(build.translation, of_steps=False)
    functions = emit_declarations(build.translation, of_steps=True)
    apart = _Unit(steps_unit(tables + functions + steps.text), ("-O1", *FLAGS, "-c"), ".o")
    around = emit_geometry(build, steps) + functions + emit_dispatch(build)
    return _Unit(searches_unit(around), ("-O2", *FLAGS, "-shared"), ".so", apart)


def sources_of(build: Build) -> list[str]:
    """Return the translation units of the engine for ``build``.  Raises :class:`CannotCompile`."""
    unit = _unit_of(build)
    return [unit.source, *([unit.other.source] if unit.other else [])]


def is_ready(build: Build) -> bool:
    """Tell whether no compiler has to run for ``build``.

    Raises :class:`NoCompiler` and :class:`CannotCompile`.
    """
    if build.library is not None:
        return True
    folder, build.library_note = _usable_folder()
    return _unit_of(build).path(folder).exists()


def compile_library(build: Build) -> Path:
    """Return the library for ``build``, compiling it unless it is in the cache already.

    Raises :class:`NoCompiler` and :class:`CannotCompile`.
    """
    folder, build.library_note = _usable_folder()
    return _made(_unit_of(build), folder)


def _made(unit: _Unit, folder: Path) -> Path:
    target = unit.path(folder)
    if not target.exists():
        inputs = [str(_made(unit.other, folder))] if unit.other else []
        with _only_one(target):
            if not target.exists():
                _compile(compiler(), unit.source, (*unit.flags, *inputs), target)
    return target


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Let one process compile and the others wait for it; without locks, all of them compile."""
    try:
        import fcntl
    except ImportError:  # not on this system
        yield
        return
    lock = target.with_suffix(".lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        lock.unlink(missing_ok=True)


def try_compiler() -> None:
    """Compile next to nothing.  Raises :class:`NoCompiler` and :class:`CannotCompile`."""
    path = compiler()
    with tempfile.TemporaryDirectory(prefix="powercut-") as folder:
        _compile(path, "int nothing;\n", (*FLAGS, "-shared"), Path(folder) / "nothing.so")


def _compile(path: str, source: str, flags: tuple[str, ...], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as folder:
        (Path(folder) / "engine.c").write_text(source, encoding="utf-8")
        command = [path, "-o", "engine.out", "engine.c", *flags]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=_COMPILE_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotCompile(f"{path}: {error}") from None
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "error" in line]
            reason = lines[0] if lines else f"exit code {done.returncode}"
            raise CannotCompile(f"{path} failed: {reason}")
        os.replace(Path(folder) / "engine.out", target)


_LOADED: dict[Path, ctypes.CDLL] = {}


def load_library(build: Build) -> ctypes.CDLL:
    """Return the loaded engine for ``build``.  Raises as :func:`compile_library` does."""
    if build.library is None:
        target = compile_library(build)
        if target not in _LOADED:
            try:
                _LOADED[target] = ctypes.CDLL(str(target))
            except OSError as error:
                raise CannotCompile(f"cannot load {target}: {error}") from None
        build.library = _LOADED[target]
    return build.library
