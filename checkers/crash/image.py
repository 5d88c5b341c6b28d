"""From the projected bytes of a state to the images a power cut there can leave.

The projection holds the newest durable metadata and, for each physical cell, the set of colours
that may be on the medium.  Cells survive independently, so the images are the product of those
sets.  :func:`all_images` walks the whole product (the naive reference); :func:`file_images` varies
only the cells that a written block maps, which is all a reader can tell apart.

Rejected: enumerating subsets of cached writes (the same images many times over: measured 270 to
1000 times more on a prototype).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import prod

from powercut.checkers.engine.layout import Layout
from powercut.model.recovery import Disk, DiskInode, recover, referenced_cells
from powercut.model.scope import Geometry
from powercut.model.state import ZERO
from powercut.properties.crash_state import CrashInode, CrashState, colours_of


@lru_cache(maxsize=4096)
def decode(layout: Layout, projection: bytes, geometry: Geometry) -> CrashState:
    """Read a projected slice of a state as a :class:`CrashState`.

    Small workloads of one geometry meet the same slices again and again (half to four fifths of
    them, measured), so the latest are kept.
    """
    variables = bytearray(layout.shared_size)
    variables[layout.projected] = projection
    stable = layout.view(variables, b"").stable
    cells = range(geometry.nr_blocks * geometry.cells_per_block)
    inodes = []
    for i in range(geometry.nr_inodes):
        image, oracle = stable.inode[i].committed, stable.oracle.inode[i]
        extents = tuple(
            (image.extent[b].state, image.extent[b].pblk) for b in range(geometry.nr_blocks)
        )
        inodes.append(
            CrashInode(
                size=image.size,
                orphan=bool(image.orphan),
                extents=extents,
                ever=tuple(oracle.ever[c] for c in cells),
                promise_size=oracle.promise_size,
                promise=tuple(oracle.promise[c] for c in cells),
                deleted=bool(image.deleted),
            )
        )
    may = tuple(stable.may[c] for c in range(geometry.nr_phys * geometry.cells_per_block))
    tasks = (stable.oracle.calls[t] for t in range(layout.dims["nr_tasks"]))
    calls = tuple((seen.returned, seen.results) for seen in tasks)
    return CrashState(tuple(inodes), stable.bitmap, may, geometry, calls)


def make_disk(state: CrashState, cells: Sequence[int]) -> Disk:
    """Return the disk whose physical cells are ``cells``, before recovery."""
    inodes = tuple(DiskInode(i.size, i.orphan, i.extents, i.deleted) for i in state.inodes)
    return Disk(inodes, state.bitmap, tuple(cells))


def all_images(state: CrashState) -> Iterator[Disk]:
    """Yield every image a power cut can leave, each once (naive: the whole product)."""
    for cells in product(*(colours_of(mask) for mask in state.may)):
        yield make_disk(state, cells)


def count_images(state: CrashState) -> int:
    """Return how many images :func:`all_images` yields."""
    return prod(mask.bit_count() for mask in state.may)


def relevant_cells(state: CrashState) -> list[int]:
    """Return the physical cells that a reader of the recovered files could reach."""
    disk = recover(make_disk(state, [ZERO] * len(state.may)), state.geometry)
    return sorted(referenced_cells(disk, state.geometry))


def file_images(state: CrashState) -> Iterator[Disk]:
    """Yield the images that differ in what some written block holds; other cells are arbitrary."""
    lowest = [mask & -mask for mask in state.may]
    cells = relevant_cells(state)
    for choice in product(*(colours_of(state.may[c]) for c in cells)):
        image = list(lowest)
        for cell, colour in zip(cells, choice, strict=True):
            image[cell] = colour
        yield make_disk(state, image)


def image_with(state: CrashState, wanted: Iterable[tuple[int, int]]) -> Disk:
    """Return an image in which physical cells show the wanted colours, others their lowest.

    Raises :class:`ValueError` for a colour the cell cannot show.
    """
    image = [mask & -mask for mask in state.may]
    for cell, colour in wanted:
        if not state.may[cell] & colour:
            raise ValueError(f"physical cell {cell} cannot show colour {colour} here")
        image[cell] = colour
    return make_disk(state, image)
