"""Findings: on disk when they are known; a place that cannot be written changes no verdict."""

import errno
import os
import time
from pathlib import Path

import pytest

from powercut.checkers.run.question import Question
from powercut.checkers.workload import load_workload
from powercut.checkers.workload.shipped import SCOPES
from powercut.execute.job import Job, JobResult
from powercut.execute.pool import _Pool
from powercut.execute.progress import ProgressLine
from powercut.inputs.files import Findings
from powercut.model.designs import DESIGNS
from powercut.writing import System
from tests.cli.support import LIMIT_S, Runner, files_below
from tests.cli.test_processes import ENDLESS

ARGV = ("check", "--design", "seed", "--scope", "eio-overwrite", "--engine", "python", "--jobs")


def test_a_finding_does_not_wait_for_its_turn(tmp_path: Path) -> None:
    file = tmp_path / "endless.workload"
    file.write_text(ENDLESS)
    findings = Findings(tmp_path / "found")
    (tmp_path / "found").mkdir()
    on_disk: list[set[str]] = []

    def keep(done: JobResult) -> None:
        for name, content in done.traces.values():
            findings.add(name, content)
        on_disk.append(set(files_below(tmp_path / "found")))
        if on_disk[-1]:
            pool.stop.set()  # what comes before it in the report may end now, and not earlier

    until = time.monotonic() + LIMIT_S / 2
    scopes = (load_workload(file), SCOPES["eio-overwrite"])
    jobs = [Job(Question(DESIGNS["seed"], scope, engine="python"), until) for scope in scopes]
    pool = _Pool(jobs, 2, ProgressLine(len(jobs)), keep)
    endless, short = pool.results()
    assert endless.result.stopped == "mount 1: interrupted"
    assert (
        {Path(name).name for name in on_disk[0]} == {n for n, _ in short.traces.values()} != set()
    )


def test_a_finding_is_written_once_and_whole(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    path = findings.add("a.trace.json", b"one")
    stamp = os.stat(path).st_mtime_ns, os.stat(path).st_ino
    assert findings.add("a.trace.json", b"one") == path
    assert (os.stat(path).st_mtime_ns, os.stat(path).st_ino) == stamp
    assert findings.add("a.trace.json", b"two") == path
    assert files_below(tmp_path) == {path: b"two"}
    assert findings.failures == []


def test_without_a_folder_nothing_is_written() -> None:
    findings = Findings(None)
    assert findings.add("a.trace.json", b"one") == ""
    assert findings.failures == []


@pytest.mark.parametrize("json", [False, True])
def test_a_full_disk_costs_the_trace_and_nothing_else(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, json: bool
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(System, "fsync", staticmethod(full))
    more = ("--json",) if json else ()
    ended = powercut(*ARGV, "1", "--save-traces", tmp_path, *more)
    assert ended.code == 1
    (line,) = ended.err.splitlines()
    assert line.startswith(f"powercut: {tmp_path}")
    assert "cannot be written: No space left on device" in line
    assert files_below(tmp_path) == {}
    if json:
        (run,) = ended.document["runs"]
        assert [found["trace"] for found in run["violations"]] == [None] * len(run["violations"])
    else:
        assert ended.out.rstrip().endswith("VIOLATED (exit code 1)")
        assert ".trace.json" not in ended.out
