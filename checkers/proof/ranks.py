"""Lock order for any number of threads: a rank that every acquire and every wait increases.

What: each class has a level, and folio locks and folio writeback a folio index between their levels
(lock of folio f < writeback of f < lock of f + 1).  An edge says "whoever holds the one may wait
for the other"; if every edge goes up in rank there is no cycle, however many threads there are.
Edges whose argument rests on something else name it as a guard.
Why so: a search of interleavings bounds the number of threads, a rank does not.  The edges are
those of the model's paths on one file of the iomap path, written down here.
Rejected: a topological order of the classes alone (a folio lock is taken while earlier folios are
under writeback, so classes alone have a cycle).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.proof.obligations import PROVED, REFUTED, UNKNOWN, Decision
from checkers.proof.rules import DEFER, GAP, Rules

LEVELS = {
    "i_rwsem": 0,
    "invalidate_lock": 1,
    "s_writepages_rwsem": 2,
    "folio_lock": 3,
    "folio_writeback": 3,
    "worker_slot": 4,
    "handle_start": 5,
    "j_checkpoint_mutex": 6,
    "jbd2_commit": 7,
    "jbd2_handle": 8,
    "i_data_sem": 9,
}
_INDEXED = {"folio_lock": 0, "folio_writeback": 1}

SAME = "same"
LATER = "later"
EARLIER = "earlier"


@dataclass(frozen=True, slots=True)
class Edge:
    """``held`` → ``wanted`` in ``path``; ``folio`` relates the wanted folio to the held one."""

    held: str
    wanted: str
    path: str
    folio: str = ""
    guard: str = ""


EDGES: tuple[Edge, ...] = (
    Edge("i_rwsem", "invalidate_lock", "ext4_setattr()"),
    Edge("i_rwsem", "folio_lock", "iomap_file_buffered_write(), ext4_block_zero_eof()"),
    Edge("i_rwsem", "i_data_sem", "ext4_da_map_blocks()"),
    Edge("i_rwsem", "jbd2_commit", "write: ENOSPC, jbd2_journal_force_commit_nested()"),
    Edge("invalidate_lock", "folio_lock", "ext4_page_mkwrite(), truncate_pagecache()"),
    Edge("invalidate_lock", "handle_start", "ext4_setattr(), ext4_truncate()"),
    Edge("s_writepages_rwsem", "folio_lock", "ext4_iomap_writepages()"),
    Edge("folio_lock", "folio_writeback", "folio_wait_writeback() of the locked folio", SAME),
    Edge("folio_lock", "i_data_sem", "ext4_page_mkwrite(), ext4_iomap_discard_folio()"),
    Edge("folio_lock", "handle_start", "ext4_iomap_map_one_extent()"),
    Edge("folio_lock", "jbd2_commit", "writeback: ENOSPC, jbd2_journal_force_commit_nested()"),
    Edge("folio_writeback", "folio_lock", "the ioend under construction, next folio", LATER,
         "iomap_writepages() visits folios in ascending order"),
    Edge("folio_writeback", "folio_writeback", "the ioend under construction, WB_SYNC_ALL wait",
         LATER, "iomap_writepages() visits folios in ascending order"),
    Edge("folio_writeback", "handle_start", "ext4_iomap_map_one_extent() of a later folio"),
    Edge("folio_writeback", "jbd2_commit", "ENOSPC with an ioend under construction"),
    Edge("folio_writeback", "worker_slot", "a completed ioend is queued"),
    Edge("worker_slot", "handle_start", "ext4_iomap_finish_ioend()"),
    Edge("handle_start", "jbd2_commit", "wait_transaction_locked(): T_LOCKED"),
    Edge("handle_start", "j_checkpoint_mutex", "__jbd2_log_wait_for_space()"),
    Edge("j_checkpoint_mutex", "jbd2_commit", "log space: wait for the committing transaction"),
    Edge("jbd2_commit", "jbd2_handle", "the commit waits for open handles", "",
         "no inode of the iomap path is on the ordered list"),
    Edge("jbd2_handle", "i_data_sem", "every allocation, conversion, truncate"),
)  # fmt: skip

RULE_EDGES: dict[str, tuple[Edge, ...]] = {
    GAP: (Edge("worker_slot", "folio_writeback", "ext4_iomap_wb_ordered_wait()", EARLIER),),
    DEFER: (Edge("folio_writeback", "folio_writeback", "an ioend behind a mark stays on the list",
                 EARLIER),),
}  # fmt: skip


def edges_of(rules: Rules) -> tuple[Edge, ...]:
    """Return the edges of a design."""
    return (*EDGES, *RULE_EDGES.get(rules.eof, ()))


def decisions(edges: Sequence[Edge]) -> Iterator[Decision]:
    """Yield a row an edge: its rank rises for every pair of folios that it relates."""
    import z3

    f, g = z3.Ints("f g")
    for edge in edges:
        started = time.perf_counter()
        relation = {SAME: f == g, LATER: f < g, EARLIER: g < f}.get(edge.folio, z3.BoolVal(True))
        below = _rank(edge.held, f)
        above = _rank(edge.wanted, g)
        rises = z3.BoolVal(False)
        for a, b in reversed(list(zip(below, above, strict=True))):
            rises = z3.Or(a < b, z3.And(a == b, rises))
        solver = z3.Solver()
        solver.set("rlimit", 1_000_000)
        solver.add(relation, f >= 0, g >= 0, z3.Not(rises))
        answer = solver.check()
        result = PROVED if answer == z3.unsat else REFUTED if answer == z3.sat else UNKNOWN
        reason = f"guard: {edge.guard}" if edge.guard else ""
        if result == REFUTED:
            reason = f"{edge.wanted} ranks below {edge.held}: who holds it may wait for it"
        folio = f" of {'the same' if edge.folio == SAME else f'a {edge.folio}'} folio"
        yield Decision(
            f"lock-order/{edge.held}/{edge.wanted}{'/' + edge.folio if edge.folio else ''}",
            f"{edge.held} before {edge.wanted}{folio if edge.folio else ''}: {edge.path}",
            "lock-order", result, time.perf_counter() - started,
            f"z3 {z3.get_version_string()}", reason,
        )  # fmt: skip


def _rank(name: str, folio: Any) -> tuple[Any, ...]:
    import z3

    indexed = name in _INDEXED
    return (
        z3.IntVal(LEVELS[name]), folio if indexed else z3.IntVal(0),
        z3.IntVal(_INDEXED.get(name, 0)),
    )  # fmt: skip
