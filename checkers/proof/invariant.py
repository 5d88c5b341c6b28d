"""The inductive invariant, the initial states, and the properties: one named sentence each.

What: a conjunct is a function of a state, with the kernel code that maintains it.  ``only`` limits
a conjunct to the designs that keep it: what follows from deferring conversions (nothing written
behind the size, one block to order) is false where only the size is held back.
Why so: one obligation a step and conjunct says *which* promise a wrong step breaks.
Rejected: a single conjunction (a failed proof then names nothing).
"""

from collections.abc import Callable
from dataclasses import dataclass

from powercut.checkers.proof import kept
from powercut.checkers.proof.kept import exposable, has_m, marked
from powercut.checkers.proof.logic import HOLE, Logic, Term
from powercut.checkers.proof.protocol import in_tail
from powercut.checkers.proof.rules import DEFER, HOLD, NO_RULE, Rules
from powercut.checkers.proof.state import (
    CALLBACK,
    CUT,
    CUTTING,
    FREE,
    FREED_COMMITTING,
    FREED_RUNNING,
    FROZEN,
    IDLE,
    NO_COMMIT,
    NO_SYNC,
    NONE,
    RECORDED,
    SUBMITTED,
    TID_DONE,
    USED,
    WORKER,
    State,
)

Sentence = Callable[[Logic, State], Term]


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A named sentence; ``kernel`` is where ext4 (or jbd2) sees to it."""

    name: str
    statement: str
    kernel: str
    sentence: Sentence
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Property:
    """What must follow from the invariant.  ``about`` says which of stale, zeros it is about."""

    name: str
    statement: str
    about: str
    sentence: Sentence
    claimed: tuple[str, ...] = ()
    replays_as: str = ""


def ranges(x: Logic, s: State) -> Term:
    return x.land(
        s.trunc >= IDLE,
        s.trunc <= CUT,
        s.commit >= NO_COMMIT,
        s.commit <= CALLBACK,
        x.cells(lambda c: x.land(s.io(c) >= NONE, s.io(c) <= WORKER)),
        x.phys(lambda d: x.land(s.pst(d) >= FREE, s.pst(d) <= FREED_COMMITTING)),
    )


def sizes(x: Logic, s: State) -> Term:
    return s.dsz <= s.isz


def calls(x: Logic, s: State) -> Term:
    return x.land(
        x.implies(s.zeroed, s.extending),
        x.implies(s.extending, s.trunc == IDLE),
        x.implies(s.trunc == CUTTING, s.target <= s.isz),
        s.orphan == (s.trunc != IDLE),
    )


def marks_ahead(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.implies(marked(x, s, c), s.dsz <= c))


def page_legal(x: Logic, s: State) -> Term:
    cut = lambda c: x.land(s.trunc == CUTTING, s.target <= c)  # noqa: E731
    return x.cells(lambda c: x.implies(x.land(s.page(c), c < s.isz, x.lnot(cut(c))), s.ever(c)))


def page_legal_frozen(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.implies(x.land(has_m(x, s), s.page(c), c < s.m_size), s.m_ever(c)))


def page_legal_durable(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.implies(x.land(s.page(c), c < s.c_size), s.c_ever(c)))


def page_not_foreign(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.lnot(x.land(s.is_foreign, s.page(c))))


def tail_zeroed(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.implies(x.land(s.zeroed, in_tail(x, s, c), s.page(c)), s.ever(c)))


def tail_marked(x: Logic, s: State) -> Term:
    """The heart: data that must not be seen is behind EOF, or behind a mark."""
    bad = lambda c: x.land(  # noqa: E731
        exposable(x, s, c), s.cached(s.map(c)), x.lnot(s.ever(c))
    )
    cut = lambda c: x.land(s.trunc == CUTTING, s.target <= c)  # noqa: E731
    behind = lambda c: x.land(s.isz <= c, x.lnot(s.zeroed))  # noqa: E731
    return x.cells(lambda c: x.implies(bad(c), x.lor(behind(c), marked(x, s, c), cut(c))))


def nothing_behind_eof(x: Logic, s: State) -> Term:
    nothing = lambda c: x.land(  # noqa: E731
        x.lnot(s.wr(c)), s.io(c) == NONE, x.lnot(s.page(c))
    )
    return x.cells(lambda c: x.implies(x.land(s.trunc != CUT, x.up(s.isz) <= c), nothing(c)))


def ioend_ends(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.implies(
            s.io(c) != NONE,
            x.land(c < x.up(s.end(c)), x.lor(s.trunc == CUT, s.end(c) <= s.isz)),
        )
    )


def ioend_target(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.implies(s.io(c) != NONE, x.land(s.dest(c) == s.map(c), s.map(c) != HOLE))
    )


def written_mapped(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.land(
            x.implies(s.wr(c), s.map(c) != HOLE),
            x.implies(x.land(has_m(x, s), s.m_wr(c)), s.m_map(c) != HOLE),
            x.implies(s.c_wr(c), s.c_map(c) != HOLE),
        )
    )


def owners(x: Logic, s: State) -> Term:
    used = lambda c: x.land(s.own(s.map(c)) == c, s.pst(s.map(c)) == USED)  # noqa: E731
    kept = lambda d: x.lor(s.pst(d) == USED, s.pst(d) == FREED_RUNNING)  # noqa: E731
    return x.cells(
        lambda c: x.land(
            x.implies(s.map(c) != HOLE, used(c)),
            x.implies(
                x.land(has_m(x, s), s.m_map(c) != HOLE),
                x.land(s.own(s.m_map(c)) == c, kept(s.m_map(c))),
            ),
            x.implies(
                s.c_map(c) != HOLE,
                x.land(
                    s.own(s.c_map(c)) == c,
                    s.pst(s.c_map(c)) != FREE,
                    x.implies(x.lor(s.commit == NO_COMMIT, s.commit >= RECORDED), kept(s.c_map(c))),
                ),
            ),
        )
    )


def freed_pending(x: Logic, s: State) -> Term:
    return x.phys(lambda d: x.implies(s.pst(d) == FREED_COMMITTING, s.commit != NO_COMMIT))


def cache_within(x: Logic, s: State) -> Term:
    return x.phys(
        lambda d: x.land(
            x.implies(s.cached(d), s.may(d)), x.implies(s.else_cached(d), s.else_may(d))
        )
    )


def frozen_clean(x: Logic, s: State) -> Term:
    shown = lambda c: x.ite(  # noqa: E731
        s.commit == FROZEN, s.cached(s.m_map(c)), s.may(s.m_map(c))
    )
    return x.cells(
        lambda c: x.implies(x.land(has_m(x, s), s.m_wr(c), c < s.m_size, shown(c)), s.m_ever(c))
    )


def durable_clean(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.implies(x.land(s.c_wr(c), c < s.c_size, s.may(s.c_map(c))), s.c_ever(c))
    )


def converted_stable(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.implies(x.land(s.is_foreign, exposable(x, s, c)), x.lnot(s.cached(s.map(c))))
    )


def frozen_stable(x: Logic, s: State) -> Term:
    shown = lambda c: x.ite(  # noqa: E731
        s.commit == FROZEN, s.cached(s.m_map(c)), s.may(s.m_map(c))
    )
    return x.cells(lambda c: x.lnot(x.land(has_m(x, s), s.is_foreign, s.m_wr(c), shown(c))))


def durable_stable(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.lnot(x.land(s.is_foreign, s.c_wr(c), s.may(s.c_map(c)))))


def handle_open(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.implies(s.pending(c), x.land(s.handle, s.io(c) == WORKER)))


def no_marks(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.lnot(marked(x, s, c)))


def worker_unblocked(x: Logic, s: State) -> Term:
    return x.pairs(
        lambda c, d: x.implies(x.land(s.io(c) == WORKER, marked(x, s, d)), s.end(c) <= d)
    )


def written_inside(x: Logic, s: State) -> Term:
    being_cut = lambda c: x.land(s.trunc == CUT, x.up(s.isz) <= c)  # noqa: E731
    return x.cells(
        lambda c: x.implies(
            x.land(s.wr(c), x.lnot(s.pending(c))), x.lor(c < x.up(s.dsz), being_cut(c))
        )
    )


def frozen_inside(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.implies(x.land(has_m(x, s), s.m_wr(c)), x.lor(c < x.up(s.m_size), s.m_orphan))
    )


def durable_inside(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.implies(s.c_wr(c), x.lor(c < x.up(s.c_size), s.c_orphan)))


def one_block(x: Logic, s: State) -> Term:
    needs = lambda c: x.land(s.wr(c), x.lnot(s.pending(c)), marked(x, s, c))  # noqa: E731
    return x.cells(
        lambda c: x.implies(x.land(s.trunc != CUT, needs(c)), x.land(s.dsz <= c, c < x.up(s.dsz)))
    )


def no_late_write(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.implies(s.io(c) == SUBMITTED, x.land(s.dest(c) == s.map(c), s.map(c) != HOLE))
    )


def _conjunct(
    sentence: Sentence, statement: str, kernel: str, only: tuple[str, ...] = ()
) -> Conjunct:
    return Conjunct(getattr(sentence, "__name__", "?"), statement, kernel, sentence, only)


_MARKS = (HOLD, DEFER)
_INSIDE = (DEFER, NO_RULE)
CONJUNCTS: dict[str, Conjunct] = {
    c.name: c
    for c in (
        _conjunct(ranges, "every enumeration holds one of its values", "types"),
        _conjunct(sizes, "i_disksize <= i_size", "ext4_iomap_wb_update_disksize(): min(i_size)"),
        _conjunct(
            calls,
            "extending and shrinking calls exclude each other; a shrinking inode is an orphan",
            "i_rwsem, ext4_setattr(): ext4_orphan_add()",
        ),
        _conjunct(marks_ahead, "i_disksize is not beyond a marked EOF", "model.fs.ext4.eof"),
        _conjunct(
            page_legal,
            "inside i_size the page cache shows legal content only",
            "ext4_block_zero_eof(), truncate_pagecache()",
        ),
        _conjunct(
            page_legal_frozen,
            "also legal in the committing transaction",
            "data reaches the disk at any time",
        ),
        _conjunct(
            page_legal_durable,
            "also legal in the newest durable transaction",
            "data reaches the disk at any time",
        ),
        _conjunct(
            page_not_foreign,
            "a page never shows a previous owner's data",
            "unwritten extents read as zeros",
        ),
        _conjunct(
            tail_zeroed,
            "an extension that has zeroed the tail keeps it legal",
            "ext4_block_zero_eof(), iomap_writeback_handle_eof()",
        ),
        _conjunct(
            tail_marked,
            "data on disk that must not be seen is behind EOF or behind a mark",
            "model.fs.ext4.eof: mark_eof_block(), eof_bio_done()",
            _MARKS,
        ),
        _conjunct(
            nothing_behind_eof,
            "nothing cached, written or in flight behind the EOF block",
            "ext4_truncate(), iomap_writeback_handle_eof()",
        ),
        _conjunct(
            ioend_ends,
            "an ioend ends inside i_size, its last block is partial at most",
            "iomap_add_to_ioend(): clamped to end_pos",
        ),
        _conjunct(
            ioend_target,
            "an ioend's cells stay mapped where it was mapped to",
            "truncate_inode_pages_range(): folio_wait_writeback()",
        ),
        _conjunct(written_mapped, "a written cell has a disk cell", "extent tree"),
        _conjunct(
            owners,
            "a disk cell belongs to one file cell in all transactions that map it",
            "mballoc: freed blocks wait for the commit",
        ),
        _conjunct(
            freed_pending,
            "cells freed by a committing transaction need one",
            "ext4_process_freed_data()",
        ),
        _conjunct(cache_within, "what a flush would persist may be on the medium", "block device"),
        _conjunct(
            frozen_clean,
            "the committing transaction shows legal content inside its size",
            "handles: conversion, then commit; PREFLUSH",
            _MARKS,
        ),
        _conjunct(durable_clean, "so does the newest durable one", "FUA commit record", _MARKS),
        _conjunct(
            no_marks, "a design without an EOF rule sets no marks", "model.fs.ext4.eof", (NO_RULE,)
        ),
        _conjunct(
            converted_stable,
            "what is or may be converted holds no previous owner's data",
            "ext4_iomap_end_bio(): conversion after the bio",
        ),
        _conjunct(
            frozen_stable,
            "nor what the committing transaction has as written",
            "PREFLUSH before the record",
        ),
        _conjunct(durable_stable, "nor what the newest durable one has", "FUA commit record"),
        _conjunct(
            handle_open,
            "cells converted and not yet covered have an open handle",
            "ext4_iomap_finish_ioend(): one handle",
        ),
        _conjunct(
            worker_unblocked,
            "an ioend at the worker ends at or before every mark",
            "model.fs.ext4.eof: is_deferred()",
            _INSIDE,
        ),
        _conjunct(
            written_inside,
            "nothing is written behind the block i_disksize ends in",
            "conversion and i_disksize in one handle",
            _INSIDE,
        ),
        _conjunct(
            frozen_inside,
            "nor in the committing transaction, but for orphans",
            "ext4_orphan_add()",
            _INSIDE,
        ),
        _conjunct(
            durable_inside,
            "nor in the newest durable one, but for orphans",
            "ext4_orphan_add()",
            _INSIDE,
        ),
        _conjunct(
            kept.built_ends,
            "an ioend under construction ends inside i_size and is mapped",
            "iomap_writeback_handle_eof(), iomap_add_to_ioend()",
        ),
        _conjunct(
            kept.failed_known,
            "a failed ioend has not ended, and is remembered",
            "iomap_finish_ioend(): mapping_set_error()",
        ),
        _conjunct(
            kept.must_dirty,
            "what write(2) put there is dirty until an ioend has it",
            "iomap_write_end(): ifs_set_range_dirty()",
        ),
        _conjunct(
            kept.marks_wait,
            "a marked EOF block is inside, dirty or in an ioend that knows",
            "model.fs.ext4.eof: mark_eof_block(), eof_submit()",
            _MARKS,
        ),
        _conjunct(
            kept.clean_same,
            "a clean page is what a cache flush would leave on the disk",
            "iomap_writeback_folio(), ext4_iomap_end_bio()",
        ),
        _conjunct(
            kept.size_coming,
            "while i_disksize is behind i_size an ioend or a held size will raise it",
            "ext4_iomap_wb_update_disksize(), model.fs.ext4.eof: raise_disksize()",
        ),
        _conjunct(
            kept.tids,
            "i_sync_tid is a transaction that is not over",
            "ext4_update_inode_fsync_trans()",
        ),
        _conjunct(
            kept.settled,
            "what i_sync_tid says is committed is what the inode says",
            "ext4_mark_inode_dirty() in every handle that changes it",
        ),
        _conjunct(
            kept.recorded_same,
            "a recorded transaction is the newest durable one",
            "jbd2_journal_commit_transaction()",
        ),
        _conjunct(
            kept.sync_sane,
            "the fsync covers nothing that was cut; an error ends it",
            "i_rwsem; file_check_and_advance_wb_err()",
        ),
        _conjunct(kept.page_answers, "pages show what the fsync saw, or newer data", "page cache"),
        _conjunct(
            kept.running_kept,
            "so does the disk, where the fsync has no more to wait for",
            "file_write_and_wait_range(): folio_wait_writeback()",
        ),
        _conjunct(
            kept.marks_awaited,
            "the fsync waits for every marked block it covers",
            "file_write_and_wait_range()",
        ),
        _conjunct(
            kept.size_awaited,
            "it waits for a block that raises i_disksize over its size",
            "file_write_and_wait_range(); writeback ends after the size is set",
        ),
        _conjunct(
            kept.frozen_kept,
            "the committing transaction it waits for has what it saw",
            "ext4_fsync_journal(): i_sync_tid",
        ),
        _conjunct(
            kept.durable_kept,
            "the durable transaction has, flushed unless it still has to",
            "jbd2_complete_transaction(), jbd2_trans_will_send_data_barrier()",
        ),
    )
}

PROPERTIES: dict[str, Property] = {
    p.name: p
    for p in (
        Property(
            "stale-data",
            "after a power cut no cell inside the recovered size shows a colour "
            "that was never legal there",
            "stale, not zeros",
            durable_clean,
            replays_as="stale-data",
        ),
        Property(
            "unstable-conversion",
            "a cell written in a committed state shows no previous "
            "owner's data in any crash image: its own data is stable",
            "stale, not zeros",
            durable_stable,
            replays_as="unstable-conversion",
        ),
        Property("sizes", "i_disksize <= i_size", "sizes, not content", sizes, replays_as="sizes"),
        Property(
            "late-write",
            "a bio in flight writes a disk cell that the file still maps there",
            "stale data of other files",
            no_late_write,
            replays_as="late-write",
        ),
        Property(
            "sound-disk",
            "recovery leaves nothing written behind the EOF block, so the next "
            "mount starts as the first did",
            "stale data over any number of mounts",
            durable_inside,
            replays_as="structure",
        ),
        Property(
            "fsync",
            "after fsync returned, every crash image has its size, and in every cell "
            "what was there when it began or was written since",
            "durability of data and size, zeros included",
            kept.promise_kept,
            replays_as="durability",
        ),
        Property(
            "one-ordered-block",
            "written cells that wait for an EOF write lie in one block, the one i_disksize ends in",
            "what must be ordered",
            one_block,
            (DEFER,),
        ),
    )
}


def conjuncts_of(rules: Rules) -> list[Conjunct]:
    """Return the conjuncts that a design claims."""
    return [c for c in CONJUNCTS.values() if not c.only or rules.eof in c.only]


def conjuncts_wished(rules: Rules) -> list[Conjunct]:
    """Return the conjuncts of a design that would keep what :func:`conjuncts_of` leaves out.

    What a wrong design breaks is said in terms of these.
    """
    eof = rules.eof if rules.eof in _MARKS else HOLD
    return [c for c in CONJUNCTS.values() if not c.only or eof in c.only]


def properties_of(rules: Rules) -> list[Property]:
    """Return the properties that are asked of a design."""
    return [p for p in PROPERTIES.values() if not p.claimed or rules.eof in p.claimed]


def initial(x: Logic, s: State) -> Term:
    """A fresh mount of a disk with nothing written behind its EOF block; its tail may be dirty.

    So may pages be: orphan processing zeroes the EOF block of a truncate that a crash cut short.
    """
    shown = lambda c: x.land(s.wr(c), s.cached(s.map(c)))  # noqa: E731
    cell = lambda c: x.land(  # noqa: E731
        s.map(c) == s.c_map(c),
        s.wr(c) == s.c_wr(c),
        s.ever(c) == s.c_ever(c),
        x.implies(s.wr(c), s.map(c) != HOLE),
        x.implies(s.map(c) != HOLE, x.land(s.own(s.map(c)) == c, s.pst(s.map(c)) == USED)),
        x.implies(x.up(s.isz) <= c, x.lnot(s.wr(c))),
        x.implies(s.page(c), shown(c)),
        x.implies(c < s.isz, s.page(c) == shown(c)),
        s.ever(c) == x.land(c < s.isz, shown(c)),
        x.lnot(x.land(s.is_foreign, shown(c))),
        s.io(c) == NONE,
        x.lnot(s.pending(c)),
        x.lnot(marked(x, s, c)),
        x.lnot(s.built(c)),
        x.lnot(s.must(c)),
        x.lnot(s.failed(c)),
    )
    return x.land(
        s.dsz == s.isz,
        s.c_size == s.isz,
        s.held == 0,
        s.trunc == IDLE,
        s.commit == NO_COMMIT,
        x.lnot(s.extending),
        x.lnot(s.zeroed),
        x.lnot(s.handle),
        x.lnot(s.orphan),
        x.lnot(s.c_orphan),
        x.lnot(s.erred),
        s.itid == TID_DONE,
        s.s_tid == TID_DONE,
        s.sync == NO_SYNC,
        x.cells(cell),
        x.phys(lambda d: s.may(d) == s.cached(d)),
        x.phys(lambda d: x.land(s.else_may(d) != s.may(d), s.else_cached(d) != s.cached(d))),
        x.phys(lambda d: x.lor(s.pst(d) == FREE, s.pst(d) == USED)),
    )
