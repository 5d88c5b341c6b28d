"""Run ``powercut`` in this process or in one of its own, and look at how it ended."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from powercut import cli
from powercut.documents.document import Document
from powercut.documents.schema import DOCUMENTS

ROOT = Path(__file__).parents[2]
# Wall clock, for every process that a test starts: ends a test that hangs, on the busiest machine.
LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on standard output: one of those that a schema is published of."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        assert any(lists(msgspec.to_builtins(kind)) == found for kind in typed(found)), found
        return found


def lists(value: Any) -> Any:
    """Return JSON values with lists for tuples."""
    return json.loads(json.dumps(value))


def typed(document: dict[str, Any]) -> list[Document]:
    """Return a document as every record that it can be read as; these leave out other keys."""
    found = []
    for kind in {kind for kinds in DOCUMENTS.values() for kind in kinds}:
        with suppress(msgspec.ValidationError):
            found.append(msgspec.convert(document, kind))
    return found


class Runner:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *argv: str | Path) -> Ended:
        self.capsys.readouterr()
        code = cli.run([str(word) for word in argv])
        captured = self.capsys.readouterr()
        return Ended(code, captured.out, captured.err)


def environment() -> dict[str, str]:
    """Return an environment in which this checkout is what runs."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


@contextmanager
def start(*argv: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run ``powercut`` in a process of its own while the block lasts.

    The process and all that it started are killed and reaped at the end of the block.  They are
    killed after ``LIMIT_S`` too: whoever waits then sees the process ended by SIGKILL.
    """
    command = [sys.executable, "-m", "powercut", *map(str, argv)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    options = {"env": environment(), **options}
    with started(command, text=True, **options) as process:
        watchdog = threading.Timer(LIMIT_S, kill_session, [process])
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            watchdog.join()


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run ``command`` in a session of its own, which is killed at the end of the block."""
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            kill_session(process)


def kill_session(process: subprocess.Popen[Any]) -> None:
    """Kill ``process``, which leads its session, and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def end_of(process: subprocess.Popen[str]) -> Ended:
    """Wait until ``process`` ends; what it wrote elsewhere than to us is empty."""
    out, err = process.communicate()
    return Ended(process.returncode, out or "", err or "")


def run_apart(*argv: str | Path, **options: Any) -> Ended:
    """Run ``powercut`` to its end in a process of its own."""
    with start(*argv, **options) as process:
        return end_of(process)


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    """Wait until something has ``happened``, which ``process`` must live to see."""
    while not happened():
        assert process.poll() is None, "it ended before"
        time.sleep(0.05)


def assert_refused(ended: Ended, *words: str) -> None:
    """Bad input: exit code 2, one line that says what, and nothing else."""
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err.startswith("powercut: ")
    assert ended.err.endswith("\n")
    assert len(ended.err.splitlines()) == 1, ended.err
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err, ended.err


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder`` with its content."""
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
