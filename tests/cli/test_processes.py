"""Several processes, interrupts and the progress line."""

import errno
import io
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from powercut.checkers.engine.search.outcome import Limits, Progress
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.execute import job as job_module
from powercut.execute import pool as pool_module
from powercut.execute.job import Job, JobResult, execute
from powercut.execute.pool import _Pool, run_all
from powercut.execute.progress import ProgressLine
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.cli.support import Ended, Runner, end_of, start, wait_until
from tests.tiers import EXHAUSTIVE

ENDLESS = """\
name endless
geometry blocks=4 cells=2 folio=1 phys=7
mount
  task write 0 3; write 4 3; truncate 1; fsync
  task write 1 4; truncate 6; fsync
  task store 0; truncate 3; fsync
  flusher 2
"""
AT_WORK_S = 5.0  # of processor time: more than start and compilation take together


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A workload that no search ends in a test's time."""
    file = tmp_path / "endless.workload"
    file.write_text(ENDLESS)
    return file


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and of all it started, in seconds; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in below)


def interrupted(process: subprocess.Popen[str], at_s: float = AT_WORK_S) -> Ended:
    """Interrupt ``process`` when it is at work; return how it ended.

    Work is measured in processor time: on a busy machine the start alone may take long.
    """
    wait_until(lambda: cpu_seconds(process.pid) >= at_s, process)
    process.send_signal(signal.SIGINT)
    return end_of(process)


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=EXHAUSTIVE), "2"])
def test_ctrl_c_reports_what_is_known(endless: Path, jobs: str) -> None:
    designs = ("seed", "seed-gap-ordered")
    argv = ("check", "--design", *designs, "--workload", endless, "--engine", "python")
    with start(*argv, "--jobs", jobs) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("2 designs × 1 scope = 2 runs")
        ended = interrupted(process)
    assert (ended.code, ended.err) == (3, "")
    # Two processes that translate at the same time may both be interrupted in that.
    assert ("mount 1: interrupted" if jobs == "1" else "interrupted") in ended.out
    assert ended.out.rstrip().endswith("2 of 2 runs cut short: inconclusive (exit code 3)")


@pytest.mark.exhaustive
def test_ctrl_c_still_gives_a_document(endless: Path, tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    argv = ("check", "--design", "seed", "--scope", "eio-overwrite", "--workload", endless)
    with start(*argv, "--save-traces", folder, "--jobs", "2", "--json") as process:
        wait_until(lambda: any(folder.glob("*.json")), process)
        ended = interrupted(process)
    assert (ended.code, ended.err) == (1, "")
    document = ended.document
    assert [run["verdict"] for run in document["runs"]] == ["violated", "inconclusive"]
    assert document["runs"][1]["states"] > 0


@pytest.mark.exhaustive
def test_ctrl_c_ends_a_random_search_with_what_it_saw() -> None:
    argv = ("fuzz", "--profile", "soak", "--time-limit", "600", "--design", "seed", "--json")
    with start(*argv) as process:
        ended = interrupted(process, 2 * AT_WORK_S)
    document = ended.document
    assert ended.code == 3
    assert (document["stopped"], document["verdict"]) == ("interrupted", "inconclusive")
    assert document["steps"] > 0


def job(scope: str, **options: object) -> Job:
    return Job(Question(DESIGNS["seed"], SCOPES[scope], **options))  # type: ignore[arg-type]


def never() -> bool:
    return False


def test_results_come_in_the_order_of_the_jobs() -> None:
    scopes = ("eof-truncate-up", "append-fsync", "eio-overwrite", "eof-two-mounts")
    jobs = [job(scope, limits=Limits(max_states=3_000)) for scope in scopes]
    results = list(run_all(jobs, 2, ProgressLine(len(jobs))))
    assert tuple(done.result.scope for done in results) == scopes
    alone = list(run_all(jobs, 1, ProgressLine(len(jobs))))
    assert [d.traces for d in alone] == [d.traces for d in results]


def test_a_process_that_dies_fails_its_run_only() -> None:
    class Killer(ProgressLine):
        def update(self, number: int, title: str, progress: Progress) -> None:
            if number == 0:
                next(w for w in pool.workers if w.number == 0).process.kill()

    jobs = [job("span-truncate"), job("append-fsync"), job("eio-overwrite")]
    pool = _Pool(jobs, 2, Killer(len(jobs)))
    first, *others = pool.results()
    assert first.failure.startswith("seed span-truncate: its process was ended by SIGKILL")
    assert first.result.verdict == "inconclusive"
    assert not any(done.failure for done in others)
    assert [done.result.exhaustive for done in others] == [True, True]


@pytest.mark.parametrize("allowed", [0, 1])
def test_fewer_processes_do_the_same(monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    started: list[object] = []
    start_one = pool_module._Worker

    def start_some(*arguments: Any) -> object:
        if len(started) >= allowed:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(start_one(*arguments))
        return started[-1]

    monkeypatch.setattr(pool_module, "_Worker", start_some)
    jobs = [job("append-fsync", engine="python"), job("eio-overwrite", engine="python")]
    kept: list[JobResult] = []
    results = list(run_all(jobs, 2, ProgressLine(len(jobs)), kept.append))
    assert len(started) == allowed
    assert [done.result.states for done in results] == [667, 51]
    assert kept == results


def test_a_limit_of_the_system_is_no_bug(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(job_module, "run_scope", no_more)
    ended = powercut("check", "--design", "seed", "--scope", "append-fsync", "--jobs", "1")
    assert (ended.code, ended.err) == (3, "")
    assert "the system allows no more: Too many open files" in ended.out
    monkeypatch.setattr("powercut.verbs.check._jobs", no_more)
    ended = powercut("check")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == "powercut: the system allows no more: Too many open files: inconclusive\n"


def test_an_error_inside_a_job_is_a_failure() -> None:
    wrong = replace(MUTANTS["no-preflush"], number=256)
    done = execute(job("append-fsync", mutant=wrong), lambda _progress: None, never)
    assert "seed append-fsync no-preflush: RangeError" in done.failure
    assert "Traceback" in done.origin


def children(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes that ``process`` started and that explore."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_the_report_of_a_killed_process(endless: Path) -> None:
    argv = ("check", "--design", "seed", "--scope", "append-fsync", "--workload", endless)
    with start(*argv, "--jobs", "2") as process:
        assert process.stdout is not None
        while "append-fsync" not in process.stdout.readline():
            assert process.poll() is None
        for pid in children(process):
            os.kill(pid, signal.SIGKILL)
        ended = end_of(process)
    assert ended.code == 4
    assert len(ended.err.splitlines()) == 1
    assert "internal error: seed endless: its process was ended by SIGKILL" in ended.err
    assert "ERROR" in ended.out
    assert "667 states" in ended.out
    assert ended.out.rstrip().endswith("1 of 2 runs cut short: ERROR (exit code 4)")


def test_a_failing_run_does_not_stop_the_others() -> None:
    wrong = replace(MUTANTS["no-preflush"], number=256)
    jobs = [job("append-fsync", mutant=wrong), job("append-fsync"), job("eio-overwrite")]
    for processes in (1, 2):
        bad, *good = run_all(jobs, processes, ProgressLine(len(jobs)))
        assert "conf.mutant" in bad.failure
        assert bad.result.stopped == "internal error"
        assert [(done.failure, done.result.exhaustive) for done in good] == [("", True)] * 2


def test_what_is_stopped_before_it_starts_is_inconclusive() -> None:
    done = execute(job("append-fsync"), lambda _progress: None, lambda: True)
    assert done.result.stopped == "not started: interrupted"
    late = replace(job("append-fsync"), deadline=time.monotonic() - 1, budget_s=5.0)
    done = execute(late, lambda _progress: None, never)
    assert done.result.stopped == "not started: time limit of 5 s reached"
    assert done.result.verdict == "inconclusive"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    line = ProgressLine(7, Terminal())
    line.done(3, 1_000)
    line.update(4, "seed eof-mmap", Progress(2_000, 5_000, 300, 12, 0.5))
    text = line.stream.getvalue()  # type: ignore[attr-defined]
    assert text.startswith("\r\x1b[K1/7 runs  3,000 states  ")
    assert "frontier 300  depth 12  seed eof-mmap" in text
    line.clear()
    assert line.stream.getvalue().endswith("\r\x1b[K")  # type: ignore[attr-defined]


def test_no_progress_off_a_terminal() -> None:
    line = ProgressLine(1, io.StringIO())
    line.update(0, "seed eof-mmap", Progress(2_000, 5_000, 300, 12, 0.5))
    line.clear()
    assert line.stream.getvalue() == ""  # type: ignore[attr-defined]
