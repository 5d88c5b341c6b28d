"""Where ext4 keeps what on disk: the one place that names offsets, for the reader and the writer.

Numbers are from fs/ext4/ext4.h and fs/ext4/ext4_extents.h (6.12), all little-endian.
Rejected: a structure definition for each (a handful of fields of each are used, and the reader
takes them from a block that it must not copy).
"""

import struct
from dataclasses import dataclass

SUPERBLOCK_OFFSET = 1024
SUPERBLOCK_BYTES = 1024
MAGIC = 0xEF53
ROOT_INODE = 2
EXTENT_MAGIC = 0xF30A
EXTENT_HEADER_BYTES = 12
EXTENT_ENTRY_BYTES = 12
EXTENTS_IN_INODE = 4
UNWRITTEN_BASE = 32768
INODE_FLAG_EXTENTS = 0x80000
INODE_FLAG_INLINE = 0x10000000
MODE_REGULAR = 0x8000
MODE_DIRECTORY = 0x4000
MODE_KIND = 0xF000
DIRECTORY_ENTRY_REGULAR = 1
GROUP_DESCRIPTOR_BYTES = 32

INCOMPAT_RECOVER = 0x4
INCOMPAT_META_BG = 0x10
INCOMPAT_64BIT = 0x80
RO_COMPAT_ORPHAN_PRESENT = 0x10000
ORPHAN_BLOCK_MAGIC = 0x0B10CA04


@dataclass(frozen=True, slots=True)
class Field:
    """A number inside a structure: its offset and how it is packed."""

    offset: int
    form: str

    def get(self, structure: bytes | bytearray | memoryview) -> int:
        """Return the number."""
        value = struct.unpack_from(self.form, structure, self.offset)[0]
        assert isinstance(value, int)
        return value

    def put(self, structure: bytearray | memoryview, value: int) -> None:
        """Set the number."""
        struct.pack_into(self.form, structure, self.offset, value)


class Super:
    """The superblock."""

    blocks_count = Field(0x4, "<I")
    free_blocks = Field(0xC, "<I")
    free_inodes = Field(0x10, "<I")
    first_data_block = Field(0x14, "<I")
    log_block_size = Field(0x18, "<I")
    blocks_per_group = Field(0x20, "<I")
    inodes_per_group = Field(0x28, "<I")
    magic = Field(0x38, "<H")
    first_inode = Field(0x54, "<I")
    inode_size = Field(0x58, "<H")
    compat = Field(0x5C, "<I")
    incompat = Field(0x60, "<I")
    ro_compat = Field(0x64, "<I")
    journal_inode = Field(0xE0, "<I")
    last_orphan = Field(0xE8, "<I")
    descriptor_size = Field(0xFE, "<H")
    orphan_file_inode = Field(0x280, "<I")


class Group:
    """A group descriptor; the second half exists where descriptors have 64 bytes."""

    block_bitmap = Field(0x0, "<I")
    inode_bitmap = Field(0x4, "<I")
    inode_table = Field(0x8, "<I")
    free_blocks = Field(0xC, "<H")
    free_inodes = Field(0xE, "<H")
    unused_inodes = Field(0x1C, "<H")
    inode_table_high = Field(0x28, "<I")


class Inode:
    """An inode; i_dtime is also the next inode of the orphan list."""

    mode = Field(0x0, "<H")
    size_low = Field(0x4, "<I")
    dtime = Field(0x14, "<I")
    links_count = Field(0x1A, "<H")
    blocks_low = Field(0x1C, "<I")
    flags = Field(0x20, "<I")
    size_high = Field(0x6C, "<I")
    extra_size = Field(0x80, "<H")
    block_offset = 0x28
    block_bytes = 60


EXTENT_HEADER = struct.Struct("<HHHHI")
"""eh_magic, eh_entries, eh_max, eh_depth, eh_generation."""
EXTENT = struct.Struct("<IHHI")
"""ee_block, ee_len, ee_start_hi, ee_start_lo."""
EXTENT_INDEX = struct.Struct("<IIHH")
"""ei_block, ei_leaf_lo, ei_leaf_hi, ei_unused."""
DIRECTORY_ENTRY = struct.Struct("<IHBB")
"""inode, rec_len, name_len, file_type; the name follows."""
