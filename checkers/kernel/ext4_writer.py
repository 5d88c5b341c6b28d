"""Put files into an image of mke2fs, as a kernel leaves them on disk, block by block.

Why so: a crash state has orphans, unwritten extents and blocks behind the size, which a tool that
makes files does not make, and a mount would repair.  The image has no metadata checksums
(``^metadata_csum``), which keeps the writer small; the journal's own checksums are written.
Everything lies in block group 0.
Rejected: debugfs -w (one process a field, and it corrects what it finds odd).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from powercut.checkers.kernel import ext4_layout as ext4
from powercut.checkers.kernel.journal_writer import JournalWriter, Transaction
from powercut.checkers.kernel.medium import BaseImage, Medium
from powercut.checkers.kernel.volume import Extent, Volume

FIRST_FILE_INODE = 12
"""mke2fs makes 11, which is lost+found."""
_FILE_MODE = ext4.MODE_REGULAR | 0o644
_EXTRA_BYTES = 32
_SECTOR_BYTES = 512
_NAME_ALIGNMENT = 4


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be written: one without a name is an orphan that a mount deletes."""

    name: str
    size_bytes: int
    extents: tuple[Extent, ...]
    is_orphan: bool = False


class ImageWriter:
    """Changes a copy of ``template``, an image that mke2fs has made."""

    def __init__(self, template: bytes) -> None:
        self.image = bytearray(template)
        self._before = Volume(Medium(BaseImage(template)))
        self.block_bytes = self._before.block_bytes
        self._super = memoryview(self.image)[ext4.SUPERBLOCK_OFFSET :][: ext4.SUPERBLOCK_BYTES]
        descriptors = (self._before.first_block + 1) * self.block_bytes
        self._group = memoryview(self.image)[descriptors:]
        self._blocks_per_group = ext4.Super.blocks_per_group.get(self._super)
        self._next = self._before.first_block + 1
        self._root = [
            e.physical + n for e in self._before.extents(ext4.ROOT_INODE) for n in range(e.length)
        ]
        self._touched = {ext4.SUPERBLOCK_OFFSET // self.block_bytes, self._before.first_block + 1}

    def reserve(self, count: int) -> int:
        """Return the first of ``count`` free blocks in a row, which nobody gets again.

        Raises :class:`ValueError` if there are none in group 0.
        """
        end = min(self._before.block_count, self._before.first_block + self._blocks_per_group)
        start = self._next
        while start + count <= end:
            used = [n for n in range(start, start + count) if self._before.is_allocated(n)]
            if not used:
                self._next = start + count
                return start
            start = used[-1] + 1
        raise ValueError(f"no {count} free blocks in a row")

    def free_blocks(self) -> Iterator[int]:
        """Yield the blocks that are free in the template and not reserved so far."""
        for n in range(self._next, self._before.block_count):
            if not self._before.is_allocated(n):
                yield n

    def grow_root(self, blocks: int) -> None:
        """Give the root directory this many more, empty blocks, in a row."""
        first = self.reserve(blocks)
        empty = ext4.DIRECTORY_ENTRY.pack(0, self.block_bytes, 0, 0).ljust(self.block_bytes, b"\0")
        for block in range(first, first + blocks):
            self.use_block(block)
            self.put_data(block, empty)
            self._touched.add(block)
        old = self._before.extents(ext4.ROOT_INODE)
        raw = self._inode_at(ext4.ROOT_INODE)
        extents = (*old, Extent(len(self._root), blocks, first, written=True))
        raw[ext4.Inode.block_offset :][: ext4.Inode.block_bytes] = _extent_node(
            extents, ext4.Inode.block_bytes
        )
        self._root += range(first, first + blocks)
        ext4.Inode.size_low.put(raw, len(self._root) * self.block_bytes)
        _add(ext4.Inode.blocks_low, raw, blocks * self.block_bytes // _SECTOR_BYTES)

    def put_data(self, block: int, content: bytes) -> None:
        """Fill a block."""
        start = block * self.block_bytes
        self.image[start : start + self.block_bytes] = content

    def use_block(self, block: int) -> None:
        """Mark a block as in use."""
        bitmap = ext4.Group.block_bitmap.get(self._group)
        self._set_bit(bitmap, block - self._before.first_block)
        _add(ext4.Group.free_blocks, self._group, -1)
        _add(ext4.Super.free_blocks, self._super, -1)

    def add_file(self, index: int, file: NewFile) -> None:
        """Write inode ``index`` (from 0), its name, and its place in the orphan list."""
        number = FIRST_FILE_INODE + index
        self._use_inode(number)
        self._put_inode(number, file)
        if file.name:
            self._put_name(file.name, number)
        if file.is_orphan:
            ext4.Super.last_orphan.put(self._super, number)

    def log_metadata(self) -> None:
        """Move what was changed into the journal, as a committed transaction that a mount replays.

        In place everything is as mke2fs left it, but for the data and the mark that the journal
        has to be replayed.
        """
        incompat = ext4.Super.incompat.get(self._super) | ext4.INCOMPAT_RECOVER
        ext4.Super.incompat.put(self._super, incompat)
        blocks = {number: self._block(number) for number in sorted(self._touched)}
        for number in blocks:
            self.put_data(number, self._before.block(number))
        ext4.Super.incompat.put(self._super, incompat)
        journal = self._before.extents(ext4.Super.journal_inode.get(self._super))
        ring = [e.physical + n for e in journal for n in range(e.length)]
        JournalWriter(self.image, ring, self.block_bytes).write([Transaction(blocks)])

    def _use_inode(self, number: int) -> None:
        self._set_bit(ext4.Group.inode_bitmap.get(self._group), number - 1)
        _add(ext4.Group.free_inodes, self._group, -1)
        _add(ext4.Super.free_inodes, self._super, -1)
        unused = ext4.Super.inodes_per_group.get(self._super) - number
        if unused < ext4.Group.unused_inodes.get(self._group):
            ext4.Group.unused_inodes.put(self._group, unused)

    def _put_inode(self, number: int, file: NewFile) -> None:
        size = ext4.Super.inode_size.get(self._super)
        raw = bytearray(size)
        root, leaves = self._extent_tree(file.extents)
        blocks = sum(extent.length for extent in file.extents) + leaves
        ext4.Inode.mode.put(raw, _FILE_MODE)
        ext4.Inode.links_count.put(raw, 1 if file.name else 0)
        ext4.Inode.size_low.put(raw, file.size_bytes)
        ext4.Inode.blocks_low.put(raw, blocks * self.block_bytes // _SECTOR_BYTES)
        ext4.Inode.flags.put(raw, ext4.INODE_FLAG_EXTENTS)
        ext4.Inode.extra_size.put(raw, _EXTRA_BYTES)
        if file.is_orphan:
            ext4.Inode.dtime.put(raw, ext4.Super.last_orphan.get(self._super))
        at = ext4.Inode.block_offset
        raw[at : at + ext4.Inode.block_bytes] = root
        self._inode_at(number)[:] = raw

    def _inode_at(self, number: int) -> memoryview:
        """Return the bytes of an inode in the table, to be changed."""
        size = ext4.Super.inode_size.get(self._super)
        table = ext4.Group.inode_table.get(self._group) * self.block_bytes
        start = table + (number - 1) * size
        self._touched.add(start // self.block_bytes)
        return memoryview(self.image)[start : start + size]

    def _extent_tree(self, extents: Sequence[Extent]) -> tuple[bytes, int]:
        """Return the root of a tree for these extents, and how many leaves it has."""
        if len(extents) <= ext4.EXTENTS_IN_INODE:
            return _extent_node(extents, ext4.Inode.block_bytes), 0
        leaf = self.reserve(1)
        self.use_block(leaf)
        self._touched.add(leaf)
        self.put_data(leaf, _extent_node(extents, self.block_bytes))
        return _index_root(extents[0].logical, leaf), 1

    def _put_name(self, name: str, number: int) -> None:
        """Add a name to the root directory, behind the last entry of a block that has room."""
        encoded = name.encode()
        for block in self._root:
            content = memoryview(self.image)[block * self.block_bytes :][: self.block_bytes]
            *_, (at, used_bytes, record_bytes) = _records(content)
            if record_bytes - used_bytes >= _record_bytes(len(encoded)):
                break
        else:
            raise ValueError(f"no room for {name} in the root directory")
        self._touched.add(block)
        if used_bytes:
            inode, _, name_bytes, kind = ext4.DIRECTORY_ENTRY.unpack_from(content, at)
            ext4.DIRECTORY_ENTRY.pack_into(content, at, inode, used_bytes, name_bytes, kind)
        at += used_bytes
        left, kind = record_bytes - used_bytes, ext4.DIRECTORY_ENTRY_REGULAR
        ext4.DIRECTORY_ENTRY.pack_into(content, at, number, left, len(encoded), kind)
        start = at + ext4.DIRECTORY_ENTRY.size
        content[start : start + len(encoded)] = encoded

    def _set_bit(self, bitmap_block: int, bit: int) -> None:
        self._touched.add(bitmap_block)
        self.image[bitmap_block * self.block_bytes + (bit >> 3)] |= 1 << (bit & 7)

    def _block(self, number: int) -> bytes:
        return bytes(self.image[number * self.block_bytes : (number + 1) * self.block_bytes])


def _add(field: ext4.Field, structure: memoryview, amount: int) -> None:
    field.put(structure, field.get(structure) + amount)


def _extent_node(extents: Sequence[Extent], node_bytes: int) -> bytes:
    """Return a node of an extent tree that maps blocks of data."""
    room = (node_bytes - ext4.EXTENT_HEADER_BYTES) // ext4.EXTENT_ENTRY_BYTES
    if len(extents) > room:
        raise ValueError(f"{len(extents)} extents do not fit into a node of {room}")
    head = ext4.EXTENT_HEADER.pack(ext4.EXTENT_MAGIC, len(extents), room, 0, 0)
    entries = b"".join(
        ext4.EXTENT.pack(
            extent.logical,
            extent.length + (0 if extent.written else ext4.UNWRITTEN_BASE),
            extent.physical >> 32,
            extent.physical & 0xFFFFFFFF,
        )
        for extent in extents
    )
    return (head + entries).ljust(node_bytes, b"\0")


def _index_root(first_logical: int, leaf: int) -> bytes:
    """Return the root of an extent tree with one leaf, as it lies in the inode."""
    head = ext4.EXTENT_HEADER.pack(ext4.EXTENT_MAGIC, 1, ext4.EXTENTS_IN_INODE, 1, 0)
    entry = ext4.EXTENT_INDEX.pack(first_logical, leaf & 0xFFFFFFFF, leaf >> 32, 0)
    return (head + entry).ljust(ext4.Inode.block_bytes, b"\0")


def _record_bytes(name_bytes: int) -> int:
    """Return the room that a directory entry needs.  kernel: ext4_dir_rec_len()."""
    return -(-(ext4.DIRECTORY_ENTRY.size + name_bytes) // _NAME_ALIGNMENT) * _NAME_ALIGNMENT


def _records(block: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield offset, bytes in use and length of each entry of a directory block."""
    at = 0
    while at < len(block):
        inode, record_bytes, name_bytes, _ = ext4.DIRECTORY_ENTRY.unpack_from(block, at)
        yield at, _record_bytes(name_bytes) if inode else 0, record_bytes
        at += record_bytes
