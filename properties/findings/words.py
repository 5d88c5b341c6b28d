"""The vocabulary of conditions: what must have happened around a violation for a finding to fit.

Why so: a file of a finding says ``needs = ["punch", "several-blocks-a-folio"]``, and everybody who
reads the file knows what that means.  ``checkers.machines.conditions`` has one function a word.
Rejected: expressions with *or* and *not* (a second language; such a condition is a word here, with
a name that says what it is).
"""

from enum import StrEnum


class Word(StrEnum):
    """A condition on a mount and on the files that a violation may be about."""

    EOF_TAIL = "eof-tail"
    """The EOF block has data behind EOF on disk, or a store or a truncate may leave some."""
    APPEND_OVER_TAIL = "append-over-tail"
    """A write begins at or before EOF, ends behind EOF, and EOF's block has data there on disk."""
    WRITTEN_BEHIND_EOF = "written-behind-eof"
    """The mount began with a written block wholly behind the size."""
    STORE = "store"
    """A store through mmap is called."""
    TRUNCATE = "truncate"
    """A truncate is called."""
    TRUNCATE_OR_FALLOCATE = "truncate-or-fallocate"
    """A truncate or a fallocate is called: both may leave i_disksize to a marked ioend."""
    PUNCH = "punch"
    """A punch is called."""
    PUNCH_OR_ZERO_RANGE = "punch-or-zero-range"
    """A punch or a zero range is called."""
    FILL = "fill"
    """Something fills a hole with an unwritten block: fallocate, zero range, or nodelalloc."""
    OVERWRITE = "overwrite"
    """A file had a written block when the mount began, or more than one call uses the file."""
    WRITTEN_TWICE = "written-twice"
    """More than one call of the mount writes to a file, zeroed edges of a block included."""
    CUT_TWICE = "cut-twice"
    """Two truncates, or one where the mount began with data behind the size."""
    SEVERAL_BLOCKS_A_FOLIO = "several-blocks-a-folio"
    """A folio has more than one block."""
    NODELALLOC = "nodelalloc"
    """The mount has no delayed allocation."""
    DATA_ERR_ABORT = "data-err-abort"
    """The mount has data_err=abort."""
    BIO_FAILED = "bio-failed"
    """A bio failed in this mount."""
    LATE_BIO = "late-bio"
    """A bio was in flight to a block that was no longer its file's, earlier in this mount."""
    SLOT_HELD = "slot-held"
    """A worker holds the only slot of rsv_conversion_wq."""
    IOEND_UNSUBMITTED = "ioend-unsubmitted"
    """Somebody has an ioend that is not submitted."""
    EOF_BLOCK_DIRTY = "eof-block-dirty"
    """An EOF block that has to be written first is dirty, and nobody is writing the block."""
    NO_PUNCH_AT_WORK = "no-punch-at-work"
    """No task that punches holds an invalidate_lock: its own pass would write the EOF block."""
    COMMIT_AT_DATA = "commit-at-data"
    """A commit has begun and is not past its data."""
