"""fsx op files: what they become, how they scale, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powercut.checkers.workload import WorkloadError, format_workload, parse_fsx_ops, parse_workload
from powercut.checkers.workload.fsx import cell_unit
from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope

FILE = "demo.fsxops"
GEOMETRY = Geometry()
FSYNC = Op(OpCode.FSYNC)
REFUSED_THREE = (
    "write_dontcache",
    "write_atomic",
    "collapse_range",
    "insert_range",
)
REFUSED_FOUR = ("clone_range", "dedupe_range", "copy_range", "exchange_range")
NOT_EXPRESSED = (
    "is not read from fsx files; only write, mapwrite, truncate, fsync, fallocate, "
    "punch_hole, zero_range and reads can, "
    "so cut the file before this line"
)

# text, line, column, message in full
MALFORMED: dict[str, tuple[str, int, int, str]] = {
    "empty": (
        "",
        1,
        1,
        "no operation to run; expected a line like write 0x0 0x1000 0x0, truncate or fsync",
    ),
    "nothing that changes the file": (
        "# reads\nread 0x0 0x10 0x10\nskip write 0x0 0x10 0x0\nwrite 0x5 0x0 0x0\n",
        1,
        1,
        "no operation to run; expected a line like write 0x0 0x1000 0x0, truncate or fsync",
    ),
    "unknown operation": (
        "\npwrite 0x0 0x10 0x0",
        2,
        1,
        (
            'unknown fsx operation "pwrite"; expected write, mapwrite, truncate, fsync, '
            "fallocate, punch_hole, zero_range or a read"
        ),
    ),
    "unknown operation behind skip": (
        "skip pwrite 0x0 0x10 0x0",
        1,
        6,
        (
            'unknown fsx operation "pwrite"; expected write, mapwrite, truncate, fsync, '
            "fallocate, punch_hole, zero_range or a read"
        ),
    ),
    "skip alone": ("skip", 1, 5, 'operation missing after "skip"'),
    "no numbers": ("write", 1, 6, "number missing; write has 3, the file size last"),
    "cut short": ("write 0x0 0x10", 1, 15, "number missing; write has 3, the file size last"),
    "cut short before a flag": (
        "write 0x0 0x10 *",
        1,
        15,
        "number missing; write has 3, the file size last",
    ),
    "cut inside a number": (
        "write 0x0 0x10 0x",
        1,
        16,
        'number expected, not "0x"; write bytes such as 0x1000',
    ),
    "not a number": (
        "write 0x0 ten 0x0",
        1,
        11,
        'number expected, not "ten"; write bytes such as 0x1000',
    ),
    "negative": (
        "write -1 0x10 0x0",
        1,
        7,
        'number expected, not "-1"; write bytes such as 0x1000',
    ),
    "not octal": (
        "write 08 0x10 0x0",
        1,
        7,
        'number expected, not "08"; write bytes such as 0x1000',
    ),
    "too large for fsx": (
        "truncate 0x0 0x80000000 0x0",
        1,
        14,
        'number "0x80000000" is too large; fsx reads 0..0x7fffffff',
    ),
    "huge": (
        "truncate 0x0 0x" + "f" * 9000 + " 0x0",
        1,
        14,
        'number "0xffffffffffffffffffffff..." is too large; fsx reads 0..0x7fffffff',
    ),
    "end too large": (
        "write 0x7fffffff 0x7fffffff 0x0",
        1,
        1,
        "write ends past byte 0x7fffffff; give a smaller offset or length",
    ),
    "fourth number": (
        "write 0x0 0x10 0x0 0x0",
        1,
        20,
        'unexpected "0x0"; expected keep_size, close_open, unshare, * or nothing',
    ),
    "number behind a flag": (
        "write 0x0 0x10 0x0 * 0x0",
        1,
        22,
        'unexpected "0x0"; expected keep_size, close_open, unshare, * or nothing',
    ),
    "two ranges cut short": (
        "copy_range 0x0 0x10 0x20",
        1,
        25,
        "number missing; copy_range has 4, the file size last",
    ),
    "five operations": (
        (
            "write 0x0 0x10 0x0\nread 0x0 0x10 0x10\nfsync 0 0 0\nfsync 0 0 0\nfsync 0 0 0\n"
            "truncate 0x0 0x8 0x10\n"
        ),
        6,
        1,
        (
            "operation 5, truncate, is one more than the 4 that one task may have; "
            "cut the file before this line"
        ),
    ),
    "mapwrites that extend": (
        "mapwrite 0x0 0x10 0x0\nmapwrite 0x10 0x10 0x10\nmapwrite 0x20 0x20 0x20\n",
        3,
        1,
        (
            "operation 3, mapwrite, is one more than the 4 that one task may have "
            "(an extending mapwrite counts twice); cut the file before this line"
        ),
    ),
    "NUL": (
        "write 0x0 0x10 0x0\n\0",
        2,
        1,
        "character U+0000 is not text; a workload is plain UTF-8 text",
    ),
} | {
    f"refused {name}": (
        f"write 0x0 0x10 0x0\n  {name} 0x0 0x10 0x20{last} keep_size *\n",
        2,
        3,
        f"{name} {NOT_EXPRESSED}",
    )
    for names, last in ((REFUSED_THREE, ""), (REFUSED_FOUR, " 0x30"))
    for name in names
}


def ops_of(text: str, geometry: Geometry = GEOMETRY) -> tuple[Op, ...]:
    """The operations of the one task that text becomes."""
    (mount,) = parse_fsx_ops(text, FILE, geometry).mounts
    (task,) = mount.tasks
    return task


def is_scope_or_line(text: str, geometry: Geometry) -> bool:
    """Whether text is a scope that can be written as text, or its error is one line."""
    try:
        scope = parse_fsx_ops(text, FILE, geometry)
    except WorkloadError as error:
        return str(error).isprintable()
    return parse_workload(format_workload(scope), FILE) == scope


def test_a_recording() -> None:
    text = (
        "skip read 0x0 0x0 0x0\n"
        "write 0x0 0x1400 0x0\n"
        "mapread 0x100 0x800 0x1400\n"
        "truncate 0x0 0x1c00 0x1400 close_open\n"
        "mapwrite 0x1400 0x900 0x1c00 *\n"
        "skip punch_hole 0x0 0x0 0x1d00\n"
    )
    assert parse_fsx_ops(text, FILE, GEOMETRY) == Scope(
        name="demo",
        summary="fsx operations, 1 cell = 0x800 bytes; dropped: 1 read, 2 skip",
        mounts=(
            Mount(((Op(OpCode.WRITE, 0, 3), Op(OpCode.TRUNCATE, 4), Op(OpCode.STORE, 2, 2)),)),
        ),
        geometry=GEOMETRY,
        initial_size_cells=0,
    )


def test_a_mapwrite_past_the_file_extends_it_first() -> None:
    text = "write 0x0 0x400 0x0\nmapwrite 0x200 0xe00 0x400\nfsync 0x0 0x0 0x1000\n"
    assert ops_of(text) == (
        Op(OpCode.WRITE, 0, 1),
        Op(OpCode.TRUNCATE, 4),
        Op(OpCode.STORE, 0, 4),
        FSYNC,
    )


def test_the_recorded_size_is_where_the_file_starts() -> None:
    scope = parse_fsx_ops("write 0x1000 0x800 0x900", FILE, GEOMETRY)
    assert scope.initial_size_cells == 2
    assert scope.mounts[0].tasks == ((Op(OpCode.WRITE, 2, 1),),)


def test_the_recorded_size_counts_for_the_scale() -> None:
    scope = parse_fsx_ops("write 0x0 0x1 0x3001\nread 0x0 0x100000 0x3001", FILE, GEOMETRY)
    assert (scope.initial_size_cells, "0x1000 bytes" in scope.summary) == (4, True)


def test_only_zero() -> None:
    scope = parse_fsx_ops("truncate 0x0 0x0 0x0\nfsync 0 0 0", FILE, GEOMETRY)
    assert scope.mounts[0].tasks == ((Op(OpCode.TRUNCATE, 0), FSYNC),)
    assert scope.summary == "fsx operations, 1 cell = 0x1 bytes"


def test_hexadecimal_decimal_and_octal() -> None:
    assert ops_of("write 0X2 2 04") == ops_of("write 2 0x2 4") == (Op(OpCode.WRITE, 2, 2),)


def test_a_skipped_line_may_lack_its_fourth_number() -> None:
    assert ops_of("skip clone_range 0x0 0x10 0x0\nfsync 0 0 0") == (FSYNC,)
    assert ops_of("skip clone_range 0x0 0x10 0x0 0x0\nfsync 0 0 0") == (FSYNC,)


@pytest.mark.parametrize(
    ("largest", "cells", "unit"),
    [(0, 4, 1), (4, 4, 1), (5, 4, 2), (0x1000, 4, 0x400), (0x1001, 4, 0x800), (0x3000, 3, 0x1000)],
)
def test_cell_unit(largest: int, cells: int, unit: int) -> None:
    assert cell_unit(largest, cells) == unit


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "mapwrite", "truncate", "fsync", "read"]),
            st.integers(0, 2**30),
            st.integers(0, 2**30),
        ),
        max_size=3,
    ),
    st.integers(0, 2**31 - 1),
    st.integers(1, 4),
)
def test_what_fits_is_within_the_limits(
    lines: list[tuple[str, int, int]], size: int, cells: int
) -> None:
    geometry = Geometry(cells_per_block=cells)
    text = "".join(f"{op} {start:#x} {length:#x} {size:#x}\n" for op, start, length in lines)
    assert is_scope_or_line(text, geometry)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"), MALFORMED.values(), ids=MALFORMED.keys()
)
def test_malformed(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        parse_fsx_ops(text, FILE, GEOMETRY)
    assert str(caught.value) == f"{FILE}:{line}:{column}: {message}"


def test_a_file_larger_than_the_disk() -> None:
    with pytest.raises(WorkloadError) as caught:
        parse_fsx_ops("\n write 0x0 0x10 0x10", FILE, Geometry(nr_phys=1))
    assert str(caught.value) == (
        f"{FILE}:2:2: size=4 needs 2 physical blocks and phys=1; raise phys or give size 0..2"
    )


def test_a_wrong_geometry() -> None:
    with pytest.raises(WorkloadError) as caught:
        parse_fsx_ops("fsync 0 0 0", FILE, Geometry(nr_blocks=9))
    assert str(caught.value) == (
        f"{FILE}:1:1: geometry for the fsx operations: blocks must be 1..8, not 9"
    )


def test_ranges_inside_the_file() -> None:
    scope = parse_fsx_ops(
        "zero_range 0x400 0x800 0x2000 keep_size\npunch_hole 0x800 0x800 0x2000\n"
        "fallocate 0x1000 0x800 0x2000 keep_size\n",
        FILE,
        GEOMETRY,
    )
    assert scope.mounts[0].tasks == (
        (
            Op(OpCode.ZERO_RANGE, 0, 2),
            Op(OpCode.PUNCH, 1, 1),
            Op(OpCode.FALLOCATE, 2, 1),
        ),
    )


def test_a_punch_ends_with_the_file_and_is_dropped_behind_it() -> None:
    scope = parse_fsx_ops(
        "write 0x0 0x800 0x0\npunch_hole 0x400 0x4000 0x800\npunch_hole 0x800 0x800 0x800\n",
        FILE,
        GEOMETRY,
    )
    assert scope.mounts[0].tasks == ((Op(OpCode.WRITE, 0, 4), Op(OpCode.PUNCH, 2, 2)),)
    assert scope.summary.endswith("1 cell = 0x200 bytes; dropped: 1 punch behind the file")


def test_fallocate_extends_the_file() -> None:
    scope = parse_fsx_ops(
        "fallocate 0x0 0x3000 0x1000\nmapwrite 0x2000 0x1000 0x3000\n", FILE, GEOMETRY
    )
    assert scope.mounts[0].tasks == ((Op(OpCode.FALLOCATE, 0, 3), Op(OpCode.STORE, 2, 1)),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "zero_range 0x0 0x1001 0x1000",
            (
                "zero_range past the end of the file (0x1000 bytes here) is not modelled; "
                "cut the file before this line"
            ),
        ),
        (
            "fallocate 0x0 0x1001 0x1000 keep_size",
            (
                "fallocate with keep_size past the end of the file (0x1000 bytes here) is not "
                "modelled; cut the file before this line"
            ),
        ),
        (
            "fallocate 0x0 0x1000 0x1000 unshare",
            "fallocate with unshare is no operation of ext4; cut the file before it",
        ),
        (
            "punch_hole 0x1 0x7fffffff 0x1000",
            "punch_hole ends past byte 0x7fffffff; give a smaller offset or length",
        ),
    ],
)
def test_ranges_that_have_no_counterpart(line: str, message: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        parse_fsx_ops(line, FILE, GEOMETRY)
    assert str(caught.value) == f"{FILE}:1:1: {message}"
