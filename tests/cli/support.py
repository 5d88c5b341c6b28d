"""Run ``powercut`` in this process or in one of its own, and look at how it ended."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from powercut import cli

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
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


def start(*argv: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start ``powercut`` in a process of its own."""
    command = [sys.executable, "-m", "powercut", *map(str, argv)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, env=environment(), text=True, **options)


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
