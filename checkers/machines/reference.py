"""A file as its user understands it: what reads show, what a sync promised, what a crash may leave.

What: the operations of one program on one file, applied to a list of cells, give a list of
*versions*.  A read after a call returned shows exactly its version.  A crash shows a file that some
version since the last successful sync explains: its size lies between two neighbouring versions,
and each cell shows something written there that no truncate or punch up to that version removed, or
zeros where nothing was promised.
Why so: this is what the manual pages and ext4's documentation say, and it is written without a look
at the kernel's paths or at the checkers' own oracle (``model.oracle``), so either can find the
other wrong.
Rejected: several programs on one file (every pair of operations needs an order, and what is left to
check is little), failing devices (what an error takes away is not the user's business to know).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from powercut.model.scope import Op, OpCode

ZEROS = 0
SYNCS = (OpCode.FSYNC, OpCode.FDATASYNC)
APPENDS = (OpCode.WRITE, OpCode.STORE, *SYNCS)


@dataclass(frozen=True, slots=True)
class Version:
    """A file between two calls: the value of each cell inside its size."""

    cells: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.cells)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a recovered file is not allowed, and at which cell unless its size is what is wrong."""

    text: str
    cell: int | None = None


class FileSpec:
    """One file under one program.

    ``initial`` is its content at mount.  ``begun`` are the operations whose call began, each with
    the value it writes; ``floor`` is the version that the last successful sync made durable.
    """

    def __init__(self, initial: Sequence[int], cells_per_block: int) -> None:
        self.cells_per_block = cells_per_block
        self.versions = [Version(tuple(initial))]
        self.begun: list[tuple[Op, int]] = []
        self.floor = 0

    def begin(self, op: Op, value: int) -> None:
        """A call begins; ``value`` is what it writes, if it writes anything."""
        self.begun.append((op, value))
        self.versions.append(Version(tuple(self._after(op, value))))

    def synced(self) -> None:
        """The call begun last was a sync, and it returned success."""
        self.floor = len(self.versions) - 1

    def _after(self, op: Op, value: int) -> list[int]:
        cells = list(self.versions[-1].cells)
        start, stop = op.pos_cells, op.pos_cells + op.length_cells
        if op.code == OpCode.TRUNCATE:
            return (cells + [ZEROS] * start)[:start]
        if op.code in (OpCode.WRITE, OpCode.FALLOCATE):
            cells += [ZEROS] * (stop - len(cells))
        if op.code in (OpCode.WRITE, OpCode.STORE):
            cells[start:stop] = [value] * len(cells[start:stop])
        elif op.code in (OpCode.PUNCH, OpCode.ZERO_RANGE):
            cells[start:stop] = [ZEROS] * len(cells[start:stop])
        return cells

    def removes(self, n: int, cell: int) -> bool:
        """Tell whether operation ``n`` makes ``cell`` unreadable for good once it is committed.

        A partly punched block is zeroed in place instead, which is a write; but a punch up to EOF
        takes EOF's block as a whole.
        """
        op = self.begun[n][0]
        if op.code == OpCode.TRUNCATE:
            return cell >= op.pos_cells
        if op.code not in (OpCode.PUNCH, OpCode.ZERO_RANGE):
            return False
        block = cell // self.cells_per_block
        first, end = block * self.cells_per_block, (block + 1) * self.cells_per_block
        stop = op.pos_cells + op.length_cells
        to_eof = op.code == OpCode.PUNCH and self.versions[n].size <= stop
        return op.pos_cells <= first and (end <= stop or to_eof)

    def touches(self, n: int, cell: int) -> bool:
        """Tell whether operation ``n`` may zero ``cell``, on disk or in the extent tree."""
        op = self.begun[n][0]
        if op.code == OpCode.TRUNCATE:
            return cell >= op.pos_cells
        inside = op.pos_cells <= cell < op.pos_cells + op.length_cells
        return op.code in (OpCode.PUNCH, OpCode.ZERO_RANGE) and inside

    def wrong_after_crash(self, found: Sequence[int]) -> str:
        """Return why a recovered file is not allowed, or nothing."""
        wrong = self.wrong_at(found)
        return wrong.text if wrong else ""

    def wrong_at(self, found: Sequence[int]) -> Wrong | None:
        """Return why a recovered file is not allowed, with the place."""
        size, last = len(found), len(self.versions) - 1
        candidates = [v for v in range(self.floor, last + 1) if self._has_size(v, size)]
        if not candidates:
            sizes = sorted({version.size for version in self.versions[self.floor :]})
            return Wrong(f"size {size} was never there since the last sync, only {sizes}")
        if any(all(self._allowed(v, c, x) for c, x in enumerate(found)) for v in candidates):
            return None
        best = max(
            (next(c for c, x in enumerate(found) if not self._allowed(v, c, x)), v)
            for v in candidates
        )
        text = f"cell {best[0]} shows a value that no version since the last sync explains"
        return Wrong(text, best[0])

    def _has_size(self, v: int, size: int) -> bool:
        """A file grows a block at a time, and the size may follow later: any size in between."""
        lowest = min(version.size for version in self.versions[self.floor : v + 1])
        here = self.versions[v].size
        following = self.versions[min(v + 1, len(self.versions) - 1)].size
        return min(lowest, here, following) <= size <= max(here, following)

    def _allowed(self, v: int, cell: int, value: int) -> bool:
        """Tell whether ``cell`` may show ``value`` where version ``v`` of the metadata is found."""
        return value in set(self._values(v, cell))

    def _values(self, v: int, cell: int) -> Iterator[int]:
        since = [n for n in range(self.floor, v) if self.removes(n, cell)]
        base = self.versions[self.floor]
        durable = base.cells[cell] if cell < base.size else ZEROS
        if not since:
            yield durable
        zeroed = any(self.touches(n, cell) for n in range(self.floor, len(self.begun)))
        if durable == ZEROS or zeroed:
            yield ZEROS
        for n in range(since[-1] if since else self.floor, len(self.begun)):
            op, written = self.begun[n]
            inside = op.pos_cells <= cell < op.pos_cells + op.length_cells
            if (inside and op.code == OpCode.WRITE) or (
                inside and op.code == OpCode.STORE and cell < self.versions[n].size
            ):
                yield written

    def grew_without_data(self, found: Sequence[int]) -> bool:
        """Tell whether the size moved past data that is not there.

        Only where writes alone made the file grow since the last sync: then the size belongs to the
        last cell, and comes after it.
        """
        ops = [op for op, _ in self.begun[self.floor :]]
        if any(op.code not in APPENDS for op in ops) or not found or found[-1] != ZEROS:
            return False
        for version in self.versions[self.floor :]:
            if version.size >= len(found):
                is_new = version is not self.versions[self.floor]
                return is_new and version.cells[len(found) - 1] != ZEROS
        return False
