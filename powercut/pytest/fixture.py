"""The fixture ``powercut``: a scenario as a plain Python test.

Why so: ``run`` explores a workload to the end and returns what was found, so that a test says with
``assert`` what it expects; the drawn counterexamples go into the report of a test that fails.  A
run that was cut short and found nothing fails by itself: "not seen" must not pass for "holds".
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.litmus import EXACT, NO_SET, explain, judge, load_litmus, parse_litmus
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import replay
from powercut.checkers.run.result import RunResult
from powercut.checkers.traces.codec import decode_trace
from powercut.checkers.traces.ladder import render_ladder
from powercut.checkers.workload import load_workload, parse_workload
from powercut.errors import InputError
from powercut.execute.job import Job
from powercut.inputs.names import pick
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.properties.catalog import PROPERTIES
from powercut.pytest.items import run_job
from powercut.pytest.shared import SCENARIOS


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one run found.

    ``violations`` are the names of the violated properties, ``ladders`` a drawn run for each.
    """

    design: str
    result: RunResult
    ladders: dict[str, str]

    @property
    def violations(self) -> tuple[str, ...]:
        """The names of the violated properties, in the order in which they were found."""
        return tuple(violation.prop for violation in self.result.violations)

    @property
    def verdict(self) -> str:
        """``holds``, ``violated`` or ``inconclusive``."""
        return self.result.verdict

    def sections(self) -> list[tuple[str, str]]:
        """Return what a report of a failed test shows of this run: title and text."""
        if not self.ladders:
            return [(f"powercut: {self.design} {self.verdict}", f"{self.result.states:,} states")]
        return [(f"powercut: {self.design}, {name}", text) for name, text in self.ladders.items()]

    def assert_holds(self, *properties: str) -> None:
        """Fail, with the drawn run, if one of ``properties`` (default: any) is violated."""
        __tracebackhide__ = True
        for name in properties:
            pick("assert_holds", name, PROPERTIES)
        bad = [name for name in self.violations if not properties or name in properties]
        if bad:
            text = "\n\n".join(self.ladders[name] for name in bad)
            raise AssertionError(f"{self.design} violates {', '.join(bad)}\n\n{text}")
        if not self.result.exhaustive:
            raise AssertionError(f"{self.design}: cut short: {self.result.stopped}")

    def assert_violated(self, prop: str) -> None:
        """Fail unless ``prop`` is violated."""
        __tracebackhide__ = True
        pick("assert_violated", prop, PROPERTIES)
        if prop not in self.violations:
            raise AssertionError(
                f"{self.design} does not violate {prop} ({self.result.states:,} states, "
                f"{self.verdict}); violated: {', '.join(self.violations) or 'nothing'}"
            )


class Scenarios:
    """Runs scenarios for one test and keeps them for its report."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def run(
        self,
        workload: str | Path,
        design: str = "seed",
        mutant: str | None = None,
        *,
        properties: tuple[str, ...] = (),
        max_states: int | None = None,
    ) -> Scenario:
        """Explore ``workload`` (its text, or the path of a file) under ``design``.

        ``properties`` restricts what counts as violated.  Raises
        :class:`~powercut.checkers.workload.WorkloadError` for a bad workload,
        :class:`~powercut.errors.InputError` for an unknown name, and fails the test if the run is
        cut short with nothing found.
        """
        for name in properties:
            pick("properties", name, PROPERTIES)
        scope = (
            load_workload(workload)
            if isinstance(workload, Path)
            else parse_workload(workload, self._item.name)
        )
        job = Job(
            Question(
                pick("design", design, DESIGNS),
                scope,
                None if mutant is None else pick("mutant", mutant, MUTANTS),
                properties,
                limits=Limits() if max_states is None else Limits(max_states=max_states),
            )
        )
        done = run_job(job)
        ladders = {name: _drawn(*saved) for name, saved in done.traces.items()}
        scenario = Scenario(design, done.result, ladders)
        self._item.stash.setdefault(SCENARIOS, []).append(scenario)
        self._note(design, done.result, scenario.verdict)
        if not done.result.exhaustive and not scenario.violations:
            pytest.fail(f"{design}: inconclusive: {done.result.stopped}", pytrace=False)
        return scenario

    def litmus(self, test: str | Path, *designs: str) -> None:
        """Fail unless each of ``designs`` (default: all that it names) shows exactly what it may.

        ``test`` is the text of a litmus test, or the path of a file.  Raises
        :class:`~powercut.checkers.workload.WorkloadError` for a bad test,
        :class:`~powercut.errors.InputError` for an unknown design or one that ``test`` has no set
        for.
        """
        litmus = (
            load_litmus(test)
            if isinstance(test, Path)
            else parse_litmus(test, self._item.name, tuple(PROPERTIES))
        )
        if not litmus.designs:
            pytest.fail(f"{litmus.file}: {NO_SET}", pytrace=False)
        for design in designs or litmus.designs:
            chosen = pick("design", design, DESIGNS)
            if design not in litmus.designs:
                known = ", ".join(litmus.designs)
                raise InputError(f"{litmus.file}: no set for {design}; it has {known}")
            job = Job(Question(chosen, litmus.scope, observation=litmus.observation))
            run = judge(litmus, design, run_job(job).result)
            self._note(design, run.result, run.verdict)
            if run.verdict != EXACT:
                pytest.fail(explain(run), pytrace=False)

    def _note(self, design: str, result: RunResult, verdict: str) -> None:
        """Keep for JUnit what a run was."""
        self._item.user_properties += [
            ("powercut_design", design),
            ("powercut_states", result.states),
            ("powercut_verdict", verdict),
        ]


def _drawn(name: str, content: bytes) -> str:
    trace = decode_trace(content, name)
    return render_ladder(trace, replay(trace).epochs)
