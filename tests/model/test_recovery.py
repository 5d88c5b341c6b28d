"""mkfs, recovery, canonical images and mounting."""

from dataclasses import replace

from powercut.checkers.run.mount import Mount as Mounted
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.ops import FSYNC
from powercut.model.recovery import Disk, DiskInode, canonical, mkfs, read_file, recover
from powercut.model.scope import Geometry, Mount, Scope
from powercut.model.state import FOREIGN, HOLE, OLD, POLLUTION, UNWRITTEN, WRITTEN, ZERO

GEOMETRY = Geometry(nr_blocks=2, cells_per_block=2, nr_phys=3)


def disk(size: int, *, orphan: bool = False) -> Disk:
    inode = DiskInode(size, orphan, ((WRITTEN, 2), (WRITTEN, 0)))
    return Disk((inode,), 0b101, (16, 32, FOREIGN, FOREIGN, 64, 128))


def test_mkfs_writes_the_file_and_zeroes_its_tail() -> None:
    made = mkfs(SCOPES["eof-mmap"])
    assert made.inodes[0].extents == ((WRITTEN, 0), (HOLE, 0))
    assert made.cells == (OLD, ZERO, FOREIGN, FOREIGN, FOREIGN, FOREIGN)


def test_mkfs_can_leave_a_dirty_tail() -> None:
    made = mkfs(replace(SCOPES["eof-mmap"], initial_dirty_tail=True))
    assert made.cells[:2] == (OLD, POLLUTION)


def test_orphans_are_truncated_to_their_size() -> None:
    recovered = recover(disk(1, orphan=True), GEOMETRY)
    assert recovered.inodes[0] == DiskInode(1, False, ((WRITTEN, 2), (HOLE, 0)))
    assert recovered.bitmap == 0b100


def test_reading_stops_at_the_size_and_holes_are_zero() -> None:
    assert read_file(disk(3), GEOMETRY, 0) == (64, 128, 16)
    unwritten = Disk((DiskInode(2, False, ((UNWRITTEN, 1), (HOLE, 0))),), 0b10, disk(0).cells)
    assert read_file(unwritten, GEOMETRY, 0) == (ZERO, ZERO)


def test_canonical_names_blocks_in_logical_order_and_forgets_who_wrote() -> None:
    named = canonical(disk(3), GEOMETRY)
    assert named.inodes[0].extents == ((WRITTEN, 0), (WRITTEN, 1))
    assert named.cells == (OLD, OLD, OLD, POLLUTION, FOREIGN, FOREIGN)
    assert canonical(named, GEOMETRY) == named


def test_mounting_an_orphan_zeroes_its_tail_in_the_page_cache_only() -> None:
    scope = Scope("s", "s", (Mount(((FSYNC,),)),), GEOMETRY)
    orphaned = canonical(disk(1, orphan=True), GEOMETRY)
    mount = Mounted.of(Question(DESIGNS["seed"], scope), 0, orphaned)
    k = mount.view(mount.start)
    assert k.inode[0].page[1] == ZERO
    assert k.inode[0].folio[0].dirty == 1
    assert k.stable.may[1] == POLLUTION
