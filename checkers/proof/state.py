"""The protocol's state: what it remembers of the file, the journal and the disk, and how.

What: one table of fields.  A cell is the unit a crash can tear; cells of the file and cells of the
disk are numbers, without bound.  Content is seen through *one arbitrary colour*: a cell shows it or
does not.  Nothing in the protocol treats two colours differently, so what is proved of an arbitrary
one holds of each (``is_foreign`` says whether it is the colour of what previous owners left), and
of every set of them without zero: several colours may as well count as one.
Rejected: sets of colours a cell (a third kind of quantifier for no more meaning), the extent state
a block (with cells, an EOF inside a block needs no special case).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from powercut.checkers.proof.logic import Term

BOOL = "bool"
INT = "int"
SCALAR = "scalar"
CELL = "cell"
PHYS = "phys"

NONE = 0
SUBMITTED = 1
COMPLETED = 2
WORKER = 3
"""States of a cell's ioend, ``io``."""

FREE = 0
USED = 1
FREED_RUNNING = 2
FREED_COMMITTING = 3
"""States of a disk cell, ``pst``."""

IDLE = 0
CUTTING = 1
CUT = 2
"""A truncate: none; its handle is open and the sizes stand; sizes set, blocks not yet removed."""

NO_COMMIT = 0
FROZEN = 1
FLUSHED = 2
RECORDED = 3
CALLBACK = 4
"""The committing transaction, ``commit``."""

TID_DONE = 0
TID_COMMITTING = 1
TID_RUNNING = 2
"""A transaction relative to now, ``itid`` and ``s_tid``."""

NO_SYNC = 0
WRITING = 1
COMMITTING = 2
RETURNED = 3
"""The fsync that is watched, ``sync``: none, waiting for data, for the journal, or returned."""

MUST_SUBMIT = 1
MUST_END = 2
"""What the watched fsync still waits for at a cell, ``todo``, besides nothing."""


@dataclass(frozen=True, slots=True)
class Field:
    """One variable: ``kind`` says what it is a function of, ``sort`` what it holds."""

    kind: str
    sort: str
    meaning: str


FIELDS: dict[str, Field] = {
    "isz": Field(SCALAR, INT, "i_size"),
    "dsz": Field(SCALAR, INT, "i_disksize, and the size in the running transaction"),
    "held": Field(SCALAR, INT, "the size an EOF mark holds back, or 0"),
    "trunc": Field(SCALAR, INT, "a truncate in progress: none, cutting, cut"),
    "target": Field(SCALAR, INT, "the size it cuts to"),
    "extending": Field(SCALAR, BOOL, "a call that extends the file is in progress"),
    "zeroed": Field(SCALAR, BOOL, "that call has dealt with the tail of the EOF block"),
    "handle": Field(SCALAR, BOOL, "the worker has converted and not yet stopped its handle"),
    "orphan": Field(SCALAR, BOOL, "the inode is on the orphan list"),
    "commit": Field(SCALAR, INT, "phase of the committing transaction"),
    "m_size": Field(SCALAR, INT, "size in the committing transaction"),
    "m_orphan": Field(SCALAR, BOOL, "orphan in the committing transaction"),
    "c_size": Field(SCALAR, INT, "size in the newest durable transaction"),
    "c_orphan": Field(SCALAR, BOOL, "orphan in the newest durable transaction"),
    "is_foreign": Field(SCALAR, BOOL, "the colour is what previous owners left (constant)"),
    "page": Field(CELL, BOOL, "the page cache shows the colour"),
    "map": Field(CELL, INT, "disk cell in the running transaction, or -1"),
    "wr": Field(CELL, BOOL, "written, in the running transaction"),
    "ever": Field(CELL, BOOL, "the colour is legal there, in the running transaction"),
    "m_map": Field(CELL, INT, "the same three of the committing transaction"),
    "m_wr": Field(CELL, BOOL, ""),
    "m_ever": Field(CELL, BOOL, ""),
    "c_map": Field(CELL, INT, "and of the newest durable one"),
    "c_wr": Field(CELL, BOOL, ""),
    "c_ever": Field(CELL, BOOL, ""),
    "dirty": Field(CELL, BOOL, "its block is dirty in the page cache"),
    "built": Field(CELL, BOOL, "it is in an ioend that is not yet submitted"),
    "must": Field(CELL, BOOL, "write(2) put it there since it was last built (history)"),
    "io": Field(CELL, INT, "the cell's ioend: none, submitted, completed, at the worker"),
    "failed": Field(CELL, BOOL, "that ioend failed"),
    "end": Field(CELL, INT, "io_offset + io_size of that ioend"),
    "dest": Field(CELL, INT, "the disk cell its bio writes"),
    "orders": Field(CELL, BOOL, "that ioend is the write a marked EOF waits for"),
    "pending": Field(CELL, BOOL, "converted in the open handle, size not yet raised"),
    "need": Field(CELL, BOOL, "behind a marked EOF whose write is not yet submitted"),
    "sent": Field(CELL, BOOL, "behind a marked EOF whose write is in flight"),
    "may": Field(PHYS, BOOL, "a power cut may leave the colour there"),
    "cached": Field(PHYS, BOOL, "a cache flush may leave the colour there"),
    "pst": Field(PHYS, INT, "free, used, freed by the running, by the committing transaction"),
    "own": Field(PHYS, INT, "the file cell it was last allocated for"),
    "else_may": Field(PHYS, BOOL, "a power cut may leave something else than the colour there"),
    "else_cached": Field(PHYS, BOOL, "a cache flush may leave something else there"),
    "erred": Field(SCALAR, BOOL, "writing some data of the file has failed"),
    "itid": Field(SCALAR, INT, "newest transaction that changed the inode: i_sync_tid"),
    "sync": Field(SCALAR, INT, "one fsync, watched: none, writing, committing, returned"),
    "s_size": Field(SCALAR, INT, "i_size when it began, less what was cut since"),
    "s_last": Field(SCALAR, INT, "i_size when it began"),
    "s_tid": Field(SCALAR, INT, "the transaction it waits for"),
    "s_flush": Field(SCALAR, BOOL, "it has to flush the device cache itself"),
    "todo": Field(CELL, INT, "it waits: nothing, to be submitted, to end"),
    "ok": Field(CELL, BOOL, "the colour was there when it began, or was written since"),
    "ok_else": Field(CELL, BOOL, "something else was there, or was written since"),
}

Function = Callable[[Term], Term]


class State:
    """Values of all fields: a term each, or a function for those of cells and disk cells."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def updated(self, changes: Mapping[str, Any]) -> "State":
        """Return this state with some fields changed.  Raises :class:`KeyError` for no field."""
        for name in changes:
            if name not in FIELDS:
                raise KeyError(name)
        return State({**self._values, **changes})
