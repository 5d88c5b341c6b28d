"""Mutants: one wrong guard each, with where it comes from and which property must catch it.

A checker that finds nothing must first show that it finds these.  ``design`` is the design that is
clean of ``caught_by`` in ``scope`` without the mutation.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """``switch`` is a field of ``model.state.Mutants``; the rest says what should happen."""

    slug: str
    switch: str
    summary: str
    source: str
    caught_by: str
    scope: str
    design: str = "seed"


MUTANTS: dict[str, Mutant] = {
    mutant.slug: mutant
    for mutant in (
        Mutant(
            "written-allocation", "written_allocation",
            "writeback allocates written instead of unwritten extents",
            "ext4_iomap_map_one_extent(): EXT4_GET_BLOCKS_CREATE_UNWRIT_EXT",
            "unstable-conversion", "append-fsync",
        ),
        Mutant(
            "disksize-at-map", "disksize_at_map",
            "i_disksize is raised when the blocks are allocated, before the data is written",
            "mpage_map_and_submit_extent() of the buffer_head path",
            "zeros-for-data", "append-fsync",
        ),
        Mutant(
            "no-min-i-size", "no_min_i_size",
            "the worker raises i_disksize to the ioend's end without min(i_size)",
            "ext4_iomap_wb_update_disksize()",
            "sizes", "span-truncate",
        ),
        Mutant(
            "split-size-update", "split_size_update",
            "truncate changes i_disksize and i_size in two i_data_sem sections",
            "ext4_setattr()",
            "sizes", "span-truncate",
        ),
        Mutant(
            "no-preflush", "no_preflush",
            "the commit record is written without flushing the device cache before",
            "journal_submit_commit_record(): REQ_PREFLUSH",
            "unstable-conversion", "append-fsync",
        ),
        Mutant(
            "early-conversion", "early_conversion",
            "the conversion is queued at submission instead of at bio completion",
            "ext4_iomap_end_bio()",
            "unstable-conversion", "append-fsync",
        ),
        Mutant(
            "no-relookup", "no_relookup",
            "the delayed extent is not looked up again under i_data_sem",
            "ext4_iomap_map_one_extent(): ext4_es_lookup_extent() under down_write()",
            "accounting", "cookie-race",
        ),
        Mutant(
            "cookie-unchecked", "cookie_unchecked",
            "a cached mapping is used without comparing its validity cookie",
            "ext4_iomap_map_writeback_range(): ext4_iomap_valid()",
            "late-write", "cookie-race",
        ),
        Mutant(
            "fsync-no-commit-wait", "fsync_no_commit_wait",
            "fsync returns without waiting for the commit",
            "ext4_fsync_journal(): jbd2_complete_transaction()",
            "durability", "append-fsync",
        ),
        Mutant(
            "reuse-before-commit", "reuse_before_commit",
            "a freed block can be allocated before the freeing transaction committed",
            "ext4_mb_clear_bb(), ext4_process_freed_data()",
            "stale-data", "truncate-reuse",
        ),
        Mutant(
            "truncate-no-writeback-wait", "truncate_no_writeback_wait",
            "truncate drops folios without waiting for their writeback",
            "truncate_inode_pages_range(): folio_wait_writeback()",
            "late-write", "span-truncate",
        ),
        Mutant(
            "discard-keeps-reservation", "discard_keeps_reservation",
            "a discarded delayed block keeps its reservation",
            "ext4_iomap_discard_folio(): ext4_iomap_punch_delalloc()",
            "accounting", "eio-abort",
        ),
        Mutant(
            "merge-across-error", "merge_across_error",
            "ioends are merged although one of them failed",
            "iomap_ioend_can_merge(): status comparison",
            "unstable-conversion", "eio-append",
        ),
        Mutant(
            "no-pending-bias", "no_pending_bias",
            "folio writeback may end while later blocks of the folio are still being mapped",
            "iomap_writeback_folio(): write_bytes_pending bias",
            "durability", "two-block-folio",
        ),
        Mutant(
            "no-mapping-error", "no_mapping_error",
            "a failed bio is not recorded for the next fsync",
            "iomap_finish_ioend(): mapping_set_error()",
            "errors", "eio-append",
        ),
        Mutant(
            "retry-without-commit", "retry_without_commit",
            "the ENOSPC retry of writeback does not force a commit",
            "ext4_iomap_map_writeback_range(): jbd2_journal_force_commit_nested()",
            "livelock", "enospc",
        ),
        Mutant(
            "truncate-under-handle", "truncate_under_handle",
            "truncate waits for folio locks and folio writeback with its handle open",
            "ext4_setattr(): truncate_pagecache() after ext4_journal_stop()",
            "deadlock", "span-truncate",
        ),
        Mutant(
            "zero-under-handle-truncate", "zero_under_handle_truncate",
            "truncate zeroes the new EOF block with its handle open",
            "ext4_truncate(): ext4_block_zero_eof() before ext4_journal_start()",
            "deadlock", "zero-truncate",
        ),
        Mutant(
            "zero-under-handle-punch", "zero_under_handle_punch",
            "punch hole zeroes its partial blocks with its handle open",
            "ext4_punch_hole(): ext4_zero_partial_blocks() before ext4_journal_start()",
            "deadlock", "punch",
        ),
        Mutant(
            "zero-under-handle-zero-range", "zero_under_handle_zero_range",
            "zero range zeroes its partial blocks with its handle open",
            "ext4_zero_range(): ext4_zero_partial_blocks() before ext4_journal_start()",
            "deadlock", "zero-range",
        ),
        Mutant(
            "zero-under-handle-fallocate", "zero_under_handle_fallocate",
            "an extending fallocate zeroes the old EOF block with its handle open",
            "ext4_alloc_file_blocks(): ext4_block_zero_eof() before ext4_journal_start()",
            "deadlock", "fallocate",
        ),
        Mutant(
            "data-sem-first-fallocate", "data_sem_first_fallocate",
            "fallocate takes i_data_sem before it starts its handle",
            "ext4_alloc_file_blocks(): handle, then i_data_sem",
            "deadlock", "fallocate",
        ),
        Mutant(
            "data-sem-first-mapping", "data_sem_first_mapping",
            "writeback takes i_data_sem before it starts its handle",
            "ext4_iomap_map_one_extent(): handle, then i_data_sem",
            "deadlock", "fallocate",
        ),
        Mutant(
            "write-keeps-handle", "write_keeps_handle",
            "a nodelalloc write keeps its handle open while it waits for the folio lock",
            "ext4_iomap_get_blocks(): the handle is stopped before ->iomap_begin returns",
            "deadlock", "nodelalloc",
        ),
        Mutant(
            "unreserved-conversion", "unreserved_conversion",
            "buffer_head conversions start a normal handle instead of the reserved one",
            "ext4_end_io_end(): ext4_journal_start_reserved()",
            "deadlock", "two-files", "bh-ordered",
        ),
        Mutant(
            "marks-survive-cut", "marks_survive_cut",
            "a truncate above i_disksize leaves the marks of the blocks it cuts, for ever",
            "model.eof: unmark_cut(); the rule as it was first modelled",
            "sizes", "cut-mark", "seed-eof-ordered",
        ),
        Mutant(
            "old-mark-stays", "old_mark_stays",
            "a mark set before a truncate stays behind the EOF that the truncate left",
            "model.eof: mark_eof_block(); the rule as it was first modelled",
            "stale-data", "lowered-mark", "seed-eof-ordered",
        ),
        Mutant(
            "unmark-at-submit", "unmark_at_submit",
            "the mark of an EOF block goes when its bio is submitted, not when it completes",
            "model.eof: eof_submit()",
            "stale-data", "eof-in-block", "seed-eof-ordered",
        ),
        Mutant(
            "no-tail-zeroing", "no_tail_zeroing",
            "an extension dirties the EOF block but does not zero its tail",
            "ext4_block_zero_eof(): iomap_zero_range()",
            "stale-data", "eof-two-mounts", "seed-eof-ordered",
        ),
        Mutant(
            "no-orphan", "no_orphan",
            "a truncate sets the sizes without putting the inode on the orphan list",
            "ext4_setattr(): ext4_orphan_add()",
            "structure", "span-truncate",
        ),
        Mutant(
            "two-handles", "two_handles",
            "an ioend is converted in one handle and i_disksize raised in the next",
            "ext4_iomap_finish_ioend(): one handle around both",
            "structure", "append-fsync",
        ),
        Mutant(
            "disksize-at-write", "disksize_at_write",
            "an append within a written block raises i_disksize before its data is written",
            "ext4_da_do_write_end() of the buffer_head path",
            "stale-data", "eof-in-block", "seed-eof-ordered",
        ),
        Mutant(
            "fsync-no-flush", "fsync_no_flush",
            "fsync does not flush the device cache when the commit has done so before",
            "ext4_fsync_journal(): jbd2_trans_will_send_data_barrier()",
            "durability", "overwrite-fsync",
        ),
        Mutant(
            "fsync-no-writeback-wait", "fsync_no_writeback_wait",
            "fsync starts writeback and does not wait for it",
            "ext4_sync_file(): file_write_and_wait_range()",
            "durability", "append-fsync",
        ),
        Mutant(
            "writeback-ends-early", "writeback_ends_early",
            "folio writeback ends with the bio, before the extent is converted",
            "ext4_iomap_finish_ioend(): iomap_finish_ioends() after the conversion",
            "read-back", "evict-append",
        ),
        Mutant(
            "new-over-written", "new_over_written",
            "a write of a part of a written block takes the block for a new one and reads nothing",
            "iomap_block_needs_zeroing(): IOMAP_F_NEW of a mapping that was there before",
            "durability", "evict-overwrite",
        ),
        Mutant(
            "failed-conversion", "failed_conversion",
            "a buffer_head conversion goes on although its bio failed",
            "ext4_end_io_end(): EXT4_IO_END_FAILED",
            "unstable-conversion", "eio-append", "bh-ordered",
        ),
        Mutant(
            "sync-no-commit-wait", "sync_no_commit_wait",
            "sync returns when the commit is started, not when it is done",
            "ksys_sync(): ->sync_fs() with wait set",
            "durability", "sync",
        ),
        Mutant(
            "sync-no-barrier", "sync_no_barrier",
            "sync does not flush the device where no commit does it",
            "ext4_sync_fs(): needs_barrier",
            "durability", "sync-overwrite",
        ),
        Mutant(
            "unlink-no-orphan", "unlink_no_orphan",
            "unlink does not put the inode on the orphan list",
            "ext4_unlink(): ext4_orphan_add()",
            "structure", "unlink",
        ),
        Mutant(
            "evict-no-writeback-wait", "evict_no_writeback_wait",
            "eviction frees the blocks without waiting for folio writeback",
            "ext4_evict_inode(): truncate_inode_pages_final()",
            "late-write", "unlink-dirty",
        ),
        Mutant(
            "no-ordered-truncate", "no_ordered_truncate",
            "eviction and truncate drop pages that a commit in progress has yet to write",
            "ext4_evict_inode(), ext4_setattr(): ext4_begin_ordered_truncate()",
            "stale-data", "unlink-nodelalloc", "bh-ordered",
        ),
        Mutant(
            "no-partial-submit", "no_partial_submit",
            "a buffer_head folio of which a part could be mapped is not submitted on ENOSPC",
            "mpage_map_and_submit_extent(): mpage_submit_partial_folio(), as before 6.17",
            "durability", "enospc-folio", "bh-ordered",
        ),
        Mutant(
            "reads-new-block", "reads_new_block",
            "a buffer_head write of a part of a new block reads the rest from the disk",
            "ext4_block_write_begin(): buffer_new()",
            "read-back", "evict-nodelalloc", "bh-ordered",
        ),
        Mutant(
            "no-early-submit", "no_early_submit",
            "a pass that begins behind the pending EOF block does not write it first",
            "ext4_iomap_wb_submit_zeroed_eof(), v5",
            "deadlock", "pending-punch", "series-v5",
        ),
        Mutant(
            "evict-keeps-marks", "evict_keeps_marks",
            "an eviction drops the pending EOF block, and its mark stays",
            "ext4_evict_inode(), v5",
            "deadlock", "unlink-pending", "series-v5",
        ),
    )
}  # fmt: skip
