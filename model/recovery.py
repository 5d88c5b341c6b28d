"""What is on disk, what mounting it gives, and what a crash leaves: mkfs, mount, recovery.

Plain frozen data outside the hot path.  Recovery replays the newest durable transaction and then
processes orphans, as a mount does; a crash during recovery finds the same log and starts again.
"""

from dataclasses import dataclass, replace

from powercut.model.scope import BlockKind, Geometry, Scope
from powercut.model.state import FOREIGN, HOLE, OLD, POLLUTION, UNWRITTEN, WRITTEN, ZERO


@dataclass(frozen=True, slots=True)
class DiskInode:
    """An inode on disk: size in cells, orphan flag, (state, pblk) of each block.

    A ``deleted`` one has no name: it is an orphan that recovery deletes, or it is gone already.
    """

    size: int
    orphan: bool
    extents: tuple[tuple[int, int], ...]
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system at rest: inodes, the block bitmap, and one colour for each physical cell."""

    inodes: tuple[DiskInode, ...]
    bitmap: int
    cells: tuple[int, ...]


def mkfs(scope: Scope) -> Disk:
    """Return the file system that ``scope`` starts from: file 0 as its initial blocks say."""
    geometry = scope.geometry
    per_block = geometry.cells_per_block
    tail = POLLUTION if scope.initial_dirty_tail else ZERO
    cells = [FOREIGN] * (geometry.nr_phys * per_block)
    extents, bitmap = [], 0
    for number, block in enumerate(scope.first_blocks()):
        extents.append((int(block.kind), block.phys))
        if block.kind != BlockKind.HOLE:
            bitmap |= 1 << block.phys
        if block.kind == BlockKind.WRITTEN:
            for cell in range(per_block):
                is_inside = number * per_block + cell < scope.initial_size_cells
                cells[block.phys * per_block + cell] = OLD if is_inside else tail
    first = DiskInode(scope.initial_size_cells, False, tuple(extents))
    empty = DiskInode(0, False, ((HOLE, 0),) * geometry.nr_blocks)
    inodes = (first, *(empty for _ in range(geometry.nr_inodes - 1)))
    return Disk(inodes, bitmap, tuple(cells))


def recover(disk: Disk, geometry: Geometry) -> Disk:
    """Mount-time recovery of a replayed image: truncate orphans to their size, or delete them.

    kernel: ext4_orphan_cleanup().  The tail of the last block is zeroed in the page cache only
    (``model.setup.mount_disk`` does that), so the disk keeps it.
    """
    bitmap = disk.bitmap
    inodes = []
    for inode in disk.inodes:
        if inode.orphan:
            size = 0 if inode.deleted else inode.size
            last = -(-size // geometry.cells_per_block)
            for state, pblk in inode.extents[last:]:
                if state != HOLE:
                    bitmap &= ~(1 << pblk)
            kept = inode.extents[:last] + ((HOLE, 0),) * (geometry.nr_blocks - last)
            inode = replace(inode, size=size, orphan=False, extents=kept)
        inodes.append(inode)
    return Disk(tuple(inodes), bitmap, disk.cells)


def read_file(disk: Disk, geometry: Geometry, i: int) -> tuple[int, ...]:
    """Return the colours of file ``i`` from 0 to its size."""
    inode = disk.inodes[i]
    return tuple(cell_content(disk, geometry, i, c) for c in range(inode.size))


def cell_content(disk: Disk, geometry: Geometry, i: int, cell: int) -> int:
    """Return what a read of ``cell`` of file ``i`` finds, inside or behind its size."""
    state, pblk = disk.inodes[i].extents[cell // geometry.cells_per_block]
    if state != WRITTEN:
        return ZERO
    return disk.cells[pblk * geometry.cells_per_block + cell % geometry.cells_per_block]


def canonical(disk: Disk, geometry: Geometry) -> Disk:
    """Rename what the next mount cannot tell apart: block numbers, and who wrote which colour.

    Blocks are numbered in logical order, unreferenced blocks are foreign, data below the size is
    ``OLD``, behind it ``POLLUTION``.
    """
    per_block = geometry.cells_per_block
    cells = [FOREIGN] * len(disk.cells)
    inodes = []
    used = 0
    for inode in disk.inodes:
        extents: list[tuple[int, int]] = []
        for block, (state, pblk) in enumerate(inode.extents):
            if state == HOLE:
                extents.append((HOLE, 0))
                continue
            extents.append((state, used))
            for c in range(per_block):
                colour = disk.cells[pblk * per_block + c]
                cells[used * per_block + c] = _canonical_colour(
                    colour, state, block * per_block + c < inode.size
                )
            used += 1
        inodes.append(DiskInode(inode.size, inode.orphan, tuple(extents), inode.deleted))
    return Disk(tuple(inodes), (1 << used) - 1, tuple(cells))


def _canonical_colour(colour: int, state: int, inside: bool) -> int:
    if state == UNWRITTEN:
        return FOREIGN
    if colour == ZERO:
        return ZERO
    return OLD if inside else POLLUTION


def referenced_cells(disk: Disk, geometry: Geometry) -> set[int]:
    """Return the physical cells that any written block of the (recovered) inodes maps."""
    per_block = geometry.cells_per_block
    return {
        pblk * per_block + c
        for inode in disk.inodes
        for state, pblk in inode.extents
        if state == WRITTEN
        for c in range(per_block)
    }
