"""The bridge on drawn scopes and schedules, in the first mount and in a second one.

Hypothesis draws the operations, the geometry and every choice of a thread, and shrinks what does
not fit.  The scopes are those of the random searches, with folios of one block.
"""

from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercut.checkers.proof.bridge import Bridge, Crossing
from powercut.checkers.proof.rules import Rules, rules_of
from powercut.checkers.proof.watched import walk, watch_walks
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Scope
from tests.properties.test_random_scopes import random_scope

DESIGN_NAMES = ("seed", "seed-eof-ordered", "seed-eof-deferred")
STEPS = 90


def drawn_scope(seed: int) -> Scope:
    """A random scope that the protocol speaks of: one file, folios of one block."""
    scope = random_scope(seed)
    return replace(
        scope, geometry=replace(scope.geometry, blocks_per_folio=1), data_err_abort=False
    )


def crossed(mount: Mount, rules: Rules, chooser: Random) -> tuple[Crossing, bytes]:
    """Check one walk; return what came of it and the state it ended in."""
    bridge = Bridge(mount, rules)
    last = mount.start
    if bridge.start(last):
        last = walk(bridge, last, chooser, STEPS)
    return bridge.result, last


def check_scope(design: str, seed: int, chooser: Random) -> None:
    """Walk through a drawn scope, cut the power, and walk through what is mounted then."""
    scope = drawn_scope(seed)
    rules = replace(rules_of(design), bio_errors=True)
    first = Mount.of(Question(DESIGNS[design], scope))
    result, last = crossed(first, rules, chooser)
    assert result.mismatches == []
    disk = chooser.choice(list(islice(first.images(last), 16)))
    again = replace(scope, mounts=(scope.mounts[-1],))
    second = Mount.of(Question(DESIGNS[design], again), 0, disk)
    assert crossed(second, rules, chooser)[0].mismatches == []


@pytest.mark.parametrize("design", DESIGN_NAMES)
@settings(max_examples=6, derandomize=True, deadline=None, database=None)
@given(seed=st.integers(0, 10_000), chooser=st.randoms(use_true_random=False))
@pytest.mark.exhaustive
def test_drawn_walks_are_protocol_steps(design: str, seed: int, chooser: Random) -> None:
    check_scope(design, seed, chooser)


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", DESIGN_NAMES)
@settings(max_examples=20, derandomize=True, deadline=None, database=None)
@given(seed=st.integers(0, 10_000), chooser=st.randoms(use_true_random=False))
def test_many_drawn_walks_are_protocol_steps(design: str, seed: int, chooser: Random) -> None:
    check_scope(design, seed, chooser)


def watched(scope: str, mutant: str = "", flag: str = "") -> Crossing:
    """Walks with a watched fsync, with a mistake in the model or in the protocol."""
    design = "seed-eof-ordered"
    planted = MUTANTS[mutant] if mutant else None
    changes: dict[str, Any] = {flag: True} if flag else {}
    rules = replace(rules_of(design), **changes)
    mount = Mount.of(Question(DESIGNS[design], SCOPES[scope], planted))
    return watch_walks(mount, rules, runs=6, steps=150, seed=1)


@pytest.mark.parametrize(
    "scope",
    [
        "overwrite-fsync",
        pytest.param("append-fsync", marks=pytest.mark.exhaustive),
        pytest.param("span-truncate", marks=pytest.mark.exhaustive),
    ],
)
def test_a_watched_fsync_keeps_its_promise(scope: str) -> None:
    assert watched(scope).mismatches == []


@pytest.mark.parametrize(
    ("mutant", "scope"),
    [
        pytest.param("fsync-no-writeback-wait", "append-fsync", marks=pytest.mark.exhaustive),
        pytest.param("fsync-no-commit-wait", "append-fsync", marks=pytest.mark.exhaustive),
        ("fsync-no-flush", "overwrite-fsync"),
    ],
)
def test_an_fsync_that_does_not_wait_shows(mutant: str, scope: str) -> None:
    assert any("not allowed" in m.what for m in watched(scope, mutant).mismatches)


@pytest.mark.parametrize(
    ("flag", "scope"),
    [
        pytest.param("fsync_no_commit_wait", "append-fsync", marks=pytest.mark.exhaustive),
        ("fsync_no_flush", "overwrite-fsync"),
    ],
)
def test_a_protocol_whose_fsync_does_not_wait_shows(flag: str, scope: str) -> None:
    found = watched(scope, flag=flag).mismatches
    assert any("durable_kept" in m.where for m in found)
