"""The protocol's fsync: one call is watched, from its beginning until after it returned.

What: guarded steps, as in ``protocol.py``; ``model/fs/ext4/fsync.py`` is beside it.  When the call
begins, what the page cache shows and what is dirty or under writeback is noted; the call waits
for that, then for the inode's newest transaction, then flushes the device cache if that commit will
not do it.  From its return on every crash image must show what was noted or written since.
Why so: nothing singles out the watched call, so what is proved of it holds of every call; a call
may stay unwatched, so the steps beside it are as free as before.
Rejected: several calls at once (they do not hinder each other, only more fields), a promise about
files of which some write failed (such an fsync returns the error; the next one promises nothing
about the lost data, which the bounded search checks).
"""

from typing import Any

from powercut.checkers.proof.journal import flushed
from powercut.checkers.proof.logic import Logic
from powercut.checkers.proof.protocol import Move
from powercut.checkers.proof.rules import Rules
from powercut.checkers.proof.state import (
    COMMITTING,
    CUTTING,
    FLUSHED,
    MUST_END,
    MUST_SUBMIT,
    NO_SYNC,
    NONE,
    RETURNED,
    TID_COMMITTING,
    TID_DONE,
    WRITING,
    State,
)


def sync_begin(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_sync_file() is called: note what is there, and what has to be waited for."""
    busy = lambda c: x.lor(s.built(c), s.io(c) != NONE)  # noqa: E731
    changes: dict[str, Any] = {
        "sync": x.number(WRITING),
        "s_size": x.ite(s.trunc == CUTTING, x.least(s.isz, s.target), s.isz),
        "s_last": s.isz,
        "s_tid": x.number(TID_DONE),
        "s_flush": x.false,
        "ok": s.page,
        "ok_else": lambda c: x.lnot(s.page(c)),
        "todo": lambda c: x.ite(
            s.dirty(c), x.number(MUST_SUBMIT), x.ite(busy(c), x.number(MUST_END), x.number(NONE))
        ),
    }
    return Move(x.land(s.sync == NO_SYNC, x.lnot(s.erred)), changes)


def sync_written(x: Logic, r: Rules, s: State, p: State) -> Move:
    """file_write_and_wait_range() is done: take i_sync_tid, see if its commit will flush."""
    guard = [s.sync == WRITING]
    if not r.fsync_no_writeback_wait:
        guard.append(x.cells(lambda c: x.implies(c < s.s_last, s.todo(c) == NONE)))
    will_flush = x.lor(
        s.itid > TID_COMMITTING, x.land(s.itid == TID_COMMITTING, s.commit < FLUSHED)
    )
    changes: dict[str, Any] = {
        "sync": x.number(COMMITTING),
        "s_tid": x.number(TID_DONE) if r.fsync_no_commit_wait else s.itid,
        "s_flush": x.false if r.fsync_no_flush else x.lnot(will_flush),
        "todo": lambda c: x.number(NONE),
    }
    return Move(x.land(*guard), changes)


def sync_flush(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_fsync_journal(): the commit is waited for and has not flushed; blkdev_issue_flush()."""
    guard = x.land(s.sync == COMMITTING, s.s_tid == TID_DONE, s.s_flush)
    return Move(guard, {**flushed(s), "s_flush": x.false})


def sync_return(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_sync_file() returns success."""
    guard = x.land(s.sync == COMMITTING, s.s_tid == TID_DONE, x.lnot(s.s_flush))
    return Move(guard, {"sync": x.number(RETURNED)})
