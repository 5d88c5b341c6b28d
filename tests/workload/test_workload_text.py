"""The text format: what it means, that it survives a round trip, what it says when it is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powercut.checkers.workload import WorkloadError, format_workload, parse_workload
from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope, Timer
from tests.workload.strategies import scopes

FILE = "demo.workload"
FULL = """\
# gap append over a dirty tail
name gap-append
summary the tail is dirty # and this is still summary
geometry blocks=2 cells=2 folio=1 phys=3
file size=1 dirty-tail
timer once
errors 1
data_err=abort
log 2
mount
  task write 2 1; fsync    # the append
  task store 1; store 1 2
  flusher 2
mount
  task truncate 4;fdatasync;read 0 2; sync
  evict 1
"""
FULL_SCOPE = Scope(
    name="gap-append",
    summary="the tail is dirty # and this is still summary",
    mounts=(
        Mount(
            (
                (Op(OpCode.WRITE, 2, 1), Op(OpCode.FSYNC)),
                (Op(OpCode.STORE, 1, 1), Op(OpCode.STORE, 1, 2)),
            ),
            flusher_passes=2,
        ),
        Mount(
            (
                (
                    Op(OpCode.TRUNCATE, 4),
                    Op(OpCode.FDATASYNC),
                    Op(OpCode.READ, 0, 2),
                    Op(OpCode.SYNC),
                ),
            ),
            evictions=1,
        ),
    ),
    geometry=Geometry(2, 2, 1, 3),
    initial_size_cells=1,
    initial_dirty_tail=True,
    timer=Timer.ONCE,
    max_errors=1,
    data_err_abort=True,
    log_transactions=2,
)
KNOWN_OPS = (
    "expected write, store, truncate, punch, zero_range, fallocate, read, fsync, fdatasync, "
    "sync or unlink"
)
MANY_TASKS = "mount\n" + "task fsync\n" * 4
BIG = "geometry blocks=4 cells=4 phys=7\n"

# text, line, column, message in full
MALFORMED: dict[str, tuple[str, int, int, str]] = {
    "empty": ("", 1, 1, 'empty workload; write at least a "mount" and a "task" line'),
    "only comments": (
        "# nothing\n\n \t\n",
        1,
        1,
        'empty workload; write at least a "mount" and a "task" line',
    ),
    "no mount": (
        "name a\ntimer free",
        2,
        11,
        'no mount; add a "mount" line with a "task" line below it',
    ),
    "mount without task": (
        "mount\ntask fsync\nmount\nflusher 1\n",
        3,
        1,
        'mount without a task; add 1..3 "task" lines below it',
    ),
    "mount without task before another": (
        "mount\nmount\ntask fsync\n",
        1,
        1,
        'mount without a task; add 1..3 "task" lines below it',
    ),
    "unknown operation": (
        "mount\n  task fsync; wirte 2 1\n",
        2,
        15,
        f'unknown operation "wirte"; {KNOWN_OPS}',
    ),
    "task cut short": ("mount\n  task", 2, 7, f'operation missing after "task"; {KNOWN_OPS}'),
    "task cut after semicolon": (
        "mount\n  task fsync;",
        2,
        14,
        f'operation missing after ";"; {KNOWN_OPS}',
    ),
    "empty operation": (
        "mount\n  task fsync; ; fsync",
        2,
        15,
        f'operation missing before ";"; {KNOWN_OPS}',
    ),
    "write without numbers": (
        "mount\ntask write",
        2,
        11,
        'position missing; write "write POSITION LENGTH", in cells',
    ),
    "write cut short": (
        "mount\ntask write 2 # 1",
        2,
        13,
        'length missing; write "write POSITION LENGTH", in cells',
    ),
    "store without position": (
        "mount\ntask store; fsync",
        2,
        11,
        'position missing; write "store POSITION [LENGTH]", in cells',
    ),
    "too many arguments": (
        "mount\ntask fsync 1",
        2,
        12,
        'unexpected "1"; write "fsync" and ";" before the next',
    ),
    "missing semicolon": (
        "mount\ntask write 0 1 fsync",
        2,
        16,
        'unexpected "fsync"; write "write POSITION LENGTH" and ";" before the next',
    ),
    "position not a number": (
        "mount\ntask write x 1",
        2,
        12,
        'position must be a whole number, not "x"',
    ),
    "hexadecimal": (
        "mount\ntask write 0x1 1",
        2,
        12,
        'position must be a whole number, not "0x1"',
    ),
    "digits of another script": (
        "mount\ntask write ٣ 1",
        2,
        12,
        'position must be a whole number, not "٣"',
    ),
    "position past the file": ("mount\ntask write 4 1", 2, 12, "position must be 0..3, not 4"),
    "negative position": ("mount\ntask write -1 1", 2, 12, "position must be 0..3, not -1"),
    "huge position": (
        "mount\ntask write " + "9" * 6000 + " 1",
        2,
        12,
        "position must be 0..3, not a number above 10^9",
    ),
    "length past the file": ("mount\ntask write 2 3", 2, 14, "length must be 1..2, not 3"),
    "length zero": ("mount\ntask store 2 0", 2, 14, "length must be 1..2, not 0"),
    "truncate past the file": ("mount\ntask truncate 5", 2, 15, "size must be 0..4, not 5"),
    "five operations": (
        "mount\ntask fsync; fsync; fsync; fsync; fsync",
        2,
        34,
        "one operation too many; a task may have 1..4, so drop one or start a task",
    ),
    "five data operations": (
        "mount\ntask write 0 1; store 1; store 2\ntask fsync; store 3; write 0 4",
        3,
        22,
        (
            "a mount may have 4 writes and stores together, each with a colour of its own; "
            "drop one or move it to another mount"
        ),
    ),
    "four tasks": (MANY_TASKS, 5, 1, "one task too many; a mount may have 1..3"),
    "four mounts": (
        "mount\ntask fsync\n" * 4,
        7,
        1,
        "one mount too many; a workload may have 1..3",
    ),
    "operation outside a task": (
        "mount\nwrite 2 1\n",
        2,
        1,
        'operation "write" outside a task; write "task write ..." below a "mount"',
    ),
    "task outside a mount": (
        "  task write 2 1\n",
        1,
        3,
        '"task" outside a mount; put a "mount" line above it',
    ),
    "flusher outside a mount": (
        "flusher 1\n",
        1,
        1,
        '"flusher" outside a mount; put a "mount" line above it',
    ),
    "flusher twice": (
        "mount\nflusher 1\nflusher 1\n",
        3,
        1,
        'second "flusher" in this mount; keep one of them',
    ),
    "flusher too big": ("mount\nflusher 3\n", 2, 9, "flusher must be 0..2, not 3"),
    "evict outside a mount": (
        "evict 1\n",
        1,
        1,
        '"evict" outside a mount; put a "mount" line above it',
    ),
    "evict twice": (
        "mount\nevict 1\nevict 1\n",
        3,
        1,
        'second "evict" in this mount; keep one of them',
    ),
    "evict too many": ("mount\nevict 3\n", 2, 7, "evict must be 0..2, not 3"),
    "evict cut short": (
        "mount\nevict\n",
        2,
        6,
        'a number of folios 0..2 missing after "evict"',
    ),
    "sync of one file": (
        "geometry inodes=2\nmount\ntask sync@1\n",
        3,
        6,
        "the file of a sync, which is about all files, must be 0..0, not 1",
    ),
    "flusher cut short": (
        "mount\nflusher\n",
        2,
        8,
        'a number of passes 0..2 missing after "flusher"',
    ),
    "mount with words": (
        "mount 1\n",
        1,
        7,
        'unexpected "1"; end the line after "mount"',
    ),
    "unknown directive": (
        "geometri blocks=2\n",
        1,
        1,
        (
            'unknown directive "geometri"; expected one of name, summary, geometry, file, timer, '
            "errors, data_err, log, nodelalloc, mount, task, flusher, evict"
        ),
    ),
    "directive twice": (
        "timer free\n\n timer free\n",
        3,
        2,
        'second "timer" (the first is in line 1); keep one of them',
    ),
    "header below a mount": (
        "mount\ntask fsync\nerrors 1\n",
        3,
        1,
        '"errors" belongs above the first mount; move this line up',
    ),
    "unknown geometry key": (
        "geometry blocks=2 block=2\n",
        1,
        19,
        'unknown key "block"; expected blocks=, cells=, folio=, phys= or inodes=',
    ),
    "geometry key twice": (
        "geometry cells=2 cells=2\n",
        1,
        18,
        'second "cells" in this line; keep one of them',
    ),
    "geometry without sizes": (
        "geometry\n",
        1,
        9,
        "sizes missing; expected blocks=, cells=, folio=, phys= or inodes=",
    ),
    "geometry value missing": (
        "geometry blocks=",
        1,
        17,
        'value missing; write "blocks=" and a number',
    ),
    "geometry value wrong": (
        "geometry blocks=two",
        1,
        17,
        'blocks must be a whole number, not "two"',
    ),
    "blocks": ("geometry blocks=9", 1, 17, "blocks must be 1..8, not 9"),
    "no blocks": ("geometry blocks=0", 1, 17, "blocks must be 1..8, not 0"),
    "huge blocks": (
        "geometry blocks=100000000000000000000",
        1,
        17,
        "blocks must be 1..8, not a number above 10^9",
    ),
    "a third file": (
        "mount\n  task fsync@2\n",
        2,
        8,
        'unknown file in "fsync@2"; write "fsync@1" for file 1',
    ),
    "a file too many": (
        "mount\n  task fsync@1\n",
        2,
        8,
        "the file of an operation must be 0..0, not 1",
    ),
    "cells": ("geometry blocks=2 cells=5", 1, 25, "cells must be 1..4, not 5"),
    "folio": ("geometry folio=5", 1, 16, "folio must be 1..4, not 5"),
    "phys": ("geometry phys=9", 1, 15, "phys must be 1..8, not 9"),
    "file too large": ("file size=5\nmount\n", 1, 11, "size must be 0..4, not 5"),
    "file larger than the disk": (
        "file size=3\ngeometry phys=1\nmount\n",
        1,
        11,
        "size=3 needs 2 physical blocks and phys=1; raise phys or give size 0..2",
    ),
    "dirty tail without a tail": (
        "file size=2 dirty-tail\nmount\n",
        1,
        13,
        (
            "dirty-tail needs a size inside a block, and size=2 ends one (cells=2); change size or "
            "drop dirty-tail"
        ),
    ),
    "file key": ("file sise=1", 1, 6, 'unknown key "sise"; expected size=, blocks= or dirty-tail'),
    "file key twice": (
        "file size=1 size=1",
        1,
        13,
        'second "size" in this line; keep one of them',
    ),
    "a block of no kind": (
        "file size=1 blocks=hole,data",
        1,
        20,
        'unknown block "data"; expected hole, unwritten@N or written@N, with N 0..7',
    ),
    "too few blocks": (
        "file size=1 blocks=hole\nmount\n",
        1,
        20,
        "blocks says 1 blocks, and the file has 2",
    ),
    "two blocks at one place": (
        "file size=4 blocks=written@1,written@1\nmount\n",
        1,
        20,
        "two blocks of the file are at 1",
    ),
    "a written block behind EOF": (
        "file size=1 blocks=hole,written@1\nmount\n",
        1,
        20,
        "block 1 is behind EOF and written; make it unwritten, or a hole",
    ),
    "a dirty tail in a hole": (
        "file size=1 blocks=hole,hole dirty-tail\nmount\n",
        1,
        30,
        "dirty-tail needs a written EOF block; change blocks or drop dirty-tail",
    ),
    "file without words": ("file", 1, 5, "contents missing; expected size=, blocks= or dirty-tail"),
    "timer": ("timer often", 1, 7, 'unknown timer "often"; expected never, once or free'),
    "timer cut short": ("timer", 1, 6, 'never, once or free missing after "timer"'),
    "timer with words": (
        "timer once free",
        1,
        12,
        'unexpected "free"; end the line after never, once or free',
    ),
    "errors": ("errors 3", 1, 8, "errors must be 0..2, not 3"),
    "log of one": ("log 1", 1, 5, "log must be 2..4, not 1; or 0 for a log that never fills"),
    "log of five": ("log 5", 1, 5, "log must be 2..4, not 5; or 0 for a log that never fills"),
    "data_err": (
        "data_err=panic",
        1,
        1,
        'unknown option "data_err=panic"; expected data_err=abort or data_err=ignore',
    ),
    "data_err with words": (
        "data_err=abort 1",
        1,
        16,
        'unexpected "1"; end the line after the option',
    ),
    "name": ("name a/b", 1, 6, "name must be 1..64 ASCII letters, digits, '-', '_' or '.'"),
    "name too long": (
        "name " + "x" * 65,
        1,
        6,
        "name must be 1..64 ASCII letters, digits, '-', '_' or '.'",
    ),
    "name cut short": ("name", 1, 5, 'a name missing after "name"'),
    "summary cut short": ("summary  ", 1, 8, "text missing; write a summary or drop the line"),
    "summary too long": (
        "summary " + "x" * 401,
        1,
        9,
        "summary must have at most 400 characters",
    ),
    "tab in the summary": (
        "summary a\tb",
        1,
        9,
        "summary must be one line of printable text without end blanks",
    ),
    "NUL": (
        "mount\n  task\0write",
        2,
        7,
        "character U+0000 is not text; a workload is plain UTF-8 text",
    ),
    "binary in a comment": (
        "# \x7fELF",
        1,
        3,
        "character U+007F is not text; a workload is plain UTF-8 text",
    ),
    "byte order mark": (
        "\ufeffmount",
        1,
        1,
        "character U+FEFF is not text; a workload is plain UTF-8 text",
    ),
    "carriage return inside": (
        "mount\rtask fsync",
        1,
        6,
        "character U+000D is not text; a workload is plain UTF-8 text",
    ),
    "long word": (
        "x" * 1000,
        1,
        1,
        'unknown directive "' + "x" * 24 + '..."; expected one of name, summary, geometry, file, '
        "timer, errors, data_err, log, nodelalloc, mount, task, flusher, evict",
    ),
}


def error_of(text: str, name: str = FILE) -> WorkloadError:
    """Parse text, which must fail, and return the error."""
    with pytest.raises(WorkloadError) as caught:
        parse_workload(text, name)
    return caught.value


def is_scope_or_line(text: str) -> bool:
    """Whether text is a scope that survives a round trip, or its error is one line."""
    try:
        scope = parse_workload(text, FILE)
    except WorkloadError as error:
        return str(error).isprintable()
    return parse_workload(format_workload(scope), FILE) == scope


def test_every_directive() -> None:
    assert parse_workload(FULL, FILE) == FULL_SCOPE


def test_defaults_are_those_of_a_scope() -> None:
    scope = parse_workload("mount\ntask fsync\n", "dir.d/tail one.workload")
    assert scope == Scope("tail-one", "", (Mount(((Op(OpCode.FSYNC),),)),))


def test_line_ends_of_windows() -> None:
    assert parse_workload(FULL.replace("\n", "\r\n"), FILE) == FULL_SCOPE


def test_blanks_do_not_matter() -> None:
    squeezed = "\n".join(line.strip() for line in FULL.splitlines())
    assert parse_workload(squeezed.replace("; ", " ;\t"), FILE) == FULL_SCOPE


def test_everything_at_its_limit() -> None:
    body = "mount\n" + "task write 0 16; store 15; fsync; fsync\n" * 2 + "task fsync\nflusher 2\n"
    scope = parse_workload(BIG + "file size=16\nerrors 2\nlog 4\n" + body * 3, FILE)
    assert len(scope.mounts) == 3
    assert parse_workload(format_workload(scope), "other") == scope


@given(scopes())
def test_round_trip(scope: Scope) -> None:
    text = format_workload(scope)
    assert parse_workload(text, "other.workload") == scope
    assert format_workload(parse_workload(text, "other.workload")) == text


@pytest.mark.parametrize(
    ("text", "line", "column", "message"), MALFORMED.values(), ids=MALFORMED.keys()
)
def test_malformed(text: str, line: int, column: int, message: str) -> None:
    error = error_of(text)
    assert str(error) == f"{FILE}:{line}:{column}: {message}"
    assert (error.place.file, error.place.line, error.place.column) == (FILE, line, column)


def test_message_is_one_line_whatever_the_name() -> None:
    assert str(error_of("", "a\nb\x1b")).startswith("a\\nb\\x1b:1:1: empty workload")


@pytest.mark.parametrize("end", range(len(FULL)))
def test_cut_anywhere_is_a_scope_or_one_line(end: int) -> None:
    assert is_scope_or_line(FULL[:end])


@given(st.text())
def test_any_text_is_a_scope_or_one_line(text: str) -> None:
    assert is_scope_or_line(text)


@given(st.lists(st.sampled_from([*FULL.split(), "\n", ";", "-1", "99999999999", "="])))
def test_shuffled_words_are_a_scope_or_one_line(words: list[str]) -> None:
    assert is_scope_or_line(" ".join(words))
