"""What a power cut can see, as records: the subject of every statement about a crash.

Colours are sets of bits (``model.state``): a medium's cell has the set of what it may show.
Rejected: images, one each for a combination of survivors (cells survive independently, so a set a
cell says the same).
"""

from dataclasses import dataclass

from powercut.model.scope import Geometry
from powercut.model.state import WRITTEN, ZERO


@dataclass(frozen=True, slots=True)
class CrashInode:
    """The committed inode and what the oracle allows to be read of it, a colour set a cell."""

    size: int
    orphan: bool
    extents: tuple[tuple[int, int], ...]
    ever: tuple[int, ...]
    promise_size: int
    promise: tuple[int, ...]
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class CrashState:
    """Everything a power cut can see: committed metadata, oracle, possible colours a cell.

    ``calls`` has, for each task, how many calls returned and the results of its syncs, two bits an
    operation; both stay 0 in a run that does not observe them.
    """

    inodes: tuple[CrashInode, ...]
    bitmap: int
    may: tuple[int, ...]
    geometry: Geometry
    calls: tuple[tuple[int, int], ...] = ()

    def possible(self, inode: CrashInode, cell: int) -> int:
        """Return the set of colours a read of ``cell`` of ``inode`` may show after a crash now."""
        state, pblk = inode.extents[cell // self.geometry.cells_per_block]
        if state != WRITTEN:
            return ZERO
        per_block = self.geometry.cells_per_block
        return self.may[pblk * per_block + cell % per_block]


def colours_of(mask: int) -> list[int]:
    """Return the single colours of a set, lowest first."""
    return [1 << n for n in range(8) if mask >> n & 1]
