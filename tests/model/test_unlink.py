"""Unlinked files: when they are gone, what recovery makes of them, and who gets their blocks."""

from dataclasses import replace

import pytest

from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.ops import FSYNC, SYNC, unlink, write
from powercut.model.recovery import Disk, DiskInode, recover
from powercut.model.scope import Geometry, Mount, Scope, Timer
from powercut.model.state import FOREIGN, HOLE, WRITTEN

GEOMETRY = Geometry(nr_blocks=2, nr_phys=3)


def test_recovery_deletes_an_orphan_without_a_name() -> None:
    extents = ((WRITTEN, 2), (WRITTEN, 0))
    disk = Disk((DiskInode(3, True, extents, deleted=True),), 0b101, (FOREIGN,) * 6)
    recovered = recover(disk, GEOMETRY)
    assert recovered.inodes[0] == DiskInode(0, False, ((HOLE, 0), (HOLE, 0)), deleted=True)
    assert recovered.bitmap == 0
    assert recover(recovered, GEOMETRY) == recovered


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_a_crash_finds_the_whole_file_or_none(design: str) -> None:
    result = run_scope(Question(DESIGNS[design], SCOPES["unlink"]))
    assert result.verdict == "holds"
    assert result.files == {(2, (8, 8)), (0, ())}
    assert result.reached["unlinked-committed"]


def test_blocks_of_an_unlinked_file_are_reused_only_after_the_commit() -> None:
    scope = SCOPES["unlink-reuse"]
    clean = run_scope(Question(DESIGNS["seed"], scope))
    assert clean.verdict == "holds"
    assert clean.reached["unlinked-blocks-reused"]
    result = run_scope(Question(DESIGNS["seed"], scope, MUTANTS["reuse-before-commit"]))
    assert "stale-data" in {v.prop for v in result.violations}


def test_data_of_an_unlinked_file_in_another_one_is_stale() -> None:
    """Old data of file 0 in a block that file 1 got and has not written yet."""
    result = run_scope(
        Question(DESIGNS["seed"], SCOPES["unlink-reuse"], MUTANTS["written-allocation"])
    )
    assert {"stale-data", "unstable-conversion"} & {v.prop for v in result.violations}


def test_who_has_the_file_open_keeps_its_blocks() -> None:
    """The other task writes and syncs an unlinked file; the last one to close it frees it."""
    result = run_scope(Question(DESIGNS["seed"], SCOPES["unlink-open"]))
    assert result.verdict == "holds"
    assert (2, (16, 16)) not in result.files or (0, ()) in result.files


def test_a_mount_that_finds_no_file_leaves_it_alone() -> None:
    mounts = (Mount(((unlink(), SYNC),)), Mount(((write(0, 2), FSYNC),)))
    scope = Scope("gone", "", mounts, initial_size_cells=2, timer=Timer.ONCE)
    result = run_scope(Question(DESIGNS["seed"], scope))
    assert result.verdict == "holds"
    assert (2, (16, 16)) in result.files
    later = replace(scope, mounts=(mounts[0], Mount(((write(0, 2),),), flusher_passes=0)))
    assert (0, ()) in run_scope(Question(DESIGNS["seed"], later)).files
