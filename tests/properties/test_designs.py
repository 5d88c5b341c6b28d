"""The verdicts of the designs, exhaustively, with exact state counts of small scopes."""

import pytest

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DEFAULT_DESIGNS, DESIGNS
from powercut.model.ops import write
from powercut.model.scope import Mount, Scope, Timer
from powercut.properties.catalog import PROPERTIES, SITUATIONS
from powercut.properties.findings.loader import shipped
from tests.tiers import fast_only

BIG = (
    "span-truncate",
    "two-block-folio",
    "new-file",
    "three-blocks",
    "two-fsyncs",
    "two-files",
)
SMALL = tuple(name for name in SCOPES if name not in BIG)

_runs: dict[tuple[str, str], RunResult] = {}


def run(design: str, scope: str) -> RunResult:
    """Explore a scope once per test session."""
    if (design, scope) not in _runs:
        _runs[design, scope] = run_scope(Question(DESIGNS[design], SCOPES[scope]))
    return _runs[design, scope]


def violated(result: RunResult) -> set[str]:
    return {v.prop for v in result.violations}


EXPECTED: dict[str, dict[str, dict[str, str]]] = {name: {} for name in DESIGNS}
"""Design, scope, property: the finding that explains the violation."""
for _finding in shipped().values():
    for _design, _scope, _prop in _finding.violations():
        EXPECTED[_design].setdefault(_scope, {})[_prop] = _finding.name
STEPS = {
    (example.design, example.scope, example.prop): example.steps
    for finding in shipped().values()
    for example in finding.example
}
"""How many steps the findings say that an example takes."""


def check_against_the_findings(design: str, scope: str) -> None:
    """Every violation has a finding, every finding its violations, in as many steps as it says."""
    result = run(design, scope)
    assert result.exhaustive
    assert violated(result) == set(EXPECTED[design].get(scope, {}))
    for violation in result.violations:
        key = (design, scope, violation.prop)
        assert violation.steps == STEPS.get(key, violation.steps)


# A scope for each kind of violation; each takes hundredths of a second.
QUICK = (
    "append-fsync",
    "eio-overwrite",
    "eof-truncate-up",
    "eof-unsubmitted",
    "zero-range-tail",
    "late-gap",
    "punch-refill",
    "eio-nodelalloc",
    "truncate-up-merge",
)


@pytest.mark.parametrize("design", EXPECTED)
@pytest.mark.parametrize("scope", fast_only(SMALL, QUICK.__contains__))
def test_what_a_design_violates(design: str, scope: str) -> None:
    check_against_the_findings(design, scope)


@pytest.mark.exhaustive
def test_holding_the_size_back_removes_the_stale_data_of_the_seed() -> None:
    """In every scope where the seed shows it, but for the folio tail, which no EOF rule covers."""
    tail = {scope for scope, seen in EXPECTED["seed"].items() if "eof-tail" in seen.values()}
    for scope in tail & set(SMALL):
        assert run("seed-eof-ordered", scope).verdict_of("stale-data") == "holds"


def test_the_buffer_head_size_rule_shows_the_same_append_over_a_dirty_tail() -> None:
    assert violated(run("bh-ordered", "eof-in-block")) == {"stale-data"}


@pytest.mark.exhaustive
def test_every_situation_is_reached_by_the_default_designs() -> None:
    reached = {
        name
        for design in DEFAULT_DESIGNS
        for scope in SMALL
        for name, hit in run(design, scope).reached.items()
        if hit
    }
    assert reached == set(SITUATIONS)


@pytest.mark.parametrize(
    ("scope", "states", "transitions", "projections"),
    [
        ("append-fsync", 667, 1717, 9),
        ("eof-truncate-up", 1059, 2221, 27),
        ("truncate-reuse", 1046, 2184, 31),
        ("enospc", 226, 408, 9),
        ("eio-overwrite", 51, 83, 4),
        ("log-full", 2983, 7333, 31),
        ("sync", 1264, 3583, 9),
        ("unlink-dirty", 1127, 2525, 25),
        ("unlink-reuse", 2117, 5482, 16),
        ("evict-overwrite", 91, 147, 7),
        ("evict-store", 6716, 15889, 40),
    ],
)
def test_state_counts_of_the_seed(
    scope: str, states: int, transitions: int, projections: int
) -> None:
    result = run("seed", scope)
    counts = (result.states, result.transitions, result.crash_projections)
    assert counts == (states, transitions, projections)


def test_out_of_order_ioends_leave_zeros_not_stale_data() -> None:
    result = run("seed", "cookie-race")
    assert run("seed", "eof-two-mounts").reached["out-of-order"]
    assert [v.prop for v in result.observations] == ["zeros-for-data"]
    assert result.verdict == "holds"


def test_a_torn_overwrite_is_seen_and_legal() -> None:
    mount = Mount(((write(0, 2),),))
    scope = Scope("torn", "overwrite a block", (mount,), initial_size_cells=2)
    result = run_scope(Question(DESIGNS["seed"], scope))
    assert {(2, (8, 8)), (2, (16, 8)), (2, (8, 16)), (2, (16, 16))} == result.files
    assert result.verdict == "holds"
    assert not result.observations


def test_an_advisory_property_decides_only_when_asked_for() -> None:
    assert run("seed", "cookie-race").verdict == "holds"
    asked = run_scope(
        Question(DESIGNS["seed"], SCOPES["cookie-race"], properties=("zeros-for-data",))
    )
    assert asked.verdict == "violated"


def test_a_run_that_is_cut_short_is_inconclusive() -> None:
    result = run_scope(
        Question(DESIGNS["seed"], SCOPES["two-fsyncs"], limits=Limits(max_states=1000))
    )
    assert result.verdict == "inconclusive"
    assert "limit of 1000 states" in result.stopped


def test_data_err_abort_is_kept_where_the_worker_sees_the_error() -> None:
    result = run("seed", "eio-abort")
    assert result.reached["journal-aborted"]
    assert result.verdict == "holds"


def test_a_timer_that_never_fires_makes_the_space_smaller() -> None:
    scope = SCOPES["append-fsync"]
    quiet = Scope(scope.name, scope.summary, scope.mounts, initial_size_cells=2, timer=Timer.NEVER)
    assert run_scope(Question(DESIGNS["seed"], quiet)).states < run("seed", "append-fsync").states


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", EXPECTED)
@pytest.mark.parametrize("scope", BIG)
def test_what_a_design_violates_in_a_big_scope(design: str, scope: str) -> None:
    check_against_the_findings(design, scope)


def test_every_property_is_decided_or_advisory() -> None:
    result = run("seed", "append-fsync")
    decided = {name for name, p in PROPERTIES.items() if not p.advisory}
    assert set(result.properties) == decided
