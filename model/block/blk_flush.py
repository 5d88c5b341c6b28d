"""The cache flush: the one device operation that the journal and fsync need.

Mirrors blkdev_issue_flush() of block/blk-flush.c; ``model.block.device`` has the fault model.
"""

from powercut.model.state import Kernel


def blkdev_issue_flush(k: Kernel) -> None:
    """Persist every completed write.  kernel: REQ_PREFLUSH, blkdev_issue_flush()."""
    for p in range(k.conf.nr_phys):
        for c in range(k.conf.cells_per_block):
            cell = p * k.conf.cells_per_block + c
            k.stable.may[cell] = k.device.cached[cell]
