"""What pytest runs for a litmus file (a test a design) and for a trace (one test).

Why so: a file that cannot be used becomes one test that ends in an error, because pytest stops at
errors of collection, and the other files should still run.  What a run counts as is decided by the
same code as in the command line, native replay of every violation included.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from powercut.checkers.litmus import EXACT, NO_SET, Litmus, explain, judge, load_litmus
from powercut.checkers.run.question import Question
from powercut.checkers.traces.codec import load_trace
from powercut.checkers.traces.errors import TraceError
from powercut.checkers.traces.format import Trace
from powercut.checkers.traces.ladder import render_ladder
from powercut.checkers.workload import WorkloadError
from powercut.errors import HOLDS
from powercut.execute.job import Job, JobResult, execute
from powercut.pytest.shared import DESIGNS
from powercut.verbs.replay import replay_file


def run_job(job: Job) -> JobResult:
    """Explore and replay in this process; a fault of powercut's own fails the test."""
    done = execute(job, lambda _progress: None, lambda: False)
    if done.failure:
        pytest.fail(f"internal error: {done.failure}\n{done.origin}".rstrip(), pytrace=False)
    return done


class _Item(pytest.Item):
    """A test with a readable place and properties for JUnit."""

    what = "powercut"

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, f"{self.what}: {self.path.name} [{self.name}]"

    def note(self, **values: object) -> None:
        """Keep values for JUnit."""
        self.user_properties += [(f"powercut_{key}", value) for key, value in values.items()]


class BadFile(_Item):
    """Stands for a file that cannot be used, and ends in an error."""

    def __init__(self, *, message: str, **more: Any) -> None:
        super().__init__(**more)
        self.message = message

    def setup(self) -> None:
        pytest.fail(self.message, pytrace=False)

    def runtest(self) -> None:
        raise AssertionError("the setup has failed")


class LitmusFile(pytest.File):
    """A litmus file: one test for each design that it names."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            litmus = load_litmus(self.path)
        except WorkloadError as error:
            yield BadFile.from_parent(self, name="bad-input", message=str(error))
            return
        if not litmus.designs:
            message = f"{self.path}: {NO_SET}"
            yield BadFile.from_parent(self, name="bad-input", message=message)
        chosen = self.config.getoption(DESIGNS)
        for design in litmus.designs:
            if not chosen or design in chosen:
                yield LitmusItem.from_parent(self, name=design, litmus=litmus)


class LitmusItem(_Item):
    """A litmus test under one design."""

    what = "litmus"

    def __init__(self, *, litmus: Litmus, **more: Any) -> None:
        super().__init__(**more)
        self.litmus = litmus

    def runtest(self) -> None:
        from powercut.model import designs

        job = Job(
            Question(
                designs.DESIGNS[self.name], self.litmus.scope, observation=self.litmus.observation
            )
        )
        run = judge(self.litmus, self.name, run_job(job).result)
        self.note(design=self.name, states=run.result.states, verdict=run.verdict)
        if run.verdict != EXACT:
            pytest.fail(explain(run), pytrace=False)


class TraceFile(pytest.File):
    """A saved trace: one test, named after its design and, if it has one, its mutant."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            trace = load_trace(self.path)
        except TraceError as error:
            yield BadFile.from_parent(self, name="bad-input", message=str(error))
            return
        chosen = self.config.getoption(DESIGNS)
        if not chosen or trace.design in chosen:
            name = f"{trace.design}+{trace.mutant}" if trace.mutant else trace.design
            yield TraceItem.from_parent(self, name=name, trace=trace)


class TraceItem(_Item):
    """The native replay of a trace, compared with the verdict in it."""

    what = "trace"

    def __init__(self, *, trace: Trace, **more: Any) -> None:
        super().__init__(**more)
        self.trace = trace

    def runtest(self) -> None:
        done = replay_file(self.path)
        self.note(
            design=self.trace.design,
            property=self.trace.property,
            verdict=self.trace.verdict,
            steps=sum(len(epoch.steps) for epoch in self.trace.epochs),
            reproduced=done.code == HOLDS,
        )
        if done.code == HOLDS:
            return
        if done.result is None or done.trace is None:
            pytest.fail(f"{self.path}: not reproduced: {done.reason}", pytrace=False)
        ladder = render_ladder(done.trace, done.result.epochs)
        detail = f"expected {done.result.expected}, but {done.result.detail}"
        pytest.fail(f"{self.path}: not reproduced: {detail}\n\n{ladder}", pytrace=False)
