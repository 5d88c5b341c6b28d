"""The model itself: same states, transitions, projections, verdicts and traces in both engines."""

import random
from dataclasses import replace

import pytest

from powercut.checkers.engine.errors import EngineError
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.search.c import c_step, compare_steps
from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.engine.system import System
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import VIOLATED
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS

CASES = [
    ("seed", "append-fsync"),
    ("seed", "cookie-race"),
    ("seed", "eof-truncate-up"),
    ("seed", "eof-two-mounts"),
    ("seed", "eof-in-block"),
    ("seed", "truncate-truncate"),
    ("seed", "two-mounts-truncate"),
    ("seed", "eof-mmap"),
    ("seed-eof-ordered", "behind-eof"),
    ("seed-gap-ordered", "eof-truncate-up"),
]
VIOLATING = 6


@pytest.fixture(scope="module")
def verdicts() -> dict[tuple[str, str], str]:
    """What was found, by design and scope."""
    return {}


@pytest.mark.parametrize(("design", "scope"), CASES)
def test_runs_are_equal(design: str, scope: str, verdicts: dict[tuple[str, str], str]) -> None:
    runs = [run_scope(Question(DESIGNS[design], SCOPES[scope], engine=e)) for e in ("python", "c")]
    assert [run.engine for run in runs] == ["python", "c"]
    python, c = (replace(run, engine="", seconds=0) for run in runs)
    assert c == python
    verdicts[design, scope] = c.verdict


def test_violating_runs_were_among_them(verdicts: dict[tuple[str, str], str]) -> None:
    if len(verdicts) == len(CASES):
        assert list(verdicts.values()).count(VIOLATED) >= VIOLATING


@pytest.mark.parametrize("slug", list(MUTANTS)[:4])
def test_mutants_are_run_time_constants(slug: str) -> None:
    mutant = MUTANTS[slug]
    limits = Limits(max_states=3000)
    runs = [
        run_scope(
            Question(
                DESIGNS[mutant.design], SCOPES["eof-truncate-up"], mutant, limits=limits, engine=e
            )
        )
        for e in ("python", "c")
    ]
    python, c = (replace(run, engine="", seconds=0) for run in runs)
    assert c == python


def start_natively(system: System) -> NativeRun:
    """Start the native reference where ``system`` starts."""
    return NativeRun(system.build, system.constants, system.shared(system.initial))


@pytest.mark.parametrize("scope", sorted({scope for _, scope in CASES}))
def test_random_runs_match_the_native_model(scope: str) -> None:
    system = Mount.of(Question(DESIGNS["seed"], SCOPES[scope])).system
    chance = random.Random(scope)
    for _ in range(4):
        native, state = start_natively(system), system.initial
        while enabled := native.enabled():
            assert system.shared(state) == bytes(native.variables)
            for thread in range(len(system.threads)):
                moved = c_step(system, state, thread)
                assert (moved is not None) == (thread in enabled)
            compare_steps(system, state)
            thread = chance.choice(enabled)
            native.step(thread)
            new = c_step(system, state, thread)
            assert new is not None
            state = new


def test_stopping_early_gives_the_same_trace() -> None:
    runs = [
        run_scope(Question(DESIGNS["seed"], SCOPES["eof-mmap"], stop_at="stale-data", engine=e))
        for e in ("python", "c")
    ]
    python, c = (replace(run, engine="", seconds=0) for run in runs)
    assert c == python
    assert c.stopped


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown engine"):
        run_scope(Question(DESIGNS["seed"], SCOPES["enospc"], engine="fast"))


def test_every_step_is_c_and_none_is_left_to_python() -> None:
    system = Mount.of(Question(DESIGNS["seed"], SCOPES["cookie-race"])).system
    state = system.initial
    try:
        for thread in range(len(system.threads)):
            c_step(system, state, thread)
    except EngineError:
        pytest.fail("a good step was left to Python")
