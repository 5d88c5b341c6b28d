"""``check --compact``: digests of states find violations, and never prove anything."""

import pytest

from powercut.checkers.engine.search.strategy import Compact
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import INCONCLUSIVE, VIOLATED
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from tests.cli.support import Runner


@pytest.mark.parametrize("engine", ["python", "c"])
@pytest.mark.parametrize(
    ("scope", "verdict"),
    [("append-fsync", INCONCLUSIVE), ("enospc", INCONCLUSIVE), ("eof-two-mounts", VIOLATED)],
)
def test_a_compact_run_sees_what_an_exact_one_does(engine: str, scope: str, verdict: str) -> None:
    exact = run_scope(Question(DESIGNS["seed"], SCOPES[scope], engine="python"))
    compact = run_scope(Question(DESIGNS["seed"], SCOPES[scope], engine=engine, strategy=Compact()))
    for name in ("states", "transitions", "initial_states", "crash_images", "files", "reached"):
        assert getattr(compact, name) == getattr(exact, name), name
    assert {v.prop for v in compact.violations} == {v.prop for v in exact.violations}
    assert (compact.verdict, exact.omission_probability) == (verdict, 0.0)
    assert 0 < compact.omission_probability < 1e-12


def test_the_user_is_told_what_was_not_seen(powercut: Runner) -> None:
    argv = ("check", "--design", "seed", "--scope", "append-fsync", "--compact", "--jobs", "1")
    text = powercut(*argv)
    assert text.code == 3
    assert "probability at most 1.2e-14" in " ".join(text.out.split())
    assert "livelocks not looked for" in text.out
    assert "1 of 1 runs known by digests only" in text.out
    run = powercut(*argv, "--json").document["runs"][0]
    assert run["verdict"] == "inconclusive"
    assert run["omission_probability"] == pytest.approx(667**2 / 2**65)
    assert not run["exhaustive"]


def test_a_limit_says_cut_short_as_ever(powercut: Runner) -> None:
    argv = ("check", "--design", "seed", "--scope", "append-fsync", "--compact", "--jobs", "1")
    ended = powercut(*argv, "--max-states", "100")
    assert ended.code == 3
    assert "1 of 1 runs cut short" in ended.out


@pytest.mark.parametrize("other", [("--swarm", "2"), ("--audit",)])
def test_it_does_not_go_with_what_makes_no_sense(powercut: Runner, other: tuple[str, ...]) -> None:
    ended = powercut("check", "--design", "seed", "--compact", *other)
    assert ended.code == 2
    assert "--compact" in ended.err
