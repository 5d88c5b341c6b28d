"""What each design is known to violate, in one table, each with the finding that explains it.

Why so: no design here is free of violations, and a search that stops at the first known one finds
nothing new.  An entry excuses one kind of one property in one design, where its condition holds in
the run; the run goes on, and everything else fails.
Rejected: excusing a property as a whole (a design with a stale tail could then hide a stale block).
"""

from collections.abc import Callable
from dataclasses import dataclass

from checkers.engine.outcome import DEADLOCK
from model.scope import OpCode
from properties.crash import DURABILITY, STALE, STRUCTURE
from properties.machines.judge import (
    ANY_KIND,
    BEHIND_SIZE,
    CRASH,
    GROWN,
    OWN,
    PREVIOUS_OWNER,
    READ,
    Seen,
)
from properties.machines.live import LiveRun

Condition = Callable[[LiveRun], bool]


@dataclass(frozen=True, slots=True)
class Known:
    """One known violation: ``finding`` is where docs/findings.md explains it."""

    designs: tuple[str, ...]
    prop: str
    kind: str
    finding: str
    when: Condition = lambda run: True


def _aborts_on_data_errors(run: LiveRun) -> bool:
    return run.setup.data_err_abort


def _raises_sizes(run: LiveRun) -> bool:
    """A truncate up ran, or what else raises a size without a write."""
    codes = {op.code for tasks in run.tasks for op in tasks}
    return bool(codes & {OpCode.TRUNCATE, OpCode.FALLOCATE, OpCode.PUNCH, OpCode.ZERO_RANGE})


def _may_show_a_tail(run: LiveRun) -> bool:
    """Something put data behind EOF: a store, a truncate, or the mount before."""
    codes = {op.code for tasks in run.tasks for op in tasks}
    return bool(run.past) or bool(codes & {OpCode.STORE, OpCode.TRUNCATE})


def _stores_in_folios(run: LiveRun) -> bool:
    stores = any(op.code == OpCode.STORE for tasks in run.tasks for op in tasks)
    return stores and run.setup.geometry.blocks_per_folio > 1


def _punches_in_folios(run: LiveRun) -> bool:
    """A punch or a zero range ran, and a folio has more than one block."""
    ops = (op for tasks in run.tasks for op in tasks)
    return run.setup.geometry.blocks_per_folio > 1 and any(op.code == OpCode.PUNCH for op in ops)


def _exposes_new_blocks(run: LiveRun) -> bool:
    """nodelalloc allocates written blocks, whose pages fail or are dropped before the commit."""
    codes = {op.code for tasks in run.tasks for op in tasks}
    drops = bool(codes & {OpCode.PUNCH, OpCode.ZERO_RANGE})
    return run.setup.nodelalloc and (drops or run.setup.max_errors > 0)


def _rewrites_after_errors(run: LiveRun) -> bool:
    """A bio may fail, and a file is written or stored to twice in this mount."""
    written = [run.tasks[task][number].inode for task, number in run.colours]
    return run.setup.max_errors > 0 and len(set(written)) < len(written)


def _truncates_new_blocks(run: LiveRun) -> bool:
    """nodelalloc, and a truncate of what an append allocated."""
    codes = {op.code for tasks in run.tasks for op in tasks}
    return run.setup.nodelalloc and OpCode.TRUNCATE in codes


_IOMAP = ("seed", "seed-eof-ordered", "seed-eof-deferred", "seed-gap-ordered", "seed-without-07")
_V5 = ("series-v5", "series-v5-submit-first")
_EVERY = (*_IOMAP, *_V5, "bh-ordered", "mixed")

KNOWN: tuple[Known, ...] = (
    Known(
        _EVERY, STALE, OWN,
        "the tail of the EOF block, or a later block of its folio, becomes visible",
    ),
    Known(
        ("seed-eof-ordered",), STRUCTURE, BEHIND_SIZE,
        "seed-eof-ordered breaks the structure that e2fsck expects",
    ),
    Known(
        ("seed-eof-ordered", "seed-eof-deferred", *_V5), "sizes", ANY_KIND,
        "a size that was held back is never raised",
    ),
    Known(
        ("seed-eof-ordered", "seed-eof-deferred", *_V5), DURABILITY, ANY_KIND,
        "a size that was held back is never raised, and a sync does not notice", _raises_sizes,
    ),
    Known(
        ("bh-ordered", "mixed"), GROWN, ANY_KIND,
        "the buffer_head path raises i_disksize before the data is written, by design",
    ),
    Known(
        ("seed-gap-ordered", *_V5), GROWN, ANY_KIND,
        "the ordered ioend sets i_disksize to i_size",
    ),
    Known(
        _EVERY, CRASH, "content",
        "the tail of the EOF block, or a later block of its folio, becomes visible",
        _may_show_a_tail,
    ),
    Known(
        _EVERY, READ, ANY_KIND, "a later block of the EOF folio", _stores_in_folios,
    ),
    Known(
        _EVERY, "read-back", ANY_KIND, "a later block of the EOF folio", _stores_in_folios,
    ),
    Known(
        (*_IOMAP, "mixed"), "data-err-abort", ANY_KIND,
        "data_err=abort misses plain overwrites", _aborts_on_data_errors,
    ),
    Known(
        (*_IOMAP, "mixed"), "late-write", ANY_KIND,
        "a punch frees a block that writeback has just submitted", _punches_in_folios,
    ),
    Known(
        ("seed-gap-ordered", "seed-eof-deferred", "series-v5"), DEADLOCK, ANY_KIND,
        "the worker waits for a block in an ioend that is not submitted",
    ),
    Known(
        ("bh-ordered", "mixed"), STALE, PREVIOUS_OWNER,
        "a written block without its data: nodelalloc on the buffer_head path",
        _exposes_new_blocks,
    ),
    Known(
        ("bh-ordered", "mixed"), DURABILITY, ANY_KIND,
        "a written block without its data: nodelalloc on the buffer_head path",
        _exposes_new_blocks,
    ),
    Known(
        ("bh-ordered", "mixed"), STALE, PREVIOUS_OWNER,
        "a truncate looks too early whether a commit needs what it drops", _truncates_new_blocks,
    ),
    Known(
        ("bh-ordered", "mixed"), "unstable-conversion", ANY_KIND,
        "a truncate looks too early whether a commit needs what it drops",
        _truncates_new_blocks,
    ),
    Known(
        ("bh-ordered", "mixed"), "unstable-conversion", ANY_KIND,
        "a written block without its data: nodelalloc on the buffer_head path",
        _exposes_new_blocks,
    ),
    Known(
        ("bh-ordered", "mixed"), "read-back", ANY_KIND,
        "a failed write of a new block swallows the next one", _rewrites_after_errors,
    ),
    Known(
        ("bh-ordered", "mixed"), DURABILITY, ANY_KIND,
        "a failed write of a new block swallows the next one", _rewrites_after_errors,
    ),
    Known(("mixed",), DEADLOCK, ANY_KIND, "a reserved handle behind a work item that needs one"),
    Known(
        ("seed-without-07",), "sizes", ANY_KIND, "a commit writes an iomap page without its size",
    ),
    Known(
        ("seed-without-07",), DURABILITY, ANY_KIND,
        "a commit writes an iomap page without its size",
    ),
    Known(
        ("seed-without-07",), DEADLOCK, ANY_KIND, "iomap inodes left on the ordered list",
    ),
)  # fmt: skip


def known(run: LiveRun, seen: Seen) -> Known | None:
    """Return the entry that explains ``seen`` in this run."""
    for entry in KNOWN:
        same = (seen.prop, seen.kind) == (entry.prop, entry.kind)
        if same and run.setup.design.name in entry.designs and entry.when(run):
            return entry
    return None
