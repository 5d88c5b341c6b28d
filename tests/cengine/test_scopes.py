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
from powercut.checkers.run.result import HOLDS, VIOLATED
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.tiers import fast_only

CASES = [
    ("seed", "append-fsync", HOLDS),
    ("seed", "cookie-race", HOLDS),
    ("seed", "eof-truncate-up", VIOLATED),
    ("seed", "eof-two-mounts", VIOLATED),
    ("seed", "eof-in-block", VIOLATED),
    ("seed", "truncate-truncate", VIOLATED),
    ("seed", "two-mounts-truncate", VIOLATED),
    ("seed", "eof-mmap", VIOLATED),
    ("seed-eof-ordered", "behind-eof", VIOLATED),
    ("seed-gap-ordered", "eof-truncate-up", HOLDS),
]
SMALL = ("append-fsync", "eof-two-mounts", "behind-eof")
SCOPE_NAMES = sorted({scope for _, scope, _ in CASES})


@pytest.mark.parametrize(
    ("design", "scope", "verdict"), fast_only(CASES, lambda case: case[1] in SMALL)
)
def test_runs_are_equal(design: str, scope: str, verdict: str) -> None:
    runs = [run_scope(Question(DESIGNS[design], SCOPES[scope], engine=e)) for e in ("python", "c")]
    assert [run.engine for run in runs] == ["python", "c"]
    python, c = (replace(run, engine="", seconds=0) for run in runs)
    assert c == python
    assert c.verdict == verdict


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


@pytest.mark.parametrize("scope", fast_only(SCOPE_NAMES, SMALL.__contains__))
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
