"""What a kernel writes for a change of a file, made from two images of the model."""

from dataclasses import dataclass

from powercut.checkers.kernel.block_log import FLUSH, FUA, MARK
from powercut.checkers.kernel.journal_writer import JournalWriter, Transaction
from powercut.checkers.kernel.model_image import ModelImage, write_image
from powercut.model.recovery import Disk, DiskInode
from powercut.model.scope import Geometry
from powercut.model.state import HOLE, WRITTEN
from tests.kernel.images import journal_blocks, needing_recovery
from tests.kernel.logs import Logged

BLOCK = 1024
CELL = 512
GEOMETRY = Geometry(nr_blocks=2, nr_phys=4)
FLUSHED = Logged(flags=FLUSH)


def disk(size: int, cells: str, *, used: int = 0b11, blocks: int = 2) -> Disk:
    """A disk with one file that owns the first ``blocks`` blocks; a letter a cell."""
    colours = {".": 1, "F": 2, "P": 4, "O": 8, "1": 16, "2": 32}
    extents = tuple((WRITTEN, n) if n < blocks else (HOLE, 0) for n in range(2))
    inode = DiskInode(size, False, extents)
    return Disk((inode,), used, tuple(colours[letter] for letter in cells.ljust(8, "F")))


@dataclass(frozen=True, slots=True)
class Change:
    """A mounted file system and what has to be written to change it."""

    base: bytes
    data: tuple[Logged, ...]
    journal: tuple[Logged, ...]
    commit: Logged

    @property
    def in_order(self) -> tuple[Logged, ...]:
        """Data, flush, journal, flush, commit block: as data=ordered promises it."""
        return (*self.data, FLUSHED, *self.journal, FLUSHED, self.commit)


def change(before: Disk, after: Disk) -> Change:
    """Return how a kernel would commit the step from one disk to the other."""
    old, new = (write_image(which, GEOMETRY, BLOCK) for which in (before, after))
    ring = journal_blocks(old.content)
    base = needing_recovery(old.content)
    JournalWriter(base, ring, BLOCK).write([])
    committed = bytearray(base)
    metadata = {n: block(new.content, n) for n in differing(old, new)}
    data = {n: metadata.pop(n) for n in list(metadata) if 0 <= n - old.first_block < 4}
    if 1 in metadata:
        metadata[1] = block(bytes(needing_recovery(new.content)), 1)
    JournalWriter(committed, ring, BLOCK).write([Transaction(metadata)])
    logged = [n for n in ring if block(bytes(committed), n) != block(bytes(base), n)]
    *body, commit = (Logged(n * BLOCK, block(bytes(committed), n)) for n in logged)
    writes = tuple(Logged(n * BLOCK, content) for n, content in data.items())
    fua = Logged(commit.offset_bytes, commit.data, FUA)
    return Change(bytes(base), writes, tuple(body), fua)


def differing(old: ModelImage, new: ModelImage) -> list[int]:
    """The blocks in which two images differ."""
    count = len(old.content) // BLOCK
    return [n for n in range(count) if block(old.content, n) != block(new.content, n)]


def block(content: bytes, number: int) -> bytes:
    """A block of an image."""
    return content[number * BLOCK : (number + 1) * BLOCK]


def returned(call: int, *, round_: int = 0, task: int = 0, errno: int = 0) -> Logged:
    """A mark: a call has returned."""
    return Logged(flags=MARK, data=b"powercut mark %d %d %d %d" % (round_, task, call, errno))
