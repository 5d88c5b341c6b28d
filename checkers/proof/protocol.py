"""The protocol: what ext4's iomap writeback does to a file of any size, as guarded steps.

What: each step is a guard and the fields it changes, with parameters that the kernel or the user
chooses (ranges, sets of cells, ioends).  It stands beside ``model/``: the docstrings name the
functions there.  Every step is at least as free as the model's (sets instead of ranges, no dirty
bits, writeback at any time), and ``checkers.proof.bridge`` checks that on explored transitions.
Why so: steps as functions from a state to a state need no primed variables and no frame conditions;
the same text is run on numbers, expanded over a few cells, and reasoned about without bound.
Rejected: one transition relation over two states (frames for thirty fields a step), Spacer on
arrays (measured: no answer in a minute).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from checkers.proof.logic import HOLE, Logic, Term
from checkers.proof.rules import DEFER, HOLD, NO_RULE, Rules
from checkers.proof.state import (
    BOOL,
    CALLBACK,
    CELL,
    COMPLETED,
    CUT,
    CUTTING,
    FLUSHED,
    FREE,
    FREED_COMMITTING,
    FREED_RUNNING,
    FROZEN,
    IDLE,
    INT,
    NO_COMMIT,
    NONE,
    PHYS,
    RECORDED,
    SCALAR,
    SUBMITTED,
    USED,
    WORKER,
    State,
)


@dataclass(frozen=True, slots=True)
class Move:
    """When a step can be taken, and what it changes."""

    guard: Term
    changes: dict[str, Any]


Params = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Step:
    """A step with the kinds and sorts of its parameters."""

    name: str
    mirrors: str
    params: Params
    take: Callable[[Logic, Rules, State, State], Move]


_INT = (SCALAR, INT)
_BOOL = (SCALAR, BOOL)
_SET = (CELL, BOOL)


def marked(x: Logic, s: State, c: Term) -> Term:
    """The cell lies behind a marked EOF, in its block."""
    return x.lor(s.need(c), s.sent(c))


def in_tail(x: Logic, s: State, c: Term) -> Term:
    """The cell lies behind EOF in the block that EOF is in."""
    return x.land(s.isz <= c, c < x.up(s.isz))


def _legal_everywhere(x: Logic, s: State, where: Callable[[Term], Term]) -> dict[str, Any]:
    """A write of the colour is legal from now on in whatever is recovered (model.oracle)."""
    return {
        "ever": lambda c: x.lor(s.ever(c), where(c)),
        "m_ever": lambda c: x.lor(s.m_ever(c), where(c)),
        "c_ever": lambda c: x.lor(s.c_ever(c), where(c)),
    }


def begin_extension(x: Logic, r: Rules, s: State, p: State) -> Move:
    """A write or truncate that extends the file took i_rwsem."""
    guard = x.land(x.lnot(s.extending), s.trunc == IDLE)
    return Move(guard, {"extending": x.true, "zeroed": x.false})


def end_extension(x: Logic, r: Rules, s: State, p: State) -> Move:
    """That call returns."""
    return Move(s.extending, {"extending": x.false, "zeroed": x.false})


def zero_eof(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_block_zero_eof() before a gap append or a truncate up: zero the tail, mark the block.

    A hole, or a clean unwritten block, is not marked: it has nothing on disk that could show.
    """
    shows = lambda c: x.lor(s.wr(c), s.io(c) != NONE)  # noqa: E731
    guard = [
        s.extending,
        s.trunc == IDLE,
        x.cells(lambda c: x.implies(p.mark(c), x.land(in_tail(x, s, c), s.map(c) != HOLE))),
    ]
    if r.eof != NO_RULE:
        guard.append(x.cells(lambda c: x.implies(x.land(in_tail(x, s, c), shows(c)), p.mark(c))))
    else:
        guard.append(x.cells(lambda c: x.lnot(p.mark(c))))
    changes: dict[str, Any] = {
        "zeroed": x.true,
        "need": lambda c: x.lor(s.need(c), p.mark(c)),
        "page": lambda c: x.land(s.page(c), x.lnot(in_tail(x, s, c))),
    }
    if r.no_zeroing:
        del changes["page"]
    return Move(x.land(*guard), changes)


def write(x: Logic, r: Rules, s: State, p: State) -> Move:
    """iomap_write_end(): cells start..stop get new content, i_size moves if they end behind it.

    Starting behind EOF needs the tail dealt with before; starting at or before EOF and ending
    behind it marks the EOF block here.
    """
    inside = lambda c: x.land(p.start <= c, c < p.stop)  # noqa: E731
    extends = s.isz < p.stop
    gap = s.isz < p.start
    guard = x.land(
        p.start < p.stop,
        x.lnot(x.land(p.colour, s.is_foreign)),
        s.trunc == IDLE,
        x.implies(extends, s.extending),
        x.implies(gap, s.zeroed),
    )
    covers = x.land(extends, x.lnot(gap))
    changes: dict[str, Any] = {
        "page": lambda c: x.ite(inside(c), p.colour, s.page(c)),
        "isz": x.most(s.isz, p.stop),
        "zeroed": x.land(s.zeroed, x.lnot(extends)),
        **_legal_everywhere(x, s, lambda c: x.land(inside(c), p.colour)),
    }
    if r.eof in (HOLD, DEFER):
        changes["need"] = lambda c: x.lor(
            s.need(c), x.land(covers, in_tail(x, s, c), s.map(c) != HOLE)
        )
    if r.size_at_write:
        changes["dsz"] = x.ite(x.land(s.wr(p.stop - 1), s.dsz < p.stop), p.stop, s.dsz)
    return Move(guard, changes)


def store(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_page_mkwrite(): a store through a mapping, inside the file or in the EOF block's tail.

    Behind EOF it is legal only where the recovered size covers it, or if an extending call runs.
    """
    guard = x.land(s.trunc == IDLE, x.lnot(x.land(p.colour, s.is_foreign)))
    if not r.large_folios:
        guard = x.land(guard, p.at < x.up(s.isz))
    noted = x.lor(p.at < s.isz, s.extending)
    within = lambda c, size: x.land(  # noqa: E731
        c == p.at, p.colour, x.lor(noted, c < size)
    )
    changes: dict[str, Any] = {
        "page": lambda c: x.ite(c == p.at, p.colour, s.page(c)),
        "ever": lambda c: x.lor(s.ever(c), within(c, s.dsz)),
        "m_ever": lambda c: x.lor(s.m_ever(c), within(c, s.m_size)),
        "c_ever": lambda c: x.lor(s.c_ever(c), within(c, s.c_size)),
    }
    return Move(guard, changes)


def zero_behind_eof(x: Logic, r: Rules, s: State, p: State) -> Move:
    """Pages behind EOF are zeroed: by writeback of the EOF folio, or by truncate_pagecache()."""
    guard = x.cells(lambda c: x.implies(p.cells(c), s.isz <= c))
    return Move(guard, {"page": lambda c: x.land(s.page(c), x.lnot(p.cells(c)))})


def _raised(x: Logic, r: Rules, s: State, p: State, wanted: Term) -> tuple[Term, dict[str, Any]]:
    """model.eof.raise_disksize(): towards ``wanted``, as far as the first mark (``p.allowed``)."""
    guard = x.land(
        p.allowed <= wanted,
        x.cells(lambda c: x.implies(marked(x, s, c), p.allowed <= c)),
        x.lor(p.allowed == wanted, marked(x, s, p.allowed)),
    )
    changes: dict[str, Any] = {
        "dsz": x.most(s.dsz, p.allowed),
        "held": x.ite(p.allowed < wanted, wanted, x.number(0)),
    }
    return guard, changes


def truncate_up(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_setattr() to a larger size: i_size and, as far as marks allow, i_disksize."""
    allowed, changes = _raised(x, r, s, p, p.size)
    guard = x.land(s.zeroed, s.trunc == IDLE, s.isz < p.size, allowed)
    changes["held"] = x.ite(p.allowed < p.size, p.size, s.held)
    return Move(guard, {**changes, "isz": p.size, "zeroed": x.false})


def truncate_begin(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_setattr() to a smaller or equal size: handle, orphan list; the cut cells are gone."""
    guard = x.land(s.trunc == IDLE, x.lnot(s.extending), p.size <= s.isz)
    changes: dict[str, Any] = {
        "trunc": x.number(CUTTING),
        "target": p.size,
        "orphan": x.false if r.no_orphan else x.true,
        "ever": lambda c: x.land(s.ever(c), x.lnot(x.land(p.size <= c, p.size < s.isz))),
    }
    if r.split_sizes:
        changes["dsz"] = x.least(s.dsz, p.size)
    return Move(guard, changes)


def truncate_sizes(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_set_inode_size(): both sizes in one section; the handle stops.

    At or below i_disksize every mark lies behind the new size and goes with the held one.
    """
    n = s.target
    allowed, raised = _raised(x, r, s, p, n)
    cuts = n <= s.dsz
    changes: dict[str, Any] = {
        "trunc": x.number(CUT),
        "isz": n,
        "dsz": x.ite(cuts, n, raised["dsz"]),
        "held": x.ite(cuts, x.number(0), x.ite(p.allowed < n, n, s.held)),
        "need": lambda c: x.land(s.need(c), x.lnot(cuts)),
        "sent": lambda c: x.land(s.sent(c), x.lnot(cuts)),
    }
    if r.split_sizes:
        del changes["dsz"]
    return Move(x.land(s.trunc == CUTTING, x.lor(cuts, allowed)), changes)


def truncate_remove(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_truncate(): remove the blocks behind EOF, leave the orphan list, in one handle.

    truncate_pagecache() has waited for writeback behind EOF and dropped the pages.
    """
    gone = lambda c: x.up(s.isz) <= c  # noqa: E731
    guard = [s.trunc == CUT, x.cells(lambda c: x.implies(gone(c), x.lnot(s.page(c))))]
    if not r.no_truncate_wait:
        guard.append(x.cells(lambda c: x.lor(s.io(c) == NONE, s.end(c) <= s.isz)))
    freed = lambda d: x.land(  # noqa: E731
        s.pst(d) == USED, s.map(s.own(d)) == d, gone(s.own(d))
    )
    after = FREE if r.reuse_before_commit else FREED_RUNNING
    changes = {
        "trunc": x.number(IDLE),
        "target": x.number(0),
        "orphan": x.false,
        "map": lambda c: x.ite(gone(c), x.number(HOLE), s.map(c)),
        "wr": lambda c: x.land(s.wr(c), x.lnot(gone(c))),
        "pst": lambda d: x.ite(freed(d), x.number(after), s.pst(d)),
    }
    return Move(x.land(*guard), changes)


def allocate(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_map_create_blocks(): unwritten disk cells for a set of holes, in the running handle."""
    taken = lambda d: x.land(  # noqa: E731
        s.pst(d) == FREE, p.cells(p.owner(d)), p.place(p.owner(d)) == d
    )
    guard = x.cells(
        lambda c: x.implies(
            p.cells(c),
            x.land(
                s.map(c) == HOLE,
                p.place(c) != HOLE,
                s.pst(p.place(c)) == FREE,
                p.owner(p.place(c)) == c,
            ),
        )
    )
    changes: dict[str, Any] = {
        "map": lambda c: x.ite(p.cells(c), p.place(c), s.map(c)),
        "pst": lambda d: x.ite(taken(d), x.number(USED), s.pst(d)),
        "own": lambda d: x.ite(taken(d), p.owner(d), s.own(d)),
    }
    if r.written_allocation:
        changes["wr"] = lambda c: x.lor(s.wr(c), p.cells(c))
    if r.size_at_map:
        guard = x.land(guard, p.cells(p.last))
        changes["dsz"] = x.most(s.dsz, x.least(x.up(p.last + 1), s.isz))
    return Move(guard, changes)


def submit(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_iomap_writeback_submit(): a bio for mapped cells goes out; marks go with it.

    ``end`` was clamped to i_size when the folio was mapped; only a truncate may have lowered that
    since, and it waits for this bio before it removes anything.
    """
    guard = x.land(
        x.lor(p.end <= s.isz, s.trunc == CUT),
        x.cells(
            lambda c: x.implies(
                p.cells(c), x.land(s.io(c) == NONE, s.map(c) != HOLE, c < x.up(p.end))
            )
        ),
    )
    pick = lambda c, new, old: x.ite(p.cells(c), new, old)  # noqa: E731
    changes: dict[str, Any] = {
        "io": lambda c: pick(c, x.number(SUBMITTED), s.io(c)),
        "failed": lambda c: pick(c, x.false, s.failed(c)),
        "end": lambda c: pick(c, p.end, s.end(c)),
        "dest": lambda c: pick(c, s.map(c), s.dest(c)),
        "sent": lambda c: x.lor(s.sent(c), x.land(p.cells(c), s.need(c))),
        "need": lambda c: x.land(s.need(c), x.lnot(p.cells(c))),
    }
    if r.unmark_at_submit:
        del changes["sent"]
    if r.early_conversion:
        changes["wr"] = lambda c: x.lor(s.wr(c), p.cells(c))
    return Move(guard, changes)


def complete(x: Logic, r: Rules, s: State, p: State) -> Move:
    """disk() and ext4_iomap_end_bio(): a bio ends; what the pages hold *now* is what was written.

    A failed bio wrote the cells of ``hit``, or none.  ``inline``: no conversion or size is wanted.
    """
    guard = x.cells(lambda c: x.implies(p.cells(c), s.io(c) == SUBMITTED))
    if not r.bio_errors:
        guard = x.land(guard, x.lnot(p.error))
    at = lambda d: x.land(p.cells(s.own(d)), s.dest(s.own(d)) == d)  # noqa: E731
    hit = lambda d: x.land(at(d), x.lor(x.lnot(p.error), p.hit(s.own(d))))  # noqa: E731
    new = lambda d: s.page(s.own(d))  # noqa: E731
    pick = lambda c, then, old: x.ite(p.cells(c), then, old)  # noqa: E731
    again = x.land(p.error, x.true if r.eof == HOLD else x.false)
    changes = {
        "cached": lambda d: x.ite(hit(d), x.lor(new(d), x.land(p.error, s.cached(d))), s.cached(d)),
        "may": lambda d: x.lor(s.may(d), x.land(hit(d), new(d))),
        "io": lambda c: pick(c, x.ite(p.inline, x.number(NONE), x.number(COMPLETED)), s.io(c)),
        "failed": lambda c: pick(c, x.land(p.error, x.lnot(p.inline)), s.failed(c)),
        "need": lambda c: x.lor(s.need(c), x.land(p.cells(c), s.sent(c), again)),
        "sent": lambda c: x.land(s.sent(c), x.lnot(p.cells(c))),
    }
    return Move(guard, changes)


def take_list(x: Logic, r: Rules, s: State, p: State) -> Move:
    """The worker splices the list.  Deferred: not an ioend that reaches behind a marked EOF."""
    guard = x.cells(lambda c: x.implies(p.cells(c), s.io(c) == COMPLETED))
    if r.eof == DEFER:
        guard = x.land(
            guard,
            x.pairs(lambda c, d: x.implies(x.land(p.cells(c), marked(x, s, d)), s.end(c) <= d)),
        )
    return Move(guard, {"io": lambda c: x.ite(p.cells(c), x.number(WORKER), s.io(c))})


def merge(x: Logic, r: Rules, s: State, p: State) -> Move:
    """iomap_ioend_try_merge(): an ioend at the worker takes the end of a later one there."""
    guard = x.land(
        s.io(p.other) == WORKER,
        x.cells(
            lambda c: x.implies(p.cells(c), x.land(s.io(c) == WORKER, s.end(c) <= s.end(p.other)))
        ),
    )
    return Move(guard, {"end": lambda c: x.ite(p.cells(c), s.end(p.other), s.end(c))})


def _one_ioend(x: Logic, s: State, p: State) -> Term:
    """``p.cells`` are cells at the worker that share their end with the cell ``p.one``."""
    return x.land(
        p.cells(p.one),
        s.io(p.one) == WORKER,
        x.cells(
            lambda c: x.implies(p.cells(c), x.land(s.io(c) == WORKER, s.end(c) == s.end(p.one)))
        ),
    )


def convert(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_convert_unwritten_extents() of one ioend without error, in the worker's handle."""
    guard = x.land(x.lnot(s.handle), _one_ioend(x, s, p))
    if not r.error_ignored:
        guard = x.land(guard, x.cells(lambda c: x.implies(p.cells(c), x.lnot(s.failed(c)))))
    changes = {
        "handle": x.true,
        "wr": lambda c: x.lor(s.wr(c), p.cells(c)),
        "pending": lambda c: x.lor(s.pending(c), p.cells(c)),
    }
    return Move(guard, changes)


def finish(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_iomap_wb_update_disksize(), the handle stops, folio writeback ends.

    Skipped (``p.skip``) when i_disksize is there already.
    """
    end = s.end(p.one)
    wanted = x.most(end, s.held)
    if not r.no_min_i_size:
        wanted = x.least(wanted, s.isz)
    allowed, changes = _raised(x, r, s, p, wanted)
    guard = x.land(
        _one_ioend(x, s, p),
        x.cells(lambda c: x.implies(s.pending(c), p.cells(c))),
        x.ite(p.skip, end <= s.dsz, allowed),
    )
    if not r.error_ignored:
        guard = x.land(guard, x.cells(lambda c: x.implies(p.cells(c), x.lnot(s.failed(c)))))
    changes = {
        "dsz": x.ite(p.skip, s.dsz, changes["dsz"]),
        "held": x.ite(p.skip, s.held, changes["held"]),
        "handle": x.false,
        "pending": lambda c: x.false,
        "io": lambda c: x.ite(p.cells(c), x.number(NONE), s.io(c)),
    }
    return Move(guard, changes)


def give_up(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_iomap_finish_ioend() of a failed ioend: neither conversion nor size."""
    guard = x.cells(
        lambda c: x.implies(p.cells(c), x.land(s.io(c) == WORKER, x.lnot(s.pending(c))))
    )
    return Move(guard, {"io": lambda c: x.ite(p.cells(c), x.number(NONE), s.io(c))})


def freeze(x: Logic, r: Rules, s: State, p: State) -> Move:
    """The running transaction, without open handles, becomes the committing one."""
    guard = x.land(s.commit == NO_COMMIT, s.trunc != CUTTING)
    if not r.commit_inside_handle:
        guard = x.land(guard, x.lnot(s.handle))
    moved = lambda d: x.ite(  # noqa: E731
        s.pst(d) == FREED_RUNNING, x.number(FREED_COMMITTING), s.pst(d)
    )
    changes = {
        "commit": x.number(FROZEN), "m_size": s.dsz, "m_orphan": s.orphan,
        "m_map": s.map, "m_wr": s.wr, "m_ever": s.ever, "pst": moved,
    }  # fmt: skip
    return Move(guard, changes)


def preflush(x: Logic, r: Rules, s: State, p: State) -> Move:
    """REQ_PREFLUSH of the commit record: what is in the device cache becomes stable."""
    changes: dict[str, Any] = {"commit": x.number(FLUSHED)}
    if not r.no_preflush:
        changes["may"] = s.cached
    return Move(s.commit == FROZEN, changes)


def record(x: Logic, r: Rules, s: State, p: State) -> Move:
    """REQ_FUA: the commit record is durable; recovery will find this transaction."""
    changes = {
        "commit": x.number(RECORDED), "c_size": s.m_size, "c_orphan": s.m_orphan,
        "c_map": s.m_map, "c_wr": s.m_wr, "c_ever": s.m_ever,
    }  # fmt: skip
    return Move(s.commit == FLUSHED, changes)


def committed(x: Logic, r: Rules, s: State, p: State) -> Move:
    """The commit is over; its frozen copy means nothing any more."""
    return Move(s.commit == RECORDED, {"commit": x.number(CALLBACK)})


def give_back(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_process_freed_data(): freed cells can be somebody else's from now on."""
    back = lambda d: s.pst(d) == FREED_COMMITTING  # noqa: E731
    changes = {
        "commit": x.number(NO_COMMIT),
        "pst": lambda d: x.ite(back(d), x.number(FREE), s.pst(d)),
        "may": lambda d: x.ite(back(d), s.is_foreign, s.may(d)),
        "cached": lambda d: x.ite(back(d), s.is_foreign, s.cached(d)),
    }
    return Move(s.commit == CALLBACK, changes)


def flush(x: Logic, r: Rules, s: State, p: State) -> Move:
    """blkdev_issue_flush(), by an fsync or a checkpoint."""
    return Move(x.true, {"may": s.cached})


_ALLOWED = {"allowed": _INT}
_ONE = {"one": _INT, "cells": _SET}
STEPS: dict[str, Step] = {
    name: Step(name, (take.__doc__ or "").split("\n")[0], params, take)
    for name, take, params in (
        ("begin_extension", begin_extension, {}),
        ("end_extension", end_extension, {}),
        ("zero_eof", zero_eof, {"mark": _SET}),
        ("write", write, {"start": _INT, "stop": _INT, "colour": _BOOL}),
        ("store", store, {"at": _INT, "colour": _BOOL}),
        ("zero_behind_eof", zero_behind_eof, {"cells": _SET}),
        ("truncate_up", truncate_up, {"size": _INT, **_ALLOWED}),
        ("truncate_begin", truncate_begin, {"size": _INT}),
        ("truncate_sizes", truncate_sizes, _ALLOWED),
        ("truncate_remove", truncate_remove, {}),
        ("allocate", allocate,
         {"cells": _SET, "place": (CELL, INT), "owner": (PHYS, INT), "last": _INT}),
        ("submit", submit, {"cells": _SET, "end": _INT}),
        ("complete", complete, {"cells": _SET, "error": _BOOL, "hit": _SET, "inline": _BOOL}),
        ("take_list", take_list, {"cells": _SET}),
        ("merge", merge, {"cells": _SET, "other": _INT}),
        ("convert", convert, _ONE),
        ("finish", finish, {**_ONE, **_ALLOWED, "skip": _BOOL}),
        ("give_up", give_up, {"cells": _SET}),
        ("freeze", freeze, {}),
        ("preflush", preflush, {}),
        ("record", record, {}),
        ("committed", committed, {}),
        ("give_back", give_back, {}),
        ("flush", flush, {}),
    )
}  # fmt: skip
