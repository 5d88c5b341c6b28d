"""The bridge: steps of the executable model are protocol steps, and planted mistakes show."""

from dataclasses import replace
from typing import Any

import pytest

from powercut.checkers.proof.bridge import Bridge, Crossing, cross_all, cross_walks
from powercut.checkers.proof.rules import Rules, rules_of
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.tiers import fast_only

DESIGN_NAMES = ("seed", "seed-eof-ordered", "seed-eof-deferred")


def rules_with_errors(design: str) -> Rules:
    """The rules of a design in a world where bios may fail."""
    return replace(rules_of(design), bio_errors=True)


def explored(design: str, scope: str, states: int, rules: Rules, mutant: str = "") -> Crossing:
    """Check the first transitions of a scope."""
    planted = MUTANTS[mutant] if mutant else None
    mount = Mount.of(Question(DESIGNS[design], SCOPES[scope], planted))
    return cross_all(mount, rules, states)


def walked(design: str, scope: str, mutant: str = "", runs: int = 2) -> Crossing:
    """Check random walks through a scope."""
    planted = MUTANTS[mutant] if mutant else None
    mount = Mount.of(Question(DESIGNS[design], SCOPES[scope], planted))
    return cross_walks(mount, rules_with_errors(design), runs=runs, steps=150, seed=1)


@pytest.mark.parametrize("design", DESIGN_NAMES)
def test_explored_transitions_are_protocol_steps(design: str) -> None:
    done = explored(design, "truncate-truncate", 250, rules_with_errors(design))
    assert done.mismatches == []
    assert done.transitions > 400


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", DESIGN_NAMES)
@pytest.mark.parametrize("scope", ["truncate-truncate", "append-fsync", "truncate-reuse"])
def test_all_transitions_are_protocol_steps(design: str, scope: str) -> None:
    done = explored(design, scope, 20_000, rules_with_errors(design))
    assert done.mismatches == []
    assert done.states < 20_000, "not exhausted"


@pytest.mark.parametrize(
    "scope",
    [
        "span-truncate",
        pytest.param("eio-append", marks=pytest.mark.exhaustive),
        pytest.param("eof-mmap", marks=pytest.mark.exhaustive),
        pytest.param("cookie-race", marks=pytest.mark.exhaustive),
        pytest.param("three-blocks", marks=pytest.mark.exhaustive),
    ],
)
@pytest.mark.parametrize("design", DESIGN_NAMES)
def test_random_walks_are_protocol_steps(design: str, scope: str) -> None:
    assert walked(design, scope).mismatches == []


@pytest.mark.parametrize(
    ("mutant", "scope"),
    [
        ("written-allocation", "append-fsync"),
        ("no-preflush", "append-fsync"),
        pytest.param("reuse-before-commit", "truncate-reuse", marks=pytest.mark.exhaustive),
    ],
)
def test_a_mistake_in_the_model_shows(mutant: str, scope: str) -> None:
    assert walked("seed-eof-ordered", scope, mutant, runs=10).mismatches


@pytest.mark.parametrize(
    ("flag", "scope"),
    [
        ("no_orphan", "truncate-truncate"),
        ("no_preflush", "append-fsync"),
        ("reuse_before_commit", "truncate-reuse"),
        ("written_allocation", "append-fsync"),
    ],
)
def test_a_mistake_in_the_protocol_shows(flag: str, scope: str) -> None:
    change: dict[str, Any] = {flag: True}
    rules = replace(rules_with_errors("seed-eof-ordered"), **change)
    mount = Mount.of(Question(DESIGNS["seed-eof-ordered"], SCOPES[scope]))
    assert cross_walks(mount, rules, runs=4, steps=150, seed=1).mismatches


MISTAKES = ["old-mark-stays", "marks-survive-cut", "unmark-at-submit"]


@pytest.mark.parametrize("mutant", fast_only(MISTAKES, lambda name: name == MISTAKES[0]))
def test_a_mistake_shows_on_its_own_schedule(mutant: str) -> None:
    planted = MUTANTS[mutant]
    design, scope = DESIGNS[planted.design], SCOPES[planted.scope]
    wanted = planted.caught_by
    question = Question(design, scope, planted, properties=(wanted,), stop_at=wanted)
    found = run_scope(question).violations[0]
    schedule = found.epochs[0].schedule
    for switch, fits in ((None, True), (planted, False)):
        mount = Mount.of(Question(design, scope, switch))
        bridge = Bridge(mount, rules_with_errors(planted.design))
        assert bridge.start(mount.start)
        state = mount.start
        for thread in schedule:
            if thread not in mount.enabled(state):
                break
            following = mount.step(state, thread)
            bridge.transition(state, thread, following)
            state = following
        assert (bridge.result.mismatches == []) == fits


def test_a_folio_of_two_blocks_is_outside_the_proof() -> None:
    assert walked("seed-eof-ordered", "folio-tail").mismatches
