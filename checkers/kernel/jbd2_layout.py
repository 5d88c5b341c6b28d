"""How jbd2 lays out its journal: the one place that names offsets, for the replay and the writer.

Numbers are from include/linux/jbd2.h (6.12), all big-endian.
"""

import struct

from powercut.checkers.kernel.ext4_layout import Field

MAGIC = 0xC03B3998
DESCRIPTOR, COMMIT, SUPER_V1, SUPER_V2, REVOKE = 1, 2, 3, 4, 5
TAG_ESCAPE, TAG_SAME_UUID, TAG_DELETED, TAG_LAST = 1, 2, 4, 8
INCOMPAT_REVOKE, INCOMPAT_64BIT, INCOMPAT_ASYNC = 0x1, 0x2, 0x4
INCOMPAT_CSUM_V2, INCOMPAT_CSUM_V3, INCOMPAT_FAST_COMMIT = 0x8, 0x10, 0x20
KNOWN_INCOMPAT = INCOMPAT_REVOKE | INCOMPAT_64BIT | INCOMPAT_CSUM_V2 | INCOMPAT_CSUM_V3
COMPAT_CHECKSUM = 0x1

BLOCK_HEADER = struct.Struct(">III")
"""h_magic, h_blocktype, h_sequence."""
TAG_V3 = struct.Struct(">IIII")
"""t_blocknr, t_flags, t_blocknr_high, t_checksum."""
TAG = struct.Struct(">IHH")
"""t_blocknr, t_checksum, t_flags; t_blocknr_high (4 bytes) follows with 64 bit."""
UUID_BYTES = 16
TAIL_BYTES = 4
"""The checksum at the end of a descriptor or revoke block."""
REVOKE_HEADER_BYTES = 16
SUPER_BYTES = 1024


class Super:
    """The journal's superblock."""

    block_size = Field(0xC, ">I")
    length = Field(0x10, ">I")
    first = Field(0x14, ">I")
    sequence = Field(0x18, ">I")
    start = Field(0x1C, ">I")
    compat = Field(0x24, ">I")
    incompat = Field(0x28, ">I")
    uuid_offset = 0x30
    checksum_type = Field(0x50, ">B")
    checksum = Field(0xFC, ">I")


class Commit:
    """A commit block."""

    checksum = Field(0x10, ">I")


class Revoke:
    """A revoke block: ``used`` counts its bytes, the header's included."""

    used = Field(0xC, ">I")
