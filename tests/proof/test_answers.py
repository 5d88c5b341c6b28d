"""No answer is not an answer: interrupted and unknown queries never read as "none", or "holds"."""

import os
import random
import signal
import time
from typing import Any

import pytest
import z3

from powercut.checkers.locks import model_edges
from powercut.checkers.proof import answers, bounded, ranks
from powercut.checkers.proof.answers import Answer, Interrupted, Undecided, ask, demand, stoppable
from powercut.checkers.proof.bounded import enabled_steps, escapes, property_fails, search
from powercut.checkers.proof.logic import Unbounded
from powercut.checkers.proof.obligations import decide, obligations
from powercut.checkers.proof.rules import rules_of
from powercut.checkers.proof.steps import STEPS
from tests.cli.support import Runner, end_of, start
from tests.tiers import every

RULES = rules_of("seed-eof-deferred")
MOMENTS = 3
KILLS = int(os.environ.get("POWERCUT_KILLS", "5"))


@pytest.fixture
def powercut(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Run commands in this process."""
    return Runner(capsys)


def hard() -> Any:
    """A query of hours: a product of two 64-bit numbers above one."""
    a, b = z3.BitVecs("a b", 64)
    solver = z3.SolverFor("QF_BV")
    solver.add(a * b == 0xFFFFFFFFFFFFFFC5, z3.ULT(1, a), z3.ULT(1, b), z3.ULT(a, b))
    return solver


def test_an_answer_is_what_z3_says() -> None:
    x = z3.Int("x")
    solver = z3.Solver()
    solver.add(x > 1)
    assert ask(solver) == Answer("sat")
    solver.add(x < 1)
    assert ask(solver) == Answer("unsat")
    assert not demand(solver, "a number")


def test_a_query_at_its_limit_is_unknown_and_says_so() -> None:
    solver = hard()
    solver.set("rlimit", 1000)
    assert ask(solver) == Answer("unknown", "max. resource limit exceeded")
    with pytest.raises(Undecided, match=r"^two factors: max\. resource limit"):
        demand(solver, "two factors")


def test_a_query_that_is_told_to_stop_stops() -> None:
    begun = time.monotonic()
    with stoppable(lambda: time.monotonic() > begun + 0.3), pytest.raises(Interrupted):
        ask(hard())
    assert time.monotonic() < begun + 30


def test_z3_does_not_take_ctrl_c_for_itself() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        alarm = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        with stoppable(lambda: bool(heard)), pytest.raises(Interrupted):
            ask(hard())
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGALRM, alarm)
    assert heard == [signal.SIGINT]


@pytest.fixture
def no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every query end without an answer, as one at its limit does."""
    monkeypatch.setattr(answers, "_checked", lambda _solver: z3.unknown)
    monkeypatch.setattr(bounded, "STEPS", {"write": STEPS["write"]})  # terms take their time


@pytest.mark.usefixtures("no_answers")
def test_without_answers_nothing_is_found_and_nothing_is_missing() -> None:
    for query in (
        lambda: escapes(RULES),
        lambda: property_fails(RULES, "stale-data"),
        lambda: enabled_steps(RULES),
        lambda: next(search(RULES, "stale-data")),
    ):
        with pytest.raises(Undecided):
            query()
    x = Unbounded()
    assert decide(x, next(obligations(RULES, x))).result == "unknown"


@pytest.mark.usefixtures("no_answers")
def test_without_answers_no_edge_has_a_rank() -> None:
    edges = ranks.Edges({ranks.RankEdge("a", "b"): "f()"}, ("scope",), True)
    assert [row.result for row in ranks.decisions(edges)] == ["unknown"]


def test_edges_of_a_search_that_was_cut_short_are_not_all() -> None:
    edges = ranks.Edges({ranks.RankEdge("a", "b"): "f()"}, ("scope",), False)
    rows = list(ranks.decisions(edges))
    assert [(row.name, row.result) for row in rows] == [
        ("lock-order/edges", "unknown"),
        ("lock-order/a/b", "proved"),
    ]


@pytest.mark.usefixtures("no_answers")
def test_a_refutation_without_answers_is_inconclusive(powercut: Runner) -> None:
    ended = powercut("prove", "--json", "--wrong", "no-orphan")
    assert (ended.code, ended.document["verdict"]) == (3, "inconclusive")
    assert "no answer on" in str(ended.document["obligations"])


@pytest.mark.parametrize("seed", every(MOMENTS, range(MOMENTS)))
def test_a_proof_that_is_interrupted_never_holds(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    left = random.Random(seed).randrange(12)
    honest = answers._checked

    def interrupting(solver: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGINT)
        return honest(solver)

    monkeypatch.setattr(answers, "_checked", interrupting)
    ended = powercut("prove", "--json")
    document = ended.document
    assert (ended.code, ended.err, document["verdict"]) == (3, "", "inconclusive")
    last = document["obligations"][-1]
    assert (last["name"], last["result"], last["reason"]) == (
        "not-decided",
        "unknown",
        "interrupted",
    )
    assert {row["result"] for row in document["obligations"][:-1]} <= {"proved", "unknown"}


def test_an_interrupt_while_the_model_is_searched(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powercut.checkers.proof.theorems._decide_protocol", lambda *_: None)
    honest = model_edges.explore

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return honest(*arguments)

    monkeypatch.setattr("powercut.checkers.proof.ranks.explore", interrupted)
    ended = powercut("prove", "--json")
    assert (ended.code, len(ended.document["obligations"])) == (3, 1)


@pytest.mark.quality
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_proof_that_is_killed_at_random_never_holds(seed: int) -> None:
    drawn = random.Random(seed)
    argv = ("prove", "--wrong", "all") if seed % 3 == 2 else ("prove",)
    with start(*argv) as process:
        time.sleep(drawn.uniform(2.5, 8))
        was_running = process.poll() is None
        if was_running:
            process.send_signal(drawn.choice([signal.SIGINT, signal.SIGTERM]))
        ended = end_of(process)
    assert ended.code == 3 or not was_running, ended
    assert "holds (exit code 0)" not in ended.out or not was_running
    assert "Traceback" not in ended.err
