"""The commit thread and its timer.

Mirrors kjournald2() of fs/jbd2/journal.c.
"""

from powercut.model.fs.jbd2.commit import jbd2_journal_commit_transaction
from powercut.model.language import Path
from powercut.model.scope import Timer
from powercut.model.state import T_RUNNING, Kernel


def kjournald2(k: Kernel, n: int) -> Path[None]:
    """The commit thread.  kernel: kjournald2()."""
    while True:
        yield lambda: k.journal.commit_request and k.journal.running == T_RUNNING  # commit asked
        yield from jbd2_journal_commit_transaction(k)


def commit_timer(k: Kernel, n: int) -> Path[None]:
    """The 5 s commit timer: at any time, or once (``conf.timer``).  kernel: commit_timeout."""
    while True:
        yield (
            lambda: (
                k.journal.running == T_RUNNING
                and k.journal.commit_request == 0
                and (k.conf.timer == Timer.FREE or k.timer_fired == 0)
            )
        )  # timer expires
        if k.conf.timer == Timer.ONCE:
            k.timer_fired = 1
        k.journal.commit_request = 1
