"""The catalogue: every property and situation by name, with what it says and what it needs.

``advisory`` properties are observed in every run but decide its verdict only when asked for by
name: ext4 documents what they flag as legal in some cases.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK
from powercut.properties import crash, live, situations

StateCheck = Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class Property:
    """``check`` is set for properties of live states; crash and engine properties have none.

    ``needs`` are situations: where none of them was reached, the verdict says little.
    """

    name: str
    statement: str
    kind: str
    needs: tuple[str, ...] = ()
    check: StateCheck | None = None
    advisory: bool = False


PROPERTIES: dict[str, Property] = {
    prop.name: prop
    for prop in (
        Property(
            crash.STALE,
            "no cell inside the recovered size shows a foreign colour, a colour never written "
            "there, or data cut off by a committed truncate",
            "crash",
            ("dirty-tail-on-disk", "record-durable-data-in-flight"),
        ),
        Property(
            crash.DURABILITY,
            "what a returned fsync or an earlier recovery promised is there: size and content",
            "crash",
            ("synced",),
        ),
        Property(
            crash.UNSTABLE_CONVERSION,
            "a block is written in a committed state only if its data is stable in every image",
            "crash",
            ("completed-before-commit",),
        ),
        Property(
            crash.STRUCTURE,
            "after recovery no block is owned twice, bitmap and extents agree, nothing is written "
            "wholly behind EOF outside the orphan list, a second recovery changes nothing",
            "crash",
            ("data-in-flight",),
        ),
        Property(
            crash.ZEROS,
            "no cell inside the recovered size is zero where unsynced data was written (legal when "
            "ioends complete out of order, or when the size was set without the data)",
            "crash",
            ("out-of-order",),
            advisory=True,
        ),
        Property(
            "sizes",
            "i_disksize <= i_size when nobody changes them, and equal at rest without errors",
            "state",
            (),
            live.sizes_broken,
        ),
        Property(
            "accounting",
            "reservations match the delayed blocks; at rest none is left, and no block behind EOF",
            "state",
            (),
            live.accounting_broken,
        ),
        Property(
            "late-write",
            "no bio in flight targets a block that its file no longer maps there",
            "state",
            ("data-in-flight",),
            live.late_write,
        ),
        Property(
            "read-back",
            "a clean folio reads back from the disk as it was, unless its writeback failed or the "
            "journal is aborted",
            "state",
            ("data-in-flight",),
            live.read_back_broken,
        ),
        Property(
            "errors",
            "no fsync returns success over an unreported failure of that file's writeback",
            "state",
            ("bio-failed",),
            live.error_unreported,
        ),
        Property(
            "results",
            "a sync fails only if data of the file failed and its caller has not heard of that, "
            "writeback found no blocks, or the journal is aborted",
            "state",
            (),
            live.results_broken,
        ),
        Property(
            "data-err-abort",
            "with data_err=abort, a failed data bio aborts the journal",
            "state",
            ("bio-failed",),
            live.abort_missing,
        ),
        Property(
            DEADLOCK,
            "no state in which an unfinished program waits for ever",
            "engine",
            ("handle-under-folio-lock",),
        ),
        Property(
            LIVELOCK,
            "from every state all programs can still finish",
            "engine",
            ("handle-under-folio-lock",),
        ),
        Property(
            ASSERTION,
            "no assertion of the model fails (what a kernel would WARN about)",
            "engine",
        ),
    )
}

SITUATIONS: dict[str, StateCheck] = {
    "data-in-flight": situations.data_in_flight,
    "completed-before-commit": situations.completed_before_commit,
    "out-of-order": situations.out_of_order,
    "record-durable-data-in-flight": situations.record_durable_data_in_flight,
    "two-transactions": situations.two_transactions,
    "dirty-tail": situations.dirty_tail,
    "dirty-tail-on-disk": situations.dirty_tail_on_disk,
    "synced": situations.synced,
    "orphan-committed": situations.orphan_committed,
    "freed-block-pending": situations.freed_block_pending,
    "stale-mapping": situations.stale_mapping,
    "commit-under-folio-lock": situations.commit_under_folio_lock,
    "handle-under-folio-lock": situations.handle_wanted_under_folio_lock,
    "size-held-back": situations.size_held_back,
    "bio-failed": situations.bio_failed,
    "journal-aborted": situations.journal_aborted,
    "checkpointing": situations.checkpointing,
    "folio-evicted": situations.folio_evicted,
    "unwritten-not-cached": situations.unwritten_not_cached,
    "unlinked-committed": situations.unlinked_committed,
    "unlinked-blocks-reused": situations.unlinked_blocks_reused,
}

STATE_PROPERTIES = {name: p.check for name, p in PROPERTIES.items() if p.check is not None}
PREDICATES: tuple[StateCheck, ...] = (*STATE_PROPERTIES.values(), *SITUATIONS.values())
