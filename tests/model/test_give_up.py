"""buffer_head writeback that cannot start a handle, or cannot go on with one."""

from typing import Any

from powercut.checkers.run.mount import Mount as Mounted
from powercut.checkers.run.question import Question
from powercut.model.designs import DESIGNS
from powercut.model.fs.ext4.inode.writepages import ext4_do_writepages
from powercut.model.language import Path
from powercut.model.ops import write
from powercut.model.scope import Geometry, Mount, Scope
from powercut.model.state import EROFS, FLUSHER, OK


def _delayed() -> Any:
    """The variables with one block of an empty file delayed and dirty, and no other task."""
    scope = Scope(
        "delayed", "", (Mount(((write(0),),)),), geometry=Geometry(nr_phys=1), initial_size_cells=0
    )
    k = Mounted.of(Question(DESIGNS["bh-ordered"], scope)).native().root
    inode = k.inode[0]
    inode.i_size = 2
    inode.delayed[0] = inode.i_reserved_data_blocks = inode.folio[0].dirty = 1
    return k


def _end(path: Path[int]) -> int:
    """Run ``path`` alone to its end; what it waits for must be there."""
    while True:
        try:
            guard = next(path)
        except StopIteration as end:
            return int(end.value)
        assert guard is None or guard()


def test_without_a_handle_the_pages_stay_dirty_and_only_the_caller_hears_of_it() -> None:
    k = _delayed()
    path = ext4_do_writepages(k, FLUSHER, k.inode[0], 1, 0)
    next(path)
    k.journal.aborted = 1
    assert _end(path) == EROFS
    inode = k.inode[0]
    assert (inode.folio[0].dirty, inode.delayed[0], inode.i_reserved_data_blocks) == (1, 1, 1)
    assert (inode.wb_err, k.oracle.inode[0].lost) == (0, 0)


def test_a_folio_that_writeback_gives_up_is_dropped_and_no_error_is_recorded() -> None:
    """The journal is aborted once the handle is open: it can change nothing any more."""
    k = _delayed()
    path = ext4_do_writepages(k, FLUSHER, k.inode[0], 1, 0)
    while k.journal.t_updates == 0:
        next(path)
    k.journal.aborted = 1
    assert _end(path) == EROFS
    inode = k.inode[0]
    assert (inode.folio[0].dirty, inode.delayed[0], inode.i_reserved_data_blocks) == (0, 0, 0)
    assert (inode.wb_err, k.oracle.inode[0].lost) == (0, 1)


def test_delayed_blocks_are_written() -> None:
    k = _delayed()
    assert _end(ext4_do_writepages(k, FLUSHER, k.inode[0], 1, 0)) == OK
    assert (k.inode[0].delayed[0], k.inode[0].folio[0].writeback) == (0, 1)
