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

from powercut.checkers.proof.kept import marked
from powercut.checkers.proof.logic import HOLE, Logic, Term
from powercut.checkers.proof.rules import DEFER, HOLD, NO_RULE, Rules
from powercut.checkers.proof.state import (
    COMPLETED,
    CUT,
    CUTTING,
    FREE,
    FREED_RUNNING,
    IDLE,
    MUST_END,
    MUST_SUBMIT,
    NO_SYNC,
    NONE,
    RETURNED,
    SUBMITTED,
    TID_RUNNING,
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


def _answers(x: Logic, s: State, p: State, where: Callable[[Term], Term]) -> dict[str, Any]:
    """What is written there after an fsync began may be found in place of what it saw."""
    return {
        "ok": lambda c: x.lor(s.ok(c), x.land(where(c), p.colour)),
        "ok_else": lambda c: x.lor(s.ok_else(c), x.land(where(c), x.lnot(p.colour))),
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
    cached = lambda c: x.lor(shows(c), s.built(c), s.dirty(c))  # noqa: E731
    guard = [
        s.extending,
        s.trunc == IDLE,
        x.cells(lambda c: x.implies(p.mark(c), x.land(in_tail(x, s, c), s.map(c) != HOLE))),
        x.cells(lambda c: x.implies(x.land(in_tail(x, s, c), cached(c)), p.dirt(c))),
        x.cells(lambda c: x.implies(p.mark(c), p.dirt(c))),
    ]
    if r.eof != NO_RULE:
        guard.append(x.cells(lambda c: x.implies(x.land(in_tail(x, s, c), shows(c)), p.mark(c))))
    else:
        guard.append(x.cells(lambda c: x.lnot(p.mark(c))))
    changes: dict[str, Any] = {
        "zeroed": x.true,
        "need": lambda c: x.lor(s.need(c), p.mark(c)),
        "page": lambda c: x.land(s.page(c), x.lnot(in_tail(x, s, c))),
        "dirty": lambda c: x.lor(s.dirty(c), p.dirt(c)),
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
        x.cells(lambda c: x.implies(inside(c), p.dirt(c))),
    )
    covers = x.land(extends, x.lnot(gap))
    changes: dict[str, Any] = {
        "page": lambda c: x.ite(inside(c), p.colour, s.page(c)),
        "isz": x.most(s.isz, p.stop),
        "zeroed": x.land(s.zeroed, x.lnot(extends)),
        "dirty": lambda c: x.lor(s.dirty(c), p.dirt(c)),
        "must": lambda c: x.lor(s.must(c), inside(c)),
        **_legal_everywhere(x, s, lambda c: x.land(inside(c), p.colour)),
        **_answers(x, s, p, inside),
    }
    if r.eof in (HOLD, DEFER):
        guard = x.land(
            guard, x.implies(covers, x.cells(lambda c: x.implies(in_tail(x, s, c), p.dirt(c))))
        )
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
    guard = x.land(guard, x.implies(p.at < x.up(s.isz), p.dirt(p.at)))
    noted = x.lor(p.at < s.isz, s.extending)
    within = lambda c, size: x.land(  # noqa: E731
        c == p.at, p.colour, x.lor(noted, c < size)
    )
    changes: dict[str, Any] = {
        "page": lambda c: x.ite(c == p.at, p.colour, s.page(c)),
        "ever": lambda c: x.lor(s.ever(c), within(c, s.dsz)),
        "m_ever": lambda c: x.lor(s.m_ever(c), within(c, s.m_size)),
        "c_ever": lambda c: x.lor(s.c_ever(c), within(c, s.c_size)),
        "dirty": lambda c: x.lor(s.dirty(c), p.dirt(c)),
        **_answers(x, s, p, lambda c: c == p.at),
    }
    return Move(guard, changes)


def zero_behind_eof(x: Logic, r: Rules, s: State, p: State) -> Move:
    """Pages behind EOF are zeroed: by writeback of the EOF folio, or by truncate_pagecache().

    A tail that an extension has zeroed is dirty when writeback does it again.  What is wholly
    behind EOF is clean afterwards (``drop``).  ext4_truncate() dirties what it zeroes (``dirt``).
    """
    guard = x.cells(
        lambda c: x.land(
            x.implies(
                p.cells(c),
                x.land(s.isz <= c, x.implies(x.land(s.zeroed, in_tail(x, s, c)), s.dirty(c))),
            ),
            x.implies(p.drop(c), x.up(s.isz) <= c),
        )
    )
    changes: dict[str, Any] = {
        "page": lambda c: x.land(s.page(c), x.lnot(p.cells(c))),
        "dirty": lambda c: x.land(x.lor(s.dirty(c), p.dirt(c)), x.lnot(p.drop(c))),
        "must": lambda c: x.land(s.must(c), x.lnot(p.drop(c))),
        "todo": lambda c: x.ite(p.drop(c), x.number(NONE), s.todo(c)),
    }
    return Move(guard, changes)


def _raised(x: Logic, r: Rules, s: State, p: State, wanted: Term) -> tuple[Term, dict[str, Any]]:
    """Towards ``wanted``, to the first mark (``p.allowed``): raise_disksize() of the model."""
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
    return Move(guard, {**changes, "isz": p.size, "zeroed": x.false, "itid": x.number(TID_RUNNING)})


def truncate_begin(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_setattr() to a smaller or equal size: handle, orphan list; the cut cells are gone."""
    guard = x.land(s.trunc == IDLE, x.lnot(s.extending), p.size <= s.isz)
    changes: dict[str, Any] = {
        "trunc": x.number(CUTTING),
        "target": p.size,
        "orphan": x.false if r.no_orphan else x.true,
        "ever": lambda c: x.land(s.ever(c), x.lnot(x.land(p.size <= c, p.size < s.isz))),
        "s_size": x.least(s.s_size, p.size),
    }
    if r.split_sizes:
        changes["dsz"] = x.least(s.dsz, p.size)
    return Move(guard, changes)


def truncate_sizes(x: Logic, r: Rules, s: State, p: State) -> Move:
    """set_inode_sizes(): both sizes in one section; the handle stops.

    The marks of the blocks it cuts go; at or below i_disksize that is all of them, and the held
    size goes as well.
    """
    n = s.target
    inside = lambda c: x.true if r.marks_survive_cut else c < x.up(n)  # noqa: E731
    stays = lambda c: x.land(x.lnot(cuts), inside(c))  # noqa: E731
    allowed, raised = _raised(x, r, s, p, n)
    cuts: Term = n <= s.dsz
    changes: dict[str, Any] = {
        "trunc": x.number(CUT),
        "isz": n,
        "dsz": x.ite(cuts, n, raised["dsz"]),
        "held": x.ite(cuts, x.number(0), x.ite(p.allowed < n, n, s.held)),
        "need": lambda c: x.land(s.need(c), stays(c)),
        "sent": lambda c: x.land(s.sent(c), stays(c)),
        "itid": x.number(TID_RUNNING),
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
        idle = lambda c: x.land(s.io(c) == NONE, x.lnot(s.built(c)))  # noqa: E731
        guard.append(x.cells(lambda c: x.lor(idle(c), s.end(c) <= s.isz)))
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
        "dirty": lambda c: x.land(s.dirty(c), x.lnot(gone(c))),
        "must": lambda c: x.land(s.must(c), x.lnot(gone(c))),
        "todo": lambda c: x.ite(gone(c), x.number(NONE), s.todo(c)),
        "itid": x.number(TID_RUNNING),
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
        "itid": x.number(TID_RUNNING),
    }
    if r.written_allocation:
        changes["wr"] = lambda c: x.lor(s.wr(c), p.cells(c))
    if r.size_at_map:
        guard = x.land(guard, p.cells(p.last))
        changes["dsz"] = x.most(s.dsz, x.least(x.up(p.last + 1), s.isz))
    return Move(guard, changes)


def build(x: Logic, r: Rules, s: State, p: State) -> Move:
    """iomap_writeback_folio(): mapped dirty blocks join an ioend; their folios are clean again.

    ``end`` was clamped to i_size when the folio was locked.  Only a truncate may have lowered
    i_size since, and it waits for this ioend before it removes anything.  i_size may have grown
    since, but not by a write to this folio, which takes its lock.
    """
    fits = lambda c: x.land(  # noqa: E731
        s.io(c) == NONE,
        x.lnot(s.built(c)),
        s.map(c) != HOLE,
        s.dirty(c),
        c < x.up(p.end),
        x.implies(x.land(s.must(c), c < s.isz), c < p.end),
    )
    guard = x.land(
        x.lor(p.end <= s.isz, s.trunc == CUT),
        x.cells(lambda c: x.implies(p.cells(c), fits(c))),
    )
    changes: dict[str, Any] = {
        "built": lambda c: x.lor(s.built(c), p.cells(c)),
        "end": lambda c: x.ite(p.cells(c), p.end, s.end(c)),
        "dirty": lambda c: x.land(s.dirty(c), x.lnot(p.cells(c))),
        "must": lambda c: x.land(s.must(c), x.lnot(p.cells(c))),
        "todo": lambda c: x.ite(
            x.land(p.cells(c), s.todo(c) == MUST_SUBMIT), x.number(MUST_END), s.todo(c)
        ),
    }
    return Move(guard, changes)


def submit(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_iomap_writeback_submit(): a bio for built cells goes out; marks go with it.

    An ioend gets the end of its last block, so ``end`` may be behind what it was built with.
    """
    guard = x.land(
        x.lor(p.end <= s.isz, s.trunc == CUT),
        x.cells(
            lambda c: x.implies(
                p.cells(c),
                x.land(
                    s.built(c), s.end(c) <= p.end, c < x.up(p.end), x.implies(s.need(c), p.orders)
                ),
            )
        ),
    )
    pick = lambda c, new, old: x.ite(p.cells(c), new, old)  # noqa: E731
    changes: dict[str, Any] = {
        "built": lambda c: x.land(s.built(c), x.lnot(p.cells(c))),
        "io": lambda c: pick(c, x.number(SUBMITTED), s.io(c)),
        "failed": lambda c: pick(c, x.false, s.failed(c)),
        "orders": lambda c: pick(c, p.orders, s.orders(c)),
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


def _ended(x: Logic, s: State, p: State) -> dict[str, Any]:
    """Folio writeback of the cells has ended: an fsync that waited for that goes on."""
    return {
        "todo": lambda c: x.ite(
            x.land(p.cells(c), s.todo(c) == MUST_END), x.number(NONE), s.todo(c)
        )
    }


def _failure(x: Logic, s: State, failed: Term) -> dict[str, Any]:
    """A failed write of data: the fsync in progress returns the error and promises nothing."""
    return {
        "erred": x.lor(s.erred, failed),
        "sync": x.ite(x.land(failed, s.sync < RETURNED), x.number(NO_SYNC), s.sync),
    }


def complete(x: Logic, r: Rules, s: State, p: State) -> Move:
    """disk() and ext4_iomap_end_bio(): a bio ends; what the pages hold *now* is what was written.

    A failed bio wrote the cells of ``hit``, or none.  ``inline``: no conversion or size is wanted,
    or ext4's completion was not asked (a failed write of written blocks inside i_disksize).
    """
    plain = lambda c: x.land(  # noqa: E731
        s.wr(c), x.lnot(s.orders(c)), x.lor(s.end(c) <= s.dsz, s.trunc == CUT)
    )
    guard = x.cells(
        lambda c: x.implies(p.cells(c), x.land(s.io(c) == SUBMITTED, x.implies(p.inline, plain(c))))
    )
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
        "orders": lambda c: x.land(s.orders(c), x.lnot(x.land(p.cells(c), p.error))),
        "else_cached": lambda d: x.ite(
            hit(d), x.lor(x.lnot(new(d)), x.land(p.error, s.else_cached(d))), s.else_cached(d)
        ),
        "else_may": lambda d: x.lor(s.else_may(d), x.land(hit(d), x.lnot(new(d)))),
        "todo": lambda c: x.ite(p.inline, _ended(x, s, p)["todo"](c), s.todo(c)),
        **_failure(x, s, p.error),
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
    """iomap_ioend_try_merge(): an ioend at the worker takes the end of a later one there.

    If either is the write that an EOF waits for, both are.
    """
    both = lambda c: x.lor(  # noqa: E731
        p.cells(c), x.land(s.io(c) == WORKER, s.end(c) == s.end(p.other))
    )
    guard = x.land(
        s.io(p.other) == WORKER,
        x.cells(
            lambda c: x.land(
                x.implies(p.cells(c), x.land(s.io(c) == WORKER, s.end(c) <= s.end(p.other))),
                x.implies(x.land(both(c), s.orders(c)), p.orders),
            )
        ),
    )
    changes = {
        "end": lambda c: x.ite(p.cells(c), s.end(p.other), s.end(c)),
        "orders": lambda c: x.ite(both(c), p.orders, s.orders(c)),
    }
    return Move(guard, changes)


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
        "itid": x.number(TID_RUNNING),
    }
    return Move(guard, changes)


def finish(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_iomap_wb_update_disksize(), the handle stops, folio writeback ends.

    Skipped (``p.skip``) when i_disksize is there already and no marked EOF waits for this write.
    """
    end = s.end(p.one)
    wanted = x.most(end, s.held)
    if not r.no_min_i_size:
        wanted = x.least(wanted, s.isz)
    allowed, changes = _raised(x, r, s, p, wanted)
    guard = x.land(
        _one_ioend(x, s, p),
        x.cells(lambda c: x.implies(s.pending(c), p.cells(c))),
        x.cells(lambda c: x.implies(p.cells(c), s.wr(c))),
        x.ite(p.skip, end <= s.dsz, allowed),
        x.cells(lambda c: x.implies(x.land(p.cells(c), p.skip), x.lnot(s.orders(c)))),
    )
    if not r.error_ignored:
        guard = x.land(guard, x.cells(lambda c: x.implies(p.cells(c), x.lnot(s.failed(c)))))
    changes = {
        "dsz": x.ite(p.skip, s.dsz, changes["dsz"]),
        "held": x.ite(p.skip, s.held, changes["held"]),
        "handle": x.false,
        "pending": lambda c: x.false,
        "io": lambda c: x.ite(p.cells(c), x.number(NONE), s.io(c)),
        "failed": lambda c: x.land(s.failed(c), x.lnot(p.cells(c))),
        "itid": x.ite(p.skip, s.itid, x.number(TID_RUNNING)),
        **_ended(x, s, p),
    }
    return Move(guard, changes)


def give_up(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_iomap_finish_ioend() of a failed ioend: neither conversion nor size."""
    guard = x.cells(
        lambda c: x.implies(
            p.cells(c), x.land(s.io(c) == WORKER, x.lnot(s.pending(c)), s.failed(c))
        )
    )
    changes = {
        "io": lambda c: x.ite(p.cells(c), x.number(NONE), s.io(c)),
        "failed": lambda c: x.land(s.failed(c), x.lnot(p.cells(c))),
    }
    return Move(guard, changes)


def discard(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_iomap_discard_folio(): mapping failed; the pages are clean and nowhere on disk."""
    changes: dict[str, Any] = {
        "dirty": lambda c: x.land(s.dirty(c), x.lnot(p.cells(c))),
        "must": lambda c: x.land(s.must(c), x.lnot(p.cells(c))),
        **_failure(x, s, x.true),
    }
    return Move(x.true, changes)
