"""What a program on a real kernel may leave after a power cut, by the plain specification.

What: the tasks of a workload ran in rounds, each on files of its own: ``file0``, or in round 7
``file0.7``.  A recovered file is cut into sectors of 512 bytes, and
:class:`~powercut.checkers.machines.reference.FileSpec` says whether they are allowed: the one
specification for model and kernel.  Each write or store fills its range with its own letter (``1``,
``2``, ... in the order of the workload), as in an image of the model; there ``F`` is what a
previous owner left in a block and ``P`` what lies behind EOF.
Marks in the log say which calls had returned; without any, every call may have begun and no sync
promises anything.
Why so: with one task a file the specification is exact, however the kernel interleaves the rest.
Not judged: files of several tasks, unlink, what a sync of another task promises, and a file from
the first call on that failed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from powercut.checkers.kernel.block_log import MARK, BlockLog
from powercut.checkers.kernel.errors import LabError
from powercut.checkers.kernel.model_image import LETTERS, WRITE_LETTERS, runs
from powercut.checkers.kernel.volume import File, Volume
from powercut.checkers.machines.reference import SYNCS, ZEROS, FileSpec
from powercut.model.scope import Op, OpCode, Scope
from powercut.properties.crash import DURABILITY, STALE, STRUCTURE

SIZES = "sizes"
SECTOR_BYTES = 512
MARK_PREFIX = b"powercut mark "
_MARK = re.compile(rb"powercut mark (\d+) (\d+) (\d+) (\d+)\0*$")
_NAME = re.compile(r"file(\d+)(?:\.(\d+))?")
_DATA_OPS = (OpCode.WRITE, OpCode.STORE)
_PROMISES = (*SYNCS, OpCode.SYNC)
_KNOWN_LETTERS = {
    LETTERS["foreign"]: "data of a previous owner of the block",
    LETTERS["pollution"]: "data from behind EOF",
}
_READ_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """Something a recovered file system must not show: property, file, and a line about it."""

    prop: str
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A mark: call ``call`` (from 1) of a task had returned before log entry ``entry``."""

    entry: int
    round: int
    task: int
    call: int
    errno: int


def marks_of(log: BlockLog) -> list[Returned]:
    """Return the marks in a log, in its order.

    A mark is an entry of its own, or a write behind the file system: ``powercut mark ROUND TASK
    CALL ERRNO``.  Raises :class:`LabError` for one that says something else.
    """
    marks = []
    for entry in log.entries():
        if not entry.data.startswith(MARK_PREFIX):
            continue
        text = entry.data if entry.flags & MARK else entry.data[:SECTOR_BYTES]
        found = _MARK.match(text)
        if found is None:
            shown = text[:64].rstrip(b"\0").decode("ascii", "backslashreplace")
            raise LabError(f"{log.path}: entry {entry.number}", f"unknown mark {shown!r}")
        numbers = [int(number) for number in found.groups()]
        marks.append(Returned(entry.number, *numbers))
    return marks


def letters_of(tasks: Sequence[Sequence[Op]]) -> dict[tuple[int, int], int]:
    """Return what each write and store of a program fills its range with, by (task, call)."""
    places = (
        (task, n)
        for task, ops in enumerate(tasks)
        for n, op in enumerate(ops)
        if op.code in _DATA_OPS
    )
    return dict(zip(places, WRITE_LETTERS, strict=False))


@dataclass(slots=True)
class Program:
    """The tasks of a workload, and what each operation fills its range with."""

    tasks: tuple[tuple[Op, ...], ...]
    cells_per_block: int
    letters: dict[tuple[int, int], int] = field(init=False)
    owner: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.letters = letters_of(self.tasks)
        self.owner = {}
        for task, ops in enumerate(self.tasks):
            for op in ops:
                if op.code not in _PROMISES and self.owner.setdefault(op.inode, task) != task:
                    raise ValueError(f"file {op.inode} is used by several tasks; give one each")
                if op.code == OpCode.UNLINK:
                    raise ValueError("unlink cannot be judged; leave it out")

    @classmethod
    def of_scope(cls, scope: Scope) -> "Program":
        """Return the program of a workload.  Raises ValueError for one that cannot be judged."""
        if len(scope.mounts) != 1:
            raise ValueError(f"{len(scope.mounts)} mounts; a log is of one")
        return cls(scope.mounts[0].tasks, scope.geometry.cells_per_block)


class Judge:
    """Judges the recovered states of one log by a program; ``start`` is what was there before."""

    def __init__(self, program: Program, start: Volume, marks: Sequence[Returned]) -> None:
        self._program = program
        self._marks = marks
        self._block_bytes = start.block_bytes
        self._scale = start.block_bytes // program.cells_per_block // SECTOR_BYTES
        if start.block_bytes % (program.cells_per_block * SECTOR_BYTES):
            raise ValueError(
                f"{program.cells_per_block} cells do not divide a block of {start.block_bytes} "
                f"bytes into whole sectors"
            )
        self._initial = {
            name: sectors_of(start.read(start.file(number), _READ_LIMIT_BYTES))
            for name, number in start.root.items()
            if self._parsed(name) is not None
        }
        self._specs: dict[tuple[str, int], FileSpec] = {}
        self._answers: dict[tuple[str, int, bytes], Fault | None] = {}
        self._seen_marks = 0
        self._progress: dict[tuple[int, int], int] = {}
        self._failed: set[tuple[int, int]] = set()
        self.judged_files = 0

    def faults(self, volume: Volume, before: int) -> Iterator[Fault]:
        """Yield what is wrong in a state in which entry ``before`` had not ended.

        States must come in the order of the log.
        """
        while self._seen_marks < len(self._marks) and self._next_mark().entry < before:
            mark = self._next_mark()
            self._seen_marks += 1
            at = mark.round, mark.task
            self._progress[at] = max(self._progress.get(at, 0), mark.call)
            if mark.errno:
                self._failed.add(at)
        for name, number in volume.root.items():
            parsed = self._parsed(name)
            if parsed is None or (parsed[1], self._program.owner[parsed[0]]) in self._failed:
                continue
            self.judged_files += 1
            file = volume.file(number)
            fault = self._fault(name, *parsed, file, volume)
            if fault is not None:
                yield fault

    def _next_mark(self) -> Returned:
        return self._marks[self._seen_marks]

    def _parsed(self, name: str) -> tuple[int, int] | None:
        """Return file and round of a name that the program has to do with."""
        found = _NAME.fullmatch(name)
        if found is None or int(found[1]) not in self._program.owner:
            return None
        return int(found[1]), int(found[2] or 0)

    def _fault(
        self, name: str, inode: int, round_: int, file: File, volume: Volume
    ) -> Fault | None:
        task = self._program.owner[inode]
        calls = len(self._program.tasks[task])
        returned = self._progress.get((round_, task), 0) if self._marks else calls
        content = volume.read(file, _READ_LIMIT_BYTES)
        key = name, returned, content
        if key not in self._answers:
            spec = self._spec(name, inode, task, returned)
            self._answers[key] = self._judged(spec, name, content)
        return self._answers[key]

    def _spec(self, name: str, inode: int, task: int, returned: int) -> FileSpec:
        spec = self._specs.get((name, returned))
        if spec is not None:
            return spec
        sectors_per_block = self._block_bytes // SECTOR_BYTES
        spec = FileSpec(self._initial.get(name, ()), sectors_per_block)
        for n, op in enumerate(self._program.tasks[task][: returned + 1]):
            if op.inode != inode and op.code not in _PROMISES:
                continue
            spec.begin(self._scaled(op), self._program.letters.get((task, n), ZEROS))
            own_sync = op.code == OpCode.SYNC or (op.code in SYNCS and op.inode == inode)
            if own_sync and n < returned and self._marks:
                spec.synced()
        self._specs[name, returned] = spec
        return spec

    def _scaled(self, op: Op) -> Op:
        """Return an operation in sectors."""
        return replace(
            op,
            pos_cells=op.pos_cells * self._scale,
            length_cells=op.length_cells * self._scale,
        )

    def _judged(self, spec: FileSpec, name: str, content: bytes) -> Fault | None:
        if len(content) % SECTOR_BYTES:
            return Fault(SIZES, name, f"size {len(content)} is no whole number of sectors")
        wrongs = ((found, spec.wrong_at(found)) for found in readings_of(content))
        found, wrong = next(((f, w) for f, w in wrongs if w is not None), ((), None))
        if wrong is None:
            return None
        shown = f"{len(content)} bytes, {runs(content)}"
        if wrong.cell is None:
            lost = any(version.size == len(found) for version in spec.versions[: spec.floor])
            what = f"the size was given up by a later call that a sync made durable: {shown}"
            text = what if lost else f"no call gave it this size: {shown}"
            return Fault(DURABILITY if lost else SIZES, name, text)
        return self._content_fault(spec, name, found, wrong.cell, shown)

    def _content_fault(
        self, spec: FileSpec, name: str, found: Sequence[int], cell: int, shown: str
    ) -> Fault:
        value, at = found[cell], f"from byte {cell * SECTOR_BYTES} on"
        removals = [n for n in range(len(spec.begun)) if spec.removes(n, cell)]
        since = removals[-1] + 1 if removals else 0
        once = {v.cells[cell] for v in spec.versions[since:] if cell < v.size}
        if value == ZEROS or value in once:
            text = f"{at} a sync had promised something else: {shown}"
            return Fault(DURABILITY, name, text)
        return Fault(STALE, name, f"{at} {self._whose(spec, value)}: {shown}")

    def _whose(self, spec: FileSpec, value: int) -> str:
        """Say whose data a sector shows that should not."""
        own = {letter for _, letter in spec.begun} | set(spec.versions[0].cells)
        if value in own:
            return "data of its own that was never there, or cut off"
        if value in self._program.letters.values():
            return "data of another file of the program"
        return _KNOWN_LETTERS.get(value, f"data that no call wrote (byte 0x{value:02x})")


def sectors_of(content: bytes) -> tuple[int, ...]:
    """Return the letter that each sector begins with."""
    return tuple(content[::SECTOR_BYTES])


def readings_of(content: bytes, piece_bytes: int = SECTOR_BYTES) -> list[tuple[int, ...]]:
    """Return a letter a piece, as often as it takes for each letter of a piece to be in one.

    A call may copy into a page while the device reads that, so a piece may show two contents; each
    of them has to be allowed.
    """
    pieces = [content[at : at + piece_bytes] for at in range(0, len(content), piece_bytes)]
    letters = [
        piece[:1] if piece.count(piece[0]) == len(piece) else bytes(dict.fromkeys(piece))
        for piece in pieces
    ]
    count = max(map(len, letters), default=1)
    return [tuple(found[n % len(found)] for found in letters) for n in range(count)]


def structural_faults(volume: Volume) -> Iterator[Fault]:
    """Yield what is wrong in the structure of the files in the root directory.

    No block has two owners, every block of a file is in use by the bitmap, none is written wholly
    behind the size unless the file is an orphan: :func:`~powercut.properties.crash.structure` for a
    real file system, before orphans are processed.
    """
    owners: dict[int, str] = {}
    for name, number in volume.root.items():
        if not volume.is_regular(number):
            continue
        file = volume.file(number)
        end = -(-file.size_bytes // volume.block_bytes)
        for extent in volume.extents(number):
            for n in range(extent.length):
                block, logical = extent.physical + n, extent.logical + n
                other = owners.setdefault(block, name)
                if other != name:
                    yield Fault(STRUCTURE, name, f"block {block} is owned by {other} too")
                if not volume.is_allocated(block):
                    yield Fault(STRUCTURE, name, f"block {block} is free by the bitmap")
                if extent.written and logical >= end and not file.is_orphan:
                    text = f"block {logical} is written but wholly behind size {file.size_bytes}"
                    yield Fault(STRUCTURE, name, text)
