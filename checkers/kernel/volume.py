"""Read an ext4 file system in memory, as a mount after the crash would show it.

What: superblock, group descriptors (32 and 64 bit), inodes, extent trees, directories, and a
recovery that replays the journal and processes the orphans (list and orphan file).
Why so: a mount needs a kernel and root, and ``e2fsck`` a copy of the image and a tenth of a second;
here a crash state costs milliseconds and nothing is written.
Not read: files with block maps instead of extents, inline data, meta_bg, bigalloc: each is refused
where it is met.  Metadata checksums outside the journal are not verified; ``e2fsck`` does that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from powercut.checkers.kernel import ext4_layout as ext4
from powercut.checkers.kernel.errors import DamagedError
from powercut.checkers.kernel.journal import Replayed, replay
from powercut.checkers.kernel.medium import Medium

MAX_DEPTH = 5
_BIGALLOC = 0x200


@dataclass(frozen=True, slots=True)
class Extent:
    """Blocks of a file: first logical block, how many, first physical block, written or not."""

    logical: int
    length: int
    physical: int
    written: bool


@dataclass(frozen=True, slots=True)
class File:
    """A regular file after recovery; an orphan's extents end with its size."""

    inode: int
    size_bytes: int
    extents: tuple[Extent, ...]
    is_orphan: bool = False


class Volume:
    """A crashed file system, recovered.

    Raises :class:`DamagedError`, here and in every method, for what no mount accepts or what this
    module does not read.
    """

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        self._replayed = Replayed({})
        self._read_superblock()
        if self._incompat & ext4.INCOMPAT_RECOVER:
            number = ext4.Super.journal_inode.get(self._super)
            extents = self._extents_of(self.inode(number), "the journal")
            blocks = [e.physical + n for e in extents for n in range(e.length)]
            self._replayed = replay(self.block, blocks)
            self._read_superblock()

    @property
    def transactions(self) -> int:
        """How many transactions the replay found."""
        return self._replayed.transactions

    def _read_superblock(self) -> None:
        """Take the sizes from the superblock, and forget what was read before it changed."""
        self._bitmaps: dict[int, bytes] = {}
        self._tables: dict[int, int] = {}
        self._inodes: dict[int, bytes] = {}
        self._super = self._bytes_at(ext4.SUPERBLOCK_OFFSET, ext4.SUPERBLOCK_BYTES)
        if ext4.Super.magic.get(self._super) != ext4.MAGIC:
            raise DamagedError("there is no ext4 superblock")
        self.block_bytes = 1024 << ext4.Super.log_block_size.get(self._super)
        self.block_count = ext4.Super.blocks_count.get(self._super)
        self._incompat = ext4.Super.incompat.get(self._super)
        self._inode_bytes = ext4.Super.inode_size.get(self._super)
        self._inodes_per_group = ext4.Super.inodes_per_group.get(self._super)
        self._blocks_per_group = ext4.Super.blocks_per_group.get(self._super) or 1
        groups = -(-self.block_count // self._blocks_per_group)
        self._inode_count = self._inodes_per_group * groups
        self.first_block = ext4.Super.first_data_block.get(self._super)
        self._descriptor_bytes = ext4.GROUP_DESCRIPTOR_BYTES
        if self._incompat & ext4.INCOMPAT_64BIT:
            self._descriptor_bytes = ext4.Super.descriptor_size.get(self._super)
        odd = ext4.Super.ro_compat.get(self._super) & _BIGALLOC
        if self.block_bytes > 4096 or self._incompat & ext4.INCOMPAT_META_BG or odd:
            raise DamagedError("blocks above 4 KiB, meta_bg and bigalloc are not read")
        if not self._inodes_per_group or not self._inode_bytes or not self._descriptor_bytes:
            raise DamagedError("the superblock has no inodes")

    def _bytes_at(self, offset: int, length: int) -> bytes:
        """Read a range that lies in one block, replayed or not."""
        if not self._replayed.blocks:
            return self._medium.read(offset, length)
        number, inside = divmod(offset, self.block_bytes)
        return self.block(number)[inside : inside + length]

    def block(self, number: int) -> bytes:
        """Return a block as the recovered file system has it."""
        found = self._replayed.blocks.get(number)
        if found is None:
            return self._medium.read(number * self.block_bytes, self.block_bytes)
        return found

    def descriptor(self, group: int) -> bytes:
        """Return a group's descriptor."""
        at = (self.first_block + 1) * self.block_bytes + group * self._descriptor_bytes
        return self._bytes_at(at, self._descriptor_bytes)

    def inode(self, number: int) -> bytes:
        """Return the bytes of an inode."""
        found = self._inodes.get(number)
        if found is not None:
            return found
        if not 1 <= number <= self._inode_count:
            raise DamagedError(f"there is no inode {number}")
        group, index = divmod(number - 1, self._inodes_per_group)
        table = self._tables.get(group)
        if table is None:
            table = self._tables[group] = self._inode_table(group)
        raw = self._bytes_at(table + index * self._inode_bytes, self._inode_bytes)
        self._inodes[number] = raw
        return raw

    def _inode_table(self, group: int) -> int:
        """Return the byte at which a group's inode table begins."""
        descriptor = self.descriptor(group)
        table = ext4.Group.inode_table.get(descriptor)
        if self._descriptor_bytes >= 64:
            table |= ext4.Group.inode_table_high.get(descriptor) << 32
        return table * self.block_bytes

    def file(self, number: int) -> File:
        """Return the regular file with this inode number."""
        raw = self.inode(number)
        size = size_of(raw)
        extents = self._extents_of(raw, f"inode {number}")
        is_orphan = number in self.orphans
        if is_orphan:
            extents = tuple(_cut(extents, -(-size // self.block_bytes)))
        return File(number, size, extents, is_orphan)

    def read(self, file: File, limit_bytes: int = 1 << 20) -> bytes:
        """Return the first bytes of a file, as a read after the mount would."""
        size = min(file.size_bytes, limit_bytes)
        blocks = -(-size // self.block_bytes)
        content = bytearray(blocks * self.block_bytes)
        for extent in file.extents:
            if not extent.written:
                continue
            for n in range(min(extent.length, blocks - extent.logical)):
                at = (extent.logical + n) * self.block_bytes
                data = self._medium.read((extent.physical + n) * self.block_bytes, self.block_bytes)
                content[at : at + self.block_bytes] = data
        return bytes(content[:size])

    def extents(self, number: int) -> tuple[Extent, ...]:
        """Return the extents of an inode as they are on disk, before orphans are processed."""
        return self._extents_of(self.inode(number), f"inode {number}")

    def _extents_of(self, raw: bytes, name: str) -> tuple[Extent, ...]:
        flags = ext4.Inode.flags.get(raw)
        if flags & ext4.INODE_FLAG_INLINE or not flags & ext4.INODE_FLAG_EXTENTS:
            raise DamagedError(f"{name} has no extents; block maps and inline data are not read")
        node = raw[ext4.Inode.block_offset : ext4.Inode.block_offset + ext4.Inode.block_bytes]
        return tuple(self._node(node, name, MAX_DEPTH))

    def _node(self, node: bytes, name: str, levels: int) -> Iterator[Extent]:
        magic, count, most, depth, _ = ext4.EXTENT_HEADER.unpack_from(node)
        room = (len(node) - ext4.EXTENT_HEADER_BYTES) // ext4.EXTENT_ENTRY_BYTES
        if magic != ext4.EXTENT_MAGIC or count > min(most, room) or depth > levels:
            raise DamagedError(f"{name} has a damaged extent tree")
        for n in range(count):
            at = ext4.EXTENT_HEADER_BYTES + n * ext4.EXTENT_ENTRY_BYTES
            if depth:
                _, low, high, _ = ext4.EXTENT_INDEX.unpack_from(node, at)
                self._check_block(low | high << 32, 1, name)
                yield from self._node(self.block(low | high << 32), name, depth - 1)
                continue
            logical, length, high, low = ext4.EXTENT.unpack_from(node, at)
            written = length <= ext4.UNWRITTEN_BASE
            length -= 0 if written else ext4.UNWRITTEN_BASE
            self._check_block(low | high << 32, length, name)
            yield Extent(logical, length, low | high << 32, written)

    def _check_block(self, first: int, length: int, name: str) -> None:
        if not self.first_block < first <= first + length <= self.block_count:
            raise DamagedError(f"{name} maps block {first}, outside the file system")

    @cached_property
    def root(self) -> dict[str, int]:
        """The names in the root directory, with their inodes."""
        return self.names(ext4.ROOT_INODE)

    def names(self, directory: int) -> dict[str, int]:
        """Return the names in a directory, with their inodes.

        Blocks of a hash tree's index look like empty blocks, as they do to old kernels.
        """
        return {
            name: inode
            for extent in self.extents(directory)
            for n in range(extent.length)
            for name, inode in _entries(self.block(extent.physical + n))
        }

    def lookup(self, path: str) -> int | None:
        """Return the inode of ``/a/b``, or None."""
        inode: int | None = ext4.ROOT_INODE
        for name in filter(None, path.split("/")):
            assert inode is not None
            if ext4.Inode.mode.get(self.inode(inode)) & ext4.MODE_KIND != ext4.MODE_DIRECTORY:
                return None
            inode = self.names(inode).get(name)
            if inode is None:
                return None
        return inode

    @cached_property
    def orphans(self) -> frozenset[int]:
        """The inodes that a mount truncates or deletes.  kernel: ext4_orphan_cleanup()."""
        found: set[int] = set()
        number = ext4.Super.last_orphan.get(self._super)
        while number:
            if number in found:
                raise DamagedError(f"the orphan list comes back to inode {number}")
            found.add(number)
            number = ext4.Inode.dtime.get(self.inode(number))
        if ext4.Super.ro_compat.get(self._super) & ext4.RO_COMPAT_ORPHAN_PRESENT:
            found.update(self._orphan_file())
        return frozenset(found)

    def _orphan_file(self) -> Iterator[int]:
        """Yield what the orphan file lists.  kernel: ext4_init_orphan_info()."""
        tail_bytes = 8
        for extent in self.extents(ext4.Super.orphan_file_inode.get(self._super)):
            for n in range(extent.length):
                block = self.block(extent.physical + n)
                at = len(block) - tail_bytes
                if int.from_bytes(block[at : at + 4], "little") != ext4.ORPHAN_BLOCK_MAGIC:
                    raise DamagedError("the orphan file is damaged")
                for i in range(0, at, 4):
                    inode = int.from_bytes(block[i : i + 4], "little")
                    if inode:
                        yield inode

    def is_regular(self, number: int) -> bool:
        """Tell whether an inode is a regular file."""
        return ext4.Inode.mode.get(self.inode(number)) & ext4.MODE_KIND == ext4.MODE_REGULAR

    def is_allocated(self, block: int) -> bool:
        """Tell whether the block bitmap says that a block is in use."""
        group, bit = divmod(block - self.first_block, self._blocks_per_group)
        bitmap = self._bitmaps.get(group)
        if bitmap is None:
            bitmap = self.block(ext4.Group.block_bitmap.get(self.descriptor(group)))
            self._bitmaps[group] = bitmap
        return bool(bitmap[bit >> 3] >> (bit & 7) & 1)


def size_of(inode: bytes) -> int:
    """Return the size in bytes that an inode gives its file."""
    return ext4.Inode.size_low.get(inode) | ext4.Inode.size_high.get(inode) << 32


def _entries(block: bytes) -> Iterator[tuple[str, int]]:
    at = 0
    while at + ext4.DIRECTORY_ENTRY.size <= len(block):
        inode, record_bytes, name_bytes, _ = ext4.DIRECTORY_ENTRY.unpack_from(block, at)
        name = block[at + ext4.DIRECTORY_ENTRY.size :][:name_bytes]
        if record_bytes < ext4.DIRECTORY_ENTRY.size or at + record_bytes > len(block):
            raise DamagedError("a directory block is damaged")
        if inode and name_bytes:
            yield name.decode("utf-8", "surrogateescape"), inode
        at += record_bytes


def _cut(extents: tuple[Extent, ...], blocks: int) -> Iterator[Extent]:
    """Yield what is left of ``extents`` before logical block ``blocks``."""
    for extent in extents:
        length = min(extent.length, blocks - extent.logical)
        if length > 0:
            yield Extent(extent.logical, length, extent.physical, extent.written)
