"""Wrong designs: each is refuted by a run, and the executable model replays it."""

from itertools import islice

import pytest

from powercut.checkers.proof.bounded import escapes, search
from powercut.checkers.proof.rules import WRONG_DESIGNS
from powercut.checkers.proof.runs import replay_run
from powercut.checkers.proof.theorems import MAX_RUNS

FAST = ("no-orphan",)


def refute(slug: str) -> None:
    """Find an escape and a run for a wrong design; replay the run where the model can."""
    wrong = WRONG_DESIGNS[slug]
    assert escapes(wrong.rules), "no counterexample to induction"
    runs = islice(search(wrong.rules, wrong.prop, without=wrong.without), MAX_RUNS)
    reason = "no run"
    for run in runs:
        done = replay_run(run, wrong)
        if done.trace is not None:
            return
        reason = done.reason
    pytest.fail(reason)


@pytest.mark.parametrize("slug", FAST)
def test_wrong_design_is_refuted(slug: str) -> None:
    refute(slug)


@pytest.mark.quality
@pytest.mark.parametrize("slug", [slug for slug in WRONG_DESIGNS if slug not in FAST])
def test_every_other_wrong_design_is_refuted(slug: str) -> None:
    refute(slug)


@pytest.mark.exhaustive
def test_a_right_design_has_no_escape() -> None:
    from powercut.checkers.proof.rules import rules_of

    assert escapes(rules_of("seed-eof-deferred")) == []
