"""``--cluster``: the same results on workers of Dask distributed, dying ones included."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from powercut.checkers.engine.search.outcome import Limits, Progress
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.execute.cluster import _limited, open_cluster, perform
from powercut.execute.job import Job, JobResult
from powercut.execute.pool import run_all
from powercut.execute.progress import ProgressLine
from powercut.execute.swarm import member_jobs
from powercut.model.designs import DESIGNS
from tests.cli.support import (
    LIMIT_S,
    ROOT,
    Runner,
    assert_refused,
    end_of,
    environment,
    run_apart,
    start,
    started,
    wait_until,
)
from tests.cli.test_check import timeless

distributed = pytest.importorskip(
    "distributed", reason="Dask distributed is not installed: pip install 'powercut[cluster]'"
)


class Farm:
    """A scheduler and worker processes of this machine."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.file = folder / "scheduler.json"
        self.running = running
        scheduler = self.start("scheduler", "--port", "0", "--host", "127.0.0.1")
        wait_until(self.file.exists, scheduler)
        with self.client() as client:
            self.address = str(client.scheduler.address)

    def start(self, *words: str, path: Path = ROOT) -> subprocess.Popen[bytes]:
        """Start a process of Dask that runs the sources in ``path``."""
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(self.file)]
        return self.running.enter_context(
            started(
                [*command, "--no-dashboard"],
                env={**environment(), "PYTHONPATH": str(path)},
                cwd=path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def start_workers(self, count: int, path: Path = ROOT) -> list[subprocess.Popen[bytes]]:
        """Start workers that nobody starts again, and wait until they are there."""
        with self.client() as client:
            before = len(client.scheduler_info(n_workers=-1)["workers"])
            words = ("worker", "--nthreads", "1", "--no-nanny")
            started = [self.start(*words, path=path) for _ in range(count)]
            client.wait_for_workers(before + count, timeout=LIMIT_S)
        return started

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a worker, and wait until the scheduler knows."""
        with self.client() as client:
            before = len(client.scheduler_info(n_workers=-1)["workers"])
            process.terminate()
            process.wait(timeout=LIMIT_S)
            while len(client.scheduler_info(n_workers=-1)["workers"]) >= before:
                time.sleep(0.05)

    def client(self) -> Any:
        return distributed.Client(
            scheduler_file=str(self.file), set_as_default=False, timeout=LIMIT_S
        )


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A scheduler with two workers."""
    with ExitStack() as running:
        made = Farm(tmp_path_factory.mktemp("farm"), running)
        made.start_workers(2)
        yield made


def job(scope: str, **options: Any) -> Job:
    return Job(Question(DESIGNS["seed"], SCOPES[scope], **options))


def essence(results: Sequence[JobResult]) -> list[dict[str, Any]]:
    """What of the results must not depend on where they were made."""
    plain = [asdict(done) for done in results]
    for done in plain:
        del done["result"]["seconds"]
    return plain


JOBS = [
    job("span-truncate", engine="python", limits=Limits(max_states=40_000)),
    job("eof-two-mounts", engine="python"),
    job("append-fsync", engine="python"),
    job("eio-overwrite", engine="python"),
    *member_jobs(job("eof-truncate-up", engine="python", limits=Limits(max_states=300)), 3, 1),
]


@pytest.fixture(scope="module")
def here() -> list[dict[str, Any]]:
    """What the jobs give in this process."""
    return essence(list(run_all(JOBS, 1, ProgressLine(len(JOBS)))))


@pytest.mark.exhaustive
def test_results_are_those_of_this_process(farm: Farm, here: list[dict[str, Any]]) -> None:
    with open_cluster(farm.address, 1) as cluster:
        assert cluster.workers == 2
        assert essence(list(cluster.run(JOBS, ProgressLine(len(JOBS))))) == here


@pytest.mark.exhaustive
def test_a_killed_worker_loses_nothing(farm: Farm, here: list[dict[str, Any]]) -> None:
    class Killer(ProgressLine):
        victims: list[int] = []  # noqa: RUF012
        ended: list[int] = []  # noqa: RUF012

        def update(self, number: int, title: str, progress: Progress) -> None:
            if number == 0 and not self.victims:
                (address,) = [w for w, tasks in client.processing().items() if is_first(tasks)]
                self.victims.append(pids[address])
                os.kill(pids[address], signal.SIGKILL)

        def done(self, number: int, states: int) -> None:
            self.ended.append(number)

    def is_first(tasks: Sequence[str]) -> bool:
        return any(key.endswith("-0") for key in tasks)

    killer = Killer(len(JOBS))
    with farm.client() as client, open_cluster(farm.address, 1) as cluster:
        pids = client.run(os.getpid)
        results = list(cluster.run(JOBS, killer))
        assert len(killer.victims) == 1
        assert killer.victims[0] not in client.run(os.getpid).values()
    assert sorted(killer.ended) == list(range(len(JOBS)))
    assert essence(results) == here
    farm.start_workers(1)


@pytest.mark.exhaustive
def test_a_job_that_kills_its_workers_fails_alone(farm: Farm) -> None:
    distributed_limit = 3  # how often Dask tries a task again
    jobs = [job("span-truncate", engine="python"), job("append-fsync", engine="python")]

    class Killer(ProgressLine):
        victims: set[int] = set()  # noqa: RUF012

        def update(self, number: int, title: str, progress: Progress) -> None:
            for address, tasks in client.processing().items():
                pid = client.run(os.getpid, workers=[address], on_error="ignore").get(address)
                if number == 0 and pid and any(key.endswith("-0") for key in tasks):
                    self.victims.add(pid)
                    os.kill(pid, signal.SIGKILL)

    killer = Killer(2)
    farm.start_workers(distributed_limit)
    with farm.client() as client, open_cluster(farm.address, 1) as cluster:
        bad, good = cluster.run(jobs, killer)
    assert len(killer.victims) == distributed_limit + 1
    assert "seed span-truncate: the cluster gave no result: KilledWorker" in bad.failure
    assert (good.failure, good.result.states) == ("", 667)
    farm.start_workers(1)


ARGV = ("check", "--design", "seed", "--scope", "append-fsync", "eof-two-mounts", "--json")


@pytest.mark.exhaustive
def test_the_document_is_the_same(farm: Farm, powercut: Runner) -> None:
    for more in ((), ("--swarm", "3", "--max-states", "500")):
        far = powercut(*ARGV, *more, "--cluster", farm.address)
        near = powercut(*ARGV, *more, "--jobs", "1")
        assert far.err == near.err == ""
        assert far.code == near.code == 1
        assert timeless(far.document) == timeless(near.document)


@pytest.mark.exhaustive
def test_mutants_are_graded_there_too(farm: Farm, powercut: Runner) -> None:
    ended = powercut("exam", "--mutant", "no-preflush", "--cluster", farm.address)
    assert ended.code == 0
    assert "1 of 1 mutants caught" in ended.out


@pytest.mark.exhaustive
def test_the_time_limit_is_for_the_whole_command(farm: Farm, powercut: Runner) -> None:
    argv = ("check", "--design", "seed", "--scope", "span-truncate", "two-block-folio")
    ended = powercut(
        *argv, "--engine", "python", "--time-limit", "1", "--cluster", farm.address, "--json"
    )
    assert ended.code == 3
    for run in ended.document["runs"]:
        assert run["stopped"].endswith("time limit of 1 s reached")


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_other_sources_are_refused(farm: Farm, powercut: Runner, tmp_path: Path, how: str) -> None:
    shutil.copytree(ROOT / "powercut", tmp_path / "powercut")
    if how == "changed":
        with (tmp_path / "powercut" / "model" / "eof.py").open("a") as file:
            file.write("# another model\n")
    else:
        (tmp_path / "powercut" / "execute" / "cluster.py").write_text("raise ImportError('gone')\n")
    (stale,) = farm.start_workers(1, tmp_path)
    try:
        words = {"changed": "another version of powercut", "missing": "has no powercut"}
        assert_refused(powercut(*ARGV, "--cluster", farm.address), words[how], "tcp://")
    finally:
        farm.stop(stale)


def test_a_late_worker_with_other_sources_gives_an_error() -> None:
    done = perform(job("append-fsync"), "session", "0" * 32)
    assert "seed append-fsync: the worker runs another version of powercut" in done.failure


@pytest.mark.exhaustive
def test_what_is_no_scheduler_is_refused(farm: Farm, powercut: Runner) -> None:
    with farm.client() as client:
        worker = next(iter(client.scheduler_info(n_workers=-1)["workers"]))
    for address in ("tcp://127.0.0.1:1", "nowhere", "tcp://127.0.0.1", worker):
        assert_refused(powercut(*ARGV, "--cluster", address), "no scheduler answers", address)
    assert_refused(powercut(*ARGV, "--cluster", farm.address, "--jobs", "2"), "--jobs")


@pytest.mark.exhaustive
def test_a_scheduler_without_workers_is_refused(powercut: Runner) -> None:
    with distributed.LocalCluster(
        n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as empty:
        ended = powercut(*ARGV, "--cluster", empty.scheduler_address)
    assert_refused(ended, "no worker is connected", "dask worker")


def test_nobody_else_sends_work_to_local_workers() -> None:
    security = distributed.Security
    with open_cluster("local", 1) as cluster:
        info = cluster.client.scheduler_info()
        addresses = [info["address"], *info["workers"]]
        assert all(address.startswith("tls://127.0.0.1:") for address in addresses)
        assert list(cluster.client.run(os.getpid).values()) != [os.getpid()]
        plain = [address.replace("tls:", "tcp:") for address in addresses]
        for address, key in (
            *((address, security()) for address in plain),
            *((address, security.temporary()) for address in addresses),
        ):
            with pytest.raises((OSError, RuntimeError)):
                asyncio.run(identity(address, key.get_connection_args("client")))
        ports = [part["services"]["dashboard"] for part in (info, *info["workers"].values())]
        for port in ports:
            with pytest.raises(HTTPError, match="404"):
                urlopen(f"http://127.0.0.1:{port}/json/identity.json", timeout=LIMIT_S)


async def identity(address: str, arguments: dict[str, Any]) -> object:
    """Ask who is at ``address``, as every client does first."""
    async with distributed.rpc(address, connection_args=arguments, timeout=3) as peer:
        return await peer.identity()


def test_without_a_key_no_local_workers(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(distributed.Security, "temporary", missing)
    assert_refused(powercut(*ARGV, "--cluster", "local"), "cryptography", "powercut[cluster]")


def test_local_workers_that_do_not_start_are_one_line(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(**_: object) -> None:
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr(distributed, "LocalCluster", no_more)
    assert_refused(powercut(*ARGV, "--cluster", "local"), "Nanny failed", "fewer --jobs")


def test_without_the_extra(tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError\n")
    ended = run_apart(*ARGV, "--cluster", "local", cwd=tmp_path)
    assert_refused(ended, "powercut[cluster]")


@pytest.mark.exhaustive
def test_ctrl_c_keeps_what_is_known(tmp_path: Path) -> None:
    from tests.cli.test_processes import ENDLESS

    file = tmp_path / "endless.workload"
    file.write_text(ENDLESS)
    argv = ("check", "--design", "seed", "--scope", "append-fsync", "--workload", file)
    with start(*argv, "--cluster", "local", "--jobs", "2") as process:
        assert process.stdout is not None
        while "append-fsync" not in process.stdout.readline():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process of the command
        ended = end_of(process)
    assert (ended.code, ended.err) == (3, "")
    assert "1 of 2 runs cut short: inconclusive" in ended.out
    assert "interrupted" in ended.out


def test_a_search_stays_below_the_workers_limit() -> None:
    assert _limited(Limits(max_memory_mib=900), None).max_memory_mib == 900
    assert _limited(Limits(max_memory_mib=900), 1000 * 2**20).max_memory_mib == 700
