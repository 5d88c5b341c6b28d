"""What is kept true about clean pages, sizes on their way, and the fsync that is watched.

What: sentences over one state, as in ``invariant.py``, which lists them.  The chain: a clean page
is what a flush would leave on the disk; a size that is not yet i_disksize has a writer on its way;
what the fsync waited for is on the device and in the running transaction; then in the committing
one; then in the durable one, and stable.
Why so: fsync's promise needs the other half of the content (the colour and *something else*), and
it needs that something happens at last, which the state says as "there is still somebody to do it".
Rejected: a liveness argument (not needed: a call that never returns promises nothing).
"""

from powercut.checkers.proof.logic import HOLE, Logic, Term
from powercut.checkers.proof.state import (
    CALLBACK,
    COMMITTING,
    COMPLETED,
    CUT,
    CUTTING,
    FROZEN,
    MUST_END,
    MUST_SUBMIT,
    NO_COMMIT,
    NO_SYNC,
    NONE,
    RECORDED,
    RETURNED,
    SUBMITTED,
    TID_COMMITTING,
    TID_DONE,
    TID_RUNNING,
    WORKER,
    WRITING,
    State,
)


def has_m(x: Logic, s: State) -> Term:
    """There is a committing transaction with a frozen copy."""
    return x.land(s.commit != NO_COMMIT, s.commit != CALLBACK)


def marked(x: Logic, s: State, c: Term) -> Term:
    """The cell lies behind a marked EOF, in its block."""
    return x.lor(s.need(c), s.sent(c))


def exposable(x: Logic, s: State, c: Term) -> Term:
    """A reader of the running state sees the disk cell, or will once its ioend is converted."""
    good_io = x.land(_returned(x, s, c), x.lnot(s.failed(c)))
    return x.land(s.map(c) != HOLE, x.lor(s.wr(c), good_io))


def _returned(x: Logic, s: State, c: Term) -> Term:
    return x.lor(s.io(c) == COMPLETED, s.io(c) == WORKER)


def _busy(x: Logic, s: State, c: Term) -> Term:
    """The cell is in an ioend that has not failed."""
    return x.land(x.lor(s.built(c), s.io(c) != NONE), x.lnot(s.failed(c)))


def _ordered(x: Logic, s: State) -> Term:
    """The cell that i_disksize stops at: marked, or its write is done and not yet accounted for."""
    c = s.dsz
    done = x.land(_returned(x, s, c), s.orders(c), x.lnot(s.failed(c)))
    return x.lor(marked(x, s, c), done)


def built_ends(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.implies(
            s.built(c),
            x.land(
                s.io(c) == NONE,
                s.map(c) != HOLE,
                x.lnot(s.failed(c)),
                c < x.up(s.end(c)),
                x.lor(s.trunc == CUT, s.end(c) <= s.isz),
            ),
        )
    )


def failed_known(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.implies(s.failed(c), x.land(_returned(x, s, c), s.erred)))


def must_dirty(x: Logic, s: State) -> Term:
    return x.cells(lambda c: x.implies(s.must(c), s.dirty(c)))


def marks_wait(x: Logic, s: State) -> Term:
    return x.cells(
        lambda c: x.land(
            x.implies(s.sent(c), x.land(s.io(c) == SUBMITTED, s.orders(c))),
            x.implies(x.land(s.need(c), x.lnot(s.erred)), x.lor(s.dirty(c), s.built(c))),
            x.implies(marked(x, s, c), c < x.up(s.isz)),
        )
    )


def clean_same(x: Logic, s: State) -> Term:
    def same(c: Term) -> Term:
        in_tail = x.land(s.zeroed, s.isz <= c, c < x.up(s.isz))
        clean = x.lnot(x.lor(s.erred, s.dirty(c), s.built(c), s.io(c) == SUBMITTED))
        there = x.lor(s.wr(c), _returned(x, s, c))
        on_disk = x.land(
            x.implies(s.cached(s.map(c)), s.page(c)),
            x.implies(s.else_cached(s.map(c)), x.lnot(s.page(c))),
        )
        return x.implies(
            x.land(x.lor(c < s.isz, in_tail), clean), x.ite(there, on_disk, x.lnot(s.page(c)))
        )

    return x.cells(same)


def size_coming(x: Logic, s: State) -> Term:
    last = s.isz - 1
    writer = x.land(
        s.trunc != CUT, x.lor(s.must(last), x.land(_busy(x, s, last), s.isz <= s.end(last)))
    )
    held = x.land(s.isz <= s.held, _ordered(x, s))
    return x.implies(x.land(x.lnot(s.erred), s.dsz < s.isz), x.lor(writer, held))


def tids(x: Logic, s: State) -> Term:
    return x.land(
        s.itid >= TID_DONE,
        s.itid <= TID_RUNNING,
        s.s_tid >= TID_DONE,
        s.s_tid <= TID_RUNNING,
        x.implies(s.itid == TID_COMMITTING, has_m(x, s)),
        x.implies(s.sync == COMMITTING, s.s_tid <= s.itid),
    )


def settled(x: Logic, s: State) -> Term:
    in_m = x.land(has_m(x, s), s.itid <= TID_COMMITTING)
    in_c = s.itid == TID_DONE
    is_m = lambda c: x.land(s.m_map(c) == s.map(c), s.m_wr(c) == s.wr(c))  # noqa: E731
    is_c = lambda c: x.land(s.c_map(c) == s.map(c), s.c_wr(c) == s.wr(c))  # noqa: E731
    return x.land(
        x.implies(in_m, s.m_size == s.dsz),
        x.implies(in_c, s.c_size == s.dsz),
        x.cells(lambda c: x.land(x.implies(in_m, is_m(c)), x.implies(in_c, is_c(c)))),
    )


def recorded_same(x: Logic, s: State) -> Term:
    same = lambda c: x.land(s.c_map(c) == s.m_map(c), s.c_wr(c) == s.m_wr(c))  # noqa: E731
    recorded = s.commit == RECORDED
    return x.land(
        x.implies(recorded, s.c_size == s.m_size), x.cells(lambda c: x.implies(recorded, same(c)))
    )


def sync_sane(x: Logic, s: State) -> Term:
    return x.land(
        s.sync >= NO_SYNC,
        s.sync <= RETURNED,
        x.implies(s.erred, x.lor(s.sync == NO_SYNC, s.sync == RETURNED)),
        x.implies(
            s.sync != NO_SYNC,
            x.land(
                s.s_size <= s.isz,
                s.s_size <= s.s_last,
                x.implies(s.trunc == CUTTING, s.s_size <= s.target),
            ),
        ),
    )


def page_answers(x: Logic, s: State) -> Term:
    covered = lambda c: x.land(s.sync != NO_SYNC, c < s.s_size)  # noqa: E731
    return x.cells(lambda c: x.implies(covered(c), x.ite(s.page(c), s.ok(c), s.ok_else(c))))


def running_kept(x: Logic, s: State) -> Term:
    covered = lambda c: x.land(s.sync != NO_SYNC, c < s.s_size)  # noqa: E731
    over = lambda c: s.todo(c) == NONE  # noqa: E731
    back = lambda c: x.land(s.todo(c) == MUST_END, _returned(x, s, c))  # noqa: E731
    content = lambda c: x.land(  # noqa: E731
        x.implies(s.cached(s.map(c)), s.ok(c)), x.implies(s.else_cached(s.map(c)), s.ok_else(c))
    )
    return x.cells(
        lambda c: x.implies(
            covered(c),
            x.land(
                x.implies(x.land(x.lor(over(c), back(c)), exposable(x, s, c)), content(c)),
                x.implies(x.land(over(c), x.lnot(s.wr(c))), s.ok_else(c)),
            ),
        )
    )


def marks_awaited(x: Logic, s: State) -> Term:
    waits = lambda c: x.lor(  # noqa: E731
        s.todo(c) == MUST_SUBMIT, x.land(s.built(c), s.todo(c) == MUST_END)
    )
    return x.cells(
        lambda c: x.implies(
            x.land(s.sync == WRITING, c < s.s_size),
            x.land(x.implies(s.need(c), waits(c)), x.implies(s.sent(c), s.todo(c) != NONE)),
        )
    )


def size_awaited(x: Logic, s: State) -> Term:
    last = s.s_last - 1
    writer = x.land(
        s.trunc != CUT,
        s.s_last <= s.isz,
        x.lor(
            x.land(s.must(last), s.todo(last) == MUST_SUBMIT),
            x.land(_busy(x, s, last), s.s_last <= s.end(last), s.todo(last) != NONE),
        ),
    )
    held = x.land(s.s_size <= s.held, _ordered(x, s), s.todo(s.dsz) != NONE)
    return x.land(
        x.implies(x.land(s.sync == WRITING, s.dsz < s.s_size), x.lor(writer, held)),
        x.implies(s.sync > WRITING, s.s_size <= s.dsz),
        x.cells(lambda c: x.implies(s.sync > WRITING, s.todo(c) == NONE)),
    )


def _image(x: Logic, s: State, c: Term, image: str, stable: Term) -> Term:
    """Cell ``c`` of an image shows what the fsync may be answered by.

    ``stable``: whatever survives a power cut; else only once the cache is flushed.
    """
    place, written = getattr(s, f"{image}map")(c), getattr(s, f"{image}wr")(c)
    shows = x.ite(stable, s.may(place), s.cached(place))
    shows_else = x.ite(stable, s.else_may(place), s.else_cached(place))
    content = x.land(x.implies(shows, s.ok(c)), x.implies(shows_else, s.ok_else(c)))
    return x.ite(written, content, s.ok_else(c))


def frozen_kept(x: Logic, s: State) -> Term:
    waited = x.land(s.sync == COMMITTING, s.s_tid <= TID_COMMITTING)
    here = x.land(has_m(x, s), x.lor(s.sync == RETURNED, waited))
    stable = x.land(s.commit != FROZEN, x.lor(s.sync == RETURNED, x.lnot(s.s_flush)))
    return x.land(
        x.implies(here, s.s_size <= s.m_size),
        x.cells(lambda c: x.implies(x.land(here, c < s.s_size), _image(x, s, c, "m_", stable))),
    )


def durable_kept(x: Logic, s: State) -> Term:
    waited = x.land(s.sync == COMMITTING, s.s_tid == TID_DONE)
    here = x.lor(s.sync == RETURNED, waited)
    stable = x.lor(s.sync == RETURNED, x.lnot(s.s_flush))
    return x.land(
        x.implies(here, s.s_size <= s.c_size),
        x.cells(lambda c: x.implies(x.land(here, c < s.s_size), _image(x, s, c, "c_", stable))),
    )


def promise_kept(x: Logic, s: State) -> Term:
    here = s.sync == RETURNED
    return x.land(
        x.implies(here, s.s_size <= s.c_size),
        x.cells(lambda c: x.implies(x.land(here, c < s.s_size), _image(x, s, c, "c_", x.true))),
    )
