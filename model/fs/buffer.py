"""The buffer bits of a folio, one bit a block.

Mirrors the bits that include/linux/buffer_head.h declares with BUFFER_FNS().  The dirty bits of an
iomap folio (its ifs) are the same field, so what serves both paths has a plain name.  The functions
are here, and not with either path, because both paths and mm/truncate.c need them.
"""

from powercut.model.state import Folio, Inode, Kernel


def buffer_mapped(k: Kernel, folio: Folio, block: int) -> int:
    """Tell whether the buffer of logical ``block`` is mapped.  kernel: same name."""
    return (folio.mapped >> (block % k.conf.blocks_per_folio)) & 1


def set_buffer_mapped(k: Kernel, folio: Folio, block: int) -> None:
    """Mark the buffer of logical ``block`` mapped.  kernel: same name."""
    folio.mapped |= 1 << (block % k.conf.blocks_per_folio)


def clear_buffer_mapped(k: Kernel, folio: Folio, block: int) -> None:
    """Forget the mapping of the buffer of logical ``block``.  kernel: same name."""
    folio.mapped &= ~(1 << (block % k.conf.blocks_per_folio))


def clear_buffer_dirty(k: Kernel, folio: Folio, block: int) -> None:
    """Mark the buffer of logical ``block`` clean.  kernel: same name."""
    folio.dirty &= ~(1 << (block % k.conf.blocks_per_folio))


def block_is_dirty(k: Kernel, folio: Folio, block: int) -> int:
    """Tell whether logical ``block`` is dirty, on either path."""
    return (folio.dirty >> (block % k.conf.blocks_per_folio)) & 1


def dirty_block(k: Kernel, inode: Inode, block: int) -> None:
    """Set the dirty bit of one block, on either path."""
    folio = inode.folio[block // k.conf.blocks_per_folio]
    folio.dirty |= 1 << (block % k.conf.blocks_per_folio)
