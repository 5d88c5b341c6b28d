"""A swarm as one run: its members as jobs, what they found together, how far that reaches.

Why so: members are jobs like any other, so processes and machines take them the same way.  The
result is never exhaustive: a swarm finds violations, it proves nothing.  Rejected: a verb of its
own (designs, scopes, limits and the report are those of ``check``).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from powercut.checkers.engine.search.coverage import Coverage, Sample, coverage
from powercut.checkers.engine.search.engines import PYTHON
from powercut.checkers.engine.search.outcome import is_state_limit
from powercut.checkers.engine.search.strategy import Swarm as SwarmMember
from powercut.checkers.run.result import RunResult, Violation
from powercut.execute.job import Job, JobResult
from powercut.properties.catalog import SITUATIONS

MEMBER_STATES = 1_000_000
"""How many states a member may reach by default: about a second in C, 20 MB."""


@dataclass(frozen=True, slots=True)
class Swarm:
    """What is to be said about a swarm beside its findings.

    ``visits`` counts states once for each member that saw them; ``compared`` members ran on the
    engine that most ran on, and ``coverage`` is about these.
    """

    asked: int
    first_seed: int
    visits: int
    compared: int
    coverage: Coverage

    def told(self) -> str:
        """Say in one line how far the swarm reaches."""
        seen = self.coverage
        last = self.first_seed + self.asked - 1
        text = (
            f"{self.asked} members (seeds {self.first_seed} to {last}) visited {self.visits:,} "
            f"states, about {seen.states:,} different ones"
        )
        if not seen.members:
            return f"{text}; no member ran"
        if seen.whole:
            return f"{text}: all there are; without --swarm there is a verdict"
        if seen.members == 1:
            return f"{text}; one member has nothing to compare with"
        return (
            f"{text} of at least {seen.at_least:,}: at most {seen.covered_at_most:.0%} are "
            f"covered; {seen.overlap:.0%} of a member's states were seen by another member; "
            f"{seen.projections:,} crash projections of at least {seen.projections_at_least:,}"
        )


def member_jobs(job: Job, count: int, first_seed: int) -> list[Job]:
    """Return the members of a swarm over the run that ``job`` describes."""
    return [
        replace(job, question=replace(job.question, strategy=SwarmMember(first_seed + number)))
        for number in range(count)
    ]


def merged(job: Job, first_seed: int, members: Sequence[JobResult]) -> tuple[JobResult, Swarm]:
    """Return what the members found together.  The first failure among them is the swarm's."""
    results = [member.result for member in members]
    samples = [result.sample for result in results if result.sample is not None]
    compared = _comparable(samples)
    swarm = Swarm(
        len(members),
        first_seed,
        sum(result.states for result in results),
        len(compared),
        coverage(compared),
    )
    result = _joined(job, results, swarm)
    traces: dict[str, tuple[str, bytes]] = {}
    for violation in result.violations:
        owner = next(m for m in members if violation in m.result.violations)
        if violation.prop in owner.traces:
            traces[violation.prop] = owner.traces[violation.prop]
    failed = next((member for member in members if member.failure), None)
    if failed is None:
        return JobResult(result, traces), swarm
    return JobResult(result, traces, failed.failure, failed.origin), swarm


def _comparable(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples of the engine that most members ran on: digests of two differ."""
    engines = Counter(sample.engine for sample in samples)
    most = max(engines, key=engines.__getitem__, default="")
    return [sample for sample in samples if sample.engine == most]


def _joined(job: Job, results: Sequence[RunResult], swarm: Swarm) -> RunResult:
    early = Counter(r.stopped for r in results if r.stopped and not _is_at_its_limit(r))
    cut = "".join(f"; {count} of them cut short: {reason}" for reason, count in early.items())
    return RunResult(
        job.question,
        engine=next((r.engine for r in results if r.sample), PYTHON),
        engine_note=next((r.engine_note for r in results if r.engine_note), ""),
        states=swarm.coverage.states,
        transitions=sum(r.transitions for r in results),
        crash_projections=swarm.coverage.projections,
        crash_images=max(r.crash_images for r in results),
        initial_states=max(r.initial_states for r in results),
        seconds=sum(r.seconds for r in results),
        stopped=f"a swarm of {len(results)} is a sample{cut}",
        reached={name: any(r.reached.get(name) for r in results) for name in SITUATIONS},
        violations=_shortest([v for r in results for v in r.violations]),
        observations=_shortest([v for r in results for v in r.observations]),
        files=frozenset().union(*(r.files for r in results)),
    )


def _is_at_its_limit(result: RunResult) -> bool:
    """Whether a member ended as members do: at a limit on states."""
    return is_state_limit(result.stopped.partition(": ")[2])


def _shortest(found: Sequence[Violation]) -> tuple[Violation, ...]:
    """Return the shortest of each property, those of lower seeds first."""
    best: dict[str, Violation] = {}
    for violation in found:
        known = best.get(violation.prop)
        if known is None or violation.steps < known.steps:
            best[violation.prop] = violation
    return tuple(best.values())
