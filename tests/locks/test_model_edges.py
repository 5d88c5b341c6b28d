"""The model's lock graph: what is held where, waits and who ends them, native against compiled."""

from functools import cache
from pathlib import Path

import pytest

from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.locks.compare import compare
from powercut.checkers.locks.cycles import find_cycles
from powercut.checkers.locks.graph import LockGraph, Where, base_of, merged
from powercut.checkers.locks.lockdep import name_map, read_lockdep
from powercut.checkers.locks.model_edges import (
    Exploration,
    circles_in,
    edges_of,
    explore,
    lock_system,
    native_edges,
)
from powercut.checkers.locks.model_state import agents_of
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS

LOCKDEP = Path(__file__).parents[3] / "shared" / "data" / "lockdep" / "ext4-6.1-ordered"
SMALL = ("ordered-log", "enospc", "eof-truncate-up", "truncate-reuse", "folio-tail", "punch-folio")
FOLIO_ORDER = ("folio_lock[iomap]", "folio_writeback[iomap]")


@cache
def explored(design: str, scope: str) -> Exploration:
    return explore(DESIGNS[design], SCOPES[scope])


@cache
def graph_of(design: str) -> LockGraph:
    return merged([explored(design, scope).graph for scope in SMALL], design)


def blocking(graph: LockGraph) -> set[tuple[str, str]]:
    return graph.pairs()


def places(graph: LockGraph) -> set[tuple[object, Where | None]]:
    return {(seen.edge.key, where) for seen in graph.seen() for where in seen.where}


def test_the_seed_inverts_the_order_of_the_buffer_head_path() -> None:
    seed, bh = blocking(graph_of("seed")), blocking(graph_of("bh-ordered"))
    assert ("folio_lock[iomap]", "jbd2_handle") in seed
    assert ("jbd2_handle", "folio_lock[iomap]") not in seed
    assert ("jbd2_handle", "folio_lock[bh]") in bh
    assert ("folio_lock[bh]", "jbd2_handle") not in bh
    for graph in (seed, bh):
        assert ("jbd2_handle", "i_data_sem") in graph
        assert ("i_rwsem", "invalidate_lock") in graph
        assert ("s_writepages_rwsem", "jbd2_handle") in graph
        assert ("jbd2_commit", "jbd2_handle") in graph


def test_an_edge_says_who_where_and_what_was_held() -> None:
    (seen,) = graph_of("seed").between("folio_lock[iomap]", "jbd2_handle")
    assert seen.edge.context == "task"
    assert (seen.edge.held_mode, seen.edge.mode) == ("write", "read")
    (where,) = seen.where
    assert (where.function, where.file) == (
        "ext4_iomap_map_one_extent",
        "model/fs/ext4/inode/iomap_map.py",
    )
    line = Path(where.file).read_text(encoding="utf-8").splitlines()[where.line - 1]
    assert "ext4_journal_start(" in line
    assert ("s_writepages_rwsem", "folio_lock[iomap]", "folio_writeback[iomap]") in seen.held
    assert seen.edge.chain[-1] == "ext4_journal_start"


def test_writeback_is_had_by_the_submitter_and_then_by_the_work_item() -> None:
    graph = graph_of("seed")
    contexts = {
        seen.edge.context for seen in graph.between("folio_writeback[iomap]", "jbd2_handle")
    }
    assert contexts == {"task", "worker"}
    assert ("folio_writeback[iomap]", "worker_slot") in blocking(graph)
    assert ("worker_slot", "jbd2_handle") in blocking(graph)


def test_a_reserved_handle_never_blocks() -> None:
    graph = graph_of("bh-ordered")
    (seen,) = graph.between("worker_slot", "jbd2_handle")
    assert seen.edge.trylock
    assert ("worker_slot", "jbd2_handle") not in blocking(graph)


def test_room_in_the_log_is_had_through_a_commit_or_the_checkpoint() -> None:
    pairs = blocking(graph_of("seed"))
    assert {("folio_lock[iomap]", "log_space"), ("log_space", "jbd2_commit")} <= pairs
    assert ("log_space", "j_checkpoint_mutex") in pairs


def test_the_forced_commit_waits_under_the_folio_lock() -> None:
    seen = explored("seed", "enospc").graph.between("folio_lock[iomap]", "jbd2_commit")
    assert {where.function for s in seen for where in s.where} == {"ext4_iomap_map_writeback_range"}
    assert not explored("seed", "enospc").outcome.found
    pairs = blocking(explored("bh-ordered", "enospc").graph)
    assert ("s_writepages_rwsem", "jbd2_commit") in pairs
    assert ("folio_lock[bh]", "jbd2_commit") not in pairs


def test_a_commit_locks_folios_of_inodes_on_its_list_only() -> None:
    assert ("jbd2_commit", "folio_lock[bh]") in blocking(graph_of("bh-ordered"))
    assert ("jbd2_commit", "folio_lock[iomap]") not in blocking(graph_of("seed"))
    ordered = blocking(explored("seed-without-07", "ordered-log").graph)
    assert {("jbd2_commit", "folio_lock[iomap]"), ("jbd2_commit", "folio_writeback[iomap]")} <= (
        ordered
    )


def test_a_semaphore_taken_without_waiting_is_seen() -> None:
    graph = explored("seed-gap-ordered", "eof-truncate-up").graph
    (seen,) = graph.between("invalidate_lock", "s_writepages_rwsem")
    (where,) = seen.where
    line = Path(where.file).read_text(encoding="utf-8").splitlines()[where.line - 1]
    assert where.function == "ext4_iomap_writepages"
    assert "percpu_down_read(" in line


def test_inode_classes_keep_the_two_orders_apart() -> None:
    assert find_cycles(graph_of("bh-ordered")) == []
    assert [c.classes for c in find_cycles(graph_of("seed"))] in ([], [FOLIO_ORDER])
    both = merged([graph_of("seed"), graph_of("bh-ordered")])
    union = {(base_of(a), base_of(b)) for a, b in blocking(both)}
    assert {("folio_lock", "jbd2_handle"), ("jbd2_handle", "folio_lock")} <= union
    found = {cycle.classes for cycle in find_cycles(both)}
    assert all("worker_slot" in classes for classes in found - {FOLIO_ORDER})


def test_two_sound_designs_on_one_queue_predict_a_deadlock_of_the_mixed_mount() -> None:
    both = merged([graph_of("seed"), graph_of("bh-ordered")])
    found = {cycle.classes for cycle in find_cycles(both)}
    assert ("folio_writeback[bh]", "worker_slot", "jbd2_commit") in found


@pytest.mark.parametrize(
    ("design", "scope"),
    [
        ("seed", "ordered-log"),
        ("seed", "enospc"),
        ("bh-ordered", "ordered-log"),
        ("bh-ordered", "punch-folio"),
        ("seed-without-07", "ordered-log"),
        ("seed-gap-ordered", "eof-truncate-up"),
    ],
)
def test_native_runs_show_no_edge_that_exploration_does_not(design: str, scope: str) -> None:
    native = native_edges(DESIGNS[design], SCOPES[scope], runs=12)
    assert len(native) > 8
    assert places(native) <= places(explored(design, scope).graph)


def test_native_runs_of_a_tiny_scope_show_every_edge() -> None:
    native = native_edges(DESIGNS["seed"], SCOPES["enospc"], runs=30)
    assert blocking(native) == blocking(explored("seed", "enospc").graph)


@pytest.mark.parametrize(
    ("design", "scope"),
    [("seed-without-07", "ordered-log"), ("seed-eof-deferred", "eof-unsubmitted")],
)
def test_every_deadlock_has_a_circle_of_waiters_and_no_other_state_at_rest(
    design: str, scope: str
) -> None:
    system = lock_system(DESIGNS[design], SCOPES[scope])
    search = BreadthFirst(system, Watch(), Limits())
    search.run()
    dead = [
        state for state in search.order if not system.enabled(state) and system.unfinished(state)
    ]
    assert dead
    assert all(circles_in(system, state) for state in dead)
    done = [state for state in search.order if not system.unfinished(state)]
    assert done
    assert not any(circles_in(system, state) for state in done[:200])


def test_a_circle_is_there_before_nobody_can_run() -> None:
    found = explored("seed-without-07", "ordered-log")
    assert len(found.circles) == 3
    for circle, schedule in found.circles.items():
        assert circle.pairs <= blocking(found.graph)
        run = NativeRun(
            found.system.build, found.system.constants, found.system.shared(found.system.initial)
        )
        for thread in schedule:
            run.step(thread)
        waiting = {link.thread for link in circle.links}
        numbers = [a.thread for a in agents_of(run.threads) if a.info.name in waiting]
        assert not any(run.is_enabled(thread) for thread in numbers)


def test_a_search_cut_short_gives_no_graph() -> None:
    with pytest.raises(ValueError, match="limit of 50 states"):
        edges_of(DESIGNS["seed"], [SCOPES["enospc"]], limits=Limits(max_states=50))


def test_two_mounts_are_not_called_exhaustive() -> None:
    found = explore(DESIGNS["seed"], SCOPES["eof-two-mounts"])
    assert not found.exhaustive
    assert found.stopped == "only the first mount was looked at"


@pytest.mark.skipif(not LOCKDEP.is_dir(), reason="no dump of a kernel's lockdep here")
def test_the_graph_agrees_with_a_real_kernel_both_ways() -> None:
    real = read_lockdep(LOCKDEP).graph
    found = compare(graph_of("bh-ordered"), real, name_map())
    assert {"i_rwsem", "invalidate_lock", "jbd2_handle", "i_data_sem"} <= set(found.compared)
    assert found.agreed >= 8
    assert not found.unexplained


@pytest.mark.skipif(not LOCKDEP.is_dir(), reason="no dump of a kernel's lockdep here")
@pytest.mark.parametrize("lock", ["i_data_sem", "invalidate_lock", "s_writepages_rwsem"])
def test_a_model_that_lost_an_acquisition_is_reported(lock: str) -> None:
    real = read_lockdep(LOCKDEP).graph
    lost = LockGraph()
    for edge in graph_of("bh-ordered"):
        if lock not in (edge.source, edge.target):
            lost.add(edge)
    found = compare(lost, real, name_map())
    assert any(lock in (d.source, d.target) for d in found.unexplained)
    assert {d.side for d in found.unexplained} == {"missing"}
