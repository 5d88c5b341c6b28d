"""What ext4's own header gives every file of it: the emergency state, blocks of cells.

Mirrors fs/ext4/ext4.h.  Plain names are positions in cells made into blocks and folios.
"""

from powercut.model.state import EROFS, OK, Kernel


def ext4_emergency_state(k: Kernel) -> int:
    """Return EROFS once the journal is aborted.  kernel: ext4_emergency_state()."""
    return EROFS if k.journal.aborted else OK


def first_whole_block(k: Kernel, start: int) -> int:
    """Return the first block that begins at or after cell ``start``."""
    return (start + k.conf.cells_per_block - 1) // k.conf.cells_per_block


def end_whole_block(k: Kernel, stop: int) -> int:
    """Return the block after the last one that ends at or before cell ``stop``."""
    return stop // k.conf.cells_per_block


def end_of_folio(k: Kernel, f: int) -> int:
    """Return the cell after the last one of folio ``f``."""
    return min((f + 1) * k.conf.cells_per_folio, k.conf.nr_cells)
