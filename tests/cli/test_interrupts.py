"""What an interrupt may end at any moment, and what is left when nobody is there to clean up."""

import inspect
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import FrameType

import pytest

from powercut.checkers.run import mount
from powercut.execute import interrupts
from powercut.execute.interrupts import first_interrupt, is_making
from tests.cli.support import Ended, end_of, environment, start, started, wait_until
from tests.cli.test_processes import ENDLESS, children

PATIENCE_S = 5.0


@pytest.mark.parametrize(("module", "name"), sorted(interrupts._MAKING))
def test_what_may_be_given_up_is_there_under_its_name(module: str, name: str) -> None:
    function = inspect.unwrap(getattr(import_module(module), name))
    assert function.__code__.co_name == name
    assert function.__globals__["__name__"] == module


def test_making_is_seen_from_far_below(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def spy(*_: object, **__: object) -> None:
        seen.append((lambda: is_making(sys._getframe()))())
        raise InterruptedError

    assert not is_making(sys._getframe())
    monkeypatch.setattr(mount, "Build", spy)
    with pytest.raises(InterruptedError):
        mount.build_for((("unheard of", 1),))
    assert seen == [True]


@pytest.mark.parametrize("raising", [False, True])
def test_the_first_interrupt_asks_and_the_second_ends(raising: bool) -> None:
    asked: list[bool] = []

    def decide(_frame: FrameType | None) -> bool:
        return raising

    reached: list[int] = []

    def interrupted_twice() -> None:
        with first_interrupt(lambda: asked.append(True), raising=decide):
            for number in (1, 2):
                os.kill(os.getpid(), signal.SIGINT)
                reached.append(number)

    with pytest.raises(KeyboardInterrupt):
        interrupted_twice()
    assert asked == [True]
    assert reached == ([] if raising else [1])


def is_running(pid: int) -> bool:
    """Whether a process is there and is no zombie, which nobody may be there to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(pids: list[int]) -> bool:
    """Wait a little until none of ``pids`` runs; tell whether that is so."""
    until = time.monotonic() + PATIENCE_S
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(is_running, pids))


@pytest.mark.parametrize("at", ["search", "compiler"])
def test_nothing_outlives_a_killed_parent(tmp_path: Path, at: str) -> None:
    file, temporary, pids = tmp_path / "endless.workload", tmp_path / "tmp", tmp_path / "pids"
    file.write_text(ENDLESS)
    temporary.mkdir()
    pids.mkdir()
    compiler = tmp_path / "cc"
    compiler.write_text(
        f"#!/bin/sh\n[ $1 = --version ] && exit 0\n: > {pids}/$$\nexec sleep 1000\n"
    )
    compiler.chmod(0o755)
    argv = ("check", "--design", "seed", "seed-gap-ordered", "--workload", file, "--jobs", "2")
    env = {**environment(), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    if at == "compiler":
        env["CC"] = str(compiler)
    engine = {"search": "python", "compiler": "auto"}[at]
    with start(*argv, "--engine", engine, env=env) as process:
        wait_until(lambda: len(children(process)) == 2, process)
        if at == "compiler":
            wait_until(lambda: any(pids.iterdir()), process)
        left = [*children(process), *(int(path.name) for path in pids.iterdir())]
        assert all(map(is_running, left))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert all_gone(left)
    assert list(temporary.iterdir()) == []


WHILE_IMPORTING = """
import os, signal, sys
class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == "powercut.cli":
            os.kill(os.getpid(), signal.{})
sys.meta_path.insert(0, Interrupter())
sys.argv = ["powercut", "list"]
from powercut.__main__ import main
main()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_while_importing_is_one_line(name: str) -> None:
    command = [sys.executable, "-c", WHILE_IMPORTING.format(name)]
    pipe = subprocess.PIPE
    with started(command, env=environment(), text=True, stdout=pipe, stderr=pipe) as process:
        ended = end_of(process)
    line = "powercut: interrupted before anything was known: inconclusive\n"
    assert ended == Ended(3, "", line)
