"""Designs: named settings of the switches, over one source.

A design is what a reviewer argues about; a mutant (``model.mutants``) is one planted mistake in it.
``data_err=abort`` is a mount option and belongs to the scope.
"""

from dataclasses import dataclass

from powercut.model.state import (
    EOF_DEFERRED,
    EOF_HOLD_BACK,
    EOF_ORDERED_GAP,
    EOF_PENDING,
    EOF_UNORDERED,
)

ALL_IOMAP = 255


@dataclass(frozen=True, slots=True)
class Design:
    """One setting: ``eof_rule`` as in ``model.fs.ext4.eof``.

    ``iomap_inodes`` is the mask of inodes on the iomap path, the others are on the buffer_head
    path; ``orders_iomap`` leaves iomap inodes on the ordered list (the series without patch 07);
    ``revision`` is that of the posted series, for what changed besides the EOF rule: 3, or 5 (all
    completions of ext4 go to the worker, and with data_err=abort all completions are ext4's; ENOSPC
    in writeback is retried three times; a punch drains writeback before it removes extents).
    ``submits_first`` makes writeback submit the ioend under construction before it waits for a
    folio.
    """

    name: str
    summary: str
    eof_rule: int = EOF_UNORDERED
    iomap_inodes: int = ALL_IOMAP
    orders_iomap: bool = False
    revision: int = 3
    submits_first: bool = False


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
            "series-v5",
            "the fifth revision as far as its code could be read: a pending bit holds sizes back, "
            "and workers wait for it",
            eof_rule=EOF_PENDING,
            revision=5,
        ),
        Design(
            "series-v5-submit-first",
            "series-v5, and writeback submits what it has before it waits for a folio",
            eof_rule=EOF_PENDING,
            revision=5,
            submits_first=True,
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
