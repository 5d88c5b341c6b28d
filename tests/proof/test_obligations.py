"""The proof obligations: what is proved, what is not, and that neither is vacuous."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from powercut.checkers.locks.model_cycles import LOCK_SCOPES
from powercut.checkers.proof import (
    arithmetic,
    bounded,
    conversion_credits,
    obligations,
    ranks,
    tables,
)
from powercut.checkers.proof.answers import UNKNOWN
from powercut.checkers.proof.invariant import CONJUNCTS, conjuncts_of
from powercut.checkers.proof.logic import Unbounded
from powercut.checkers.proof.obligations import PROVED, REFUTED, decide, smt2
from powercut.checkers.proof.rules import WRONG_DESIGNS, Rules, has_rule, rules_of
from powercut.checkers.proof.steps import STEPS
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.tiers import every

REDUNDANT = {"tids", "freed_pending"}
"""Conjuncts without which everything is proved all the same; kept because they say something."""


def unproved(rules: Rules) -> set[str]:
    """Names of the obligations that z3 does not prove."""
    x = Unbounded()
    rows = [decide(x, o, 3_000_000) for o in obligations.obligations(rules, x)]
    assert len(rows) > 500
    return {row.name for row in rows if row.result != PROVED}


@pytest.mark.exhaustive
def test_everything_is_proved_of_the_deferred_design() -> None:
    assert unproved(rules_of("seed-eof-deferred")) == set()


@pytest.mark.exhaustive
def test_holding_back_leaves_one_thing_open() -> None:
    assert unproved(rules_of("seed-eof-ordered")) == {"property/sound-disk"}


@pytest.mark.exhaustive
def test_the_seed_lacks_one_property() -> None:
    assert unproved(rules_of("seed")) == {"property/stale-data"}


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("no_preflush", "step/preflush/frozen_stable"),
        pytest.param(
            "marks_survive_cut", "step/truncate_sizes/marks_wait", marks=pytest.mark.quality
        ),
        pytest.param(
            "fsync_no_writeback_wait",
            "step/sync_written/size_awaited",
            marks=pytest.mark.quality,
        ),
        pytest.param(
            "fsync_no_commit_wait", "step/sync_written/durable_kept", marks=pytest.mark.quality
        ),
        pytest.param("fsync_no_flush", "step/sync_written/durable_kept", marks=pytest.mark.quality),
    ],
)
def test_a_mistake_is_not_proved(flag: str, name: str) -> None:
    x = Unbounded()
    change: dict[str, Any] = {flag: True}
    for base, expected in ((rules_of("seed-eof-deferred"), PROVED), (None, UNKNOWN)):
        rules = base or replace(rules_of("seed-eof-deferred"), **change)
        found = [o for o in obligations.obligations(rules, x) if o.name == name]
        assert [decide(x, o, 3_000_000).result for o in found] == [expected]


@pytest.mark.parametrize("design", every(3, ["seed", "seed-eof-ordered", "seed-eof-deferred"]))
def test_no_step_is_impossible(design: str) -> None:
    possible = bounded.enabled_steps(rules_of(design))
    assert possible.keys() == {"initial", *STEPS}
    assert [name for name, is_possible in possible.items() if not is_possible] == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [c.name for c in conjuncts_of(rules_of("seed-eof-deferred"))])
def test_every_conjunct_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CONJUNCTS, name)
    if name not in REDUNDANT:
        assert bounded.escapes(rules_of("seed-eof-deferred")), "no counterexample without it"
    else:
        assert unproved(rules_of("seed-eof-deferred")) == set()


def test_the_tables_of_the_page_are_current() -> None:
    page = (Path(__file__).parents[2] / "docs" / "proof.md").read_text(encoding="utf-8")
    for table in (tables.properties_table(), tables.conjuncts_table(), tables.steps_table()):
        assert table in page


def test_the_page_lists_every_wrong_design() -> None:
    page = (Path(__file__).parents[2] / "docs" / "proof.md").read_text(encoding="utf-8")
    for wrong in WRONG_DESIGNS.values():
        assert f"| {wrong.slug}: {wrong.summary} | {wrong.prop} | " in page


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


def without_rank(design: str, mutant: str = "") -> set[str]:
    """Names of the edges of a design's model that no rank increases along."""
    planted = MUTANTS[mutant] if mutant else None
    edges = ranks.edges_of(DESIGNS[design], planted, [planted.scope] if planted else [])
    assert edges.exhaustive
    rows = list(ranks.decisions(edges))
    assert {row.result for row in rows} <= {PROVED, REFUTED}
    return {row.name for row in rows if row.result == REFUTED}


@pytest.mark.exhaustive
def test_ranks_rise_but_for_the_waits_that_deadlock() -> None:
    behind_a_mark = "lock-order/folio_writeback[iomap]/eof_block_write"
    assert without_rank("seed") == set()
    assert without_rank("seed-eof-ordered") == set()
    assert without_rank("seed-eof-deferred") == {behind_a_mark}
    worker = "lock-order/worker_slot/eof_block_write"
    assert without_rank("seed-gap-ordered") == {behind_a_mark, worker}


@pytest.mark.parametrize(
    ("mutant", "edge"),
    [
        pytest.param(
            "truncate-under-handle",
            "lock-order/jbd2_handle/folio_lock[iomap]",
            marks=pytest.mark.quality,
        ),
        pytest.param(
            "data-sem-first-mapping",
            "lock-order/jbd2_handle/i_data_sem",
            marks=pytest.mark.quality,
        ),
    ],
)
def test_a_lock_order_mutant_has_no_rank(mutant: str, edge: str) -> None:
    assert edge in without_rank("seed", mutant)


@pytest.mark.exhaustive
def test_ordered_iomap_data_has_no_rank() -> None:
    assert without_rank("seed-without-07")


@pytest.mark.exhaustive
def test_what_rests_on_the_order_of_folios_says_so() -> None:
    rows = {row.name: row for row in ranks.decisions(ranks.edges_of(DESIGNS["seed"]))}
    next_folio = rows["lock-order/folio_writeback[iomap]/folio_lock[iomap]/later"]
    assert "ascending order" in next_folio.reason
    assert "ordered list" in rows["lock-order/jbd2_commit/jbd2_handle"].reason


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", [name for name in DESIGNS if has_rule(name)])
def test_the_scopes_of_the_ranks_show_every_edge(design: str) -> None:
    few = set(ranks.edges_of(DESIGNS[design]).where)
    one_file = [name for name in LOCK_SCOPES if name != "two-files"]
    assert set(ranks.edges_of(DESIGNS[design], None, one_file).where) == few


def test_credits_of_a_merged_ioend() -> None:
    assert {row.result for row in conversion_credits.decisions()} == {PROVED}
    rows = {row.name: row for row in conversion_credits.findings()}
    assert {row.result for row in rows.values()} == {REFUTED}
    assert "leaves=41" in rows["credits/merged-ioend/4096"].reason
    assert "blocks=13940" in rows["credits/merged-ioend/4096"].reason


def test_the_command_line_does_not_load_a_solver() -> None:
    code = "import sys, powercut.verbs.signatures, powercut.cli; sys.exit('z3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
