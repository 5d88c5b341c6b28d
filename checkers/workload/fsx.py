"""Op files of fstests' ``fsx`` as scopes: what ``--record-ops`` writes and ``--replay-ops`` reads.

A line is ``[skip] OPERATION NUMBERS... [keep_size] [close_open] [unshare] [*]``, with three numbers
(offset, length, file size before the operation), or four for the operations with two ranges
(offset, length, second offset, file size).  Numbers are bytes, hexadecimal as recorded; decimal and
octal are read too.  A truncate has its new size in the second number.  A line that starts with
``#`` is a comment.

The scaling rule.  Sizes are followed in bytes: the file starts with the size recorded in the first
operation that runs, a write or a fallocate extends it, a truncate sets it.  The largest byte offset
used is the largest of that first size and of all sizes that follow.  A cell stands for the smallest
power of two of bytes for which this offset, rounded up to cells, is within the geometry.  A range
begins with the cell of its first byte and ends with the cell of its last byte, so it has at least
one cell; sizes are rounded up.  The summary of the scope states the unit.

What becomes what.  All operations run in one task of one mount with one flusher pass, in the order
of the file.  ``write`` stays a write, ``mapwrite`` becomes a store; a mapwrite that ends past the
file (in cells) has a truncate before it, because fsx extends the file before it maps it.  The msync
that fsx issues after a mapwrite is left out: nothing is promised for it, and the store stays dirty
longer, which leaves more to explore.  Write an ``fsync`` line where the promise matters.
``punch_hole`` becomes a punch up to the end of the file, ``zero_range`` and ``fallocate`` what they
are.  Inside the file ``keep_size`` changes nothing.  Past its end a ``zero_range``, and a
``fallocate`` with ``keep_size``, allocate blocks behind EOF, which the model does not: an error.

What is dropped.  Only what changes nothing that a crash could show: reads; lines with ``skip``,
ranges of length 0 and punches behind the end of the file, which fsx does not run; and the flags
``*``, which marks fsx's own report, and ``close_open``: closing and reopening the file starts at
most a writeback that the flusher may start as well.

Why so: a power of two keeps aligned offsets aligned, which decides what shares a block; a unit of
``largest / cells`` would move them.  The recorded size is used because a recording keeps its last
10000 operations only, and a file cut from the front still says how long its file was (fsx itself
ignores that number and starts from the file it is given).
Rejected: dropping operations that cannot be expressed (the rest would be another workload), one
task per operation (fsx is sequential), and spreading a long file over mounts (a crash in between is
not what was recorded).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from powercut.checkers.workload.errors import Place, WorkloadError, quote
from powercut.checkers.workload.limits import (
    MAX_OPS,
    LimitError,
    check_geometry,
    check_scope,
    total_cells,
)
from powercut.checkers.workload.words import Line, Word, read_lines, scope_name
from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope

MAX_BYTES = 2**31 - 1
"""The largest number read: fsx keeps its arguments in a C int."""

_SKIP = "skip"
_FLAGS = ("keep_size", "close_open", "unshare", "*")
_READS = ("read", "read_dontcache", "mapread")
_WRITES = ("write", "mapwrite")
_RANGES = ("fallocate", "punch_hole", "zero_range")
_KEPT = (*_WRITES, "truncate", "fsync", *_RANGES)
_REFUSED_THREE = (
    "write_dontcache",
    "write_atomic",
    "collapse_range",
    "insert_range",
)
_REFUSED_FOUR = ("clone_range", "dedupe_range", "copy_range", "exchange_range")
_KNOWN = _READS + _KEPT + _REFUSED_THREE + _REFUSED_FOUR
_MIN_ARGS = 3


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line that runs: bytes ``start..end`` (``end`` is the size for a truncate).

    ``size_before`` and ``size_after`` are the sizes of the file around it, in bytes.
    """

    word: Word
    start: int
    end: int
    size_before: int
    size_after: int


def parse_fsx_ops(text: str, name: str, geometry: Geometry) -> Scope:
    """Return the scope that the fsx op file ``text`` becomes on ``geometry`` (cells).

    ``name`` is the file name: it heads every message and its stem is the scope's name.  The rule
    for scaling and for what is dropped is the module's; the summary of the scope states the unit.
    Raises :class:`WorkloadError` for a line fsx would not read, for an operation that cannot be
    expressed, and for more operations than a task may have.
    """
    top = Place(name, 1, 1)
    try:
        check_geometry(geometry)
    except LimitError as error:
        raise WorkloadError(top, f"geometry for the fsx operations: {error}") from None
    dropped: Counter[str] = Counter()
    entries = list(_entries(text, name, dropped))
    if not entries:
        raise WorkloadError(
            top, "no operation to run; expected a line like write 0x0 0x1000 0x0, truncate or fsync"
        )
    first_size = entries[0].size_before
    largest = max(first_size, *(entry.size_after for entry in entries))
    unit = cell_unit(largest, total_cells(geometry))
    ops = _scale(entries, unit)
    scope = Scope(
        name=scope_name(name),
        summary=_summary(unit, dropped),
        mounts=(Mount((ops,)),),
        geometry=geometry,
        initial_size_cells=_up(first_size, unit),
    )
    try:
        check_scope(scope)
    except LimitError as error:
        raise entries[0].word.fail(str(error)) from None
    return scope


def cell_unit(largest_bytes: int, cells: int) -> int:
    """Return the bytes of a cell, a power of two: the least that fits the bytes into ``cells``."""
    unit = 1
    while _up(largest_bytes, unit) > cells:
        unit *= 2
    return unit


def _up(count_bytes: int, unit: int) -> int:
    return -(-count_bytes // unit)


def _entries(text: str, name: str, dropped: Counter[str]) -> Iterator[_Entry]:
    """Yield the lines that run and change something; count the others in ``dropped``."""
    size: int | None = None
    for line in read_lines(text, name):
        skipped = line.words[0].text == _SKIP
        word, numbers, flags = _read_line(line, skipped)
        operation = word.text
        if skipped:
            dropped["skip"] += 1
        elif operation in _READS:
            dropped["read"] += 1
        elif operation not in _KEPT:
            raise word.fail(
                f"{operation} is not read from fsx files; only {', '.join(_KEPT)} and reads "
                "can, so cut the file before this line"
            )
        elif operation in (*_WRITES, *_RANGES) and numbers[1] == 0:
            dropped[f"empty {operation}"] += 1
        else:
            size = numbers[2] if size is None else size
            if operation == "punch_hole" and numbers[0] >= size:
                dropped["punch behind the file"] += 1
                continue
            entry = _entry(word, numbers, flags, size)
            size = entry.size_after
            yield entry


def _entry(word: Word, numbers: list[int], flags: tuple[str, ...], size: int) -> _Entry:
    """Return one line that runs, for a file of ``size`` bytes."""
    offset, length, _ = numbers
    end = offset + length
    if word.text == "fsync":
        return _Entry(word, 0, 0, size, size)
    if word.text == "truncate":
        return _Entry(word, length, length, size, length)
    if end > MAX_BYTES:
        raise word.fail(
            f"{word.text} ends past byte {MAX_BYTES:#x}; give a smaller offset or length"
        )
    if word.text == "punch_hole":
        return _Entry(word, offset, min(end, size), size, size)
    if word.text == "fallocate" and "unshare" in flags:
        raise word.fail("fallocate with unshare is no operation of ext4; cut the file before it")
    if end > size and (word.text == "zero_range" or "keep_size" in flags):
        kept = " with keep_size" if "keep_size" in flags else ""
        raise word.fail(
            f"{word.text}{kept} past the end of the file ({size:#x} bytes here) is not modelled; "
            "cut the file before this line"
        )
    return _Entry(word, offset, end, size, max(size, end))


def _read_line(line: Line, skipped: bool) -> tuple[Word, list[int], tuple[str, ...]]:
    """Return the operation of a line, its numbers and flags, or say what fsx would not read."""
    words = list(line.words)
    if skipped:
        keyword = words.pop(0)
        if not words:
            raise keyword.fail_after('operation missing after "skip"')
    word = words.pop(0)
    if word.text not in _KNOWN:
        raise word.fail(
            f"unknown fsx operation {quote(word.text)}; expected {', '.join(_KEPT)} or a read"
        )
    numbers = _read_arguments(word, words, skipped)
    return word, numbers, tuple(each.text for each in words[len(numbers) :])


def _read_arguments(word: Word, words: list[Word], skipped: bool) -> list[int]:
    """Read the numbers and check the flags.

    A skipped operation with two ranges may lack its fourth number: a recorded replay writes it so.
    """
    wanted = _MIN_ARGS + (word.text in _REFUSED_FOUR)
    count = next((i for i, each in enumerate(words) if each.text in _FLAGS), len(words))
    least = _MIN_ARGS if skipped else wanted
    if count < least:
        last = words[count - 1] if count else word
        raise last.fail_after(f"number missing; {word.text} has {least}, the file size last")
    numbers = [_number(each) for each in words[: min(count, wanted)]]
    for extra in words[len(numbers) :]:
        if extra.text not in _FLAGS:
            raise extra.fail(
                f"unexpected {quote(extra.text)}; expected {', '.join(_FLAGS)} or nothing"
            )
    return numbers


def _number(word: Word) -> int:
    """Read a number as C does with base 0: ``0x`` is hexadecimal, a leading ``0`` octal."""
    text = word.text.lower()
    if text.startswith("0x"):
        digits, base, allowed = text[2:], 16, "0123456789abcdef"
    elif text.startswith("0") and len(text) > 1:
        digits, base, allowed = text[1:], 8, "01234567"
    else:
        digits, base, allowed = text, 10, "0123456789"
    if not digits or any(char not in allowed for char in digits):
        raise word.fail(f"number expected, not {quote(word.text)}; write bytes such as 0x1000")
    digits = digits.lstrip("0") or "0"
    value = int(digits, base) if len(digits) <= len(str(MAX_BYTES)) + 1 else MAX_BYTES + 1
    if value > MAX_BYTES:
        raise word.fail(f"number {quote(word.text)} is too large; fsx reads 0..{MAX_BYTES:#x}")
    return value


def _scale(entries: list[_Entry], unit: int) -> tuple[Op, ...]:
    """Return the operations in cells of ``unit`` bytes."""
    ops: list[Op] = []
    for number, entry in enumerate(entries, 1):
        for op in _ops_of(entry, unit):
            _check_room(entry.word, number, ops)
            ops.append(op)
    return tuple(ops)


_CODES = {
    "write": OpCode.WRITE,
    "fallocate": OpCode.FALLOCATE,
    "punch_hole": OpCode.PUNCH,
    "zero_range": OpCode.ZERO_RANGE,
}


def _ops_of(entry: _Entry, unit: int) -> list[Op]:
    """Return what one line becomes."""
    operation, end = entry.word.text, _up(entry.end, unit)
    if operation == "fsync":
        return [Op(OpCode.FSYNC)]
    if operation == "truncate":
        return [Op(OpCode.TRUNCATE, end)]
    start = entry.start // unit
    if operation in _CODES:
        return [Op(_CODES[operation], start, end - start)]
    extend = [Op(OpCode.TRUNCATE, end)] if end > _up(entry.size_before, unit) else []
    return [*extend, Op(OpCode.STORE, start, end - start)]


def _check_room(word: Word, number: int, ops: list[Op]) -> None:
    """Raise at the line whose operation is one more than a task may have."""
    if len(ops) == MAX_OPS:
        extra = " (an extending mapwrite counts twice)" if word.text == "mapwrite" else ""
        raise word.fail(
            f"operation {number}, {word.text}, is one more than the {MAX_OPS} that one task may "
            f"have{extra}; cut the file before this line"
        )


def _summary(unit: int, dropped: Counter[str]) -> str:
    """State the unit and what was left out."""
    scale = f"fsx operations, 1 cell = {unit:#x} bytes"
    if not dropped:
        return scale
    return f"{scale}; dropped: " + ", ".join(f"{n} {what}" for what, n in sorted(dropped.items()))
