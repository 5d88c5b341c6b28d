"""Everything that can be held or waited for: semaphores, the folio lock, folio writeback.

Every lock records its holder, so a state says who holds what.  Acquiring is a preemption point;
releasing is part of the step before it, because a release only enables others.  With
``conf.lock_yields`` a semaphore is also a preemption point right after it was taken, which lock
order searches need and others do not (it changes no outcome, only the number of states).

The paths and helpers here take ``current``, the context number of the caller.
"""

from powercut.model.language import Path
from powercut.model.oracle import note_writeback_error
from powercut.model.state import ALL_TASKS, Folio, Inode, Kernel, Rwsem


def down_write(k: Kernel, current: int, sem: Rwsem) -> Path[None]:
    """Take ``sem`` for writing.  kernel: down_write()."""
    yield lambda: sem.writer == 0 and sem.readers == 0  # take for write
    sem.writer = current + 1
    if k.conf.lock_yields:
        yield  # holding


def up_write(k: Kernel, sem: Rwsem) -> None:
    """Release ``sem``.  kernel: up_write()."""
    assert sem.writer != 0
    sem.writer = 0


def down_read(k: Kernel, current: int, sem: Rwsem) -> Path[None]:
    """Take ``sem`` for reading.  kernel: down_read()."""
    yield lambda: sem.writer == 0  # take for read
    sem.readers |= 1 << current
    if k.conf.lock_yields:
        yield  # holding


def up_read(k: Kernel, current: int, sem: Rwsem) -> None:
    """Release the read side of ``sem``.  kernel: up_read()."""
    assert sem.readers & (1 << current)
    sem.readers &= ~(1 << current)


def percpu_down_read(k: Kernel, current: int, sem: Rwsem) -> None:
    """Take ``sem`` for reading without waiting: nothing modelled ever takes it for writing."""
    assert sem.writer == 0
    sem.readers |= 1 << current


def folio_lock(k: Kernel, current: int, folio: Folio) -> Path[None]:
    """Take the folio lock, a sleeping bit lock unknown to lockdep.  kernel: folio_lock()."""
    yield lambda: folio.locked == 0  # folio lock
    folio.locked = current + 1


def folio_unlock(k: Kernel, folio: Folio) -> None:
    """Release the folio lock.  kernel: folio_unlock()."""
    assert folio.locked != 0
    folio.locked = 0


def folio_wait_writeback(k: Kernel, folio: Folio) -> Path[None]:
    """Wait until no bio of the folio is unfinished.  kernel: folio_wait_writeback()."""
    if folio.writeback:
        yield lambda: folio.writeback == 0  # wait for writeback


def folio_end_writeback(k: Kernel, folio: Folio) -> None:
    """Clear PG_writeback and wake the waiters.  kernel: folio_end_writeback()."""
    assert folio.writeback == 1
    folio.writeback = 0


def mapping_set_error(k: Kernel, inode: Inode) -> None:
    """Record a writeback error for the next fsync.  kernel: mapping_set_error()."""
    note_writeback_error(k, inode)
    inode.wb_err = ALL_TASKS
