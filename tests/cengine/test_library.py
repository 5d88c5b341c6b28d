"""Compiling: warnings, sanitizers, the cache, and machines without a compiler."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from powercut.checkers.engine import c_library
from powercut.checkers.engine.c_library import (
    FLAGS,
    CannotCompile,
    NoCompiler,
    compile_library,
    compiler,
    is_ready,
    sources_of,
    try_compiler,
)
from powercut.checkers.engine.search.engines import best_engine, needs_compiling
from powercut.checkers.engine.system import Build
from powercut.checkers.run.mount import build_for, build_of
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.language import Path as KernelPath
from powercut.model.language import Program, Thread
from tests.engine import programs
from tests.engine.toys import TOYS
from tests.engine.toys import build_of as toy_build

ROOT = Path(__file__).parents[2]
WARNED = ("counters", "disk", "odds", "claims", "relay")
SANITIZED = (
    *FLAGS,
    "-O0",
    "-g1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
)


def fresh_build() -> Build:
    """Return a build nobody has compiled."""
    return Build(programs.RACE, {"threads": 2})


@pytest.mark.exhaustive
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_the_generated_code_has_no_warnings(tmp_path: Path, level: str) -> None:
    builds = {toy.name: toy_build(toy.name) for toy in TOYS if toy.name in WARNED}
    builds["model"] = build_of(SCOPES["cookie-race"], 0)
    units = [(name, text) for name, build in builds.items() for text in sources_of(build)]
    assert len(units) == len(builds) + 1, "the model's steps are compiled apart"
    for name, text in units:
        source = tmp_path / f"{name}.c"
        source.write_text(text, encoding="utf-8")
        flags = ["-std=gnu11", level, "-Wall", "-Wextra", "-Werror", "-fPIC"]
        done = subprocess.run(
            [compiler(), *flags, "-c", str(source), "-o", str(tmp_path / "out.o")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr[:2000]}"


EXPLORE = """
import sys
from powercut.checkers.engine import c_library
c_library.FLAGS = tuple(sys.argv[1].split())
from powercut.checkers.engine.search.c import CBreadthFirst, CDepthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.model.language import Path as KernelPath
from powercut.model.language import Program, Thread
from powercut.model.designs import DESIGNS
from powercut.checkers.workload.shipped import SCOPES
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from tests.engine import programs
from tests.engine.toys import closed
for scope in ("eof-two-mounts", "truncate-truncate"):
    run = run_scope(Question(DESIGNS["seed"], SCOPES[scope], engine="c"))
    assert run.engine == "c" and run.verdict == "violated", run
for program, dims in ((programs.HALLS, {}), (programs.RETRY, {}), (programs.DISK, {})):
    toy = closed(program, b"\\2", checked=True, **dims)
    for limits in (Limits(), Limits(max_states=9)):
        watch = Watch(find_stuck=True, on_projection=lambda projection, number: [])
        search = CBreadthFirst(toy, watch, limits)
        search.run()
        search.close()
        CDepthFirst(toy, watch, limits, seed=5).run()
system = Mount.of(Question(DESIGNS["seed"], SCOPES["truncate-truncate"])).system
outcome = CDepthFirst(system, Watch(), Limits(), seed=3).run()
assert outcome.states == run.states
print("explored", run.states)
"""


@pytest.mark.exhaustive
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    runtime = subprocess.run(
        [compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not os.path.isabs(runtime):
        pytest.skip("the compiler has no address sanitizer")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LD_PRELOAD": runtime,
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "XDG_CACHE_HOME": str(tmp_path),
        "PYTHONMALLOC": "malloc",
    }
    done = subprocess.run(
        [sys.executable, "-c", EXPLORE, " ".join(SANITIZED)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("explored")
    assert "ERROR" not in done.stderr
    assert "runtime error" not in done.stderr


def test_a_library_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    build = fresh_build()
    path = compile_library(build)
    assert is_ready(build)
    assert [p.suffix for p in path.parent.iterdir() if p.stem == path.stem] == [".so"]
    monkeypatch.setattr(c_library, "_compile", lambda *_: pytest.fail("compiled again"))
    assert compile_library(fresh_build()) == path


def test_other_flags_or_another_source_make_another_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = {compile_library(fresh_build()), compile_library(Build(programs.RACE, {"threads": 3}))}
    monkeypatch.setattr(c_library, "FLAGS", (*FLAGS, "-DOTHER"))
    paths.add(compile_library(fresh_build()))
    assert len(paths) == 3
    assert all(ctypes.CDLL(str(path)) for path in paths)


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(NoCompiler, match="no-such-compiler"):
        try_compiler()
    assert not needs_compiling([fresh_build()])
    engine, note = best_engine([fresh_build()])
    assert engine == "python"
    assert note.startswith("the Python engine runs: no C compiler")
    assert "\n" not in note


def test_a_run_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    build_for.cache_clear()
    run = run_scope(Question(DESIGNS["seed"], SCOPES["enospc"]))
    build_for.cache_clear()
    assert run.engine == "python"
    assert "no-such-compiler" in run.engine_note
    with pytest.raises(NoCompiler):
        run_scope(Question(DESIGNS["seed"], SCOPES["enospc"], engine="c"))


def test_a_compiler_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'x.c:1: error: no room' >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(CannotCompile, match="no room"):
        try_compiler()
    engine, note = best_engine([fresh_build()])
    assert engine == "python"
    assert "no room" in note


def test_an_unusable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocker))
    build = fresh_build()
    engine, note = best_engine([build])
    assert engine == "c"
    assert "not kept" in note
    assert "\n" not in note


def test_a_recursive_helper_is_left_to_python() -> None:
    engine, note = best_engine([Build(RECURSIVE, {"threads": 1})])
    assert engine == "python"
    assert note.endswith("h_down:0: a recursive helper runs in the Python engine only")


def down(k: programs.Total, n: int) -> int:
    """Count down by recursion."""
    if n == 0:
        return 0
    return down(k, n - 1)


def digger(k: programs.Total, _: int) -> KernelPath[None]:
    """Call it."""
    yield
    k.total = down(k, 3)


RECURSIVE = Program(programs.Total, (Thread("digger", digger, 1),))
