"""Properties of what recovery finds after a power cut.

Each is stated once, for one cell or one inode; :func:`factored` applies it to every colour a cell
may show, :func:`on_image` to one concrete image.  Both must agree on whether anything is wrong
(tests compare them over every image of small scopes), and only the factored form is fast.

*Stale* and *zeros* are different things here.  A cell is stale when it shows a foreign colour, one
that was never written there, or data that a committed truncate cut off.  Zeros where data was
expected are legal while the data was not synced: ext4 documents that ioends complete in any order,
so a later one may move the size past an earlier one that is still unwritten.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from powercut.model.recovery import Disk, cell_content, recover
from powercut.model.state import FOREIGN, HOLE, WRITTEN, ZERO
from powercut.properties.crash_state import CrashInode, CrashState, colours_of


@dataclass(frozen=True, slots=True)
class Finding:
    """A violated property at a place: file cell and colour, or a sentence for structure."""

    prop: str
    inode: int
    cell: int = -1
    colour: int = 0
    text: str = ""


STALE = "stale-data"
DURABILITY = "durability"
STRUCTURE = "structure"
UNSTABLE_CONVERSION = "unstable-conversion"
ZEROS = "zeros-for-data"


def is_stale(inode: CrashInode, cell: int, colour: int) -> bool:
    """A colour that was never legal at this cell in the recovered state."""
    return cell < inode.size and colour != ZERO and not inode.ever[cell] & colour


def breaks_promise(inode: CrashInode, cell: int, colour: int) -> bool:
    """A colour that a returned fsync excluded."""
    return cell < inode.size and not inode.promise[cell] & colour


def is_zero_for_data(inode: CrashInode, cell: int, colour: int) -> bool:
    """Zero where the user stored data that the recovered state does not know as removed."""
    return cell < inode.size and colour == ZERO and bool(inode.ever[cell] & ~ZERO)


def is_unstable(inode: CrashInode, cell: int, colour: int) -> bool:
    """A written block, inside the size or not, that still shows its previous owner's data."""
    return colour == FOREIGN


CELL_PROPERTIES: dict[str, Callable[[CrashInode, int, int], bool]] = {
    STALE: is_stale,
    DURABILITY: breaks_promise,
    ZEROS: is_zero_for_data,
    UNSTABLE_CONVERSION: is_unstable,
}


def factored(state: CrashState) -> list[Finding]:
    """Check every image a power cut can leave, cell by cell, without enumerating images."""
    found = list(structure(state))
    for i, inode in enumerate(state.inodes):
        for cell in range(len(inode.ever)):
            if _is_cut_orphan(state, inode, cell):
                continue
            for colour in colours_of(state.possible(inode, cell)):
                found += _check_cell(i, inode, cell, colour)
    return found


def on_image(state: CrashState, image: Disk) -> list[Finding]:
    """Check one image: recover it, read the files, compare with the oracle."""
    found = list(structure(state))
    disk = recover(image, state.geometry)
    for i, inode in enumerate(state.inodes):
        for cell in range(len(inode.ever)):
            if not _is_cut_orphan(state, inode, cell):
                colour = cell_content(disk, state.geometry, i, cell)
                found += _check_cell(i, inode, cell, colour)
    if recover(disk, state.geometry) != disk:
        found.append(
            Finding(STRUCTURE, 0, text="a second recovery changes the result of the first")
        )
    return found


def _is_cut_orphan(state: CrashState, inode: CrashInode, cell: int) -> bool:
    """Whether nobody reads ``cell``: orphan processing removes its block, or the file is gone."""
    if inode.deleted:
        return True
    per_block = state.geometry.cells_per_block
    return inode.orphan and cell // per_block >= -(-inode.size // per_block)


def _check_cell(i: int, inode: CrashInode, cell: int, colour: int) -> Iterator[Finding]:
    for name, is_bad in CELL_PROPERTIES.items():
        if is_bad(inode, cell, colour):
            yield Finding(name, i, cell, colour)


def structure(state: CrashState) -> Iterator[Finding]:
    """No block owned twice, bitmap and extents agree, nothing written wholly behind the size.

    The bitmap is compared before orphan processing: both are of one transaction.
    """
    owners: dict[int, tuple[int, int]] = {}
    per_block = state.geometry.cells_per_block
    for i, inode in enumerate(state.inodes):
        if inode.deleted and not inode.orphan:
            continue
        if inode.size < inode.promise_size and not inode.deleted:
            text = f"size {inode.size} is smaller than the synced {inode.promise_size}"
            yield Finding(DURABILITY, i, text=text)
        for block, (kind, pblk) in enumerate(inode.extents):
            if kind == HOLE:
                continue
            if pblk in owners:
                yield Finding(STRUCTURE, i, text=f"block {pblk} is owned twice")
            owners[pblk] = (i, block)
            behind = block >= -(-inode.size // per_block)
            if kind == WRITTEN and behind and not inode.orphan:
                text = f"logical block {block} is written but wholly behind size {inode.size}"
                yield Finding(STRUCTURE, i, text=text)
    expected = sum(1 << p for p in owners)
    if expected != state.bitmap:
        text = f"bitmap {state.bitmap:#b} but extents say {expected:#b}"
        yield Finding(STRUCTURE, 0, text=text)
