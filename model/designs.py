"""Designs: named settings of the switches, over one source.

A design is what a reviewer argues about; a mutant (``model.mutants``) is one planted mistake in it.
``data_err=abort`` is a mount option and belongs to the scope.
"""

from dataclasses import dataclass

from model.state import EOF_DEFERRED, EOF_HOLD_BACK, EOF_ORDERED_GAP, EOF_UNORDERED

ALL_IOMAP = 255


@dataclass(frozen=True, slots=True)
class Design:
    """One setting: ``eof_rule`` as in ``model.eof``.

    ``iomap_inodes`` is the mask of inodes on the iomap path, the others are on the buffer_head
    path; ``orders_iomap`` leaves iomap inodes on the ordered list (the series without patch 07).
    """

    name: str
    summary: str
    eof_rule: int = EOF_UNORDERED
    iomap_inodes: int = ALL_IOMAP
    orders_iomap: bool = False


DESIGNS: dict[str, Design] = {
    design.name: design
    for design in (
        Design("seed", "the patch as posted (v3 09/22) on its predecessors"),
        Design(
            "seed-eof-ordered",
            "the seed, and i_disksize is held back behind an unwritten EOF block; nobody waits",
            eof_rule=EOF_HOLD_BACK,
        ),
        Design(
            "seed-eof-deferred",
            "the seed, and an ioend behind an unwritten EOF block is not converted until it is "
            "written; nobody waits",
            eof_rule=EOF_DEFERRED,
        ),
        Design(
            "seed-gap-ordered",
            "the seed, and workers wait for a zeroed gap (the author's later tree)",
            eof_rule=EOF_ORDERED_GAP,
        ),
        Design(
            "seed-without-07",
            "the seed without the patch that takes iomap inodes off the ordered list",
            orders_iomap=True,
        ),
        Design(
            "bh-ordered",
            "every inode on the buffer_head path, data=ordered, delayed allocation",
            iomap_inodes=0,
        ),
        Design(
            "mixed",
            "file 0 on the buffer_head path, the other files on the seed's iomap path, one journal",
            iomap_inodes=ALL_IOMAP - 1,
        ),
    )
}

DEFAULT_DESIGNS = ("seed", "seed-eof-ordered", "seed-gap-ordered")
