"""What a user of the library does: check, replay, draw, explain, save and load."""

from pathlib import Path

import pytest

import powercut
from powercut import InputError, PowercutError

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "traces" / "seed-eio-overwrite-data-err-abort.trace.json"


@pytest.fixture(scope="module")
def found() -> powercut.CheckResult:
    """A run with a violation."""
    return powercut.check("seed", "eof-truncate-up")


def test_check_finds_what_the_command_line_finds(found: powercut.CheckResult) -> None:
    assert found.verdict == "violated"
    assert "stale-data" in found.traces
    assert {violation.prop for violation in found.run.violations} == set(found.traces)
    assert found.run.exhaustive


def test_a_trace_is_replayed_drawn_and_explained(found: powercut.CheckResult) -> None:
    trace = found.traces["stale-data"]
    assert powercut.replay(trace).reproduced
    assert "stale" in powercut.draw(trace)
    why = powercut.explain(trace)
    assert why.confirmed
    assert why.mounts[0].carrying


def test_a_trace_goes_to_a_file_and_back(found: powercut.CheckResult, tmp_path: Path) -> None:
    trace = found.traces["stale-data"]
    powercut.save_trace(trace, tmp_path / "one.trace.json")
    assert powercut.load_trace(str(tmp_path / "one.trace.json")) == trace


def test_minimise_gives_a_trace_that_shows_the_same() -> None:
    trace = powercut.load_trace(SMALL)
    smaller = powercut.minimise(trace, max_runs=5)
    assert smaller.property == trace.property
    assert powercut.replay(smaller).reproduced


def test_check_takes_objects(tmp_path: Path) -> None:
    scope = powercut.parse_workload("file size=1\nmount\n  task write 0 1; fsync\n", "mine")
    (tmp_path / "mine.workload").write_text("file size=1\nmount\n  task write 0 1; fsync\n")
    assert powercut.load_workload(tmp_path / "mine.workload").mounts == scope.mounts
    found = powercut.check(powercut.DESIGNS["seed"], scope, properties=("durability",))
    assert (found.run.scope, found.verdict, found.traces) == ("mine", "holds", {})


def test_a_limit_makes_a_check_inconclusive() -> None:
    found = powercut.check("seed", "append-fsync", max_states=10, engine="python")
    assert found.verdict == "inconclusive"
    assert "limit of 10 states" in found.run.stopped


def test_bad_input_is_one_class_with_a_remedy() -> None:
    holds = next(
        p for p in (ROOT / "traces").glob("*.json") if powercut.load_trace(p).verdict == "holds"
    )
    for act in (
        lambda: powercut.check("sede", "append-fsync"),
        lambda: powercut.check("seed", "append-fsnyc"),
        lambda: powercut.check("seed", "append-fsync", "no-preflsh"),
        lambda: powercut.check("seed", "append-fsync", properties=("stale",)),
        lambda: powercut.load_trace("/nonexistent"),
        lambda: powercut.load_workload("/nonexistent"),
        lambda: powercut.parse_workload("mount"),
        lambda: powercut.explain(powercut.load_trace(holds)),
        lambda: powercut.minimise(powercut.load_trace(holds)),
        lambda: powercut.prove("bh-ordered"),
        lambda: powercut.prove(mounts="two"),
    ):
        with pytest.raises(InputError) as caught:
            act()
        assert isinstance(caught.value, PowercutError)
        assert caught.value.exit_code == 2
        assert caught.value.to_json()["message"]
