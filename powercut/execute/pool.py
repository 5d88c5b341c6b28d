"""Many jobs over several processes; results come back in the order of the jobs.

Why so: runs share nothing, a core each is all the speed there is, and a report must not depend on
which run ended first.  The first Ctrl-C is a request: searches end at their next look at the clock
and say what they know, and a model that is being translated or compiled is given up; the second one
ends everything at once.  A process that dies makes its run a failure and no more: all others are
done and kept.  Where the system allows fewer processes there are fewer, down to this one alone.  A
process whose parent is gone ends itself and its compiler.  A result is handed to
``keep`` when it is known, which may be long before its turn in the report.
Rejected: ``concurrent.futures`` (no progress, no partial results, a dead worker breaks the pool)
and forking (a forked child shares its parent's peak memory and threads).
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Protocol, TypeVar

from powercut.checkers.engine.search.outcome import Progress
from powercut.execute.interrupts import first_interrupt, is_making, on_main_thread
from powercut.execute.progress import ProgressLine


class Done(Protocol):
    """What work gives: it says how many states were seen."""

    @property
    def states(self) -> int: ...


_Result = TypeVar("_Result", bound=Done)
_Result_co = TypeVar("_Result_co", bound=Done, covariant=True)


class Work(Protocol[_Result_co]):
    """Something that any process can do; plain data.  Work of one ``build_key`` shares a model."""

    @property
    def title(self) -> str: ...

    @property
    def build_key(self) -> tuple[object, ...]: ...

    def do(self, report: Callable[[Progress], None], stopped: Callable[[], bool]) -> _Result_co: ...

    def lost(self, reason: str) -> _Result_co: ...


Keep = Callable[[_Result], None]
"""Takes a result the moment it is known; it may not raise."""

_REPORT_EVERY_S = 0.1
_LISTEN_S = 0.3
_TIDY_UP_S = 2.0
"""How long a process without a parent may take to remove its temporary files."""
_TO_END = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def default_jobs() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_nothing(_result: Done) -> None:
    """Keep no result."""


def run_all(
    jobs: Sequence[Work[_Result]],
    processes: int,
    line: ProgressLine,
    keep: Keep[_Result] = keep_nothing,
) -> Iterator[_Result]:
    """Do all jobs and yield their results in order; a failed one is a result too."""
    processes = min(processes, len(jobs))
    if processes <= 1:
        results = _in_process(jobs, line, keep)
    else:
        results = _Pool(jobs, processes, line, keep).results()
    for result in results:
        line.clear()
        yield result


def _in_process(
    jobs: Sequence[Work[_Result]], line: ProgressLine, keep: Keep[_Result]
) -> Iterator[_Result]:
    stop = threading.Event()
    with first_interrupt(stop.set):
        for number, job in enumerate(jobs):

            def report(progress: Progress, number: int = number, title: str = job.title) -> None:
                line.update(number, title, progress)

            result = job.do(report, stop.is_set)
            keep(result)
            line.done(number, result.states)
            yield result


@contextmanager
def _ignored() -> Iterator[None]:
    """Ignore every signal that asks to end, for a child to inherit: it hears of them from us."""
    if not on_main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _TO_END}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Worker:
    """A process that does one job at a time, and our end of the pipe to it."""

    def __init__(self, context: Any, stop: Event) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, stop), daemon=True)
        try:
            with _ignored():
                self.process.start()
        except OSError:
            self.pipe.close()
            raise
        finally:
            theirs.close()
        self.number = -1
        self.keys: set[object] = set()

    def give(self, number: int, job: Work[Any]) -> None:
        self.number = number
        self.pipe.send(job)

    def interrupt(self) -> None:
        """Let it give up what it translates or compiles."""
        if self.number >= 0 and self.process.pid is not None:
            with suppress(OSError):
                os.kill(self.process.pid, signal.SIGINT)

    def end(self) -> None:
        self.pipe.close()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class _Pool(Generic[_Result]):
    def __init__(
        self,
        jobs: Sequence[Work[_Result]],
        processes: int,
        line: ProgressLine,
        keep: Keep[_Result] = keep_nothing,
    ) -> None:
        self.jobs = jobs
        self.line = line
        self.keep = keep
        self.processes = processes
        self.context = multiprocessing.get_context("spawn")
        self.asked = threading.Event()
        self.stop = self.context.Event()
        self.keys = [job.build_key for job in jobs]
        self.waiting = list(range(len(jobs)))
        self.done: dict[int, _Result] = {}
        self.workers: list[_Worker] = []

    def results(self) -> Iterator[_Result]:
        finished = False
        try:
            with first_interrupt(self.asked.set):
                for _ in range(self.processes):
                    self._start()
                for number in range(len(self.jobs)):
                    while number not in self.done:
                        if self.workers:
                            self._listen()
                        else:
                            self._do_here(number)
                    yield self.done.pop(number)
            finished = True
        finally:
            for worker in self.workers:
                if not finished:
                    _end_children(worker.process.pid or 0)
                    worker.process.kill()
                worker.end()

    def _start(self) -> None:
        """Start a worker if the system allows one more."""
        try:
            worker = _Worker(self.context, self.stop)
        except OSError:
            return
        self.workers.append(worker)
        self._next_job(worker)

    def _next_job(self, worker: _Worker) -> None:
        worker.number = -1
        if self.waiting:
            number = self._choose(worker)
            self.waiting.remove(number)
            worker.keys.add(self.keys[number])
            try:
                worker.give(number, self.jobs[number])
            except OSError:  # it died while idle; its pipe reports that below
                worker.number = number

    def _choose(self, worker: _Worker) -> int:
        """Prefer a model that this process has compiled, then one that no other has."""
        taken = {key for other in self.workers for key in other.keys}
        own = [n for n in self.waiting if self.keys[n] in worker.keys]
        free = [n for n in self.waiting if self.keys[n] not in taken]
        return (own or free or self.waiting)[0]

    def _listen(self) -> None:
        """Wait for a message of any busy worker and act on it."""
        pipes = {worker.pipe: worker for worker in self.workers if worker.number >= 0}
        if self.asked.is_set():  # not in the handler: it could interrupt who holds the lock inside
            self.stop.set()
            for worker in self.workers:
                worker.interrupt()
        for pipe in wait(list(pipes), timeout=_LISTEN_S):
            assert isinstance(pipe, Connection)
            worker = pipes[pipe]
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                self._lost(worker)
                continue
            if isinstance(message, Progress):
                self.line.update(worker.number, self.jobs[worker.number].title, message)
            else:
                self.line.done(worker.number, message.states)
                self.keep(message)
                self.done[worker.number] = message
                self._next_job(worker)

    def _do_here(self, number: int) -> None:
        """Do a job in this process, because the system allows no other one."""
        self.waiting.remove(number)
        job = self.jobs[number]

        def report(progress: Progress) -> None:
            self.line.update(number, job.title, progress)

        result = job.do(report, self.asked.is_set)
        self.line.done(number, result.states)
        self.keep(result)
        self.done[number] = result

    def _lost(self, worker: _Worker) -> None:
        worker.process.join(timeout=5)
        self.done[worker.number] = self.jobs[worker.number].lost(_ending(worker.process.exitcode))
        self.line.done(worker.number, 0)
        self.workers.remove(worker)
        worker.end()
        if self.waiting:
            self._start()


def _ending(code: int | None) -> str:
    """Say how a process ended that should not have."""
    if code is None or code >= 0:
        return f"its process ended with code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    hint = "; was the memory used up?" if -code == signal.SIGKILL else ""
    return f"its process was ended by {name}{hint}"


def _give_up(_number: int, frame: FrameType | None) -> None:
    """Hear SIGINT in a worker: a search looks at the event, translating and compiling do not."""
    if is_making(frame):
        raise KeyboardInterrupt


def _end_with_parent(stop: Event) -> None:
    """Wait for the parent to go, then go, and take the compiler and its files along."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    stop.set()
    os.kill(os.getpid(), signal.SIGINT)
    until = time.monotonic() + _TIDY_UP_S
    while threading.main_thread().is_alive() and time.monotonic() < until:
        _end_children(os.getpid())
        threading.main_thread().join(_REPORT_EVERY_S)
    os._exit(1)


def _end_children(pid: int) -> None:
    """Kill what process ``pid`` has started, where the system lists it."""
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError, ValueError):
            for child in listed.read_text(encoding="ascii").split():
                _end_children(int(child))
                os.kill(int(child), signal.SIGKILL)


def _serve(pipe: Connection, stop: Event) -> None:
    """Do the jobs that come through ``pipe`` until it closes."""
    signal.signal(signal.SIGINT, _give_up)
    threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()
    reported = 0.0

    def report(progress: Progress) -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported >= _REPORT_EVERY_S:
            reported = now
            pipe.send(progress)

    while True:
        try:
            job = pipe.recv()
            pipe.send(job.do(report, stop.is_set))
        except (EOFError, OSError):
            return  # nobody is waiting for us any more
