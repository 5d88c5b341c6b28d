"""The same jobs on a cluster of Dask ``distributed``: of other machines, or of this one's cores.

Why so: an existing engine already knows how to hand out work, notice a dead worker and run its
share again, and it gives one answer for each job, whatever happened on the way.  Jobs and results
are those of :mod:`powercut.execute.pool`, in the same order, so nothing after this module knows the
difference.  A worker with other sources is refused before anything runs, and again by every job:
its verdicts would be about another model.  A worker process does one job at a time, however many
threads it has: limits are on processes.

Rejected: a protocol of our own (somebody else's is tested); sending the sources along (a worker
must run what its owner installed); Dask's own collections (a job is no data frame); plain TCP for
workers of this machine (whoever connects runs code as this user).
"""

import asyncio
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from powercut.checkers.engine.search.outcome import INTERRUPTED, Limits, Progress
from powercut.errors import InputError, MissingExtraError
from powercut.execute.interrupts import first_interrupt
from powercut.execute.job import Job, JobResult, execute, failed
from powercut.execute.pool import Keep, keep_nothing
from powercut.execute.progress import ProgressLine
from powercut.inputs.names import quoted

LOCAL = "local"

_ANSWER_S = 3
"""How long a scheduler may take to answer, and to have a worker."""

_PACKAGES = ("powercut", "powercut.model", "powercut.checkers", "powercut.properties")
_SOURCES = (".py", ".c", ".h")
_REPORT_EVERY_S = 0.5
_WORKER_SHARE = 0.7
"""Share of a worker's memory limit that a search may use: Dask acts from 0.8 on."""


@cache
def code_digest() -> str:
    """Return a digest over the sources of all packages, as they were when first asked for."""
    digest = blake2b(digest_size=16)
    for package in _PACKAGES:
        folder = Path(str(import_module(package).__file__)).parent
        for path in sorted(p for p in folder.rglob("*") if p.suffix in _SOURCES):
            content = path.read_bytes()
            name = f"{package}/{path.relative_to(folder).as_posix()}"
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


# What runs in the worker.

_one_at_a_time = threading.Lock()
_stopped: set[str] = set()


def perform(job: Job, session: str, digest: str) -> JobResult:
    """Do ``job`` in this worker for the command ``session``."""
    if digest != code_digest():
        return failed(job, _other_version("the worker", code_digest(), digest))
    from distributed import get_worker

    worker = get_worker()
    reported = 0.0

    def report(progress: Progress) -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported >= _REPORT_EVERY_S:
            reported = now
            worker.log_event(session, {"title": job.title, "progress": _plain(progress)})

    with _one_at_a_time:
        limits = _limited(job.question.limits, worker.memory_manager.memory_limit)
        question = replace(job.question, limits=limits)
        return execute(replace(job, question=question), report, lambda: session in _stopped)


def _limited(limits: Limits, worker_bytes: int | None) -> Limits:
    if not worker_bytes:
        return limits
    share = max(1, int(worker_bytes * _WORKER_SHARE) // (1024 * 1024))
    return replace(limits, max_memory_mib=min(limits.max_memory_mib, share))


def _plain(progress: Progress) -> tuple[float, ...]:
    return (
        progress.states,
        progress.transitions,
        progress.frontier,
        progress.depth,
        progress.seconds,
    )


def stop_session(session: str) -> None:
    """Make the jobs of ``session`` in this worker end and say what they know."""
    _stopped.add(session)


def _other_version(who: str, found: str, wanted: str) -> str:
    return (
        f"{who} runs another version of powercut (digest {found[:12]}, here {wanted[:12]}); "
        "install the same there and start it again"
    )


# What runs here.


@contextmanager
def open_cluster(address: str, processes: int) -> Iterator["Cluster"]:
    """Connect to the scheduler at ``address``, or start ``processes`` workers here for ``local``.

    Raises :class:`InputError` if the extra is missing, if nobody answers, if there is no worker, or
    if one runs another version.
    """
    try:
        import distributed
    except ImportError:
        raise MissingExtraError("--cluster", "Dask distributed", "cluster") from None
    _silence()
    with _closed_at_the_end(_local(distributed, processes) if address == LOCAL else None) as local:
        target = local.scheduler_address if local is not None else address
        client = _connected(distributed, target, address, local.security if local else None)
        try:
            if local is not None:
                client.register_plugin(_deaf(distributed))
            yield Cluster(client, _checked_workers(client, address))
        finally:
            with suppress(Exception):
                client.close(timeout=_ANSWER_S)


def _silence() -> None:
    """Keep Dask's log off the terminal: what matters reaches the user as an error of a run."""
    import logging

    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextmanager
def _closed_at_the_end(local: Any) -> Iterator[Any]:
    """Close ``local``, if there is one, whatever state it is in."""
    try:
        yield local
    finally:
        if local is not None:
            with suppress(Exception):
                local.close(timeout=_ANSWER_S)


def _local(distributed: Any, processes: int) -> Any:
    """Start workers here; a certificate made for this run keeps everybody else out."""
    import logging

    try:
        security = distributed.Security.temporary()
    except ImportError:
        raise MissingExtraError("--cluster local", "cryptography", "cluster") from None
    # Ctrl-C reaches every process of the terminal; a worker hears of it from us.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    closed: dict[str, list[str]] = {
        f"distributed.{who}.http.routes": [] for who in ("scheduler", "worker")
    }
    try:
        with import_module("dask").config.set(closed):  # pages that any user could read
            return distributed.LocalCluster(
                n_workers=processes,
                threads_per_worker=1,
                processes=True,
                memory_limit=None,
                security=security,
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL,
                host="127.0.0.1",
            )
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"--cluster local: the workers do not start ({str(error) or type(error).__name__})",
            "allow more open files and processes, or give fewer --jobs",
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)


def _deaf(distributed: Any) -> Any:
    """Return a plugin that makes workers ignore Ctrl-C, those too that replace a dead one."""

    class Deaf(distributed.WorkerPlugin):  # type: ignore[misc]
        name = "powercut-deaf"

        def setup(self, worker: Any) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return Deaf()


def _connected(distributed: Any, target: str, address: str, security: Any) -> Any:
    try:
        if security is None:  # not started here
            asyncio.run(asyncio.wait_for(_greet(distributed, target), _ANSWER_S))
        return distributed.Client(
            target, timeout=_ANSWER_S, set_as_default=False, security=security
        )
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0].partition(";")[0] or f"waited {_ANSWER_S} s"
        raise InputError(
            f"--cluster {quoted(address)}: no scheduler answers there ({reason})",
            "give tcp://HOST:PORT of a running one, or local",
        ) from None


async def _greet(distributed: Any, target: str) -> None:
    """Ask who is there: the client itself would wait for ever for something else's answer."""
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.comm.registry import get_backend

    scheme, location = parse_address(target)
    get_backend(scheme)
    parse_host_port(location)
    async with distributed.rpc(target) as peer:
        kind = (await peer.identity()).get("type")
    if kind != "Scheduler":
        raise ValueError(f"it is a {kind}")


def _checked_workers(client: Any, address: str) -> int:
    """Return how many workers there are.  Raises :class:`InputError` unless all fit."""
    try:
        client.wait_for_workers(1, timeout=_ANSWER_S)
    except TimeoutError:
        raise InputError(
            f"--cluster {quoted(address)}: no worker is connected",
            f"start one: dask worker {address} --nthreads 1",
        ) from None

    def probe() -> str:  # sent by value: a worker without powercut can answer
        try:
            from powercut.execute.cluster import code_digest
        except ImportError as error:
            return f"!{error}"
        return code_digest()

    mine = code_digest()
    answers = client.run(probe)
    for worker, answer in sorted(answers.items()):
        if answer.startswith("!"):
            raise InputError(f"--cluster {quoted(address)}: {worker} has no powercut: {answer[1:]}")
        if answer != mine:
            who = f"the worker at {worker}"
            raise InputError(f"--cluster {quoted(address)}: {_other_version(who, answer, mine)}")
    return len(answers)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A connection; ``workers`` were there when it was made."""

    client: Any
    workers: int

    def run(
        self, jobs: Sequence[Job], line: ProgressLine, keep: Keep[JobResult] = keep_nothing
    ) -> Iterator[JobResult]:
        """Do all jobs and yield their results in order; a failed one is a result too."""
        return _Session(self.client, jobs, line, keep).results()


class _Session:
    """One command's jobs on a cluster."""

    def __init__(
        self, client: Any, jobs: Sequence[Job], line: ProgressLine, keep: Keep[JobResult]
    ) -> None:
        self.client = client
        self.keep = keep
        self.jobs = jobs
        self.line = line
        self.name = f"powercut-{uuid.uuid4().hex[:12]}"
        self.news: SimpleQueue[tuple[int, Any] | dict[str, Any]] = SimpleQueue()
        self.done: dict[int, JobResult] = {}
        self.reason = ""
        self.told = 0.0
        self.numbers = {job.title: number for number, job in enumerate(jobs)}
        deadlines = [job.deadline for job in jobs if job.deadline is not None]
        self.deadline = min(deadlines, default=None)

    def results(self) -> Iterator[JobResult]:
        self.client.subscribe_topic(self.name, lambda event: self.news.put(event[1]))
        digest = code_digest()
        futures = []
        for number, job in enumerate(self.jobs):
            future = self.client.submit(
                perform,
                replace(job, deadline=None),
                self.name,
                digest,
                key=f"{self.name}-{number}",
                priority=-number,
                pure=False,
            )
            future.add_done_callback(self._note(number))
            futures.append(future)
        with first_interrupt(lambda: self._stop(INTERRUPTED)):
            for number in range(len(self.jobs)):
                while number not in self.done:
                    self._listen()
                self.line.clear()
                yield self.done.pop(number)

    def _note(self, number: int) -> Callable[[Any], None]:
        return lambda future: self.news.put((number, future))

    def _stop(self, reason: str) -> None:
        self.reason = self.reason or reason

    def _listen(self) -> None:
        """Act on what has happened, wait a little if nothing has."""
        now = time.monotonic()
        if self.deadline is not None and now >= self.deadline:
            self._stop(f"time limit of {self.jobs[0].budget_s:g} s reached")
        if self.reason and now - self.told >= 1:
            self.told = now  # again and again: workers come and go
            with suppress(Exception):
                self.client.run(stop_session, self.name, on_error="ignore")
        try:
            news = self.news.get(timeout=0.2)
        except Empty:
            return
        if isinstance(news, dict):
            number = self.numbers[news["title"]]
            if number not in self.done:
                self.line.update(number, news["title"], Progress(*news["progress"]))
            return
        number, future = news
        result = self._result_of(number, future)
        self.keep(result)
        self.done[number] = result
        self.line.done(number, result.result.states)

    def _result_of(self, number: int, future: Any) -> JobResult:
        job = self.jobs[number]
        try:
            result = future.result(timeout=60)
        except Exception as error:  # whatever the cluster raises, the other jobs go on
            return failed(job, f"the cluster gave no result: {type(error).__name__}: {error}")
        assert isinstance(result, JobResult)
        if self.reason:
            stopped = result.result.stopped.replace(INTERRUPTED, self.reason)
            result = replace(result, result=replace(result.result, stopped=stopped))
        return result
