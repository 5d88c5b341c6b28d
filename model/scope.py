"""What a run is about: geometry, operations, mounts and budgets, as plain frozen data.

A :class:`Scope` bounds a search; nothing in it depends on the design that is explored, so every
design and every mutant runs over the same scopes.  All positions and lengths are in *cells*, the
unit a crash can tear; a block is ``cells_per_block`` cells.
"""

from dataclasses import dataclass, field
from enum import IntEnum


class OpCode(IntEnum):
    """The system calls (and the mmap store) a task can issue.

    PUNCH, ZERO_RANGE and FALLOCATE are modes of fallocate(2); FALLOCATE is mode 0.
    """

    NONE = 0
    WRITE = 1
    STORE = 2
    TRUNCATE = 3
    FSYNC = 4
    FDATASYNC = 5
    PUNCH = 6
    ZERO_RANGE = 7
    FALLOCATE = 8
    READ = 9
    SYNC = 10
    UNLINK = 11


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: ``pos_cells`` is the offset (or the new size of a truncate).

    ``length_cells`` counts for everything but TRUNCATE and the syncs.
    """

    code: OpCode
    pos_cells: int = 0
    length_cells: int = 0
    inode: int = 0


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of the modelled file system; one block is ``cells_per_block`` cells."""

    nr_blocks: int = 2
    cells_per_block: int = 2
    blocks_per_folio: int = 1
    nr_phys: int = 3
    nr_inodes: int = 1


class BlockKind(IntEnum):
    """What a block of the initial file is; the numbers are those of an extent's state."""

    HOLE = 0
    UNWRITTEN = 1
    WRITTEN = 2


@dataclass(frozen=True, slots=True)
class InitialBlock:
    """A block of file 0 before the first mount; ``phys`` is 0 for a hole."""

    kind: BlockKind
    phys: int = 0


class Timer(IntEnum):
    """The journal's commit timer: never, at most once a mount, or at any time."""

    NEVER = 0
    ONCE = 1
    FREE = 2


@dataclass(frozen=True, slots=True)
class Mount:
    """One crash epoch: the op lists of its tasks and how many flusher passes may run.

    ``evictions`` is how many clean folios may be reclaimed.  With any, the mount starts with
    nothing cached; without, everything is cached from the start and stays.
    """

    tasks: tuple[tuple[Op, ...], ...]
    flusher_passes: int = 1
    evictions: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """A bounded situation to explore.

    ``initial_size_cells`` cells of file 0 exist, committed and written, when the first mount
    starts; with ``initial_dirty_tail`` the rest of the EOF block holds what an earlier append left
    there.  ``initial_blocks``, where there are any, say of every block of file 0 what it is and
    where; without, the blocks of the size are written, in order.  ``max_errors`` is how many data
    bios may fail.  ``log_transactions`` is how many transactions fit into the log (0: never full).
    ``nodelalloc`` is the mount option.
    """

    name: str
    summary: str
    mounts: tuple[Mount, ...]
    geometry: Geometry = field(default_factory=Geometry)
    initial_size_cells: int = 1
    initial_dirty_tail: bool = False
    timer: Timer = Timer.FREE
    max_errors: int = 0
    data_err_abort: bool = False
    log_transactions: int = 0
    nodelalloc: bool = False
    initial_blocks: tuple[InitialBlock, ...] = ()

    def first_blocks(self) -> tuple[InitialBlock, ...]:
        """Return what every block of file 0 is before the first mount."""
        if self.initial_blocks:
            return self.initial_blocks
        used = -(-self.initial_size_cells // self.geometry.cells_per_block)
        return tuple(
            InitialBlock(BlockKind.WRITTEN, block) if block < used else InitialBlock(BlockKind.HOLE)
            for block in range(self.geometry.nr_blocks)
        )
