"""Compile an engine with the system's C compiler, keep it, load it.

A library is kept in the user's ``cache`` under a digest of its source, the compiler's version and
the flags.  Where nothing can be kept it lives in a temporary folder for as long as the process.

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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

from powercut.checkers.engine.cache import Cache, private_cache, user_cache
from powercut.checkers.engine.cengine import searches_unit, steps_unit, translation_unit
from powercut.checkers.engine.emit_geometry import (
    emit_c,
    emit_declarations,
    emit_dispatch,
    emit_geometry,
)
from powercut.checkers.engine.errors import EngineError, LanguageError
from powercut.checkers.engine.system import Build
from powercut.writing import scratch_folder, write_scratch

FLAGS = ("-std=gnu11", "-fPIC", "-Wall", "-Wextra")
_LARGE_SOURCE = 150_000
"""Characters from which steps are compiled apart, once for all geometries and in a hurry."""
_COMPILE_TIMEOUT_S = 300


class NoCompiler(EngineError):
    """There is no C compiler to run; the message names what was looked for."""

    remedy = "install a C compiler, or name one in CC"


class CannotCompile(EngineError):
    """The C engine cannot be built for this program; the message says why in one line."""

    remedy = "use the Python engine"


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


@dataclass(frozen=True, slots=True)
class _Unit:
    """One translation unit, how to compile it, and the one to link it with."""

    source: str
    flags: tuple[str, ...]
    suffix: str
    other: "_Unit | None" = None

    @property
    def name(self) -> str:
        """Under which the result is kept.  Raises :class:`NoCompiler`."""
        path = compiler()
        digest = blake2b(digest_size=16)
        other = self.other.name if self.other else ""
        for part in (self.source, path, _version(path), other, *self.flags):
            digest.update(part.encode() + b"\0")
        return f"{digest.hexdigest()}{self.suffix}"


def _unit_of(build: Build) -> _Unit:
    """Return what to compile for ``build``.  Raises :class:`CannotCompile`."""
    try:
        steps = build.translation.steps()
    except LanguageError as error:
        raise CannotCompile(f"the C engine cannot express the program: {error}") from None
    if len(steps.text) < _LARGE_SOURCE:
        return _Unit(translation_unit(emit_c(build)), ("-O2", *FLAGS, "-shared"), ".so")
    tables = emit_declarations(build.translation, of_steps=False)
    functions = emit_declarations(build.translation, of_steps=True)
    effort = "-O0" if build.hurried else "-O1"
    apart = _Unit(steps_unit(tables + functions + steps.text), (effort, *FLAGS, "-c"), ".o")
    around = emit_geometry(build, steps) + functions + emit_dispatch(build)
    effort = "-O1" if build.hurried else "-O2"
    return _Unit(searches_unit(around), (effort, *FLAGS, "-shared"), ".so", apart)


def sources_of(build: Build) -> list[str]:
    """Return the translation units of the engine for ``build``.  Raises :class:`CannotCompile`."""
    unit = _unit_of(build)
    return [unit.source, *([unit.other.source] if unit.other else [])]


def is_ready(build: Build) -> bool:
    """Tell whether no compiler has to run for ``build``.

    Raises :class:`NoCompiler` and :class:`CannotCompile`.
    """
    return build.library is not None or user_cache().path(_unit_of(build).name) is not None


def compile_library(build: Build) -> Path:
    """Return the library for ``build``, compiling it unless it is in the cache already.

    Raises :class:`NoCompiler` and :class:`CannotCompile`.
    """
    unit, kept = _unit_of(build), user_cache()
    if not kept.note:
        made = _made(unit, kept)
        if made is not None:
            build.library_note = ""
            return made
    note = f"the compiled engine is not kept: {kept.note or f'cannot write to {kept.folder}'}"
    made = _made(unit, _private(note))
    if made is None:
        raise CannotCompile("there is no room for the compiled engine")
    build.library_note = note
    return made


def _private(note: str) -> Cache:
    try:
        return private_cache(note)
    except OSError as error:
        raise CannotCompile(f"there is no room for the compiled engine: {error}") from None


def _made(unit: _Unit, kept: Cache) -> Path | None:
    """Return where the result of ``unit`` is kept; ``None`` where it cannot be."""
    name = unit.name
    found = kept.path(name)
    if found is not None:
        return found
    inputs: list[str] = []
    if unit.other:
        other = _made(unit.other, kept)
        if other is None:
            return None
        inputs = [str(other)]
    with kept.only_one(name):
        found = kept.path(name)
        if found is None and kept.keep(name, _compile(compiler(), unit.source, unit.flags, inputs)):
            found = kept.path(name)
    return found


def try_compiler() -> None:
    """Compile next to nothing.  Raises :class:`NoCompiler` and :class:`CannotCompile`."""
    _compile(compiler(), "int nothing;\n", (*FLAGS, "-shared"), [])


def _compile(path: str, source: str, flags: Sequence[str], inputs: Sequence[str]) -> bytes:
    """Return what the compiler at ``path`` makes of ``source``, linked with ``inputs``."""
    try:
        with scratch_folder() as folder:
            result = folder / "engine.out"
            write_scratch(folder / "engine.c", source.encode())
            command = [path, "-o", result.name, "engine.c", *flags, *inputs]
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, "TMPDIR": str(folder)},  # its own files go with the folder
                capture_output=True,
                text=True,
                check=False,
                timeout=_COMPILE_TIMEOUT_S,
            )
            if done.returncode == 0:
                return result.read_bytes()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotCompile(f"{path}: {error}") from None
    lines = [line for line in done.stderr.splitlines() if "error" in line]
    reason = lines[0] if lines else f"exit code {done.returncode}"
    raise CannotCompile(f"{path} failed: {reason}")


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
