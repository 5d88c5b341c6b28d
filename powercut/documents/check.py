"""The document of ``powercut check``, and what its text report says in the same words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED, RunResult, Violation
from powercut.checkers.workload import format_workload
from powercut.checkers.workload.shipped import SCOPES
from powercut.documents.document import Document, Seconds, Verdict
from powercut.errors import ERROR, exit_code_of
from powercut.execute.job import Job
from powercut.execute.swarm import Swarm
from powercut.properties.abstractions import touched
from powercut.properties.catalog import PROPERTIES
from powercut.properties.findings.loader import finding_of


class FoundViolation(Struct, frozen=True, kw_only=True):
    """A violated property, the finding that explains it, and its trace if that was saved."""

    property: str
    steps: int
    summary: str
    finding: str | None
    trace: str | None


class Observation(Struct, frozen=True, kw_only=True):
    """A violation of a property that does not decide the verdict."""

    property: str
    steps: int
    summary: str


class SwarmReach(Struct, frozen=True, kw_only=True):
    """How far a swarm reaches: distinct states, and estimates by capture and recapture."""

    members: int
    first_seed: int
    compared: int
    visits: int
    states: int
    states_at_least: int
    covered_at_most: float
    overlap: float
    crash_projections: int
    crash_projections_at_least: int
    whole: bool


class CheckedRun(Struct, frozen=True, kw_only=True):
    """A design in a scope.

    ``failure`` says what went wrong inside powercut, ``stopped`` what cut the search short.
    ``unreached`` has, for properties that hold, the situations they need and nothing reached.
    ``without`` names what the model leaves out and the run touches (properties/abstractions.toml),
    ``workload`` is the text of a scope that is not a shipped one.
    """

    design: str
    scope: str
    mutant: str | None
    verdict: Verdict
    failure: str | None
    exhaustive: bool
    stopped: str | None
    bound: str
    mounts: int
    initial_states: int
    states: int
    transitions: int
    crash_projections: int
    crash_images: int
    recovered_files: int
    seconds: Seconds
    omission_probability: float
    engine: str
    reached: dict[str, bool]
    properties: dict[str, Verdict]
    unreached: dict[str, list[str]]
    without: list[str]
    workload: str | None
    violations: list[FoundViolation]
    observations: list[Observation]
    swarm: SwarmReach | None


class CheckDocument(Document, frozen=True, kw_only=True, tag="powercut.check/1"):
    """What the runs found, designs × scopes."""

    states: int
    transitions: int
    seconds: Seconds
    runs: list[CheckedRun]


@dataclass(frozen=True, slots=True)
class RunReport:
    """A finished run: what was asked, what was found, where the traces went (by property).

    ``failure`` says what went wrong inside powercut, if anything did, and ``origin`` where.
    ``swarm`` is there if the run was one.
    """

    job: Job
    result: RunResult
    traces: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    origin: str = ""
    swarm: Swarm | None = None
    strict: bool = False
    """Whether a run that touches what the model leaves out is inconclusive."""

    @property
    def verdict(self) -> str:
        """The verdict of the run, or ``error``."""
        return ERROR if self.failure else self.strictly(self.result.verdict)

    @property
    def without(self) -> tuple[str, ...]:
        """What the model leaves out and the run touches, by name."""
        return touched(self.job.question.scope, self.job.question.design, self.result.reached)

    @property
    def own_workload(self) -> str | None:
        """The text of a scope that is not a shipped one."""
        scope = self.job.question.scope
        return None if SCOPES.get(scope.name) == scope else format_workload(scope)

    def strictly(self, verdict: str) -> str:
        """Return ``verdict`` of the run or of a property, as strict as the run is."""
        return INCONCLUSIVE if self.strict and verdict == HOLDS and self.without else verdict


def summary_of(violation: Violation) -> str:
    """Say in one line what a violation shows."""
    text = violation.detail or f"does not hold: {PROPERTIES[violation.prop].statement}"
    if len(violation.epochs) > 1:
        text += f" (in mount {len(violation.epochs)})"
    return text


def explained_by(run: RunReport, violation: Violation) -> str | None:
    """Return the finding that explains ``violation`` of ``run``, if it is a known one.

    In a shipped scope the finding names it.  In a workload of the user the conditions of the
    findings are asked.  A mutant, or a patch of the user, is nobody's finding.
    """
    question = run.job.question
    if question.mutant or question.patches:
        return None
    if SCOPES.get(question.scope.name) == question.scope:
        return finding_of(question.design.name, question.scope.name, violation.prop)
    from powercut.checkers.sweep.sighting import sighting_of  # takes Hypothesis, which is slow

    return sighting_of(question, violation).finding or None


def bound_of(result: RunResult) -> str:
    """Say in one line how far the verdicts of a run reach."""
    if result.exhaustive:
        return f"{result.states:,} states, exhausted"
    if result.is_compact_to_the_end:
        return f"{result.states:,} states, {result.stopped}"
    return f"{result.states:,} states, cut short: {result.stopped}"


def unreached(results: Sequence[RunResult], prop: str) -> tuple[str, ...]:
    """Return the situations ``prop`` needs if none of them was reached in any of ``results``."""
    needs = PROPERTIES[prop].needs
    if any(result.reached.get(need) for result in results for need in needs):
        return ()
    return needs


def overall(verdicts: Sequence[str]) -> str:
    """Return the worst verdict: error, then violated, then inconclusive, then holds."""
    return next((v for v in (ERROR, VIOLATED, INCONCLUSIVE) if v in verdicts), HOLDS)


def check_document(runs: Sequence[RunReport], seconds: float) -> CheckDocument:
    """Return the document of ``powercut check --json``."""
    verdict = overall([run.verdict for run in runs])
    return CheckDocument(
        verdict=verdict,
        exit_code=exit_code_of(verdict),
        states=sum(run.result.states for run in runs),
        transitions=sum(run.result.transitions for run in runs),
        seconds=round(seconds, 3),
        runs=[_run(run) for run in runs],
    )


def _run(run: RunReport) -> CheckedRun:
    result = run.result
    return CheckedRun(
        design=result.design,
        scope=result.scope,
        mutant=result.mutant or None,
        verdict=run.verdict,
        failure=run.failure or None,
        exhaustive=result.exhaustive,
        stopped=result.stopped or None,
        bound=bound_of(result),
        mounts=len(run.job.question.scope.mounts),
        initial_states=result.initial_states,
        states=result.states,
        transitions=result.transitions,
        crash_projections=result.crash_projections,
        crash_images=result.crash_images,
        recovered_files=result.recovered_files,
        seconds=round(result.seconds, 3),
        omission_probability=result.omission_probability,
        engine=result.engine,
        reached=dict(result.reached),
        properties={name: run.strictly(result.verdict_of(name)) for name in PROPERTIES},
        unreached={
            name: list(missing)
            for name in PROPERTIES
            if result.verdict_of(name) == HOLDS and (missing := unreached([result], name))
        },
        without=list(run.without),
        workload=run.own_workload,
        violations=[_violation(run, violation) for violation in result.violations],
        observations=[
            Observation(property=v.prop, steps=v.steps, summary=summary_of(v))
            for v in result.observations
        ],
        swarm=_swarm(run.swarm) if run.swarm else None,
    )


def _violation(run: RunReport, violation: Violation) -> FoundViolation:
    return FoundViolation(
        property=violation.prop,
        steps=violation.steps,
        summary=summary_of(violation),
        finding=explained_by(run, violation),
        trace=run.traces.get(violation.prop),
    )


def _swarm(swarm: Swarm) -> SwarmReach:
    seen = swarm.coverage
    return SwarmReach(
        members=swarm.asked,
        first_seed=swarm.first_seed,
        compared=swarm.compared,
        visits=swarm.visits,
        states=seen.states,
        states_at_least=seen.at_least,
        covered_at_most=round(seen.covered_at_most, 4),
        overlap=round(seen.overlap, 4),
        crash_projections=seen.projections,
        crash_projections_at_least=seen.projections_at_least,
        whole=seen.whole,
    )
