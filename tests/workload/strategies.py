"""Hypothesis strategies: every scope within the limits, drawn part by part."""

from hypothesis import strategies as st

from powercut.checkers.workload.limits import (
    DATA_OPS,
    FOLIO_BLOCKS,
    MAX_BLOCKS,
    MAX_CELLS_PER_BLOCK,
    MAX_DATA_OPS,
    MAX_ERRORS,
    MAX_EVICTIONS,
    MAX_FLUSHER_PASSES,
    MAX_INODES,
    MAX_LOG,
    MAX_MOUNTS,
    MAX_NAME_CHARS,
    MAX_OPS,
    MAX_PHYS,
    MAX_SUMMARY_CHARS,
    MAX_TASKS,
    MAX_TOTAL_CELLS,
    MIN_LOG,
    RANGE_OPS,
    total_cells,
)
from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope, Timer

NAMES = st.text("abcXYZ019-_.", min_size=1, max_size=MAX_NAME_CHARS)
SUMMARIES = st.text(
    st.characters(min_codepoint=32).filter(str.isprintable), max_size=MAX_SUMMARY_CHARS
).map(str.strip)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any geometry; the last folio may be a partial one."""
    blocks = draw(st.integers(1, MAX_BLOCKS))
    return Geometry(
        nr_blocks=blocks,
        cells_per_block=draw(st.integers(1, min(MAX_CELLS_PER_BLOCK, MAX_TOTAL_CELLS // blocks))),
        blocks_per_folio=draw(st.sampled_from(FOLIO_BLOCKS)),
        nr_phys=draw(st.integers(1, MAX_PHYS)),
        nr_inodes=draw(st.integers(1, MAX_INODES)),
    )


@st.composite
def ops(draw: st.DrawFn, geometry: Geometry) -> Op:
    """Any operation inside the file."""
    total = total_cells(geometry)
    code = draw(st.sampled_from([code for code in OpCode if code != OpCode.NONE]))
    inode = draw(st.integers(0, geometry.nr_inodes - 1))
    if code == OpCode.TRUNCATE:
        return Op(code, draw(st.integers(0, total)), inode=inode)
    if code not in RANGE_OPS:
        return Op(code, inode=0 if code == OpCode.SYNC else inode)
    pos = draw(st.integers(0, total - 1))
    return Op(code, pos, draw(st.integers(1, total - pos)), inode)


@st.composite
def mounts(draw: st.DrawFn, geometry: Geometry) -> Mount:
    """Any mount; data operations above the number of colours become syncs."""
    task = st.lists(ops(geometry), min_size=1, max_size=MAX_OPS)
    drawn = draw(st.lists(task, min_size=1, max_size=MAX_TASKS))
    left = MAX_DATA_OPS
    tasks: list[tuple[Op, ...]] = []
    for each in drawn:
        kept: list[Op] = []
        for op in each:
            left -= op.code in DATA_OPS
            kept.append(Op(OpCode.FSYNC) if op.code in DATA_OPS and left < 0 else op)
        tasks.append(tuple(kept))
    passes = draw(st.integers(0, MAX_FLUSHER_PASSES))
    return Mount(tuple(tasks), passes, draw(st.integers(0, MAX_EVICTIONS)))


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    """Any scope within the limits."""
    geometry = draw(geometries())
    cells = geometry.cells_per_block
    size = draw(st.integers(0, min(total_cells(geometry), geometry.nr_phys * cells)))
    return Scope(
        name=draw(NAMES),
        summary=draw(SUMMARIES),
        mounts=tuple(draw(st.lists(mounts(geometry), min_size=1, max_size=MAX_MOUNTS))),
        geometry=geometry,
        initial_size_cells=size,
        initial_dirty_tail=size % cells != 0 and draw(st.booleans()),
        timer=draw(st.sampled_from(Timer)),
        max_errors=draw(st.integers(0, MAX_ERRORS)),
        data_err_abort=draw(st.booleans()),
        log_transactions=draw(st.sampled_from([0, *range(MIN_LOG, MAX_LOG + 1)])),
        nodelalloc=draw(st.booleans()),
    )
