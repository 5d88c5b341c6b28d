"""Which design, and which planted mistake: the protocol's switches, named as the model's.

What: a :class:`Rules` value per design of ``model.designs`` and per wrong design.  A wrong design
names the design and the mutant of the executable model that make the same mistake, if there are
any; a mistake that the executable model has no switch for can be refuted here but not replayed.
"""

from dataclasses import dataclass, replace
from typing import Any

from powercut.model.designs import ALL_IOMAP, DESIGNS
from powercut.model.state import EOF_DEFERRED, EOF_HOLD_BACK, EOF_ORDERED_GAP, EOF_UNORDERED

NO_RULE = "none"
HOLD = "hold"
DEFER = "defer"
GAP = "gap"
_EOF_RULES = {EOF_HOLD_BACK: HOLD, EOF_DEFERRED: DEFER, EOF_ORDERED_GAP: GAP}


@dataclass(frozen=True, slots=True)
class Rules:
    """``eof`` as in ``model.fs.ext4.eof``; a flag is one mistake, ``bio_errors`` an environment."""

    eof: str = NO_RULE
    bio_errors: bool = True
    size_at_write: bool = False
    size_at_map: bool = False
    written_allocation: bool = False
    no_preflush: bool = False
    early_conversion: bool = False
    no_min_i_size: bool = False
    split_sizes: bool = False
    reuse_before_commit: bool = False
    error_ignored: bool = False
    no_truncate_wait: bool = False
    commit_inside_handle: bool = False
    no_orphan: bool = False
    unmark_at_submit: bool = False
    large_folios: bool = False
    no_zeroing: bool = False
    fsync_no_writeback_wait: bool = False
    fsync_no_commit_wait: bool = False
    fsync_no_flush: bool = False
    marks_survive_cut: bool = False


def is_covered(design: str) -> bool:
    """Tell whether the protocol speaks of ``design``: every file on the iomap path."""
    chosen = DESIGNS[design]
    return chosen.iomap_inodes == ALL_IOMAP and not chosen.orders_iomap


def has_rule(design: str) -> bool:
    """Tell whether the protocol has the design's EOF rule, as the model has it."""
    known = (EOF_UNORDERED, EOF_HOLD_BACK, EOF_DEFERRED)
    return is_covered(design) and DESIGNS[design].eof_rule in known


def rules_of(design: str) -> Rules:
    """Return the switches of a design of the executable model."""
    chosen = DESIGNS[design]
    return Rules(
        eof=_EOF_RULES.get(chosen.eof_rule, NO_RULE),
        # In the deferred design a failed write takes its mark with it: stale data after an I/O
        # error is refuted separately (`deferred-io-error`), the rest is proved without errors.
        bio_errors=chosen.eof_rule != EOF_DEFERRED,
    )


@dataclass(frozen=True, slots=True)
class WrongDesign:
    """``flag`` turned on over ``base`` must be refuted for ``prop``.

    ``design`` and ``mutant`` say what makes the same mistake in the executable model.  ``without``
    are steps that its run does not need.
    """

    slug: str
    summary: str
    base: str
    flags: tuple[str, ...]
    prop: str
    design: str = ""
    mutant: str = ""
    mounts: int = 1
    without: frozenset[str] = frozenset()

    @property
    def rules(self) -> Rules:
        """Return the switches of the base with the mistake in it."""
        flags: dict[str, Any] = dict.fromkeys(self.flags, True)
        return replace(rules_of(self.base), **flags)


_TRUNCATES = frozenset({"truncate_up", "truncate_begin", "truncate_sizes", "truncate_remove"})
_HOLD = "seed-eof-ordered"
_DEFER = "seed-eof-deferred"

WRONG_DESIGNS: dict[str, WrongDesign] = {
    wrong.slug: wrong
    for wrong in (
        WrongDesign(
            "no-eof-ordering",
            "i_disksize passes a dirty EOF block (the patch as posted)",
            "seed",
            (),
            "stale-data",
            "seed",
        ),
        WrongDesign(
            "gap-only",
            "only a zeroed gap is ordered, not an append within the EOF block",
            "seed-gap-ordered",
            (),
            "stale-data",
            "seed-gap-ordered",
        ),
        WrongDesign(
            "size-at-write",
            "i_disksize moves in write_end, before the data is on disk",
            _HOLD,
            ("size_at_write",),
            "stale-data",
            _HOLD,
            "disksize-at-write",
        ),
        WrongDesign(
            "hold-back-two-mounts",
            "blocks behind the held size are converted",
            _HOLD,
            (),
            "sound-disk",
            _HOLD,
            "",
            2,
        ),
        WrongDesign(
            "deferred-io-error",
            "a failed write of the EOF block takes its mark with it",
            _DEFER,
            ("bio_errors",),
            "stale-data",
            _DEFER,
        ),
        WrongDesign(
            "size-at-map",
            "i_disksize moves when blocks are allocated",
            _HOLD,
            ("size_at_map",),
            "stale-data",
            _HOLD,
            "disksize-at-map",
        ),
        WrongDesign(
            "written-allocation",
            "writeback allocates written extents",
            _HOLD,
            ("written_allocation",),
            "unstable-conversion",
            _HOLD,
            "written-allocation",
        ),
        WrongDesign(
            "no-preflush",
            "the commit record goes out without a cache flush",
            _HOLD,
            ("no_preflush",),
            "unstable-conversion",
            _HOLD,
            "no-preflush",
        ),
        WrongDesign(
            "early-conversion",
            "the extent is converted before its bio completed",
            _HOLD,
            ("early_conversion",),
            "unstable-conversion",
            _HOLD,
            "early-conversion",
        ),
        WrongDesign(
            "no-min-i-size",
            "the worker raises i_disksize without min(i_size)",
            _HOLD,
            ("no_min_i_size",),
            "sizes",
            _HOLD,
            "no-min-i-size",
        ),
        WrongDesign(
            "split-sizes",
            "truncate changes i_disksize and i_size in two sections",
            _HOLD,
            ("split_sizes",),
            "sizes",
            _HOLD,
            "split-size-update",
        ),
        WrongDesign(
            "reuse-before-commit",
            "a freed block is allocated before its commit",
            _HOLD,
            ("reuse_before_commit",),
            "stale-data",
            _HOLD,
            "reuse-before-commit",
        ),
        WrongDesign(
            "error-ignored",
            "a failed ioend is converted (merged with a good one)",
            _HOLD,
            ("error_ignored",),
            "unstable-conversion",
            _HOLD,
            "merge-across-error",
        ),
        WrongDesign(
            "no-truncate-wait",
            "truncate frees blocks under writeback",
            _HOLD,
            ("no_truncate_wait",),
            "late-write",
            _HOLD,
            "truncate-no-writeback-wait",
        ),
        WrongDesign(
            "large-folios",
            "a store reaches a later block of the EOF folio",
            _HOLD,
            ("large_folios",),
            "stale-data",
            _HOLD,
            without=_TRUNCATES,
        ),
        WrongDesign(
            "commit-inside-handle",
            "conversion and i_disksize in different transactions",
            _DEFER,
            ("commit_inside_handle",),
            "sound-disk",
            _DEFER,
            "two-handles",
        ),
        WrongDesign(
            "no-orphan",
            "a shrinking inode is not on the orphan list",
            _DEFER,
            ("no_orphan",),
            "sound-disk",
            _DEFER,
            "no-orphan",
        ),
        WrongDesign(
            "unmark-at-submit",
            "the mark goes when the EOF block's bio is submitted",
            _HOLD,
            ("unmark_at_submit",),
            "stale-data",
            _HOLD,
            "unmark-at-submit",
        ),
        WrongDesign(
            "fsync-no-writeback-wait",
            "fsync does not wait for the writeback it starts",
            _HOLD,
            ("fsync_no_writeback_wait",),
            "fsync",
            _HOLD,
            "fsync-no-writeback-wait",
        ),
        WrongDesign(
            "fsync-no-commit-wait",
            "fsync does not wait for the commit",
            _HOLD,
            ("fsync_no_commit_wait",),
            "fsync",
            _HOLD,
            "fsync-no-commit-wait",
        ),
        WrongDesign(
            "fsync-no-flush",
            "fsync does not flush the cache where the commit will not",
            _HOLD,
            ("fsync_no_flush",),
            "fsync",
            _HOLD,
            "fsync-no-flush",
        ),
        WrongDesign(
            "no-zeroing",
            "an extension marks the EOF block but does not zero its tail",
            _HOLD,
            ("no_zeroing",),
            "stale-data",
            _HOLD,
            "no-tail-zeroing",
        ),
    )
}
