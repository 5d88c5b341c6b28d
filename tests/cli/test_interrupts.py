"""What an interrupt may end at any moment, and what is left when nobody is there to clean up."""

import inspect
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from types import FrameType

import pytest

from powercut.checkers.run import mount
from powercut.execute import interrupts
from powercut.execute.interrupts import first_interrupt, is_making
from tests.cli.support import environment, start, wait_until
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


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    file, temporary = tmp_path / "endless.workload", tmp_path / "tmp"
    file.write_text(ENDLESS)
    temporary.mkdir()
    argv = ("check", "--design", "seed", "seed-gap-ordered", "--workload", file, "--jobs", "2")
    env = {**environment(), "TMPDIR": str(temporary)}
    with start(*argv, "--engine", "python", env=env) as process:
        wait_until(lambda: len(children(process)) == 2, process)
        workers = children(process)
        assert all(map(is_running, workers))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until = time.monotonic() + PATIENCE_S
        while any(map(is_running, workers)) and time.monotonic() < until:
            time.sleep(0.05)
        assert [pid for pid in workers if is_running(pid)] == []
    assert list(temporary.iterdir()) == []
