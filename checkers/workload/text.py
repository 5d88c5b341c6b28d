"""The workload text format: a scope as a dozen lines that a person can write and read.

Why so: a bug report should carry its workload in the mail, and a diff of two workloads should
read.  So there is one directive a line, keywords instead of positions where a number says
nothing by itself, and no nesting: a mount owns the task lines below it until the next mount.  The
header stands above the first mount, so an operation is checked against a geometry that is final.
Rejected: JSON or TOML (op lists become brackets, and errors name an offset or nothing), significant
indentation (mails lose it), and reading on after an error (one line is the contract).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from powercut.checkers.workload.errors import Place, WorkloadError, quote
from powercut.checkers.workload.limits import (
    DATA_OPS,
    MAX_ERRORS,
    MAX_EVICTIONS,
    MAX_FLUSHER_PASSES,
    MAX_INODES,
    MAX_MOUNTS,
    MAX_OPS,
    MAX_PHYS,
    MAX_TASKS,
    LimitError,
    check_data_ops,
    check_file,
    check_geometry,
    check_log,
    check_name,
    check_op,
    check_range,
    check_scope,
    check_summary,
)
from powercut.checkers.workload.words import (
    BLANKS,
    Line,
    Word,
    read_lines,
    scope_name,
    whole_number,
    without_comment,
)
from powercut.model.scope import (
    BlockKind,
    Geometry,
    InitialBlock,
    Mount,
    Op,
    OpCode,
    Scope,
    Timer,
)

_SEPARATOR = ";"
_TIMERS = {"never": Timer.NEVER, "once": Timer.ONCE, "free": Timer.FREE}
_DATA_ERR = {"abort": True, "ignore": False}
_GEOMETRY = {
    "blocks": "nr_blocks",
    "cells": "cells_per_block",
    "folio": "blocks_per_folio",
    "phys": "nr_phys",
    "inodes": "nr_inodes",
}


@dataclass(frozen=True, slots=True)
class _Form:
    """How an operation is written: its code, the names of its arguments, what may be left out."""

    code: OpCode
    arguments: tuple[str, ...]
    default_length: int | None = None


_FORMS = {
    "write": _Form(OpCode.WRITE, ("position", "length")),
    "store": _Form(OpCode.STORE, ("position", "length"), default_length=1),
    "truncate": _Form(OpCode.TRUNCATE, ("size",)),
    "punch": _Form(OpCode.PUNCH, ("position", "length")),
    "zero_range": _Form(OpCode.ZERO_RANGE, ("position", "length")),
    "fallocate": _Form(OpCode.FALLOCATE, ("position", "length")),
    "read": _Form(OpCode.READ, ("position", "length")),
    "fsync": _Form(OpCode.FSYNC, ()),
    "fdatasync": _Form(OpCode.FDATASYNC, ()),
    "sync": _Form(OpCode.SYNC, ()),
    "unlink": _Form(OpCode.UNLINK, ()),
}


_FILE_NUMBERS = tuple(str(i) for i in range(MAX_INODES))
_PHYS_NUMBERS = tuple(str(i) for i in range(MAX_PHYS))


@dataclass(slots=True)
class _MountDraft:
    """A mount while its lines are read."""

    head: Word
    tasks: list[tuple[Op, ...]] = field(default_factory=list)
    flusher: int | None = None
    evictions: int | None = None
    data_ops: int = 0


@dataclass(slots=True)
class _Draft:
    """A scope while its lines are read; ``places`` remembers what may only be checked later."""

    name: str
    summary: str = ""
    geometry: Geometry = field(default_factory=Geometry)
    size: int = 1
    dirty_tail: bool = False
    blocks: tuple[InitialBlock, ...] = ()
    timer: Timer = Timer.FREE
    errors: int = 0
    data_err_abort: bool = False
    log: int = 0
    nodelalloc: bool = False
    mounts: list[_MountDraft] = field(default_factory=list)
    seen: dict[str, Place] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)


def parse_workload(text: str, name: str) -> Scope:
    """Return the scope that ``text`` describes (positions in cells).

    ``name`` is the file name: it heads every message and its stem is the scope's name unless the
    text gives one.  Raises :class:`WorkloadError` with line and column at the first mistake.
    """
    draft = _Draft(scope_name(name))
    last: Line | None = None
    for last in read_lines(text, name, alone=_SEPARATOR):
        _read_line(draft, last)
    if last is None:
        raise WorkloadError(
            Place(name, 1, 1), 'empty workload; write at least a "mount" and a "task" line'
        )
    if not draft.mounts:
        raise last.words[-1].fail_after('no mount; add a "mount" line with a "task" line below it')
    _close_mount(draft)
    scope = _finished(draft)
    _at({}, Place(name, 1, 1), lambda: check_scope(scope))
    return scope


def format_workload(scope: Scope) -> str:
    """Return ``scope`` as workload text; :func:`parse_workload` gives the equal scope back.

    Raises :class:`~powercut.checkers.workload.limits.LimitError` for a scope outside the limits.
    """
    check_scope(scope)
    lines = [f"name {scope.name}"]
    if scope.summary:
        lines.append(f"summary {scope.summary}")
    sizes = (
        f"{key}={getattr(scope.geometry, attr)}"
        for key, attr in _GEOMETRY.items()
        if key != "inodes" or scope.geometry.nr_inodes > 1
    )
    lines.append("geometry " + " ".join(sizes))
    tail = " dirty-tail" if scope.initial_dirty_tail else ""
    blocks = _format_blocks(scope.initial_blocks)
    lines.append(f"file size={scope.initial_size_cells}{blocks}{tail}")
    lines.append(f"timer {scope.timer.name.lower()}")
    lines.append(f"errors {scope.max_errors}")
    lines.append("data_err=abort" if scope.data_err_abort else "data_err=ignore")
    lines.append(f"log {scope.log_transactions}")
    if scope.nodelalloc:
        lines.append("nodelalloc")
    for mount in scope.mounts:
        lines.append("mount")
        lines += [f"  task {_format_task(task)}" for task in mount.tasks]
        lines.append(f"  flusher {mount.flusher_passes}")
        if mount.evictions:
            lines.append(f"  evict {mount.evictions}")
    return "\n".join(lines) + "\n"


def _format_blocks(blocks: tuple[InitialBlock, ...]) -> str:
    if not blocks:
        return ""
    words = (
        "hole" if block.kind == BlockKind.HOLE else f"{block.kind.name.lower()}@{block.phys}"
        for block in blocks
    )
    return f" blocks={','.join(words)}"


def format_op(op: Op) -> str:
    """Return ``op`` as it is written in a workload, for example ``write 2 1`` or ``fsync@1``."""
    word = op.code.name.lower()
    values = (op.pos_cells, op.length_cells)[: len(_FORMS[word].arguments)]
    which = f"{word}@{op.inode}" if op.inode else word
    return " ".join([which, *map(str, values)])


def _format_task(task: tuple[Op, ...]) -> str:
    return "; ".join(format_op(op) for op in task)


def _finished(draft: _Draft) -> Scope:
    mounts = (
        Mount(tuple(m.tasks), 1 if m.flusher is None else m.flusher, m.evictions or 0)
        for m in draft.mounts
    )
    return Scope(
        name=draft.name,
        summary=draft.summary,
        mounts=tuple(mounts),
        geometry=draft.geometry,
        initial_size_cells=draft.size,
        initial_dirty_tail=draft.dirty_tail,
        timer=draft.timer,
        max_errors=draft.errors,
        data_err_abort=draft.data_err_abort,
        log_transactions=draft.log,
        nodelalloc=draft.nodelalloc,
        initial_blocks=draft.blocks,
    )


def _read_line(draft: _Draft, line: Line) -> None:
    """Hand one line to the reader of its keyword."""
    head = line.words[0]
    keyword = "data_err" if head.text.startswith("data_err=") else head.text
    line = Line(line.raw, without_comment(line.words))
    if keyword in _BODY:
        _BODY[keyword](draft, line)
        return
    if keyword not in _HEADER:
        raise head.fail(_unknown_directive(keyword))
    if draft.mounts:
        raise head.fail(f'"{keyword}" belongs above the first mount; move this line up')
    if keyword in draft.seen:
        before = draft.seen[keyword].line
        raise head.fail(f'second "{keyword}" (the first is in line {before}); keep one of them')
    draft.seen[keyword] = head.place
    _HEADER[keyword](draft, line)


def _unknown_directive(keyword: str) -> str:
    if keyword in _FORMS:
        return f'operation "{keyword}" outside a task; write "task {keyword} ..." below a "mount"'
    known = ", ".join([*_HEADER, *_BODY])
    return f"unknown directive {quote(keyword)}; expected one of {known}"


def _at(places: Mapping[str, Place], default: Place, check: Callable[[], None]) -> None:
    """Run ``check``; turn its LimitError into a WorkloadError at the quantity it names."""
    try:
        check()
    except LimitError as error:
        raise WorkloadError(places.get(error.what, default), str(error)) from None


def _only(line: Line, what: str) -> Word:
    """Return the one word that must follow the keyword of ``line``."""
    words = line.words
    if len(words) < 2:
        raise words[0].fail_after(f'{what} missing after "{words[0].text}"')
    if len(words) > 2:
        raise words[2].fail(f"unexpected {quote(words[2].text)}; end the line after {what}")
    return words[1]


def _number(word: Word, what: str, high: int) -> int:
    value = whole_number(word, what)
    _at({}, word.place, lambda: check_range(what, value, 0, high))
    return value


# ---- header -------------------------------------------------------------------------------------


def _read_name(draft: _Draft, line: Line) -> None:
    word = _only(line, "a name")
    _at({}, word.place, lambda: check_name(word.text))
    draft.name = word.text


def _read_summary(draft: _Draft, line: Line) -> None:
    """Take the rest of the line as it is; a ``#`` in it is text."""
    head = line.words[0]
    start = head.place.column - 1 + len(head.text)
    summary = line.raw[start:].strip(BLANKS)
    if not summary:
        raise head.fail_after("text missing; write a summary or drop the line")
    column = line.raw.index(summary, start) + 1
    place = Place(head.place.file, head.place.line, column)
    _at({}, place, lambda: check_summary(summary))
    draft.summary = summary


def _read_geometry(draft: _Draft, line: Line) -> None:
    words = line.words
    expected = "blocks=, cells=, folio=, phys= or inodes="
    if len(words) == 1:
        raise words[0].fail_after(f"sizes missing; expected {expected}")
    sizes: dict[str, int] = {}
    places: dict[str, Place] = {}
    for word in words[1:]:
        key, value = _pair(word, tuple(_GEOMETRY), expected)
        if key in sizes:
            raise word.fail(f'second "{key}" in this line; keep one of them')
        sizes[key] = whole_number(value, key)
        places[key] = value.place
    default = Geometry()
    values = {a: sizes.get(k, getattr(default, a)) for k, a in _GEOMETRY.items()}
    geometry = Geometry(**values)
    _at(places, words[0].place, lambda: check_geometry(geometry))
    draft.geometry = geometry


def _pair(word: Word, keys: tuple[str, ...], expected: str) -> tuple[str, Word]:
    """Split ``key=value``; the value comes back as a word with its own place."""
    key, equals, value = word.text.partition("=")
    if key not in keys:
        raise word.fail(f"unknown key {quote(key)}; expected {expected}")
    if not value:
        raise word.fail_after(f'value missing; write "{key}=" and a number')
    return key, word.tail(len(key) + len(equals))


def _read_file(draft: _Draft, line: Line) -> None:
    """Read ``file size=N [blocks=…] [dirty-tail]``; the final geometry tells whether it fits."""
    words = line.words
    expected = "size=, blocks= or dirty-tail"
    if len(words) == 1:
        raise words[0].fail_after(f"contents missing; expected {expected}")
    for word in words[1:]:
        key = "dirty-tail" if word.text == "dirty-tail" else word.text.partition("=")[0]
        if key in draft.places:
            raise word.fail(f'second "{key}" in this line; keep one of them')
        if key == "dirty-tail":
            draft.dirty_tail = True
            draft.places[key] = word.place
            continue
        _, value = _pair(word, ("size", "blocks"), expected)
        draft.places[key] = value.place
        if key == "size":
            draft.size = whole_number(value, key)
        else:
            draft.blocks = tuple(_read_block(value, text) for text in value.text.split(","))


def _read_block(word: Word, text: str) -> InitialBlock:
    """Read ``hole``, ``unwritten@N`` or ``written@N``."""
    name, at, phys = text.partition("@")
    kinds = {kind.name.lower(): kind for kind in BlockKind}
    needs_place = name != "hole"
    if name not in kinds or bool(at) != needs_place or (at and phys not in _PHYS_NUMBERS):
        raise word.fail(
            f"unknown block {quote(text)}; expected hole, unwritten@N or written@N, "
            f"with N 0..{MAX_PHYS - 1}"
        )
    return InitialBlock(kinds[name], int(phys or 0))


def _read_timer(draft: _Draft, line: Line) -> None:
    word = _only(line, "never, once or free")
    if word.text not in _TIMERS:
        raise word.fail(f"unknown timer {quote(word.text)}; expected never, once or free")
    draft.timer = _TIMERS[word.text]


def _read_errors(draft: _Draft, line: Line) -> None:
    word = _only(line, f"a number 0..{MAX_ERRORS}")
    draft.errors = _number(word, "errors", MAX_ERRORS)


def _read_data_err(draft: _Draft, line: Line) -> None:
    words = line.words
    word = words[0].tail(len("data_err"))
    value = word.text.removeprefix("=")
    if value not in _DATA_ERR:
        raise words[0].fail(
            f"unknown option {quote(words[0].text)}; expected data_err=abort or data_err=ignore"
        )
    if len(words) > 1:
        raise words[1].fail(f"unexpected {quote(words[1].text)}; end the line after the option")
    draft.data_err_abort = _DATA_ERR[value]


def _read_log(draft: _Draft, line: Line) -> None:
    word = _only(line, "a number of transactions")
    value = whole_number(word, "log")
    _at({}, word.place, lambda: check_log(value))
    draft.log = value


def _read_nodelalloc(draft: _Draft, line: Line) -> None:
    words = line.words
    if len(words) > 1:
        raise words[1].fail(f"unexpected {quote(words[1].text)}; end the line after the option")
    draft.nodelalloc = True


# ---- body ---------------------------------------------------------------------------------------


def _open_mount(draft: _Draft, line: Line) -> None:
    head, *extra = line.words
    if extra:
        raise extra[0].fail(f'unexpected {quote(extra[0].text)}; end the line after "mount"')
    if draft.mounts:
        _close_mount(draft)
    else:
        _at(
            draft.places,
            draft.seen.get("file", head.place),
            lambda: check_file(draft.size, draft.dirty_tail, draft.geometry, draft.blocks),
        )
    if len(draft.mounts) == MAX_MOUNTS:
        raise head.fail(f"one mount too many; a workload may have 1..{MAX_MOUNTS}")
    draft.mounts.append(_MountDraft(head))


def _close_mount(draft: _Draft) -> None:
    mount = draft.mounts[-1]
    if not mount.tasks:
        raise mount.head.fail(f'mount without a task; add 1..{MAX_TASKS} "task" lines below it')


def _current_mount(draft: _Draft, head: Word) -> _MountDraft:
    if not draft.mounts:
        raise head.fail(f'"{head.text}" outside a mount; put a "mount" line above it')
    return draft.mounts[-1]


def _read_flusher(draft: _Draft, line: Line) -> None:
    head = line.words[0]
    mount = _current_mount(draft, head)
    if mount.flusher is not None:
        raise head.fail('second "flusher" in this mount; keep one of them')
    word = _only(line, f"a number of passes 0..{MAX_FLUSHER_PASSES}")
    mount.flusher = _number(word, "flusher", MAX_FLUSHER_PASSES)


def _read_evict(draft: _Draft, line: Line) -> None:
    head = line.words[0]
    mount = _current_mount(draft, head)
    if mount.evictions is not None:
        raise head.fail('second "evict" in this mount; keep one of them')
    word = _only(line, f"a number of folios 0..{MAX_EVICTIONS}")
    mount.evictions = _number(word, "evict", MAX_EVICTIONS)


def _read_task(draft: _Draft, line: Line) -> None:
    words = line.words
    mount = _current_mount(draft, words[0])
    if len(mount.tasks) == MAX_TASKS:
        raise words[0].fail(f"one task too many; a mount may have 1..{MAX_TASKS}")
    ops: list[Op] = []
    for group in _op_groups(words):
        if len(ops) == MAX_OPS:
            raise group[0].fail(
                f"one operation too many; a task may have 1..{MAX_OPS}, so drop one or start a task"
            )
        op = _read_op(group, draft.geometry)
        mount.data_ops += op.code in DATA_OPS
        _at({}, group[0].place, lambda: check_data_ops(mount.data_ops))
        ops.append(op)
    mount.tasks.append(tuple(ops))


def _op_groups(words: tuple[Word, ...]) -> list[list[Word]]:
    """Split the words behind ``task`` at the semicolons; an empty operation is an error."""
    groups: list[list[Word]] = [[]]
    before = words[0]
    for word in words[1:]:
        if word.text == _SEPARATOR and not groups[-1]:
            raise word.fail(f'operation missing before ";"; expected {_known_ops()}')
        if word.text == _SEPARATOR:
            groups.append([])
        else:
            groups[-1].append(word)
        before = word
    if not groups[-1]:
        raise before.fail_after(f'operation missing after "{before.text}"; expected {_known_ops()}')
    return groups


def _known_ops() -> str:
    *first, last = _FORMS
    return f"{', '.join(first)} or {last}"


def _read_op(group: list[Word], geometry: Geometry) -> Op:
    """Return the operation written as ``group``; at least its first word is there."""
    head, arguments = group[0], group[1:]
    name, at, file = head.text.partition("@")
    form = _FORMS.get(name)
    if form is None:
        raise head.fail(f"unknown operation {quote(head.text)}; expected {_known_ops()}")
    if at and file not in _FILE_NUMBERS:
        raise head.fail(f'unknown file in {quote(head.text)}; write "{name}@1" for file 1')
    names = form.arguments
    if len(arguments) > len(names):
        extra = arguments[len(names)]
        raise extra.fail(
            f'unexpected {quote(extra.text)}; write "{_usage(name)}" and ";" before the next'
        )
    needed = len(names) - (form.default_length is not None)
    if len(arguments) < needed:
        missing = names[len(arguments)]
        raise group[-1].fail_after(f'{missing} missing; write "{_usage(name)}", in cells')
    values = [whole_number(word, what) for word, what in zip(arguments, names, strict=False)]
    if len(values) < len(names) and form.default_length is not None:
        values.append(form.default_length)
    pos, length = (*values, 0, 0)[:2]
    op = Op(form.code, pos, length, int(file or 0))
    places = {what: word.place for word, what in zip(arguments, names, strict=False)}
    _at(places, head.place, lambda: check_op(op, geometry))
    return op


def _usage(word: str) -> str:
    form = _FORMS[word]
    shown = [name.upper() for name in form.arguments]
    if form.default_length is not None:
        shown[-1] = f"[{shown[-1]}]"
    return " ".join([word, *shown])


_Reader = Callable[[_Draft, Line], None]

_HEADER: dict[str, _Reader] = {
    "name": _read_name,
    "summary": _read_summary,
    "geometry": _read_geometry,
    "file": _read_file,
    "timer": _read_timer,
    "errors": _read_errors,
    "data_err": _read_data_err,
    "log": _read_log,
    "nodelalloc": _read_nodelalloc,
}
_BODY: dict[str, _Reader] = {
    "mount": _open_mount,
    "task": _read_task,
    "flusher": _read_flusher,
    "evict": _read_evict,
}

DIRECTIVES = (*_HEADER, *_BODY)
OPERATIONS = tuple(_FORMS)
"""What a line of a workload, and an operation of a task, may begin with."""
