"""The proof obligations: what is proved, what is not, and that neither is vacuous."""

import subprocess
import sys
from dataclasses import replace

import pytest

from checkers.proof import arithmetic, bounded, obligations, ranks
from checkers.proof.invariant import CONJUNCTS, conjuncts_of
from checkers.proof.logic import Unbounded
from checkers.proof.obligations import PROVED, REFUTED, decide, smt2
from checkers.proof.protocol import STEPS
from checkers.proof.rules import Rules, rules_of

REDUNDANT = {"ranges", "freed_pending"}
"""Conjuncts without which everything is proved all the same; kept because they say something."""


def unproved(rules: Rules) -> set[str]:
    """Names of the obligations that z3 does not prove."""
    x = Unbounded()
    rows = [decide(x, o, 3_000_000) for o in obligations.obligations(rules, x)]
    assert len(rows) > 500
    return {row.name for row in rows if row.result != PROVED}


def test_everything_is_proved_of_the_deferred_design() -> None:
    assert unproved(rules_of("seed-eof-deferred")) == set()


def test_holding_back_leaves_one_thing_open() -> None:
    assert unproved(rules_of("seed-eof-ordered")) == {"property/sound-disk"}


def test_the_seed_lacks_one_property() -> None:
    assert unproved(rules_of("seed")) == {"property/stale-data"}


def test_a_mistake_is_not_proved() -> None:
    rules = replace(rules_of("seed-eof-deferred"), no_preflush=True)
    assert "step/preflush/frozen_stable" in unproved(rules)


@pytest.mark.parametrize("design", ["seed", "seed-eof-ordered", "seed-eof-deferred"])
def test_no_step_is_impossible(design: str) -> None:
    possible = bounded.enabled_steps(rules_of(design))
    assert possible.keys() == {"initial", *STEPS}
    assert [name for name, is_possible in possible.items() if not is_possible] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [c.name for c in conjuncts_of(rules_of("seed-eof-deferred"))])
def test_every_conjunct_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CONJUNCTS, name)
    needed = unproved(rules_of("seed-eof-deferred")) != set()
    assert needed == (name not in REDUNDANT)


def test_the_text_is_smt_lib() -> None:
    x = Unbounded()
    first = next(obligations.obligations(rules_of("seed"), x))
    text = smt2(x, first)
    assert text.startswith("; initial/ranges")
    assert x.z3.SimpleSolver().from_string(text) is None
    assert "(check-sat)" in text


def test_arithmetic_does_not_wrap() -> None:
    rows = {row.name: row for row in arithmetic.decisions()}
    assert {row.result for row in rows.values()} == {PROVED}
    assert "dirty_len=" in rows["arithmetic/whole-blocks-needed"].reason


def test_ranks_rise_but_for_the_waits_that_deadlock() -> None:
    def refuted(design: str) -> list[str]:
        edges = ranks.edges_of(rules_of(design))
        return [row.name for row in ranks.decisions(edges) if row.result == REFUTED]

    assert refuted("seed") == []
    assert refuted("seed-eof-ordered") == []
    assert refuted("seed-gap-ordered") == ["lock-order/worker_slot/folio_writeback/earlier"]
    assert refuted("seed-eof-deferred") == ["lock-order/folio_writeback/folio_writeback/earlier"]


def test_the_command_line_does_not_load_a_solver() -> None:
    code = "import sys, powercut.verbs, powercut.cli; sys.exit('z3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
