"""CRC-32C, the checksum of jbd2 and of ext4's metadata.

Why so: the standard library has CRC-32 only, and recovering a crash state needs a checksum for each
block of its journal.  Four bytes a step take some tenths of a millisecond a block, and most blocks
are shared by many crash states, so :func:`crc32c` remembers what it was asked.
Rejected: a compiled package (a wheel for each platform, for one function).
"""

import struct
from functools import lru_cache

_POLYNOMIAL = 0x82F63B78  # reflected
_WORD = struct.Struct("<I")


@lru_cache(maxsize=1 << 14)
def crc32c(seed: int, data: bytes) -> int:
    """Return the register after ``data``, from ``seed`` on, without a final inversion.

    kernel: crc32c(), as jbd2_chksum() and ext4_chksum() call it.
    """
    low, high = _tables()
    whole = len(data) & ~3
    for (word,) in _WORD.iter_unpack(data[:whole]):
        seed ^= word
        seed = low[seed & 0xFFFF] ^ high[seed >> 16]
    for byte in data[whole:]:
        seed = _shifted(seed ^ byte, 8)
    return seed


@lru_cache(maxsize=1)
def _tables() -> tuple[list[int], list[int]]:
    """Return what the low and the high half of a register turn into, 32 bits later."""
    return _linear(32), _linear(16)


def _linear(bits: int) -> list[int]:
    """Return ``_shifted(half, bits)`` for each half; shifting is linear, so 16 are enough."""
    table = [0] * (1 << 16)
    for n in range(16):
        table[1 << n] = _shifted(1 << n, bits)
    for half in range(1, 1 << 16):
        table[half] = table[half & half - 1] ^ table[half & -half]
    return table


def _shifted(value: int, bits: int) -> int:
    for _ in range(bits):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value
