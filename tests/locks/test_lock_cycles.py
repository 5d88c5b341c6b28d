"""Verdicts on cycles: each with its schedule, its guard, or the states that were looked at."""

from dataclasses import replace
from functools import cache

import pytest

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.locks.cycles import (
    GUARDED,
    REACHABLE,
    UNKNOWN,
    UNREACHABLE,
    Cycle,
    find_cycles,
)
from powercut.checkers.locks.graph import Edge, LockGraph, merged
from powercut.checkers.locks.model_cycles import (
    LOCK_SCOPES,
    RULES,
    LockReport,
    decide,
    judge,
    kept_open,
    lock_scopes,
    structural_guard,
)
from powercut.checkers.locks.model_edges import Exploration, Grip, explore
from powercut.checkers.locks.model_state import Resource
from powercut.checkers.run.replay import replay
from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.language import DEADLOCK
from powercut.model.mutants import MUTANTS
from powercut.model.ops import truncate, write
from powercut.model.scope import Geometry, Mount, Scope

SMALL = (
    "ordered-log",
    "enospc",
    "log-full",
    "eof-unsubmitted",
    "eof-truncate-up",
    "folio-tail",
    "truncate-reuse",
    "cookie-race",
    "zero-truncate",
    "punch",
    "punch-folio",
)
FOLIO_ORDER = ("folio_lock[iomap]", "folio_writeback[iomap]")


@cache
def decided(design: str, mutant: str, *scopes: str) -> LockReport:
    return decide(
        DESIGNS[design], [SCOPES[name] for name in scopes], MUTANTS[mutant] if mutant else None
    )


def cycle(report: LockReport, *classes: str) -> Cycle:
    return next(cycle for cycle in report.cycles if cycle.classes == classes)


def deadlocks(report: LockReport, *classes: str) -> int:
    """Return the steps of a schedule through these classes, replayed natively."""
    found = cycle(report, *classes)
    assert found.verdict == REACHABLE
    assert found.trace.property == DEADLOCK
    assert replay(found.trace).reproduced
    return len(found.trace.epochs[0].steps)


@pytest.mark.exhaustive
def test_the_buffer_head_design_has_no_cycle() -> None:
    report = decided("bh-ordered", "", *SMALL)
    assert report.verdict == HOLDS
    assert report.cycles == []
    assert report.broken_rules == {}
    assert not report.unexplained


@pytest.mark.exhaustive
def test_the_seed_has_one_cycle_that_the_order_of_folios_guards() -> None:
    report = decided("seed", "", *SMALL)
    assert report.verdict == HOLDS
    assert report.acyclic
    assert [(c.classes, c.verdict) for c in report.cycles] == [(FOLIO_ORDER, GUARDED)]
    assert "order of their index" in report.cycles[0].guard
    assert report.broken_rules == {}


@pytest.mark.exhaustive
def test_what_keeps_the_seed_acyclic_is_named_with_the_cycle_it_keeps_open() -> None:
    kept = kept_open(decided("seed", "", *SMALL).graph)
    assert kept["no-folio-under-handle"].classes == ("folio_lock[iomap]", "jbd2_handle")
    assert kept["no-iomap-data-in-commit"].classes == ("folio_lock[iomap]", "jbd2_commit")
    assert kept["no-commit-wait-under-handle"].classes == ("jbd2_commit", "jbd2_handle")
    assert kept["handle-outside"].classes == ("i_data_sem", "jbd2_handle")
    assert "worker-waits-for-no-folio" in kept
    assert "no-iomap-data-in-commit" not in kept_open(decided("bh-ordered", "", *SMALL).graph)


@pytest.mark.exhaustive
def test_ordered_iomap_data_deadlocks_on_the_folio_lock_and_on_writeback() -> None:
    report = decided("seed-without-07", "", "ordered-log")
    assert report.verdict == VIOLATED
    assert deadlocks(report, "folio_lock[iomap]", "jbd2_commit") == 27
    assert deadlocks(report, "folio_writeback[iomap]", "jbd2_commit") == 29
    assert deadlocks(report, "folio_lock[iomap]", "log_space", "jbd2_commit") == 27
    assert set(report.broken_rules) == {"no-iomap-data-in-commit"}
    waiters = "flusher0 has folio_writeback of folio 0 of inode 0 and waits for jbd2_commit"
    assert waiters in cycle(report, "folio_writeback[iomap]", "jbd2_commit").notes[0]


def test_the_commit_thread_cannot_wait_for_itself() -> None:
    report = decided("seed-without-07", "", "ordered-log")
    found = cycle(report, "folio_lock[iomap]", "folio_writeback[iomap]", "jbd2_commit")
    assert found.verdict == GUARDED
    assert "jbd2_commit" in found.guard


@pytest.mark.exhaustive
def test_a_mixed_mount_deadlocks_through_the_one_slot_of_the_queue() -> None:
    report = decided("mixed", "", "two-files")
    assert report.verdict == VIOLATED
    assert deadlocks(report, "folio_writeback[bh]", "worker_slot", "jbd2_handle") == 26
    assert set(report.broken_rules) == {"reserved-not-behind-normal"}
    longer = cycle(report, "folio_lock[bh]", "folio_writeback[bh]", "worker_slot", "jbd2_handle")
    assert longer.verdict == UNREACHABLE
    assert "two-files" in longer.guard


QUEUE_AND_LOG = Scope(
    "queue-and-log",
    "ordered data and an append in one folio of a file, an append of another, a log of two",
    (Mount(((truncate(1), write(2, 2), write(0, 2, 1)),)),),
    geometry=Geometry(nr_blocks=2, blocks_per_folio=2, nr_phys=4, nr_inodes=2),
    initial_size_cells=2,
    log_transactions=2,
)


@pytest.mark.exhaustive
def test_a_commit_waits_for_no_folio_behind_the_range_that_was_filed() -> None:
    """With a block a folio, no folio of the range needs a worker."""
    geometry = replace(QUEUE_AND_LOG.geometry, blocks_per_folio=1)
    report = decide(DESIGNS["mixed"], [replace(QUEUE_AND_LOG, geometry=geometry)])
    (found,) = report.explorations
    assert found.exhaustive
    assert not found.circles


@pytest.mark.exhaustive
def test_a_mixed_mount_also_deadlocks_between_the_queue_and_a_full_log() -> None:
    report = decide(DESIGNS["mixed"], [QUEUE_AND_LOG])
    (found,) = report.explorations
    assert found.exhaustive
    ((circle, schedule),) = found.circles.items()
    assert circle.classes == ("folio_writeback[bh]", "worker_slot", "log_space", "jbd2_commit")
    assert [link.thread for link in circle.links] == ["worker0", "worker1", "kjournald"]
    assert len(schedule) == 41
    assert DEADLOCK not in found.outcome.found  # the system calls have all returned
    assert report.verdict == VIOLATED
    assert not report.unexplained
    reached = cycle(report, *circle.classes)
    assert (reached.verdict, reached.trace) == (REACHABLE, None)


@pytest.mark.parametrize(("design", "steps"), [("seed-gap-ordered", 18), ("seed-eof-deferred", 16)])
def test_waiting_for_an_unsubmitted_eof_block_deadlocks(design: str, steps: int) -> None:
    report = decided(design, "", "eof-unsubmitted")
    assert deadlocks(report, "eof_block_write", "folio_writeback[iomap]") == steps
    assert cycle(report, *FOLIO_ORDER).verdict == GUARDED


def test_the_rule_about_the_worker_names_the_wait_of_the_later_tree() -> None:
    report = decided("seed-gap-ordered", "", "eof-unsubmitted")
    (seen,) = report.broken_rules["worker-waits-for-no-folio"]
    assert (seen.edge.target, seen.where[0].function) == (
        "eof_block_write",
        "ext4_iomap_wb_ordered_wait",
    )


def test_the_forced_commit_under_the_folio_lock_is_safe_without_a_handle() -> None:
    report = decided("seed", "", "enospc")
    assert report.verdict == HOLDS
    assert report.cycles == []
    assert report.graph.between("folio_lock[iomap]", "jbd2_commit")
    assert not report.graph.between("jbd2_handle", "folio_lock[iomap]")
    kept = kept_open(report.graph)
    assert kept["no-iomap-data-in-commit"].classes == ("folio_lock[iomap]", "jbd2_commit")
    assert kept["no-folio-under-handle"].classes == ("folio_lock[iomap]", "jbd2_handle")


MUTANT_CYCLES = {
    "zero-under-handle-truncate": ("folio_lock[iomap]", "jbd2_handle"),
    "zero-under-handle-punch": ("folio_lock[iomap]", "folio_writeback[iomap]", "jbd2_handle"),
    "zero-under-handle-zero-range": ("folio_lock[iomap]", "folio_writeback[iomap]", "jbd2_handle"),
    "zero-under-handle-fallocate": ("folio_lock[iomap]", "jbd2_handle"),
    "write-keeps-handle": ("folio_lock[iomap]", "folio_writeback[iomap]", "jbd2_handle"),
    "truncate-under-handle": ("folio_writeback[iomap]", "jbd2_handle"),
    "data-sem-first-fallocate": ("i_data_sem", "jbd2_handle"),
    "data-sem-first-mapping": ("i_data_sem", "jbd2_handle"),
    "unreserved-conversion": ("folio_writeback[bh]", "jbd2_handle"),
}
NO_CYCLE = {"no-early-submit", "evict-keeps-marks"}
"""Their worker waits for a block that nobody writes and nobody holds: there is no edge to close."""
BROKEN = {
    "jbd2_handle": "no-folio-under-handle",
    "i_data_sem": "handle-outside",
    "folio_writeback[bh]": "reserved-not-behind-normal",
}
SLOW = {
    "zero-under-handle-fallocate",
    "write-keeps-handle",
    "truncate-under-handle",
    "data-sem-first-fallocate",
    "data-sem-first-mapping",
    "unreserved-conversion",
}


def test_every_mutant_that_deadlocks_has_its_cycle() -> None:
    deadlocks = {m.slug for m in MUTANTS.values() if m.caught_by == DEADLOCK}
    assert MUTANT_CYCLES.keys() == deadlocks - NO_CYCLE


@pytest.mark.parametrize(
    "slug",
    [pytest.param(s, marks=pytest.mark.quality) if s in SLOW else s for s in MUTANT_CYCLES],
)
def test_a_mutant_closes_its_cycle_breaks_its_rule_and_deadlocks(slug: str) -> None:
    mutant, classes = MUTANTS[slug], MUTANT_CYCLES[slug]
    report = decided(mutant.design, slug, mutant.scope)
    assert report.verdict == VIOLATED
    assert deadlocks(report, *classes) < 30
    first = classes[0] if classes[0] in BROKEN else "jbd2_handle"
    assert set(report.broken_rules) == {BROKEN[first]}
    assert cycle(report, *classes).trace.mutant == slug


def test_a_search_cut_short_decides_nothing() -> None:
    report = decide(
        DESIGNS["seed-without-07"], [SCOPES["ordered-log"]], limits=Limits(max_states=5_000)
    )
    assert report.verdict != HOLDS
    assert all(c.verdict in (REACHABLE, GUARDED, UNKNOWN) for c in report.cycles)
    short = decide(DESIGNS["seed"], [SCOPES["enospc"]], limits=Limits(max_states=50))
    assert short.verdict == INCONCLUSIVE


def test_edges_of_different_scopes_prove_nothing_together() -> None:
    one = explore(DESIGNS["seed"], SCOPES["enospc"])
    other = explore(DESIGNS["seed"], SCOPES["folio-tail"])
    graph = LockGraph()
    _plant(one, graph, "jbd2_handle", "demo_lock")
    _plant(other, graph, "demo_lock", "jbd2_handle")
    assert find_cycles(graph)
    report = decide_planted([one, other])
    planted = next(c for c in report if c.classes == ("demo_lock", "jbd2_handle"))
    assert planted.verdict == UNKNOWN
    assert "no scope" in planted.notes[0]


def _plant(found: Exploration, graph: LockGraph, source: str, target: str) -> None:
    for known in (found.graph, graph):
        known.add(Edge(source, target))
    grip = Grip("task0", Resource(source), Resource(target), frozenset())
    found.grips.setdefault((source, target), set()).add(grip)


def decide_planted(found: list[Exploration]) -> list[Cycle]:
    cycles = find_cycles(merged([e.graph for e in found]))
    for each in cycles:
        judge(each, found)
    return cycles


def test_a_guard_is_only_named_when_the_observations_never_fit() -> None:
    found = explore(DESIGNS["seed"], SCOPES["enospc"])
    found.grips.clear()
    lock, wait = (Resource("folio_lock[iomap]", 0, n) for n in (0, 1))
    made = LockGraph()
    made.add(Edge("a_lock", "b_lock"))
    made.add(Edge("b_lock", "a_lock"))
    (loop,) = find_cycles(made)
    a, b = Resource("a_lock"), Resource("b_lock")
    found.grips["a_lock", "b_lock"] = {Grip("task0", a, b, frozenset({a}))}
    found.grips["b_lock", "a_lock"] = {Grip("task1", b, a, frozenset({b}))}
    assert structural_guard(loop, [found]) == ""
    found.grips["b_lock", "a_lock"] = {Grip("task1", b, a, frozenset({b, lock}))}
    found.grips["a_lock", "b_lock"] = {Grip("task0", a, b, frozenset({a, lock}))}
    assert structural_guard(loop, [found]) == "two of the waiters would hold the same folio_lock"
    found.grips["b_lock", "a_lock"] = {Grip("task1", b, wait, frozenset())}
    assert "never the same instances" in structural_guard(loop, [found])


def test_rules_and_scopes_have_names_that_exist() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert [scope.name for scope in lock_scopes()] == list(LOCK_SCOPES)
    assert all(len(scope.mounts) == 1 for scope in lock_scopes())


MORE_EDGES = {
    ("mixed", "unlink-reuse"): {
        ("folio_lock[iomap]", "jbd2_commit"),
        ("folio_writeback[iomap]", "jbd2_commit"),
    }
}
"""Where the iomap file of a mixed mount runs out of space: no lock scope does that."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", ["seed", "bh-ordered", "seed-without-07", "mixed"])
def test_the_lock_scopes_show_every_edge_that_any_scope_shows(design: str) -> None:
    some = decided(design, "", *LOCK_SCOPES).graph
    others = [s for s in SCOPES.values() if len(s.mounts) == 1 and s.name not in LOCK_SCOPES]
    keys = {seen.edge.key for seen in some.seen()}
    for scope in others:
        graph = explore(DESIGNS[design], scope).graph
        more = {seen.edge.key[:2] for seen in graph.seen() if seen.edge.key not in keys}
        assert more == MORE_EDGES.get((design, scope.name), set()), scope.name


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", ["seed", "bh-ordered", "seed-eof-ordered"])
def test_no_lock_scope_deadlocks_a_sound_design(design: str) -> None:
    report = decided(design, "", *LOCK_SCOPES)
    assert report.verdict == HOLDS
    assert report.acyclic
    assert report.broken_rules == {}
