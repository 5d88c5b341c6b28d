"""Journal credits of a conversion: what is reserved for a merged ioend, and what it may need.

What: ext4_iomap_finish_ioend() reserves ext4_chunk_trans_blocks() for the whole of an ioend that
iomap_ioend_try_merge() made, and converts it in that one handle.  The reservation is that of *one*
extent, whatever the length.  Rows say how many extents the ioend may span, that those of one leaf
of the extent tree are no trouble, and from how many leaves on the credits do not suffice.
Counted as jbd2 does: a buffer costs a credit when the transaction first dirties it, so a leaf costs
one however many of its extents are converted, and the inode one.
Why so: whether the comment's "one extent" is true is a matter of numbers, and a solver gives the
smallest ones.  Not counted, in favour of the kernel: splits at both ends of the range.
Rejected: credits in the executable model (three blocks have no second leaf).
"""

import time
from collections.abc import Iterator
from typing import Any

from powercut.checkers.proof.answers import SAT, UNKNOWN, ask
from powercut.checkers.proof.obligations import PROVED, REFUTED, Decision

RLIMIT = 5_000_000
EXT_UNWRITTEN_MAX_LEN = 32767
EXT4_MAX_EXTENT_DEPTH = 5
EXT4_XATTR_TRANS_BLOCKS = 6
"""Super block, inode and xattr blocks: EXT4_META_TRANS_BLOCKS() without quota."""
_HEADER, _ENTRY = 12, 12
"""Bytes of struct ext4_extent_header and struct ext4_extent."""
MAX_WRITEPAGES_EXTENT_LEN = 2048


def entries_of_leaf(block_size: int) -> int:
    """Return how many extents a leaf holds: ext4_ext_space_block()."""
    return (block_size - _HEADER) // _ENTRY


def reserved(z3: Any, groups: Any, gdb: Any) -> Any:
    """ext4_chunk_trans_blocks(): one extent at the largest depth, its bitmaps and descriptors."""
    index = EXT4_MAX_EXTENT_DEPTH * 2 + 1
    wanted = z3.IntVal(index + 1)
    least = lambda a, b: z3.If(a < b, a, b)  # noqa: E731
    return index + least(wanted, groups) + least(wanted, gdb) + EXT4_XATTR_TRANS_BLOCKS


def used(leaves: Any) -> Any:
    """Buffers that the conversion of whole extents dirties: each leaf, and the inode's block."""
    return leaves + 1


def decisions() -> Iterator[Decision]:
    """Yield the rows that hold of the patch."""
    import z3

    blocks, extents, groups, gdb = z3.Ints("blocks extents groups descriptor_blocks")
    volume = [groups >= 1, gdb >= 1]
    # Two neighbours in a leaf that were not merged are longer together than one extent may be.
    in_one_leaf = [
        blocks >= extents,
        extents >= 1,
        (extents / 2) * (EXT_UNWRITTEN_MAX_LEN + 1) <= blocks,
    ]
    yield _decide(
        z3,
        "credits/extents-in-one-leaf",
        "an ioend inside one leaf spans at most 2 * (blocks / 32768) + 1 extents",
        in_one_leaf,
        extents <= 2 * (blocks / (EXT_UNWRITTEN_MAX_LEN + 1)) + 1,
    )
    yield _decide(
        z3,
        "credits/one-leaf",
        "converting any number of whole extents of one leaf costs no more than is reserved",
        volume,
        used(z3.IntVal(1)) <= reserved(z3, groups, gdb),
    )
    leaves = z3.Int("leaves")
    yield _decide(
        z3,
        "credits/eighteen-leaves",
        "nor do whole extents of up to 18 leaves, on a file system of any size",
        [*volume, leaves >= 1, leaves <= 18],
        used(leaves) <= reserved(z3, groups, gdb),
    )


def findings() -> Iterator[Decision]:
    """Yield the rows that are refuted: what the comment in the patch takes for granted."""
    import z3

    for block_size in (1024, 4096):
        leaves, blocks, groups, gdb = z3.Ints("leaves blocks groups descriptor_blocks")
        # A leaf as fragmentation leaves it: as many blocks as it had entries when it was full.
        there = [
            leaves >= 1,
            blocks == leaves * entries_of_leaf(block_size),
            groups >= 12,
            gdb >= 12,
        ]
        yield _decide(
            z3,
            f"credits/merged-ioend/{block_size}",
            f"a merged ioend never needs more credits than are reserved (blocks of {block_size})",
            there,
            used(leaves) <= reserved(z3, groups, gdb),
            smallest=blocks,
        )


def _decide(
    z3: Any, name: str, statement: str, hypotheses: list[Any], goal: Any, smallest: Any = None
) -> Decision:
    started = time.perf_counter()
    solver = z3.Solver() if smallest is None else z3.Optimize()
    solver.set("rlimit", RLIMIT)
    solver.add(*hypotheses, z3.Not(goal))
    if smallest is not None:
        solver.minimize(smallest)
    answer = ask(solver)
    result, reason = PROVED, ""
    if answer.kind == SAT:
        model = solver.model()
        shown = ", ".join(f"{d.name()}={model[d]}" for d in sorted(model.decls(), key=str))
        result, reason = REFUTED, f"inputs: {shown}"
    elif answer.kind == UNKNOWN:
        result, reason = UNKNOWN, answer.reason
    return Decision(
        name,
        statement,
        "credits",
        result,
        time.perf_counter() - started,
        f"z3 {z3.get_version_string()}",
        reason,
    )
