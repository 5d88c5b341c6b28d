"""Bit-exact arithmetic of the mapping and completion paths, as the C of the patch computes it.

What: ext4_iomap_map_writeback_range() and ext4_iomap_finish_ioend() over 32-bit block numbers and
64-bit offsets, with C's truncations, for every block size from 1 KiB to 64 KiB.  Each row proves
that nothing wraps, under stated limits of the callers; a row that shows a limit to be needed gives
exact inputs that go wrong without it.
Why so: the protocol counts in mathematical integers, and says nothing about wraps.
Rejected: testing around the boundaries by hand (the truncating cast inside min_t is easy to miss).
"""

import time
from collections.abc import Iterator
from typing import Any

from powercut.checkers.proof.answers import SAT, UNKNOWN, UNSAT, ask
from powercut.checkers.proof.obligations import PROVED, REFUTED, Decision

RLIMIT = 60_000_000
MAX_WRITEPAGES_EXTENT_LEN = 2048
_UINT_MAX = 0xFFFFFFFF
_MAX_BLOCKS = 0xFFFFFFFF
"""EXT_MAX_BLOCKS: logical blocks are 0 .. 2**32 - 2."""


class _Mapping:
    """The locals of ext4_iomap_map_writeback_range(), as terms."""

    def __init__(self, z3: Any, bits: int) -> None:
        self.offset, self.range_end = z3.BitVecs("offset range_end", 64)
        self.dirty_len = z3.BitVec("dirty_len", 32)
        low = lambda term: z3.Extract(31, 0, term)  # noqa: E731
        self.index = low(z3.LShR(self.offset, bits))
        self.first_len = z3.LShR(self.dirty_len, bits)
        cast = low(z3.LShR(self.range_end, bits))
        limit = z3.BitVecVal(_UINT_MAX - 1, 32)
        self.blk_end = z3.If(z3.ULT(cast, limit), cast, limit)
        stretch = z3.UGT(self.blk_end, self.index + self.first_len)
        self.blk_len = z3.If(stretch, self.blk_end - self.index + 1, self.first_len)
        most = z3.BitVecVal(MAX_WRITEPAGES_EXTENT_LEN, 32)
        self.m_len = z3.If(z3.ULT(self.blk_len, most), self.blk_len, most)
        self.stretch = stretch
        wide = lambda term: z3.ZeroExt(32, term)  # noqa: E731
        self.run_end = wide(self.index) + wide(self.first_len)
        self.map_end = wide(self.index) + wide(self.m_len)
        size = z3.BitVecVal(_MAX_BLOCKS << bits, 64)
        self.whole_blocks = z3.URem(self.dirty_len, z3.BitVecVal(1 << bits, 32)) == 0
        self.some = self.dirty_len != 0
        self.inside_file = z3.And(
            z3.ULT(self.offset, size),
            z3.ULE(self.offset + z3.ZeroExt(32, self.dirty_len), size),
            z3.URem(self.offset, z3.BitVecVal(1 << bits, 64)) == 0,
        )
        self.end_signed = self.range_end >= self.offset


def decisions() -> Iterator[Decision]:
    """Yield a row for each statement, decided for all seven block sizes."""
    yield _decide(
        "arithmetic/run-does-not-wrap",
        "index + blk_len does not wrap for a dirty run inside the largest file",
        lambda z3, m: (
            [m.inside_file, m.whole_blocks],
            z3.ULE(m.run_end, z3.BitVecVal(_MAX_BLOCKS, 64)),
        ),
    )
    limits = lambda m: [m.inside_file, m.whole_blocks, m.some, m.end_signed]  # noqa: E731
    yield _decide(
        "arithmetic/length-not-zero",
        "a dirty run of whole blocks asks for at least one block and at most 2048",
        lambda z3, m: (limits(m), z3.And(m.m_len != 0, z3.ULE(m.m_len, 2048))),
    )
    yield _decide(
        "arithmetic/map-inside-file",
        "m_lblk + m_len does not pass the last logical block",
        lambda z3, m: (limits(m), z3.ULE(m.map_end, z3.BitVecVal(_MAX_BLOCKS, 64))),
    )
    yield _decide(
        "arithmetic/map-inside-request",
        "a stretched mapping ends at or before range_end, although min_t() truncates range_end",
        lambda z3, m: (
            [*limits(m), m.stretch],
            z3.ULE(m.map_end - 1, z3.LShR(m.range_end, m.bits)),
        ),
    )
    yield _decide(
        "arithmetic/whole-blocks-needed",
        "without whole blocks the length can be zero: inputs exist",
        lambda z3, m: ([m.inside_file, m.some, m.end_signed], m.m_len != 0),
        exists=True,
    )
    yield from _completion()


def _decide(name: str, statement: str, build: Any, *, exists: bool = False) -> Decision:
    import z3

    started = time.perf_counter()
    result, reason = PROVED, ""
    for bits in range(10, 17):
        mapping: Any = _Mapping(z3, bits)
        mapping.bits = bits
        hypotheses, goal = build(z3, mapping)
        solver = z3.SolverFor("QF_BV")
        solver.set("rlimit", RLIMIT)
        solver.add(*hypotheses, z3.Not(goal))
        answer = ask(solver)
        if answer.kind == SAT and exists:
            reason = f"block size {1 << bits}: {_inputs(solver.model())}"
            continue
        if answer.kind != UNSAT or exists:
            result = UNKNOWN if answer.kind == UNKNOWN else REFUTED
            inputs = _inputs(solver.model()) if answer.kind == SAT else answer.reason
            reason = f"block size {1 << bits}: {inputs or 'no inputs'}"
            break
    return Decision(
        name,
        statement,
        "arithmetic",
        result,
        time.perf_counter() - started,
        f"z3 {z3.get_version_string()}",
        reason,
    )


def _inputs(model: Any) -> str:
    shown = sorted((d.name(), model[d].as_long()) for d in model.decls())
    return ", ".join(f"{name}={value:#x}" for name, value in shown)


def _completion() -> Iterator[Decision]:
    """ext4_iomap_finish_ioend(): EXT4_MAX_BLOCKS(), pos + size, min with i_size."""
    import z3

    pos, size, i_size = z3.BitVecs("pos size i_size", 64)
    rows: tuple[tuple[str, str, Any], ...] = (
        (
            "arithmetic/end-does-not-wrap",
            "pos + size of an ioend inside the file does not wrap",
            lambda bits: pos + size > pos,
        ),
        (
            "arithmetic/blocks-fit-int",
            "EXT4_MAX_BLOCKS() is 1 or more and fits an int up to 2 GiB",
            lambda bits: _fits(z3, _max_blocks(z3, pos, size, bits)),
        ),
        (
            "arithmetic/size-clamped",
            "min(pos + size, i_size) is never beyond i_size",
            lambda bits: z3.If(pos + size < i_size, pos + size, i_size) <= i_size,
        ),
    )
    for name, statement, goal in rows:
        started = time.perf_counter()
        result, reason = PROVED, ""
        for bits in range(10, 17):
            largest = z3.BitVecVal(_MAX_BLOCKS << bits, 64)
            solver = z3.SolverFor("QF_BV")
            solver.set("rlimit", RLIMIT)
            solver.add(
                pos >= 0,
                pos < largest,
                size > 0,
                size <= 1 << 31,
                pos + size <= largest,
                i_size >= 0,
                i_size <= largest,
                z3.Not(goal(bits)),
            )
            answer = ask(solver)
            if answer.kind != UNSAT:
                result = REFUTED if answer.kind == SAT else UNKNOWN
                reason = _inputs(solver.model()) if answer.kind == SAT else answer.reason
                break
        yield Decision(
            name,
            statement,
            "arithmetic",
            result,
            time.perf_counter() - started,
            f"z3 {z3.get_version_string()}",
            reason,
        )


def _max_blocks(z3: Any, pos: Any, size: Any, bits: int) -> Any:
    mask = (1 << bits) - 1
    return z3.LShR(pos + size + mask, bits) - z3.LShR(pos, bits)


def _fits(z3: Any, blocks: Any) -> Any:
    return z3.And(blocks >= 1, blocks <= 0x7FFFFFFF)
