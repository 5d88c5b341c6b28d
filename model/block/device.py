"""The block device: a volatile write cache, free completion order, torn writes, injected errors.

Fault model:

* A bio completes at any time after its submission, in any order.  Its content is what the page
  cache holds *when it completes*, not what it held at submission (no stable pages).
* A completed write is in the cache; each cell may reach the medium at any time, independently of
  every other cell, so a block write can be torn.  ``stable.may`` is the set of colours a power cut
  can leave in a cell, ``cached`` what a flush would persist.  Tracking sets is exact, because cells
  survive independently.
* A flush persists what was *completed* when it is issued.  The commit record carries PREFLUSH and
  FUA; log blocks survive with their record or not at all.
* A failed write leaves old or new content, cell by cell.

Not modelled: one bio whose cells were read by the device at two different times; two overlapping
bios in flight (the kernel prevents them; ``late-write`` checks it).
"""

from powercut.model.block.bio import bio_endio
from powercut.model.language import Path
from powercut.model.state import EIO, IOEND_SUBMITTED, OK, Inode, Ioend, Kernel


def dma(k: Kernel, inode: Inode, first: int, ioend: Ioend, error: int) -> None:
    """The device reads the pages of the bio that starts at block ``first`` and stores them."""
    per_block = k.conf.cells_per_block
    for n in range(ioend.nr_blocks):
        for c in range(per_block):
            colour = inode.page[(first + n) * per_block + c]
            cell = (ioend.pblk + n) * per_block + c
            k.stable.may[cell] |= colour
            if error:
                k.device.cached[cell] |= colour
            else:
                k.device.cached[cell] = colour


def disk(k: Kernel, n: int) -> Path[None]:
    """Complete the bio of ioend ``n`` (numbered through all inodes), whenever it likes."""
    i = n // k.conf.nr_blocks
    first = n % k.conf.nr_blocks
    while True:
        yield lambda: k.inode[i].ioend[first].state == IOEND_SUBMITTED  # bio completes
        dma(k, k.inode[i], first, k.inode[i].ioend[first], OK)
        bio_endio(k, k.inode[i], first, k.inode[i].ioend[first])


def failing_disk(k: Kernel, n: int) -> Path[None]:
    """Fail the bio of ioend ``n``, within the scope's budget of errors."""
    i = n // k.conf.nr_blocks
    first = n % k.conf.nr_blocks
    while True:
        yield (
            lambda: (
                k.inode[i].ioend[first].state == IOEND_SUBMITTED
                and k.device.errors_injected < k.conf.max_errors
            )
        )  # bio fails
        k.device.errors_injected += 1
        dma(k, k.inode[i], first, k.inode[i].ioend[first], EIO)
        k.inode[i].ioend[first].error = 1
        bio_endio(k, k.inode[i], first, k.inode[i].ioend[first])


def settle_failed_write(k: Kernel, n: int) -> Path[None]:
    """Decide what a failed write left in cell ``n / 2``: not the lowest colour, or only that."""
    cell = n // 2
    while True:
        yield (
            lambda: (
                k.evictions < k.conf.max_evictions
                and k.device.cached[cell] & (k.device.cached[cell] - 1) != 0
            )
        )  # content after a failed write is decided
        rest = k.device.cached[cell] & (k.device.cached[cell] - 1)
        if n % 2:
            k.device.cached[cell] &= ~rest
        else:
            k.device.cached[cell] = rest
