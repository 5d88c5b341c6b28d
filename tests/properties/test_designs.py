"""The verdicts of the designs, exhaustively, with exact state counts of small scopes."""

import pytest

from checkers.engine.outcome import Limits
from model.designs import DEFAULT_DESIGNS, DESIGNS
from model.scope import Mount, Scope, Timer
from model.scopes import SCOPES, write
from properties.catalog import PROPERTIES, SITUATIONS
from properties.runner import RunResult, run_scope

SMALL = tuple(name for name in SCOPES if name not in ("span-truncate", "two-block-folio"))

_runs: dict[tuple[str, str], RunResult] = {}


def run(design: str, scope: str) -> RunResult:
    """Explore a scope once per test session."""
    if (design, scope) not in _runs:
        _runs[design, scope] = run_scope(DESIGNS[design], SCOPES[scope])
    return _runs[design, scope]


def violated(result: RunResult) -> set[str]:
    return {v.prop for v in result.violations}


SEED_STALE = {
    "eof-mmap", "eof-truncate-up", "eof-two-mounts", "eof-in-block", "truncate-extend",
    "truncate-truncate", "new-file", "three-blocks-two-mounts", "two-mounts-truncate",
}  # fmt: skip
HELD_BACK = {
    "eof-mmap", "eof-two-mounts", "eof-in-block", "truncate-extend", "two-fsyncs", "new-file",
    "three-blocks", "three-blocks-two-mounts", "two-mounts-truncate",
}  # fmt: skip


@pytest.mark.parametrize("scope", SMALL)
def test_seed_shows_stale_data_and_misses_an_abort_and_nothing_else(scope: str) -> None:
    result = run("seed", scope)
    expected = {"stale-data"} if scope in SEED_STALE else set()
    if scope == "eio-overwrite":
        expected = {"data-err-abort"}
    assert result.exhaustive
    assert violated(result) == expected


@pytest.mark.parametrize("scope", SMALL)
def test_holding_the_size_back_leaves_no_stale_data(scope: str) -> None:
    """It leaves written blocks behind the committed size instead (see docs/findings.md)."""
    result = run("seed-eof-ordered", scope)
    assert result.exhaustive
    assert result.verdict_of("stale-data") == "holds"
    expected = {"structure"} if scope in HELD_BACK else set()
    if scope == "eio-overwrite":
        expected = {"data-err-abort"}
    assert violated(result) == expected


@pytest.mark.parametrize("scope", SMALL)
def test_ordering_only_the_gap_leaves_the_append_over_a_dirty_tail(scope: str) -> None:
    result = run("seed-gap-ordered", scope)
    expected = {"stale-data"} if scope == "eof-in-block" else set()
    if scope == "eio-overwrite":
        expected = {"data-err-abort"}
    assert result.exhaustive
    assert violated(result) == expected


def test_the_buffer_head_size_rule_shows_the_same_append_over_a_dirty_tail() -> None:
    assert violated(run("seed-bh-sizes", "eof-in-block")) == {"stale-data"}


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
        ("eof-truncate-up", 795, 1583, 27),
        ("truncate-reuse", 1046, 2184, 31),
        ("enospc", 226, 408, 9),
        ("eio-overwrite", 34, 53, 4),
        ("log-full", 2978, 7146, 31),
    ],
)
def test_state_counts_of_the_seed(
    scope: str, states: int, transitions: int, projections: int
) -> None:
    result = run("seed", scope)
    counts = (result.states, result.transitions, result.crash_projections)
    assert counts == (states, transitions, projections)


def test_out_of_order_ioends_leave_zeros_not_stale_data() -> None:
    result = run("seed", "two-fsyncs")
    assert result.reached["out-of-order"]
    assert [v.prop for v in result.observations] == ["zeros-for-data"]
    assert result.verdict == "holds"


def test_a_torn_overwrite_is_seen_and_legal() -> None:
    mount = Mount(((write(0, 2),),))
    scope = Scope("torn", "overwrite a block", (mount,), initial_size_cells=2)
    result = run_scope(DESIGNS["seed"], scope)
    assert {(2, (8, 8)), (2, (16, 8)), (2, (8, 16)), (2, (16, 16))} == result.files
    assert result.verdict == "holds"
    assert not result.observations


def test_an_advisory_property_decides_only_when_asked_for() -> None:
    assert run("seed", "two-fsyncs").verdict == "holds"
    asked = run_scope(DESIGNS["seed"], SCOPES["two-fsyncs"], properties=("zeros-for-data",))
    assert asked.verdict == "violated"


def test_a_run_that_is_cut_short_is_inconclusive() -> None:
    result = run_scope(DESIGNS["seed"], SCOPES["two-fsyncs"], limits=Limits(max_states=1000))
    assert result.verdict == "inconclusive"
    assert "limit of 1000 states" in result.stopped


def test_data_err_abort_is_kept_where_the_worker_sees_the_error() -> None:
    result = run("seed", "eio-abort")
    assert result.reached["journal-aborted"]
    assert result.verdict == "holds"


def test_a_timer_that_never_fires_makes_the_space_smaller() -> None:
    scope = SCOPES["append-fsync"]
    quiet = Scope(scope.name, scope.summary, scope.mounts, initial_size_cells=2, timer=Timer.NEVER)
    assert run_scope(DESIGNS["seed"], quiet).states < run("seed", "append-fsync").states


@pytest.mark.slow
@pytest.mark.parametrize("design", DEFAULT_DESIGNS)
@pytest.mark.parametrize("scope", ["span-truncate", "two-block-folio"])
def test_the_big_scopes(design: str, scope: str) -> None:
    result = run(design, scope)
    expected = {
        ("seed", "two-block-folio"): {"stale-data"},
        ("seed-eof-ordered", "span-truncate"): {"structure"},
        ("seed-eof-ordered", "two-block-folio"): {"structure"},
    }
    assert result.exhaustive
    assert violated(result) == expected.get((design, scope), set())


def test_every_property_is_decided_or_advisory() -> None:
    result = run("seed", "append-fsync")
    decided = {name for name, p in PROPERTIES.items() if not p.advisory}
    assert set(result.properties) == decided
