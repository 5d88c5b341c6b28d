"""A program in rounds on a real disk: the image that it starts from, and what the guest is told.

What: each round has files of its own, which begin as the model's do, block for block: extents,
unwritten ones too, and what lies behind EOF.  Every block that is free holds a previous owner's
data.  Several programs can share a disk and a boot, each with rounds of its own.
Why so: a racy outcome needs hundreds of attempts, and a boot costs more than a hundred rounds.
Rejected: making the files in the guest (a tail behind EOF takes a power cut of its own).
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from powercut.checkers.kernel.e2fsprogs import make_image, scratch
from powercut.checkers.kernel.ext4_writer import ImageWriter, NewFile
from powercut.checkers.kernel.judge import letters_of
from powercut.checkers.kernel.model_image import (
    LETTERS,
    MIB,
    WRITE_LETTERS,
    filled_block,
    model_extents,
)
from powercut.checkers.traces.codec import scope_of
from powercut.checkers.traces.format import Trace, disk_of
from powercut.model.recovery import Disk, DiskInode, mkfs, recover
from powercut.model.scope import Geometry, Op, OpCode, Scope

DISK_MIB = 32
_JOURNAL_MIB = 4
_MARKS_BYTES = 4096
"""Room behind the file system for the sector of marks."""
_NAMES_A_BLOCK = {1024: 40, 2048: 80, 4096: 160}

HELPS = ("s", "p", "phc", "fs", "sh", "pfw", "sw", "phcw")
"""What helps in which round, in turns; the letters are explained in ``guest/init.c``."""
DROPS = "d"
NO_HELP = "-"


@dataclass(frozen=True, slots=True)
class Situation:
    """What runs on which disk: the tasks of one mount, the disk it mounts, its mount options."""

    name: str
    tasks: tuple[tuple[Op, ...], ...]
    disk: Disk
    geometry: Geometry
    nodelalloc: bool = False
    data_err_abort: bool = False
    evicts: bool = False
    scope: Scope | None = None

    @classmethod
    def of_scope(cls, scope: Scope) -> "Situation":
        """Return the situation of a scope with one mount.  Raises ValueError for more."""
        if len(scope.mounts) != 1:
            raise ValueError(f"{len(scope.mounts)} mounts, and a guest runs one; give a trace")
        return dataclasses.replace(cls._last_mount(scope, mkfs(scope)), scope=scope)

    @classmethod
    def of_trace(cls, trace: Trace, name: str) -> "Situation":
        """Return the situation that the last mount of a trace starts from."""
        scope = scope_of(trace, name)
        disk = recover(disk_of(trace.epochs[-1].start, scope.geometry), scope.geometry)
        return cls._last_mount(scope, disk)

    @classmethod
    def _last_mount(cls, scope: Scope, disk: Disk) -> "Situation":
        if scope.max_errors:
            raise ValueError("a bio that fails is chosen by the model; a guest's disk never fails")
        mount = scope.mounts[-1]
        writes = sum(op.code in (OpCode.WRITE, OpCode.STORE) for t in mount.tasks for op in t)
        if writes > len(WRITE_LETTERS):
            raise ValueError(f"{writes} writes, and there are letters for four")
        return cls(
            scope.name,
            mount.tasks,
            disk,
            scope.geometry,
            scope.nodelalloc,
            scope.data_err_abort,
            mount.evictions > 0,
        )

    @property
    def mount_options(self) -> tuple[str, ...]:
        """The mount options that the situation asks for."""
        options = {"nodelalloc": self.nodelalloc, "data_err=abort": self.data_err_abort}
        return tuple(name for name, is_set in options.items() if is_set)

    @property
    def block_bytes(self) -> int:
        """The block size on which a folio has as many blocks as in the model."""
        return 4096 if self.geometry.blocks_per_folio == 1 else 1024

    def changed(self, how: str, tasks: tuple[tuple[Op, ...], ...]) -> "Situation":
        """Return the same with other calls; ``how`` says what is different."""
        scope = self.scope
        if scope is not None:
            mount = dataclasses.replace(scope.mounts[-1], tasks=tasks)
            scope = dataclasses.replace(scope, mounts=(*scope.mounts[:-1], mount))
        return dataclasses.replace(self, name=f"{self.name}, {how}", tasks=tasks, scope=scope)

    def controls(self) -> "Iterator[Situation]":
        """Yield what is almost the same: a call less, a sync more, zeros behind EOF."""
        first, *others = self.tasks
        if len(first) > 1:
            yield self.changed("last call left out", (first[:-1], *others))
            sync = Op(OpCode.FSYNC, inode=first[-1].inode)
            synced = (*first[:-1], sync, first[-1])
            yield self.changed("fsync before the last call", (synced, *others))
        if self.scope is not None and self.scope.initial_dirty_tail:
            scope = dataclasses.replace(self.scope, initial_dirty_tail=False)
            name = f"{self.name}, zeros behind EOF"
            yield dataclasses.replace(Situation.of_scope(scope), name=name)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rounds ``first`` to ``first + count - 1`` run one situation."""

    situation: Situation
    first: int
    count: int

    @property
    def numbers(self) -> range:
        """The numbers of the rounds."""
        return range(self.first, self.first + self.count)


def batches_of(situations: Sequence[Situation], count: int) -> tuple[Batch, ...]:
    """Return ``count`` rounds of each situation, numbered one after the other."""
    return tuple(Batch(situation, n * count, count) for n, situation in enumerate(situations))


def file_name(inode: int, round_: int) -> str:
    """Return what a file is called in a round."""
    return f"file{inode}.{round_}" if round_ else f"file{inode}"


def base_image(batches: Sequence[Batch], block_bytes: int) -> bytes:
    """Return the disk: a file system with the files of all rounds, and room for the marks.

    Raises ValueError where the files do not fit, LabError where mke2fs is missing.
    """
    names = [name for batch in batches for name in _names(batch)]
    inodes = 64 + len(names)
    with scratch() as folder:
        path = folder / "image"
        groups = -(-DISK_MIB * MIB // (8 * block_bytes * block_bytes))
        more = ("-N", str(inodes * groups))
        make_image(path, DISK_MIB * MIB, block_bytes, _JOURNAL_MIB, *more)
        writer = ImageWriter(path.read_bytes())
    if len(names) > _NAMES_A_BLOCK[block_bytes] // 2:
        writer.grow_root(-(-len(names) // _NAMES_A_BLOCK[block_bytes]))
    index = 0
    for batch in batches:
        for number in batch.numbers:
            index = _add_round(writer, batch.situation, number, index)
    foreign = LETTERS["foreign"].to_bytes() * block_bytes
    for block in writer.free_blocks():
        writer.put_data(block, foreign)
    return bytes(writer.image) + bytes(_MARKS_BYTES)


def _names(batch: Batch) -> Iterator[str]:
    for number in batch.numbers:
        for inode, entry in enumerate(batch.situation.disk.inodes):
            if not entry.deleted:
                yield file_name(inode, number)


def _add_round(writer: ImageWriter, situation: Situation, number: int, index: int) -> int:
    """Add the files of one round; return the index of the next inode."""
    disk, geometry = situation.disk, situation.geometry
    used = [n for n in range(geometry.nr_phys) if disk.bitmap >> n & 1]
    first = writer.reserve(geometry.nr_phys) if used else 0
    per_block = geometry.cells_per_block
    for block in used:
        cells = disk.cells[block * per_block : (block + 1) * per_block]
        writer.put_data(first + block, filled_block(cells, writer.block_bytes))
        writer.use_block(first + block)
    for inode, entry in enumerate(disk.inodes):
        if not entry.deleted:
            name = file_name(inode, number)
            writer.add_file(index, _new_file(entry, name, writer.block_bytes // per_block, first))
            index += 1
    return index


def _new_file(inode: DiskInode, name: str, cell_bytes: int, first: int) -> NewFile:
    return NewFile(name, inode.size * cell_bytes, model_extents(inode.extents, first))


def script(
    batches: Sequence[Batch],
    block_bytes: int,
    *,
    mount_options: Sequence[str],
    seed: int,
    helps: Sequence[str] = HELPS,
    schedule: Sequence[str] = (),
) -> str:
    """Return what the guest's first process reads: a command a line."""
    lines = [
        f"seed {seed}",
        f"marks {DISK_MIB * MIB}",
        f"mount {','.join(mount_options) or 'rw'}",
        *schedule,
    ]
    for batch in batches:
        lines += _program(batch.situation, block_bytes)
        kinds = [help_ + DROPS if batch.situation.evicts else help_ for help_ in helps]
        lines.append(f"rounds {batch.first} {batch.count} {' '.join(kinds)}")
    return "\n".join(lines) + "\n"


def help_of(batch: Batch, round_: int, helps: Sequence[str] = HELPS) -> str:
    """Return what helped in a round."""
    return helps[(round_ - batch.first) % len(helps)]


def _program(situation: Situation, block_bytes: int) -> Iterator[str]:
    cell_bytes = block_bytes // situation.geometry.cells_per_block
    letters = letters_of(situation.tasks)
    for t, task in enumerate(situation.tasks):
        yield "task"
        for n, op in enumerate(task):
            letter = chr(letters.get((t, n), ord("-")))
            at, length = op.pos_cells * cell_bytes, op.length_cells * cell_bytes
            yield f"op {op.code.name.lower()} {op.inode} {at} {length} {letter}"
