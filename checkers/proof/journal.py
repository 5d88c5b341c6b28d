"""The protocol's journal and device: commit phases, freed blocks, cache flushes.

What: guarded steps, as in ``protocol.py``; ``model.jbd2`` and ``model.device_flush`` are beside it.
Why so: the journal knows nothing of calls and writeback but the frozen copy it takes of the inode.
Rejected: one step for a commit (what happens between its phases is the point).
"""

from typing import Any

from powercut.checkers.proof.logic import Logic, Term
from powercut.checkers.proof.protocol import Move
from powercut.checkers.proof.rules import Rules
from powercut.checkers.proof.state import (
    CALLBACK,
    CUTTING,
    FLUSHED,
    FREE,
    FREED_COMMITTING,
    FREED_RUNNING,
    FROZEN,
    NO_COMMIT,
    RECORDED,
    TID_COMMITTING,
    TID_RUNNING,
    State,
)


def flushed(s: State) -> dict[str, Any]:
    """A cache flush: what is in the device cache becomes stable."""
    return {"may": s.cached, "else_may": s.else_cached}


def _later(x: Logic, tid: Term, which: int) -> Term:
    """Return a relative transaction id after transaction ``which`` moved on by one phase."""
    return x.ite(tid == which, x.number(which - 1), tid)


def freeze(x: Logic, r: Rules, s: State, p: State) -> Move:
    """The running transaction, without open handles, becomes the committing one."""
    guard = x.land(s.commit == NO_COMMIT, s.trunc != CUTTING)
    if not r.commit_inside_handle:
        guard = x.land(guard, x.lnot(s.handle))
    moved = lambda d: x.ite(  # noqa: E731
        s.pst(d) == FREED_RUNNING, x.number(FREED_COMMITTING), s.pst(d)
    )
    changes = {
        "commit": x.number(FROZEN),
        "m_size": s.dsz,
        "m_orphan": s.orphan,
        "m_map": s.map,
        "m_wr": s.wr,
        "m_ever": s.ever,
        "pst": moved,
        "itid": _later(x, s.itid, TID_RUNNING),
        "s_tid": _later(x, s.s_tid, TID_RUNNING),
    }
    return Move(guard, changes)


def preflush(x: Logic, r: Rules, s: State, p: State) -> Move:
    """REQ_PREFLUSH of the commit record: what is in the device cache becomes stable."""
    changes: dict[str, Any] = {"commit": x.number(FLUSHED)}
    if not r.no_preflush:
        changes.update(flushed(s))
    return Move(s.commit == FROZEN, changes)


def record(x: Logic, r: Rules, s: State, p: State) -> Move:
    """REQ_FUA: the commit record is durable; recovery will find this transaction."""
    changes = {
        "commit": x.number(RECORDED),
        "c_size": s.m_size,
        "c_orphan": s.m_orphan,
        "c_map": s.m_map,
        "c_wr": s.m_wr,
        "c_ever": s.m_ever,
    }
    return Move(s.commit == FLUSHED, changes)


def committed(x: Logic, r: Rules, s: State, p: State) -> Move:
    """The commit is over; its frozen copy means nothing any more."""
    changes: dict[str, Any] = {
        "commit": x.number(CALLBACK),
        "itid": _later(x, s.itid, TID_COMMITTING),
        "s_tid": _later(x, s.s_tid, TID_COMMITTING),
    }
    return Move(s.commit == RECORDED, changes)


def give_back(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_process_freed_data(): freed cells can be somebody else's from now on."""
    back = lambda d: s.pst(d) == FREED_COMMITTING  # noqa: E731
    changes = {
        "commit": x.number(NO_COMMIT),
        "pst": lambda d: x.ite(back(d), x.number(FREE), s.pst(d)),
        "may": lambda d: x.ite(back(d), s.is_foreign, s.may(d)),
        "cached": lambda d: x.ite(back(d), s.is_foreign, s.cached(d)),
        "else_may": lambda d: x.ite(back(d), x.lnot(s.is_foreign), s.else_may(d)),
        "else_cached": lambda d: x.ite(back(d), x.lnot(s.is_foreign), s.else_cached(d)),
    }
    return Move(s.commit == CALLBACK, changes)


def flush(x: Logic, r: Rules, s: State, p: State) -> Move:
    """blkdev_issue_flush(), by another file's fsync or a checkpoint."""
    return Move(x.true, flushed(s))


def touch(x: Logic, r: Rules, s: State, p: State) -> Move:
    """ext4_mark_inode_dirty() for something else than size and blocks."""
    return Move(x.true, {"itid": x.number(TID_RUNNING)})
