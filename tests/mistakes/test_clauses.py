"""Every clause of every property is there for something: without it a saved run is judged wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from powercut.checkers.mistakes.clauses import (
    Clause,
    Corpus,
    all_clauses,
    corpus_of,
    corpus_of_runs,
    noticed_by,
)
from powercut.checkers.mistakes.triage import unmatched, unneeded_clauses
from powercut.checkers.run.question import Question
from powercut.checkers.traces.codec import load_trace
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from tests.tiers import EXHAUSTIVE

TRACES = Path(__file__).parents[2] / "traces"
STALE = "bh-ordered-cut-twice-stale-data.trace.json"


@pytest.fixture(scope="module")
def one_trace() -> Corpus:
    return corpus_of([(STALE, load_trace(TRACES / STALE))])


def _clause(function: str, was: str, now: str) -> Clause:
    wanted = [c for c in all_clauses() if (c.mistake.function, c.mistake.was) == (function, (was,))]
    (found,) = (clause for clause in wanted if clause.mistake.now == (now,))
    return found


def test_both_files_are_looked_at() -> None:
    assert len(all_clauses()) > 150
    assert {c.mistake.file for c in all_clauses()} == {"properties/live.py", "properties/crash.py"}


def test_a_clause_that_a_saved_run_needs_is_noticed(one_trace: Corpus) -> None:
    was = "return cell < inode.size and colour != ZERO and not inode.ever[cell] & colour"
    now = "return cell < inode.size and colour != ZERO"
    assert noticed_by(_clause("is_stale", was, now), one_trace) == STALE


def test_a_change_that_changes_nothing_is_not_noticed(one_trace: Corpus) -> None:
    clause = all_clauses()[0]
    text = (TRACES.parent / clause.mistake.file).read_text(encoding="utf-8")
    assert noticed_by(replace(clause, text=text), one_trace) == ""


def test_runs_give_states_too() -> None:
    question = Question(DESIGNS["seed"], SCOPES["append-fsync"])
    corpus = corpus_of_runs([question], 50)
    assert 30 < len(corpus.states) <= 60
    assert {name for name, _ in corpus.states} == {"seed append-fsync"}


def test_every_entry_is_about_a_clause() -> None:
    assert unmatched([c.mistake for c in all_clauses()], unneeded_clauses()) == []


@EXHAUSTIVE
def test_every_clause_that_is_not_listed_is_noticed() -> None:
    """A fifth of the clauses: one that nobody notices costs a look at every state."""
    listed = {entry.key for entry in unneeded_clauses()}
    corpus = corpus_of((p.name, load_trace(p)) for p in sorted(TRACES.glob("*.trace.json")))
    asked = [c for c in all_clauses() if c.mistake.key not in listed][::5]
    assert [c.mistake.name for c in asked if not noticed_by(c, corpus)] == []
