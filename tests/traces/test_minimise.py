"""The minimiser: as short as a search, never worse, never another violation, always replayed."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from powercut.checkers.explain.minimise import Minimiser, Size, minimise
from powercut.checkers.explain.what_if import Plan, plan_of
from powercut.checkers.explain.why import explain
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import replay
from powercut.checkers.run.runner import run_scope
from powercut.checkers.traces import Trace, TraceError, encode_trace, load_trace
from powercut.checkers.traces.codec import decode_trace
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.traces.corpus import FOLDER, Case, find
from tests.traces.walks import random_trace

RANDOM = [
    ("seed", "append-fsync", "unstable-conversion", "no-preflush"),
    ("seed", "eio-append", "unstable-conversion", "merge-across-error"),
    ("bh-ordered", "two-files", "deadlock", "unreserved-conversion"),
]
SAVED = (
    "seed-truncate-reuse-stale-data-reuse-before-commit",
    "seed-eof-two-mounts-stale-data",
    "seed-enospc-livelock-retry-without-commit",
    "seed-eio-append-errors-no-mapping-error",
)


def saved(name: str) -> Trace:
    return load_trace(FOLDER / f"{name}.trace.json")


def shortest(design: str, scope: str, prop: str, mutant: str) -> int:
    result = run_scope(Question(DESIGNS[design], SCOPES[scope], MUTANTS.get(mutant), stop_at=prop))
    return next(v.steps for v in (*result.violations, *result.observations) if v.prop == prop)


@pytest.mark.parametrize(("design", "scope", "prop", "mutant"), RANDOM, ids=lambda word: word)
@pytest.mark.exhaustive
def test_a_random_run_gets_as_short_as_a_search(
    design: str, scope: str, prop: str, mutant: str
) -> None:
    trace = random_trace(design, scope, prop, mutant)
    minimiser = Minimiser(trace, reduce_workload=False)
    before = minimiser.size
    minimiser.run()
    assert minimiser.size < before
    assert minimiser.size.switches < before.switches
    assert minimiser.best.workload == trace.workload
    limit = shortest(design, scope, prop, mutant)
    # A deadlock of the same places need not be the shortest deadlock.
    assert minimiser.size.steps == limit if prop != "deadlock" else minimiser.size.steps >= limit
    assert replay(minimiser.best).reproduced


def test_the_workload_shrinks_too() -> None:
    trace = random_trace("seed", "append-fsync", "unstable-conversion", "no-preflush")
    small = minimise(trace)
    assert small.scope == "append-fsync-min"
    assert "flusher 0" in small.workload
    assert "summary reduced from append-fsync: " in small.workload
    assert replay(small).reproduced
    assert minimise(small) == small


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_trace_never_gets_worse(name: str) -> None:
    trace = saved(name)
    minimiser = Minimiser(trace)
    before = minimiser.size
    minimiser.run()
    assert minimiser.size <= before
    best = minimiser.best
    assert (best.property, best.design, best.mutant, best.verdict) == (
        trace.property,
        trace.design,
        trace.mutant,
        "violated",
    )
    assert replay(best).reproduced
    assert minimise(trace) == best, "the same every time"


def test_a_failing_assertion_stays_the_same_one() -> None:
    trace = find(Case("seed", "two-block-folio", "assertion", "no-pending-bias"))
    minimiser = Minimiser(trace, max_states=0)
    before = minimiser.size
    minimiser.run()
    assert minimiser.size.operations < before.operations
    assert minimiser.best.summary.endswith("ioend.state == IOEND_NONE")
    why = explain(minimiser.best, waits=False)
    assert why.confirmed
    assert why.mounts[0].carrying[-1] == minimiser.size.steps


def test_a_mount_that_does_not_matter_goes() -> None:
    trace = saved("seed-eof-ordered-eof-two-mounts-structure")
    assert trace.workload.count("\nmount") == 2
    assert minimise(trace).workload.count("\nmount") == 1


def test_what_survives_is_one_of_the_two_ends() -> None:
    case = Case("seed", "truncate-reuse", "stale-data", "reuse-before-commit")
    minimiser = Minimiser(find(case))
    assert minimiser.size.survivors == 1
    minimiser.run()
    assert minimiser.size.survivors == 0
    assert minimiser.course.ends == ["everything"]


def test_the_mutant_stays_necessary() -> None:
    trace = random_trace("seed", "append-fsync", "unstable-conversion", "no-preflush")
    minimiser = Minimiser(trace)
    assert minimiser.needs_mutant
    minimiser.run()
    plan = plan_of(minimiser.best)
    clean = Plan(replace(plan.question, mutant=None), plan.mounts, exact=True)
    assert minimiser.walker.walk(clean).kind != minimiser.kind


def test_another_violation_of_the_property_does_not_count() -> None:
    """Data cut off by a truncate is stale as foreign data is, and is not the same bug."""
    trace = saved("seed-eof-two-mounts-stale-data")
    minimiser = Minimiser(trace)
    kind = minimiser.kind
    minimiser.run()
    assert minimiser.walker.walk(minimiser.plan).kind == kind
    minimiser.kind = ("cell", "2")
    assert not minimiser.try_plan(minimiser.plan)


def test_effort_is_bounded() -> None:
    trace = random_trace("seed", "append-fsync", "unstable-conversion", "no-preflush")
    assert minimise(trace, max_runs=0) == trace
    minimiser = Minimiser(trace, max_states=0)
    minimiser.run(25)
    assert minimiser.runs == 25
    assert replay(minimiser.best).reproduced


def test_an_interrupt_keeps_the_best_so_far() -> None:
    sizes: list[Size] = []

    def stop(size: Size, _runs: int) -> None:
        sizes.append(size)
        if len(sizes) == 2:
            raise KeyboardInterrupt

    trace = random_trace("seed", "append-fsync", "unstable-conversion", "no-preflush")
    minimiser = Minimiser(trace, on_progress=stop)
    with pytest.raises(KeyboardInterrupt):
        minimiser.run()
    assert sizes[1] < sizes[0]
    assert minimiser.size == sizes[1]
    assert replay(minimiser.best).reproduced


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verdict": "holds"}, 'a.json: $.verdict: "holds", but only a violation'),
        ({"property": "late-write"}, "a.json: $: the violation does not show any more"),
    ],
    ids=["holds", "gone"],
)
def test_nothing_to_minimise(change: dict[str, Any], words: str) -> None:
    trace = msgspec.structs.replace(saved("seed-eio-overwrite-data-err-abort"), **change)
    assert decode_trace(encode_trace(trace), "t") == trace
    with pytest.raises(TraceError) as caught:
        Minimiser(trace, "a.json")
    assert str(caught.value).startswith(words)
