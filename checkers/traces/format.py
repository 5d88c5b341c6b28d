"""The trace document, and its disks as the model knows them.

Why so: a counterexample must be readable in a mail and survive edits of the model, so threads and
colours have names, a step names the function and the label it starts at, and the workload is the
text format a person writes.  Numbers and strings are bounded here, once, and the JSON Schema is
exported from these types.
Rejected: the schedule as thread indexes (renumbered by every new thread kind), source lines and a
digest of the model (a comment that moves would change every file, and whoever shows a step can look
the line up), colour masks (an image has one colour a cell), a disk given by its difference to the
one before (a diff of two traces would need a replay to be understood).
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from powercut.model.recovery import Disk, DiskInode
from powercut.model.scope import Geometry
from powercut.model.state import HOLE, UNWRITTEN, WRITTEN

SCHEMA: Final = "powercut.trace/3"

MAX_LINE = 400

NAME_PATTERN = r"^[A-Za-z0-9._-]{1,64}$(?!\n)"
OPTIONAL_NAME_PATTERN = r"^[A-Za-z0-9._-]{0,64}$(?!\n)"
LINE_PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*$(?!\n)"
STEM_PATTERN = r"^[A-Za-z0-9._-]{0,200}$(?!\n)"

Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
OptionalName = Annotated[str, Meta(pattern=OPTIONAL_NAME_PATTERN)]
OneLine = Annotated[str, Meta(pattern=LINE_PATTERN, max_length=MAX_LINE)]
Cells = Annotated[int, Meta(ge=0, le=16)]
Block = Annotated[int, Meta(ge=0, le=7)]
StepNumber = Annotated[int, Meta(ge=1, le=100_000)]
FileStem = Annotated[str, Meta(pattern=STEM_PATTERN)]
Finder = Literal["unknown", "search", "random", "machine", "proof", "locks", "explorer"]
Colour = Literal["zero", "foreign", "pollution", "old", "write1", "write2", "write3", "write4"]
ExtentState = Literal["hole", "unwritten", "written"]

COLOURS: tuple[Colour, ...] = (
    "zero",
    "foreign",
    "pollution",
    "old",
    "write1",
    "write2",
    "write3",
    "write4",
)
_EXTENT_STATES: dict[ExtentState, int] = {
    "hole": HOLE,
    "unwritten": UNWRITTEN,
    "written": WRITTEN,
}
_STATE_NAMES = {number: name for name, number in _EXTENT_STATES.items()}


class ImageError(ValueError):
    """A disk image that no disk can have; ``place`` is the path inside the image."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(place, message)
        self.place = place
        self.message = message


class TraceStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One step: the thread, and the point it was parked at before it took the step."""

    thread: Name
    function: Name
    label: OneLine


class ImageExtent(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One logical block; ``block`` is the physical one, absent for a hole."""

    state: ExtentState
    block: Block | None = None


class ImageInode(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An inode on disk; a ``deleted`` one has no name."""

    size_cells: Cells
    orphan: bool
    extents: list[ImageExtent]
    deleted: bool = False


class DiskImage(Struct, frozen=True, forbid_unknown_fields=True):
    """A file system at rest: inodes, allocated blocks, and one colour for each physical cell."""

    inodes: list[ImageInode]
    used_blocks: list[Block]
    cells: list[Colour]


class StepsWhy(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a violation shows, as steps of a mount, numbered from 1 and rising.

    ``carrying`` are the steps whose stores the wrong values were made from, ``idle`` those that the
    violation does not need.
    """

    carrying: list[StepNumber]
    idle: list[StepNumber]


class TraceEpoch(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One mount: the disk it starts from, its steps, and the disk the power cut left, if any.

    ``why`` is absent where nobody has asked, and where the property holds.
    """

    start: DiskImage
    steps: list[TraceStep]
    crash: DiskImage | None
    why: StepsWhy | None = None


class Origin(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a trace comes from; decides nothing.

    ``seed`` belongs to finders that draw.  ``minimised`` says that nothing the minimiser tried
    makes it smaller.  ``counterpart`` names the trace (its file, without the ending) whose schedule
    this one follows under another design.
    """

    finder: Finder = "unknown"
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    minimised: bool = False
    counterpart: FileStem = ""


class TracePatch(Struct, frozen=True, forbid_unknown_fields=True):
    """A change of the model that the run was made with: a unified diff; ``name`` heads messages."""

    name: OneLine
    text: Annotated[str, Meta(max_length=1 << 20)]


class Trace(Struct, frozen=True, forbid_unknown_fields=True, rename={"schema_version": "schema"}):
    """A counterexample (or a run in which the property held), as it is saved."""

    schema_version: Literal["powercut.trace/3"]
    design: Name
    mutant: OptionalName
    scope: Name
    workload: Annotated[str, Meta(max_length=65536)]
    property: Name
    verdict: Literal["violated", "holds"]
    summary: OneLine
    epochs: Annotated[list[TraceEpoch], Meta(min_length=1, max_length=3)]
    origin: Origin = Origin()
    patches: list[TracePatch] | UnsetType = UNSET


def colour_name(mask: int) -> Colour:
    """Return the name of a single colour.  Raises :class:`ValueError` for anything else."""
    if mask.bit_count() != 1 or mask >= 1 << len(COLOURS):
        raise ValueError(f"{mask} is not one colour")
    return COLOURS[mask.bit_length() - 1]


def colour_set(mask: int) -> str:
    """Return a set of colours as ``zero|write1``."""
    return "|".join(name for n, name in enumerate(COLOURS) if mask >> n & 1) or "nothing"


def image_of(disk: Disk) -> DiskImage:
    """Return ``disk`` as it is saved.  Raises :class:`ValueError` for a cell of no one colour."""
    return DiskImage(
        inodes=[
            ImageInode(
                size_cells=inode.size,
                orphan=inode.orphan,
                extents=[
                    ImageExtent(_STATE_NAMES[state], None if state == HOLE else pblk)
                    for state, pblk in inode.extents
                ],
                deleted=inode.deleted,
            )
            for inode in disk.inodes
        ],
        used_blocks=[p for p in range(disk.bitmap.bit_length()) if disk.bitmap >> p & 1],
        cells=[colour_name(cell) for cell in disk.cells],
    )


def disk_of(image: DiskImage, geometry: Geometry) -> Disk:
    """Return the disk that ``image`` describes.

    Raises :class:`ImageError` for one that does not fit ``geometry``.
    """
    _check_count(".inodes", len(image.inodes), geometry.nr_inodes, "inode")
    inodes = tuple(
        _inode_of(inode, geometry, f".inodes[{i}]") for i, inode in enumerate(image.inodes)
    )
    bitmap = 0
    for n, block in enumerate(image.used_blocks):
        _check_block(f".used_blocks[{n}]", block, geometry)
        if bitmap >> block:
            raise ImageError(f".used_blocks[{n}]", "block numbers must rise; sort them, each once")
        bitmap |= 1 << block
    _check_count(".cells", len(image.cells), geometry.nr_phys * geometry.cells_per_block, "cell")
    return Disk(inodes, bitmap, tuple(1 << COLOURS.index(cell) for cell in image.cells))


def _inode_of(inode: ImageInode, geometry: Geometry, place: str) -> DiskInode:
    largest = geometry.nr_blocks * geometry.cells_per_block
    if inode.size_cells > largest:
        raise ImageError(
            f"{place}.size_cells", f"size {inode.size_cells} is larger than the file's {largest}"
        )
    _check_count(f"{place}.extents", len(inode.extents), geometry.nr_blocks, "extent")
    extents = []
    for n, extent in enumerate(inode.extents):
        here = f"{place}.extents[{n}]"
        if (extent.block is None) != (extent.state == "hole"):
            raise ImageError(here, "a hole has no block, any other extent needs one")
        if extent.block is not None:
            _check_block(f"{here}.block", extent.block, geometry)
        extents.append((_EXTENT_STATES[extent.state], extent.block or 0))
    return DiskInode(inode.size_cells, inode.orphan, tuple(extents), inode.deleted)


def _check_count(place: str, got: int, wanted: int, what: str) -> None:
    if got != wanted:
        raise ImageError(place, f"the workload's geometry needs {wanted} {what}s, not {got}")


def _check_block(place: str, block: int, geometry: Geometry) -> None:
    if block >= geometry.nr_phys:
        raise ImageError(place, f"block {block} is outside the disk's 0..{geometry.nr_phys - 1}")
