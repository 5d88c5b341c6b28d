"""What does not look at the clock ends all the same: steps for ever, compilers, hundreds of pieces.

A piece of work says when it has to end in one way only, and that way is looked at here: a time
limit, a request, and what neither may lose.
"""

import gc
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from powercut.checkers.engine.search.outcome import Progress
from powercut.checkers.run.question import Question
from powercut.checkers.sweep.levels import workloads
from powercut.checkers.workload.shipped import SCOPES
from powercut.execute import interrupts
from powercut.execute.interrupts import heard_alike, is_making
from powercut.execute.job import Job
from powercut.execute.sweep import chunks
from powercut.execute.watcher import Cut, Watcher
from powercut.inputs.patches import check_language, read_patches
from powercut.model.designs import DESIGNS
from tests.cli.support import end_of, environment, run_apart, started, wait_until
from tests.cli.test_patch import changed
from tests.cli.test_processes import cpu_seconds
from tests.tiers import EXHAUSTIVE

SLOW_COMPILER = """#!/bin/sh
[ "$1" = --version ] && exit 0
: > engine.out
[ "$(wc -c < engine.c)" -gt 1000 ] && exec sleep 1000
exit 0
"""
SEED = ("check", "--design", "seed", "--scope", "span-truncate", "--jobs", "1")


@pytest.fixture
def endless_patch(tmp_path: Path) -> Path:
    """A patch with which a truncate never ends its step."""
    path = tmp_path / "endless.patch"
    path.write_text(changed("inode.i_size = size", "while True:", "    inode.i_size = size"))
    return path


@pytest.mark.parametrize(("module", "name"), sorted(interrupts._SEARCHING))
def test_what_may_be_cut_is_there_under_its_name(module: str, name: str) -> None:
    found = import_module(module)
    classes = [c for _, c in inspect.getmembers(found, inspect.isclass) if c.__module__ == module]
    functions = [vars(each)[name] for each in classes if name in vars(each)]
    assert functions
    assert all(f.__globals__["__name__"] == module for f in functions)


def test_a_time_limit_ends_a_step_that_does_not_end(endless_patch: Path) -> None:
    patches = read_patches([endless_patch])
    question = Question(DESIGNS["seed"], SCOPES["span-truncate"], patches=patches, engine="python")
    check_language(question)  # translated now, and remembered
    job = Job(question, time.monotonic() + 1, 1.0)
    result = job.do(lambda _: None, lambda: False).result
    assert result.stopped == "mount 1: time limit of 1 s reached"
    assert result.states > 0


def test_a_time_limit_ends_a_compiler(tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text(SLOW_COMPILER)
    compiler.chmod(0o755)
    env = {**environment(), "CC": str(compiler), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    ended = run_apart(*SEED, "--engine", "c", "--time-limit", "3", "--json", env=env)
    assert (ended.code, ended.err) == (3, "")
    assert ended.document["runs"][0]["stopped"] == "time limit of 3 s reached"


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=EXHAUSTIVE)])
def test_a_background_job_ends_at_the_first_signal(
    tmp_path: Path, endless_patch: Path, number: signal.Signals
) -> None:
    argv = (*SEED, "--engine", "python", "--patch", str(endless_patch))
    script = 'trap "" INT; exec nohup "$@"'  # as a script's shell does for what it puts there
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "powercut", *argv]
    out, err = tmp_path / "out", tmp_path / "err"
    with (
        out.open("w") as to_out,
        err.open("w") as to_err,
        started(command, env=environment(), stdout=to_out, stderr=to_err) as process,
    ):
        wait_until(lambda: out.stat().st_size > 0, process)
        at_work = cpu_seconds(process.pid) + 2
        wait_until(lambda: cpu_seconds(process.pid) >= at_work, process)
        process.send_signal(number)
        assert end_of(process).code == 3
    assert out.read_text().rstrip().endswith("inconclusive (exit code 3)")
    assert "Traceback" not in err.read_text()


def test_an_ignored_interrupt_is_heard_and_ignored_again() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), heard_alike():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_pieces_that_are_left_at_the_end_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scopes = list(workloads(1))[:1]
    (piece,) = chunks(Question(DESIGNS["seed"], scopes[0]), iter(scopes), keeps=False)
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(1))
    assert piece.do(lambda _: None, lambda: True).stopped == "interrupted"
    assert collected == []
    assert not piece.do(lambda _: None, lambda: False).stopped
    assert collected == [1]


def below_making(action: Callable[[], None]) -> None:
    """Call ``action`` where a model is translated, as far as names tell."""
    names = {"__name__": "powercut.checkers.run.mount", "action": action}
    exec("def build_for():\n    action()\nbuild_for()", names)


def wait_for_alarm() -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        pass


@pytest.fixture
def late() -> Iterator[Watcher]:
    """A watcher of work that should have ended."""
    watcher = Watcher(lambda _: None, lambda: False, time.monotonic(), "late")
    with watcher.alarm():
        yield watcher
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_alarm_interrupts_what_is_made(late: Watcher) -> None:
    with pytest.raises(Cut):
        below_making(wait_for_alarm)
    assert late.reason == "late"


def test_the_alarm_leaves_alone_what_is_neither_made_nor_searched(late: Watcher) -> None:
    time.sleep(0.6)
    assert late.reason == "late"


def test_the_alarm_keeps_out_of_a_report() -> None:
    rung: list[str] = []

    def report(_progress: Progress) -> None:
        time.sleep(0.6)
        rung.append(watcher.reason)

    watcher = Watcher(report, lambda: True, None, "")
    with watcher.alarm(), pytest.raises(Cut):
        below_making(lambda: watcher.on_progress(Progress(0, 0, 0, 0, 0.0)))
    assert rung == [""]


def test_an_alarm_of_somebody_else_is_left_alone() -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        watcher = Watcher(lambda _: None, lambda: True, None, "")
        with watcher.alarm():
            assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
            assert not is_making(sys._getframe())
    finally:
        signal.signal(signal.SIGALRM, before)
