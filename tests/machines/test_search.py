"""A search ends when it has to, and keeps what it has seen by then."""

from dataclasses import replace

import pytest

from powercut.checkers.engine.search.outcome import INTERRUPTED
from powercut.checkers.explain.minimise import Minimiser
from powercut.checkers.machines.compare import compare
from powercut.checkers.machines.crash_machine import CrashMachine
from powercut.checkers.machines.factory import crash_machine
from powercut.checkers.machines.quality import EXAM, examine
from powercut.checkers.machines.search import PROFILES, SearchResult, search
from powercut.checkers.machines.setups import GEOMETRIES
from powercut.checkers.run.replay import replay
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.machines.seeds import until_found

DEV = PROFILES["dev"]
SEED = [DESIGNS["seed"]]
TWO_BLOCKS = [GEOMETRIES["two-blocks"]]


def found_then_interrupted(monkeypatch: pytest.MonkeyPatch, seed: int) -> SearchResult:
    """Look for a mutant; the interrupt comes with the next example after the first failure."""
    machines: list[type[CrashMachine]] = []

    def note(*args: object, **options: object) -> type[CrashMachine]:
        machines.append(crash_machine(*args, **options))  # type: ignore[arg-type]
        return machines[-1]

    monkeypatch.setattr("powercut.checkers.machines.search.crash_machine", note)
    return search(
        SEED,
        DEV,
        seed,
        mutant=MUTANTS["no-preflush"],
        geometries=TWO_BLOCKS,
        interrupted=lambda: bool(machines and machines[-1].first_failure),
    )


def test_a_violation_that_was_seen_survives_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(seed: int) -> SearchResult | None:
        with monkeypatch.context() as patch:
            result = found_then_interrupted(patch, seed)
        return result if result.failures else None

    result = until_found(look)
    assert result.stopped == INTERRUPTED
    (failure,) = result.failures
    assert failure.trace is not None
    assert failure.trace.mutant == "no-preflush"
    assert not failure.trace.origin.minimised
    assert replay(failure.trace).reproduced
    assert failure.examples <= result.tally.examples


def test_an_interrupt_of_the_minimisation_keeps_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def look(seed: int) -> SearchResult | None:
        result = search(SEED, DEV, seed, mutant=MUTANTS["no-preflush"], geometries=TWO_BLOCKS)
        return result if result.failures else None

    monkeypatch.setattr(Minimiser, "run", interrupt)
    result = until_found(look)
    assert result.stopped == INTERRUPTED
    (failure,) = result.failures
    assert failure.trace is not None
    assert replay(failure.trace).reproduced


def test_what_was_counted_is_reported_after_an_interrupt() -> None:
    result: list[SearchResult] = []
    calls = iter(range(100))
    ended = search(SEED, DEV, 1, on_batch=result.append, interrupted=lambda: next(calls) > 9)
    assert ended.stopped == INTERRUPTED
    assert ended.batches == 0
    assert result == [ended]
    assert ended.seconds > 0
    assert ended.tally.projections > 0


@pytest.mark.parametrize("rounds", [0, 9])
def test_a_time_limit_is_looked_at_in_every_example(rounds: int) -> None:
    """What runs until its time is over is not cut short by that."""
    result = search(SEED, replace(DEV, examples=10_000, rounds=rounds), 1, time_limit_s=0.5)
    assert result.tally.examples < 10_000
    assert result.stopped == ("time limit of 0.5 s reached" if rounds else "")


def test_a_comparison_is_interrupted_too() -> None:
    calls = iter(range(100))
    result = compare(SEED, DEV, 1, interrupted=lambda: next(calls) > 5)
    assert result.stopped == INTERRUPTED
    assert 1 <= result.tally.examples < DEV.examples


def test_a_difference_that_was_seen_survives_an_interrupt() -> None:
    """Without the table of what is legal the first example fails; then comes the interrupt."""
    calls = iter(range(10_000))
    result = compare(SEED, DEV, 1, legal=(), interrupted=lambda: next(calls) > 40)
    assert result.stopped == INTERRUPTED
    assert [failure.design for failure in result.failures] == ["seed"]


def test_an_exam_ends_with_the_search_that_is_interrupted() -> None:
    calls = iter(range(10_000))
    marks = list(
        examine(["marks-survive-cut", "old-mark-stays"], [1], EXAM, lambda: next(calls) > 3)
    )
    assert [(mark.mutant.slug, mark.stopped) for mark in marks] == [
        ("marks-survive-cut", INTERRUPTED)
    ]
    assert not marks[0].good
