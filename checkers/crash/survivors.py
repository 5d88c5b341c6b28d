"""The two ends of what a power cut may leave: nothing of the device cache survives, or all of it.

Why so: an image is one colour a cell, and a person understands it as one of the two ends and the
few cells that differ from it.  A state remembers the *set* of colours of a cell and what a flush
would persist, not an order, so where a cell was written more than once since the last flush,
"nothing" is the lowest of the older colours (what was there before any write of the mount).
Rejected: a log of writes a cell (it would be part of every state).
"""

from collections.abc import Sequence

NOTHING = "nothing"
EVERYTHING = "everything"


def oldest(may: Sequence[int], cached: Sequence[int]) -> list[int]:
    """Return a colour for each physical cell: nothing that a flush had still to write survives."""
    out = []
    for possible, newest_set in zip(may, cached, strict=True):
        older = possible & ~newest_set or possible
        out.append(older & -older)
    return out


def newest(may: Sequence[int], cached: Sequence[int]) -> list[int]:
    """Return a colour for each physical cell: everything that a flush had to write survives."""
    out = []
    for possible, newest_set in zip(may, cached, strict=True):
        latest = possible & newest_set or possible
        out.append(1 << latest.bit_length() - 1)
    return out


def exceptions(cells: Sequence[int], may: Sequence[int], cached: Sequence[int]) -> tuple[int, str]:
    """Return in how many cells an image differs from the nearer end, and which end that is."""
    counts = {
        NOTHING: sum(a != b for a, b in zip(cells, oldest(may, cached), strict=True)),
        EVERYTHING: sum(a != b for a, b in zip(cells, newest(may, cached), strict=True)),
    }
    nearer = min(counts, key=lambda end: counts[end])
    return counts[nearer], nearer
