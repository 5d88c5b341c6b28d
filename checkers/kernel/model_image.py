"""A crash state of the model as a real ext4 image, and what everybody reads out of that.

What: each cell is filled with the letter of its colour, each inode of the model is a file
``file0``, ``file1``, ... in the root directory.  The metadata is in place and the journal clean, or
it is in the journal only and a mount has to replay it.
Why so: the model says what a mount recovers; an image lets ext4's own tools say it too.  Three
readers look at every image: the model's recovery, our reader, and e2fsck with debugfs.
Rejected: trusting the writer (a mistake in it would look like one of the model).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from powercut.checkers.kernel import ext4_layout as ext4
from powercut.checkers.kernel.e2fsprogs import Shown, make_image, opinion, scratch
from powercut.checkers.kernel.errors import DamagedError, DisagreementError
from powercut.checkers.kernel.ext4_writer import ImageWriter, NewFile
from powercut.checkers.kernel.medium import BaseImage, Medium
from powercut.checkers.kernel.volume import Extent, Volume
from powercut.checkers.traces.format import COLOURS, colour_name
from powercut.model.recovery import Disk, DiskInode, read_file, recover
from powercut.model.scope import Geometry
from powercut.model.state import HOLE, WRITTEN
from powercut.properties.crash import STRUCTURE, structure
from powercut.properties.crash_state import CrashInode, CrashState

MIB = 1 << 20
WRITE_LETTERS = b"1234"
"""What the writes and stores of a program fill their cells with, in its order."""
LETTERS = dict(zip(COLOURS, b"\0FPO" + WRITE_LETTERS, strict=True))
"""The byte that fills a cell of each colour: zeros, then letters and the number of the write."""
_IMAGE_MIB = {1024: (4, 1), 2048: (8, 2), 4096: (16, 4)}
"""Size of the image and of its journal, the smallest that mke2fs makes, by block size."""
BLOCK_BYTES = tuple(_IMAGE_MIB)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A file as somebody recovers it: (physical block, written) of each mapped logical block."""

    size_bytes: int
    content: bytes
    blocks: tuple[tuple[int, tuple[int, bool]], ...]


@dataclass(frozen=True, slots=True)
class ModelImage:
    """The image, where the model's physical block 0 is in it, and what was put there."""

    content: bytes
    disk: Disk
    geometry: Geometry
    block_bytes: int
    first_block: int

    @property
    def names(self) -> list[str]:
        """The names of all files, also of those that a mount deletes."""
        return [file_name(i) for i in range(len(self.disk.inodes))]


def file_name(i: int) -> str:
    """Return what file ``i`` of the model is called."""
    return f"file{i}"


def usual_block_bytes(geometry: Geometry) -> int:
    """Return a block size of a machine with pages of 4 KiB on which a folio is as in the model."""
    return 4096 if geometry.blocks_per_folio == 1 else 1024


def write_image(
    disk: Disk, geometry: Geometry, block_bytes: int, *, in_journal: bool = False
) -> ModelImage:
    """Return ``disk``, which is not recovered yet, as an image.

    ``in_journal`` leaves the metadata to a replay.  Raises LabError if mke2fs is missing.
    """
    writer = ImageWriter(_template(block_bytes))
    first = writer.reserve(geometry.nr_phys)
    per_block = geometry.cells_per_block
    for block in range(geometry.nr_phys):
        cells = disk.cells[block * per_block : (block + 1) * per_block]
        writer.put_data(first + block, filled_block(cells, block_bytes))
        if disk.bitmap >> block & 1:
            writer.use_block(first + block)
    for i, inode in enumerate(disk.inodes):
        if inode.orphan or not inode.deleted:
            writer.add_file(i, _new_file(i, inode, block_bytes // per_block, first))
    if in_journal:
        writer.log_metadata()
    return ModelImage(bytes(writer.image), disk, geometry, block_bytes, first)


@cache
def _template(block_bytes: int) -> bytes:
    image_mib, journal_mib = _IMAGE_MIB[block_bytes]
    with scratch() as folder:
        path = folder / "image"
        make_image(path, image_mib * MIB, block_bytes, journal_mib)
        return path.read_bytes()


def filled_block(cells: Sequence[int], block_bytes: int) -> bytes:
    """Return a block: each cell is filled with the letter of its colour."""
    cell_bytes = block_bytes // len(cells)
    return b"".join(bytes([LETTERS[colour_name(cell)]]) * cell_bytes for cell in cells)


def _new_file(i: int, inode: DiskInode, cell_bytes: int, first: int) -> NewFile:
    name = "" if inode.deleted else file_name(i)
    extents = model_extents(inode.extents, first)
    return NewFile(name, inode.size * cell_bytes, extents, inode.orphan)


def model_extents(blocks: Sequence[tuple[int, int]], first: int) -> tuple[Extent, ...]:
    """Return the extents of an inode of the model whose physical block 0 is ``first``."""
    return tuple(_extents(blocks, first))


def _extents(blocks: Sequence[tuple[int, int]], first: int) -> Iterator[Extent]:
    """Yield the extents of an inode; neighbours become one, as a kernel merges them."""
    run: Extent | None = None
    for logical, (state, pblk) in enumerate(blocks):
        here = Extent(logical, 1, first + pblk, state == WRITTEN)
        if run is not None and state != HOLE and _continues(run, here):
            run = Extent(run.logical, run.length + 1, run.physical, run.written)
            continue
        if run is not None:
            yield run
        run = None if state == HOLE else here
    if run is not None:
        yield run


def _continues(run: Extent, here: Extent) -> bool:
    return (
        run.written == here.written
        and run.logical + run.length == here.logical
        and run.physical + run.length == here.physical
    )


def by_the_model(image: ModelImage) -> dict[str, Recovered | None]:
    """Return the files that the model's recovery leaves, None for one that is gone."""
    disk, geometry = recover(image.disk, image.geometry), image.geometry
    cell_bytes = image.block_bytes // geometry.cells_per_block
    files: dict[str, Recovered | None] = {}
    for i, inode in enumerate(disk.inodes):
        colours = read_file(disk, geometry, i)
        content = b"".join(bytes([LETTERS[colour_name(c)]]) * cell_bytes for c in colours)
        blocks = tuple(
            (logical, (image.first_block + pblk, state == WRITTEN))
            for logical, (state, pblk) in enumerate(inode.extents)
            if state != HOLE
        )
        found = Recovered(inode.size * cell_bytes, content, blocks)
        files[file_name(i)] = None if inode.deleted else found
    return files


def by_our_reader(image: ModelImage) -> dict[str, Recovered | None]:
    """Return the files that our recovery in memory leaves.  Raises :class:`DamagedError`."""
    volume = Volume(Medium(BaseImage(image.content)))
    numbers = {name: volume.lookup(name) for name in image.names}
    return {name: recovered(volume, n) if n else None for name, n in numbers.items()}


def recovered(volume: Volume, number: int) -> Recovered:
    """Return a file as our reader recovers it."""
    file = volume.file(number)
    blocks = tuple(
        (extent.logical + n, (extent.physical + n, extent.written))
        for extent in file.extents
        for n in range(extent.length)
    )
    return Recovered(file.size_bytes, volume.read(file), blocks)


def structural_faults(image: ModelImage, *, forgiving: bool = False) -> list[str]:
    """Return what the model itself finds wrong in the structure of this crash state.

    A ``forgiving`` look lets pass a written block that begins exactly at the size of a file whose
    extents are in its inode, or that has one block at most.  e2fsck does that: its check_blocks()
    compares the size with the beginning of the last written block; scan_extent_node() is strict,
    but in a leaf only, and not where the last block is block 0.
    """
    per_block = image.geometry.cells_per_block
    inodes = tuple(
        CrashInode(
            inode.size + (forgiving and _is_forgiven(inode, per_block)),
            inode.orphan,
            inode.extents,
            ever=(),
            promise_size=0,
            promise=(),
            deleted=inode.deleted,
        )
        for inode in image.disk.inodes
    )
    state = CrashState(inodes, image.disk.bitmap, (), image.geometry)
    return [finding.text for finding in structure(state) if finding.prop == STRUCTURE]


def _is_forgiven(inode: DiskInode, per_block: int) -> bool:
    is_in_inode = len(model_extents(inode.extents, 0)) <= ext4.EXTENTS_IN_INODE
    return inode.size % per_block == 0 and (is_in_inode or inode.size <= per_block)


def agreement(image: ModelImage) -> dict[str, Recovered | None]:
    """Have all three readers recover ``image`` and return the files they agree on.

    e2fsck must find something wrong exactly where the model's structure property does; where it
    repairs that at once, debugfs is not asked.  Raises :class:`DisagreementError`, and LabError
    where a tool is missing.
    """
    wanted = by_the_model(image)
    try:
        ours = by_our_reader(image)
    except DamagedError as error:
        raise DisagreementError(f"our reader refuses the image: {error}") from None
    compare("our reader", wanted, ours)
    faults = structural_faults(image, forgiving=True)
    seen = opinion(image.content, image.names)
    if bool(faults) != bool(seen.complaints):
        raise DisagreementError(
            f"e2fsck says: {seen.complaints or 'clean'}; the model: {'; '.join(faults) or 'clean'}"
        )
    shown = {name: as_recovered(file) for name, file in seen.files.items()}
    compare("debugfs", {name: wanted[name] for name in shown}, shown)
    return wanted


def as_recovered(shown: Shown | None) -> Recovered | None:
    """Return a file of debugfs in the common form."""
    if shown is None:
        return None
    return Recovered(shown.size_bytes, shown.content, tuple(sorted(shown.blocks.items())))


def compare(
    who: str,
    wanted: dict[str, Recovered | None],
    found: dict[str, Recovered | None],
    whom: str = "the model",
) -> None:
    """Raise :class:`DisagreementError` for the first file that ``who`` and ``whom`` see apart."""
    for name, file in wanted.items():
        other = found[name]
        if file == other:
            continue
        if file is None or other is None:
            raise DisagreementError(f"{name}: {who} finds {'no' if other is None else 'a'} file")
        for what in ("size_bytes", "blocks", "content"):
            mine, theirs = getattr(file, what), getattr(other, what)
            if mine != theirs:
                if what == "content":
                    mine, theirs = runs(mine), runs(theirs)
                raise DisagreementError(f"{name}: {what} is {theirs} for {who}, {mine} for {whom}")


def runs(content: bytes) -> str:
    """Return a content as ``O*2048 zeros*2048``: each byte with how often it follows itself."""
    return " ".join(f"{_byte_name(b)}*{len(list(same))}" for b, same in groupby(content))


def _byte_name(byte: int) -> str:
    if not byte:
        return "zeros"
    return chr(byte) if 32 < byte < 127 else f"0x{byte:02x}"
