"""A replayed trace as kernel people draw a race: a column a context, time downwards.

Why so: the reader is a reviewer with a mail client, so it is plain text of at most 100 columns that
survives quoting.  A column is an indentation, not a box: only one context acts at a time, so its
text may run on to the right, and the long names of the kernel stay whole.
Rejected: boxes of equal width (a fifth of 100 columns cuts every function name), colours and line
drawing (mails and terminals lose them).
"""

import textwrap
from collections.abc import Iterable, Sequence

from powercut.checkers.traces.codec import scope_of
from powercut.checkers.traces.describe import cell_range
from powercut.checkers.traces.format import (
    DiskImage,
    StepsWhy,
    Trace,
    TraceEpoch,
    colour_name,
    disk_of,
)
from powercut.checkers.traces.views import EpochReplay, PlacedStep, StepView, WrongCell
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.recovery import Disk, cell_content, recover
from powercut.model.scope import Geometry, Mount, OpCode, Scope
from powercut.model.state import HOLE, WRITTEN

WIDTH = 100
BLOCK_BYTES = 4096
_MARGIN = 5
_LAST_COLUMN = 46
_WIDEST_COLUMN = 18
_LABEL = 11
LEGEND = "* carries what is wrong; - the violation does not need it; the others lead there"
_NO_BREAK = "\u00a0"
_NO_WRITE = "which no write of this mount has"

_MEANINGS = {
    "zero": "zeros",
    "foreign": "what a previous owner left in the block",
    "pollution": "what lay behind EOF on disk before this mount",
    "old": "what the file held before this mount",
}


def render_ladder(
    trace: Trace, epochs: list[EpochReplay], why: Sequence[StepsWhy] = (), *, brief: bool = False
) -> str:
    """Return the replayed ``trace`` as text of at most 100 columns.

    ``epochs`` are what a replay of this trace returned.  With ``why`` (one a mount) steps are
    marked; ``brief`` leaves out all but those that carry what is wrong.  Raises
    :class:`~powercut.checkers.traces.errors.TraceError` if the trace's workload does not parse.
    """
    scope = scope_of(trace)
    lines = _head(trace, scope)
    for n, (saved, seen) in enumerate(zip(trace.epochs, epochs, strict=False)):
        mount = scope.mounts[n]
        lines += ["", *_mount_head(n, mount, saved, scope), ""]
        marks = why[n] if n < len(why) else None
        lines += _columns(mount, seen.steps, marks, brief)
        lines.append("")
        if saved.crash is not None:
            lines += _crash(trace, saved.crash, seen, mount, scope.geometry)
        else:
            lines += _live_end(trace, seen)
    if why:
        lines += ["", *_entry("marks", LEGEND)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def render_list(trace: Trace, mounts: Sequence[Sequence[PlacedStep]]) -> str:
    """Return the steps of ``trace``, which need not replay, as a numbered list.

    ``mounts`` has the steps of each mount with their places; "-" is a step without one.
    """
    lines = _wrap(_title(trace), 0, 2)
    for n, (epoch, steps) in enumerate(zip(trace.epochs, mounts, strict=True), 1):
        if len(trace.epochs) > 1:
            lines.append(f"mount {n}")
        widths = [
            max((len(cell) for cell in column), default=0)
            for column in zip(*(_list_cells(step) for step in steps), strict=True)
        ]
        for number, step in enumerate(steps, 1):
            cells = (c.ljust(w) for c, w in zip(_list_cells(step), widths, strict=True))
            label_at = 6 + sum(widths[:-1]) + 2 * len(widths[:-1])
            lines += _hang(f"{number:>4}  {'  '.join(cells)}".rstrip(), min(label_at, WIDTH - 20))
        lines.append("      power cut" if epoch.crash is not None else "      end")
    return "\n".join(lines) + "\n"


def _hang(text: str, at: int) -> list[str]:
    """Wrap ``text`` so that what does not fit goes on at column ``at``; keep its blanks."""
    out = []
    while len(text) > WIDTH:
        cut = text.rfind(" ", at + 1, WIDTH + 1)
        cut = cut if cut > at else WIDTH
        out.append(text[:cut].rstrip())
        text = " " * at + text[cut:].lstrip()
    return [*out, text]


def _list_cells(step: PlacedStep) -> tuple[str, ...]:
    place = "-" if step.file is None else f"{step.file}:{step.line}"
    return step.thread, place, step.function, step.label


def _title(trace: Trace) -> str:
    verdict = "violated" if trace.verdict == "violated" else "holds"
    return f"{trace.property} {verdict}: {trace.summary}"


def _wrap(text: str, indent: int, more: int) -> list[str]:
    """Wrap ``text`` to the page, ``indent`` in front, ``more`` in front of what follows."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * more,
        break_on_hyphens=False,
    ) or [""]


def _entry(label: str, text: str) -> list[str]:
    """Return ``label`` with its text beside it, wrapped."""
    return _wrap(f"{label:<{_LABEL}}{text}", 0, _LABEL) if text else [label]


def _head(trace: Trace, scope: Scope) -> list[str]:
    design = DESIGNS.get(trace.design)
    lines = [*_wrap(_title(trace), 0, 2), ""]
    lines += _entry("design", trace.design + (f": {design.summary}" if design else ""))
    if trace.mutant:
        mutant = MUTANTS.get(trace.mutant)
        lines += _entry("mutant", trace.mutant + (f": {mutant.summary}" if mutant else ""))
    lines += _entry("scope", scope.name + (f": {scope.summary}" if scope.summary else ""))
    lines += _entry("units", unit_words(scope.geometry))
    if scope.data_err_abort:
        lines += _entry("options", "data_err=abort")
    return lines


def unit_words(geometry: Geometry) -> str:
    """Say how many cells a block has, and blocks a folio."""
    size = BLOCK_BYTES // geometry.cells_per_block
    cells = f"{geometry.cells_per_block} cells" if geometry.cells_per_block > 1 else "1 cell"
    folio = f", {geometry.blocks_per_folio} blocks a folio" if geometry.blocks_per_folio > 1 else ""
    return f"{cells} a block{folio}; with 4 KiB blocks a cell is {size} bytes"


# ---- one mount ----------------------------------------------------------------------------------


def _mount_head(n: int, mount: Mount, epoch: TraceEpoch, scope: Scope) -> list[str]:
    title = f"mount {n + 1}" if len(scope.mounts) > 1 else "run"
    lines = [f"---- {title} ".ljust(72, "-")]
    colours = _write_colours(mount)
    for t, ops in enumerate(mount.tasks):
        words = []
        for m, op in enumerate(ops):
            made = f" = {colours[t, m]}" if (t, m) in colours else ""
            words.append(op_words(op.code, op.pos_cells, op.length_cells) + made)
        lines += _entry(f"task{t}", "; ".join(words))
    return lines + _disk_lines(epoch.start, scope.geometry)


_WITHOUT_RANGE = (
    OpCode.TRUNCATE,
    OpCode.FSYNC,
    OpCode.FDATASYNC,
    OpCode.SYNC,
    OpCode.UNLINK,
)


def op_words(code: OpCode, pos: int, length: int) -> str:
    """Return an operation as a call, in cells: ``write(cells 2-3)``, ``truncate(3)``."""
    if code not in _WITHOUT_RANGE:
        return f"{code.name.lower()}({cell_range(pos, pos + length - 1)})"
    return f"{code.name.lower()}({pos if code == OpCode.TRUNCATE else ''})"


def _write_colours(mount: Mount) -> dict[tuple[int, int], str]:
    """Return the colour each operation writes, by task and operation."""
    places = [
        (t, m)
        for t, ops in enumerate(mount.tasks)
        for m, op in enumerate(ops)
        if op.code in (OpCode.WRITE, OpCode.STORE)
    ]
    return {place: f"write{n}" for n, place in enumerate(places, 1)}


def _disk_lines(image: DiskImage, geometry: Geometry) -> list[str]:
    """Return inodes and blocks of a disk in two entries."""
    lines = []
    for i, inode in enumerate(image.inodes):
        blocks = ", ".join(
            f"block {b} {extent.state}" + ("" if extent.block is None else f" p{extent.block}")
            for b, extent in enumerate(inode.extents)
        )
        orphan = ", orphan" if inode.orphan else ""
        orphan += ", no name" if inode.deleted else ""
        name = f"inode {i}: " if len(image.inodes) > 1 else ""
        lines += _entry("on disk", f"{name}size {inode.size_cells}{orphan}; {blocks}")
    per_block = geometry.cells_per_block
    used = (
        f"p{p}: {' '.join(image.cells[p * per_block : (p + 1) * per_block])}"
        for p in image.used_blocks
    )
    content = "; ".join(used)
    return lines + (_wrap(content, _LABEL, _LABEL) if content else [])


def _kind(thread: str) -> str:
    return thread.rstrip("0123456789")


def column_of(thread: str) -> str:
    """Return the column a thread acts in: hardware and helpers share their device's."""
    kind = _kind(thread)
    names = {
        "kjournald": "jbd2",
        "timer": "jbd2",
        "disk": "disk",
        "failing_disk": "disk",
        "settle": "disk",
        "wb_worker": "flusher",
    }
    return thread if kind == "task" else names.get(kind, kind)


def _role(ops: Iterable[OpCode]) -> str:
    """Name a task after what it mostly does."""
    codes = list(ops)
    for code, role in (
        (OpCode.TRUNCATE, "truncate"),
        (OpCode.WRITE, "writer"),
        (OpCode.STORE, "mmap"),
        (OpCode.PUNCH, "punch"),
        (OpCode.ZERO_RANGE, "zero range"),
        (OpCode.FALLOCATE, "fallocate"),
        (OpCode.READ, "reader"),
        (OpCode.UNLINK, "unlink"),
    ):
        if code in codes:
            both = role == "truncate" and OpCode.WRITE in codes
            return "writer" if both else role
    return "sync" if OpCode.SYNC in codes else "fsync"


def titles_of(mount: Mount, steps: Sequence[StepView]) -> dict[str, tuple[str, str]]:
    """Return the columns that act, in their fixed order, with their two-line titles."""
    acting = {column_of(step.thread) for step in steps}
    known: dict[str, tuple[str, str]] = {
        f"task{t}": (f"task{t}", f"({_role(op.code for op in ops)})")
        for t, ops in enumerate(mount.tasks)
    }
    known |= {
        "flusher": ("flusher", ""),
        "worker": ("ioend", "worker"),
        "jbd2": ("jbd2", ""),
        "disk": ("disk", ""),
        "reclaim": ("memory", "reclaim"),
    }
    known |= {name: (name, "") for name in sorted(acting - known.keys())}
    return {name: title for name, title in known.items() if name in acting}


def _column_starts(titles: dict[str, tuple[str, str]]) -> dict[str, int]:
    """Return where each column starts: titles fit, and the last one keeps room for its text."""
    widths = [max(map(len, title)) + 2 for title in titles.values()][:-1]
    room = WIDTH - _MARGIN - _LAST_COLUMN
    while sum(widths) < room:
        narrow = min(widths, default=_WIDEST_COLUMN)
        if narrow >= _WIDEST_COLUMN:
            break
        widths[widths.index(narrow)] += 1
    starts, at = {}, _MARGIN
    for name, width in zip(titles, [*widths, 0], strict=True):
        starts[name] = at
        at += width
    return starts


def _columns(
    mount: Mount, steps: Sequence[StepView], marks: StepsWhy | None, brief: bool
) -> list[str]:
    if not steps:
        return ["(no step)"]
    titles = titles_of(mount, steps)
    starts = _column_starts(titles)
    lines = []
    for row in (0, 1):
        line = ""
        for name, title in titles.items():
            line = line.ljust(starts[name]) + title[row]
        lines.append(line)
    rule = ""
    for name, title in titles.items():
        rule = rule.ljust(starts[name]) + "-" * max(map(len, title))
    lines = [line for line in lines if line.strip()]
    lines[-1:] = _with_locks(lines[-1:], ["locks held after the step"])
    lines.append(rule)
    before: StepView | None = None
    left_out = 0
    for number, step in enumerate(steps, 1):
        if brief and marks is not None and number not in marks.carrying:
            left_out += 1
            before = None
            continue
        lines += _left_out(left_out)
        left_out = 0
        shown = _step(number, step, before, starts[column_of(step.thread)])
        shown[0] = f"{shown[0][:3]}{_mark(number, marks)}{shown[0][4:]}"
        lines += shown
        before = step
    return lines + _left_out(left_out)


def _left_out(count: int) -> list[str]:
    return [f"{'':{_MARGIN}}... {count} step{'s' * (count > 1)} ..."] if count else []


def _mark(number: int, marks: StepsWhy | None) -> str:
    if marks is None:
        return " "
    return "*" if number in marks.carrying else "-" if number in marks.idle else " "


def _step(number: int, step: StepView, before: StepView | None, at: int) -> list[str]:
    """Return one step: the function (unless it goes on), what it did there, what that changed."""
    lines: list[str] = []
    goes_on = before is not None and (before.thread, before.function) == (
        step.thread,
        step.function,
    )
    own = step.function == _kind(step.thread)
    inner = at if own else at + 2
    if not goes_on and not own:
        lines += _wrap(f"{step.function}()", at, at + 2)
    call = step.call if step.call.endswith(")") or own else f"/* {step.call}{_NO_BREAK}*/"
    wrapped = [line.replace(_NO_BREAK, " ") for line in _wrap(call, inner, inner + 3)]
    lines += _with_locks(wrapped, step.locks)
    for change in step.changes:
        lines += _wrap(change, inner + 2, inner + 4)
    lines[0] = f"{number:>3}{lines[0][3:]}"
    return lines


def _with_locks(lines: list[str], locks: list[str]) -> list[str]:
    """Put what is held at the right edge: beside the last line if that has room, else below."""
    if not locks:
        return lines
    text = f"[{', '.join(locks)}]"
    if len(lines[-1]) + 2 + len(text) <= WIDTH:
        return [*lines[:-1], lines[-1].ljust(WIDTH - len(text)) + text]
    return [*lines, *(line.rjust(WIDTH) for line in textwrap.wrap(text, WIDTH - _MARGIN))]


# ---- how it ends --------------------------------------------------------------------------------


def _crash(
    trace: Trace, image: DiskImage, seen: EpochReplay, mount: Mount, geometry: Geometry
) -> list[str]:
    lines = ["*** power cut ***", ""]
    lines += _entry("journal", "; ".join(seen.journal))
    lines += _disk_lines(image, geometry)
    others = _other_choices(image, seen, geometry)
    if others:
        lines += _entry("chance", "; ".join(others))
    disk = recover(disk_of(image, geometry), geometry)
    for i, inode in enumerate(disk.inodes):
        orphan = image.inodes[i].orphan
        name = f"inode {i}: " if len(disk.inodes) > 1 else ""
        done = "truncated to it as an orphan" if orphan else "no orphan to process"
        size = f"size {inode.size}"
        if inode.deleted:
            size, done = "gone", "deleted as an orphan" if orphan else "its inode is free"
        lines += _entry("recovery", f"{name}{size}, {done}")
        wrong = [each for each in seen.wrong if each.inode == i]
        lines += _file_lines(disk, geometry, i, {each.cell for each in wrong})
        for each in wrong:
            lines += _wrap(_wrong_words(trace, each, mount, geometry), _LABEL, _LABEL + 2)
    return lines


def _other_choices(image: DiskImage, seen: EpochReplay, geometry: Geometry) -> list[str]:
    """Return what mapped cells might have shown instead."""
    per_block = geometry.cells_per_block
    mapped = {
        extent.block
        for inode in image.inodes
        for extent in inode.extents
        if extent.state == "written"
    }
    out = []
    for cell, possible in enumerate(seen.possible):
        others = [colour for colour in possible if colour != image.cells[cell]]
        if others and cell // per_block in mapped:
            where = f"p{cell // per_block} cell {cell % per_block}"
            out.append(f"{where} may also show {'|'.join(others)}")
    return out


def _file_lines(disk: Disk, geometry: Geometry, i: int, wrong: set[int]) -> list[str]:
    """Return the recovered file cell by cell, with a mark below the wrong ones."""
    inode = disk.inodes[i]
    cells = []
    for cell in range(geometry.nr_blocks * geometry.cells_per_block):
        if cell == inode.size:
            cells.append(("EOF", False))
        state = inode.extents[cell // geometry.cells_per_block][0]
        if cell < inode.size or state == WRITTEN:
            colour = colour_name(cell_content(disk, geometry, i, cell))
            hole = " (hole)" if state == HOLE else " (unwritten)" if state != WRITTEN else ""
            cells.append((f"{cell}: {colour}{hole}", cell in wrong))
    lines: list[str] = []
    label, text, marks = "file", "", ""
    for word, is_wrong in [*cells, ("", False)]:
        if text and (not word or _LABEL + len(text) + len(word) + 5 > WIDTH):
            lines.append(f"{label:<{_LABEL}}{text} |")
            if marks.strip():
                lines.append(" " * _LABEL + marks)
            label, text, marks = "", "", ""
        if word:
            text += f" | {word}" if text else f"| {word}"
            marks = marks.ljust(len(text) - len(word)) + ("^" if is_wrong else " ") * len(word)
    return lines


def _wrong_words(trace: Trace, wrong: WrongCell, mount: Mount, geometry: Geometry) -> str:
    if wrong.cell < 0:
        return f"{trace.property}: {wrong.text}"
    size = BLOCK_BYTES // geometry.cells_per_block
    first = wrong.cell * size
    colour = colour_name(wrong.colour)
    return (
        f"{trace.property}: cell {wrong.cell} (bytes {first}-{first + size - 1}) shows {colour}, "
        f"{colour_meanings(mount).get(colour, _NO_WRITE)}"
    )


def colour_meanings(mount: Mount) -> dict[str, str]:
    """Return what each colour of a cell stands for in ``mount``."""
    meanings = dict(_MEANINGS)
    for (t, m), name in _write_colours(mount).items():
        op = mount.tasks[t][m]
        meanings[name] = f"the data of task{t}'s {op_words(op.code, op.pos_cells, op.length_cells)}"
    return meanings


def _live_end(trace: Trace, seen: EpochReplay) -> list[str]:
    verdict = "violated" if trace.verdict == "violated" else "holds"
    lines = [f"*** {trace.property} {verdict} here ***", ""]
    label = "state"
    for line in seen.state:
        lines += _entry(label, line)
        label = ""
    for line in seen.waiting:
        lines += _entry("waiting", line)
    return lines + _entry("so" if trace.verdict == "violated" else "holds", trace.summary)
