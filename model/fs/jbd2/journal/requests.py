"""Asking for a commit, waiting for one, and abort.

Mirrors fs/jbd2/journal.c.  Transaction ids are relative to now (``model.state``).
"""

from powercut.model.language import Path
from powercut.model.state import (
    T_COMMIT_CALLBACK,
    T_COMMIT_JFLUSH,
    T_NONE,
    T_RUNNING,
    TID_COMMITTING,
    TID_DONE,
    TID_RUNNING,
    Kernel,
)


def jbd2_journal_abort(k: Kernel) -> None:
    """Abort the journal; nothing commits from now on.  kernel: jbd2_journal_abort()."""
    k.journal.aborted = 1
    if k.journal.running == T_RUNNING:
        k.journal.commit_request = 1


def jbd2_log_start_commit(k: Kernel) -> None:
    """Ask kjournald to commit the running transaction.  kernel: jbd2_log_start_commit()."""
    if k.journal.running == T_RUNNING:
        k.journal.commit_request = 1


def jbd2_complete_transaction(k: Kernel, current: int, tid: int) -> Path[None]:
    """Start (if running) and wait for the commit of ``tid``.  kernel: same name."""
    k.caller[current].tid = tid
    if tid == TID_RUNNING:
        jbd2_log_start_commit(k)
    if tid != TID_DONE:
        yield lambda: k.caller[current].tid == TID_DONE  # wait for the commit


def jbd2_journal_force_commit_nested(k: Kernel, current: int) -> Path[None]:
    """Commit what runs, or wait for what commits.  kernel: jbd2_journal_force_commit_nested()."""
    assert k.journal.t_updates & (1 << current) == 0
    tid = TID_DONE
    if k.journal.running != T_NONE:
        tid = TID_RUNNING
    elif k.journal.committing != T_NONE and k.journal.committing < T_COMMIT_CALLBACK:
        tid = TID_COMMITTING
    yield from jbd2_complete_transaction(k, current, tid)


def jbd2_trans_will_send_data_barrier(k: Kernel, tid: int) -> int:
    """Tell whether the commit of ``tid`` will still flush the device cache.

    kernel: jbd2_trans_will_send_data_barrier(): not if it is committed, nor from JFLUSH on.
    """
    if tid == TID_DONE:
        return 0
    return tid == TID_RUNNING or k.journal.committing < T_COMMIT_JFLUSH


def jbd2_get_latest_transaction(k: Kernel) -> int:
    """Return the tid of what runs, or of what commits, or TID_DONE.  kernel: same name."""
    if k.journal.running != T_NONE:
        return TID_RUNNING
    if k.journal.committing != T_NONE and k.journal.committing < T_COMMIT_CALLBACK:
        return TID_COMMITTING
    return TID_DONE
