"""Running litmus tests: exact is exact, and what differs is named, with the way there."""

import pytest

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.litmus import (
    DIFFERENT,
    EXACT,
    DesignRun,
    explain,
    format_outcome,
    run_litmus,
    updated,
)
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import INCONCLUSIVE
from tests.litmus.support import APPEND, parse


def run(text: str, design: str = "seed", limits: Limits | None = None) -> DesignRun:
    return run_litmus(parse(text), design, limits=limits)


def test_the_allowed_set_is_exact() -> None:
    assert run(APPEND).verdict == EXACT


def test_one_outcome_too_many_is_named_and_drawn() -> None:
    found = run(APPEND.replace('  1.2=- size=2 "oo"\n', ""))
    assert found.verdict == DIFFERENT
    assert [format_outcome(o, 2) for o in found.extra] == ['1.2=- size=2 "oo"']
    assert found.missing == ()
    text = explain(found)
    assert '  not allowed, but shown:   1.2=- size=2 "oo"' in text
    assert "*** power cut ***" in text
    assert "ext4_buffered_write_iter()" in text
    assert "size 2, no orphan to process" in text
    assert "power cut" not in explain(found, ladder=False)


def test_a_missing_outcome_is_named_with_its_line() -> None:
    found = run(APPEND.replace('1.2=0 size=4 "oo|AA"', '1.2=0 size=4 "oo|[.A]A"'))
    assert found.verdict == DIFFERENT
    assert found.extra == ()
    assert '  allowed, but never shown: 1.2=0 size=4 "oo|.A"  (line 15)' in explain(found)


def test_properties_are_compared_both_ways() -> None:
    found = run(APPEND + "  violates deadlock\n")
    assert (found.verdict, found.holding) == (DIFFERENT, ("deadlock",))
    assert "  expected to be violated:  deadlock" in explain(found)
    gap = "source x\nfile size=2\nmount\n task truncate 1; truncate 3\nallowed seed\n"
    shown = run(gap)
    assert "stale-data" in shown.violated
    assert "  violated, not expected:   stale-data" in explain(shown, ladder=False)


def test_an_unexpected_violation_alone_is_drawn() -> None:
    text = "source x\ntimer never\nmount\n task write 2 1; write 2 1\n task fsync\n"
    found = run(text + "observe properties\nallowed seed-gap-ordered\n", "seed-gap-ordered")
    assert found.violated == ("deadlock",)
    assert "deadlock violated: nobody can run" in explain(found)


def test_a_run_cut_short_is_inconclusive_unless_it_shows_too_much() -> None:
    few = Limits(max_states=150)
    found = run(APPEND, limits=few)
    assert found.verdict == INCONCLUSIVE
    assert found.missing
    assert "cut short: mount 1: limit of 150 states reached" in explain(found)
    assert run(APPEND.replace('1.2=- size=2 "oo"', "violates deadlock"), limits=few).verdict == (
        DIFFERENT
    )


def test_without_a_power_cut_the_files_are_read_when_all_is_done() -> None:
    text = APPEND.replace("crash after 1.1", "crash none")
    found = run(text)
    assert [format_outcome(o, 2) for o in found.result.outcomes] == ['1.2=0 size=4 "oo|AA"']
    assert [format_outcome(o, 2) for o in found.missing] == [
        '1.2=- size=2 "oo"',
        '1.2=- size=4 "oo|AA"',
    ]
    extra = run(text.replace('  1.2=0 size=4 "oo|AA"  # durable\n', ""))
    drawn = explain(extra)
    assert "*** all tasks have returned ***" in drawn
    assert "power cut" not in drawn


TWO_MOUNTS = """\
source a file of two lives
timer once
mount
  task write 1 1{first}
  crash after all
mount
  task truncate 2; fsync
  crash after all
allowed seed
{allowed}"""


def test_a_crash_point_holds_for_its_own_mount() -> None:
    """After an fsync the second mount finds the append; without it, it may find it behind EOF."""
    synced = run(TWO_MOUNTS.format(first="; fsync", allowed='  size=2 "oo"\n'))
    assert synced.verdict == EXACT, explain(synced)
    unsynced = run(TWO_MOUNTS.format(first="", allowed=""))
    assert {format_outcome(o, 2) for o in unsynced.extra} >= {'size=2 "oo"', 'size=2 "o."'}
    assert len(next(iter(unsynced.result.outcomes.values()))) == 2


def test_failed_syncs_are_remembered() -> None:
    """An error is reported once for each task that has the file open, then never again."""
    text = """\
source x
file size=2
errors 1
timer never
mount
  task write 0 1; fsync; fsync
  flusher 0
  crash none
observe fsync
allowed seed
"""
    found = run(text)
    assert {format_outcome(o, 2) for o in found.extra} == {"1.2=0 1.3=0", "1.2=EIO 1.3=0"}


def test_a_design_that_is_not_named_allows_nothing() -> None:
    found = run(APPEND, "seed-eof-ordered")
    assert found.verdict == DIFFERENT
    assert len(found.extra) == 3


def test_an_update_keeps_comments_and_good_lines() -> None:
    stale = APPEND.replace(
        '  1.2=- size=4 "oo|AA"\n', '  1.2=- size=4 "oo|.A"  # gone\n  # stays\n'
    )
    litmus = parse(stale)
    shown = {d: run_litmus(litmus, d).shown for d in litmus.designs}
    text = updated(litmus, shown)
    assert "# gone" not in text
    for kept in ("# A comment on top.", "# the append", "# both", "# not durable", "# durable"):
        assert kept in text
    for design in litmus.designs:
        assert run(text, design).verdict == EXACT
    assert updated(parse(text), shown) == text


def test_an_update_splits_and_joins_designs() -> None:
    litmus = parse(APPEND)
    shown = {
        d: run_litmus(litmus, d).shown for d in ("seed", "seed-gap-ordered", "seed-without-07")
    }
    apart = dict(shown)
    apart["seed-gap-ordered"] = type(shown["seed"])(frozenset(), ("deadlock",))
    text = updated(litmus, apart)
    assert "allowed seed seed-without-07  # both\n" in text
    last = text.rstrip().split("\n")[-3:]
    assert last == [
        "allowed seed-gap-ordered  # both",
        "  # not durable before the commit",
        "  violates deadlock",
    ]
    first = updated(parse(APPEND.partition("allowed")[0]), shown)
    assert first.count("allowed ") >= 1
    assert {d for b in parse(first).blocks for d in b.designs} == set(shown)


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_observing_changes_no_run(design: str) -> None:
    """The same schedules are possible; only what a user remembers tells states apart."""
    from powercut.checkers.run.runner import run_scope
    from powercut.model.designs import DESIGNS

    litmus = parse(APPEND)
    plain = run_scope(Question(DESIGNS[design], litmus.scope))
    seen = run_scope(Question(DESIGNS[design], litmus.scope, observation=litmus.observation))
    assert (plain.states, plain.transitions) == (seen.states, seen.transitions)
    assert plain.files == seen.files
    assert plain.outcomes == {}
