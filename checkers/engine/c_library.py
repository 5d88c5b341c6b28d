"""Compile an engine with the system's C compiler, keep it, load it.

A library is kept in the user's cache folder under a digest of its source, the compiler's version
and the flags; it is written under another name first, so that processes can share the folder.
Without a usable folder it lives in a temporary one for as long as the process.

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
from functools import cache
from hashlib import blake2b
from pathlib import Path

from checkers.engine.cengine import translation_unit
from checkers.engine.emit_c import emit_c
from checkers.engine.errors import EngineError, LanguageError
from checkers.engine.system import Build

FLAGS = ("-std=gnu11", "-fPIC", "-shared", "-Wall", "-Wextra")
_LARGE_SOURCE = 150_000
"""Characters from which the compiler is told to hurry: half the time for a sixth of the speed."""
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


def source_of(build: Build) -> str:
    """Return the whole C source for ``build``.  Raises :class:`CannotCompile`."""
    if not build.c_source:
        try:
            build.c_source = translation_unit(emit_c(build))
        except LanguageError as error:
            raise CannotCompile(f"the C engine cannot express the program: {error}") from None
    return build.c_source


def library_path(build: Build, flags: tuple[str, ...] = FLAGS) -> Path:
    """Return where the library for ``build`` is, or is to be.

    Raises :class:`NoCompiler` and :class:`CannotCompile`.
    """
    path = compiler()
    digest = blake2b(digest_size=16)
    source = source_of(build)
    for part in (source, path, _version(path), _level(source), *flags):
        digest.update(part.encode() + b"\0")
    folder, build.library_note = _usable_folder()
    return folder / f"{digest.hexdigest()}.so"


def _level(source: str) -> str:
    return "-O1" if len(source) >= _LARGE_SOURCE else "-O2"


def is_ready(build: Build) -> bool:
    """Tell whether no compiler has to run for ``build``.  Raises as :func:`library_path` does."""
    return build.library is not None or library_path(build).exists()


def compile_library(build: Build, flags: tuple[str, ...] = FLAGS) -> Path:
    """Return the library for ``build``, compiling it unless it is in the cache already.

    Raises :class:`NoCompiler` and :class:`CannotCompile`.
    """
    target = library_path(build, flags)
    if not target.exists():
        with _only_one(target):
            if not target.exists():
                _compile(compiler(), source_of(build), flags, target)
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
        _compile(path, "int nothing;\n", FLAGS, Path(folder) / "nothing.so")


def _compile(path: str, source: str, flags: tuple[str, ...], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as folder:
        (Path(folder) / "engine.c").write_text(source, encoding="utf-8")
        command = [path, _level(source), *flags, "-o", "engine.so", "engine.c"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False,
                timeout=_COMPILE_TIMEOUT_S,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotCompile(f"{path}: {error}") from None
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "error" in line]
            reason = lines[0] if lines else f"exit code {done.returncode}"
            raise CannotCompile(f"{path} failed: {reason}")
        os.replace(Path(folder) / "engine.so", target)


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
        build.c_source = ""
    return build.library
