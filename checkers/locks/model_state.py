"""Who holds what, and who waits for what, in one state of the model.

Why so: the model records the holder of everything that can be held, so a state alone says what each
thread holds; what a parked thread wants follows from the variables that its wait looks at.  That
reads the same from a compiled state and from a native run.

Some things are held without being locks, and are named so that a wait for them has somebody to
blame: folio writeback belongs to the task that has not submitted the ioend yet, then (after the
bio, which needs nobody) to the inode's work item, queued or running; a commit belongs to kjournald;
the write of an EOF block that sizes must not pass belongs to the task that has it in an unsubmitted
ioend.

Rejected: a second set of switches in the model that logs acquisitions (it would grow every state),
and names of functions to recognise waits by in compiled states (a new wait would go unnoticed; now
it shows as a class of its own).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from powercut.checkers.engine.layout import declared_marks, family_of
from powercut.checkers.locks.graph import (
    KJOURNALD,
    READ,
    TASK,
    WORKER,
    WRITE,
    Kind,
    LockClass,
    Mode,
    base_of,
)
from powercut.checkers.traces.describe import context_of
from powercut.model.language import Lock, Waits
from powercut.model.state import (
    IOEND_BUILDING,
    IOEND_COMPLETED,
    IOEND_WORKER,
    NR_WRITERS,
    T_LOCKED,
    Kernel,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from powercut.checkers.engine.layout import Layout
    from powercut.checkers.engine.system import ThreadInfo
    from powercut.model.language import Mark

HANDLE, COMMIT, LOG_SPACE = "jbd2_handle", "jbd2_commit", "log_space"
FOLIO_LOCK, FOLIO_WRITEBACK = "folio_lock", "folio_writeback"
CHECKPOINT, SLOT, EOF_WRITE = "j_checkpoint_mutex", "worker_slot", "eof_block_write"

EOF_WRITE_CLASS = LockClass(
    EOF_WRITE,
    "wait",
    lockdep=False,
    modelled=True,
    summary="the write of an EOF block that i_disksize must not pass before",
)

_RANKS = (
    "i_rwsem",
    "invalidate_lock",
    "s_writepages_rwsem",
    COMMIT,
    SLOT,
    "folio_lock[iomap]",
    "folio_writeback[iomap]",
    HANDLE,
    "folio_lock[bh]",
    "folio_writeback[bh]",
    EOF_WRITE,
    CHECKPOINT,
    LOG_SPACE,
    "i_data_sem",
)

_FOLIO_PRIMITIVES = {"folio_lock": "locked", "folio_wait_writeback": "writeback"}
_SEM_PRIMITIVES = ("down_write", "down_read")
_LOG_WAIT = "jbd2_log_wait_for_space"
_WAITS = {
    ("ext4_journal_start", ""): "journal.running",
    (_LOG_WAIT, "checkpoint mutex"): "journal.j_checkpoint_mutex",
    (_LOG_WAIT, "commit in progress"): "journal.committing",
    ("jbd2_complete_transaction", ""): "caller[{context}].tid",
    ("jbd2_journal_commit_transaction", "T_LOCKED"): "journal.t_updates",
}
"""By function and a word of the label: the variable that a native wait is about."""

_WORKER_LOOPS = ("ext4_iomap_end_io", "ext4_end_io_rsv_work")


class Resource(NamedTuple):
    """One instance of a class; ``inode`` and ``folio`` are -1 where there is one for all."""

    name: str
    inode: int = -1
    folio: int = -1

    def __str__(self) -> str:
        parts = [base_of(self.name)]
        if self.folio >= 0:
            parts.append(f"of folio {self.folio}")
        if self.inode >= 0:
            parts.append(f"of inode {self.inode}")
        return " ".join(parts)


class Hold(NamedTuple):
    """A resource and how it is held."""

    resource: Resource
    mode: Mode


class Want(NamedTuple):
    """What a parked thread takes next or waits for."""

    resource: Resource
    mode: Mode
    kind: Kind
    trylock: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a thread is parked: the functions around it (outermost first) and its label."""

    function: str
    callers: tuple[str, ...]
    label: str = ""

    def inside(self, function: str) -> bool:
        """Whether ``function`` is on the stack."""
        return self.function == function or function in self.callers

    @property
    def waits_for_log_space(self) -> bool:
        """Whether the thread is making room in the log."""
        return self.inside(_LOG_WAIT)


@dataclass(frozen=True, slots=True)
class Agent:
    """A thread that can hold something, with the number under which locks know it."""

    thread: int
    info: ThreadInfo
    context: int

    @property
    def kind(self) -> str:
        """The context in the words of a lock graph."""
        return {"worker": WORKER, "kjournald": KJOURNALD}.get(self.info.kind, TASK)


def agents_of(threads: Sequence[ThreadInfo]) -> list[Agent]:
    """Return the threads that can hold something; a disk and a timer hold nothing."""
    found = ((n, info, context_of(info.kind, info.number)) for n, info in enumerate(threads))
    return [Agent(n, info, context) for n, info, context in found if context is not None]


def rank(name: str) -> int:
    """Return a sort key: the order in which the path of the class usually takes it."""
    return _RANKS.index(name) if name in _RANKS else len(_RANKS)


def variable_of(spot: Spot, operands: dict[str, str], agent: Agent) -> str:
    """Return the variable that a natively parked thread waits for, by the function it is in."""
    if spot.function in _SEM_PRIMITIVES:
        return f"{operands['sem']}.writer"
    if spot.function in _FOLIO_PRIMITIVES:
        return f"{operands['folio']}.{_FOLIO_PRIMITIVES[spot.function]}"
    if spot.function in _WORKER_LOOPS:
        return f"inode[{agent.info.number}].work_queued"
    if spot.function == "ext4_iomap_wb_ordered_wait":
        return f"{operands['inode']}.i_ordered_lblk"
    if spot.function == "ext4_iomap_wb_disksize_pending_wait":
        return f"{operands['inode']}.disksize_grow_pending"
    return next(
        (
            variable.format(context=agent.context)
            for (function, word), variable in _WAITS.items()
            if function == spot.function and word in spot.label
        ),
        "",
    )


class LockView:
    """Reads holders and waits from the variables of one build's states.

    ``state`` is anything that gives a variable by its offset: a compiled state or the variables of
    a native run.
    """

    def __init__(self, layout: Layout, constants: bytes) -> None:
        self.names = layout.names()
        self.at = {name: offset for offset, name in enumerate(self.names)}
        conf: Any = layout.view(bytearray(layout.shared_size), constants).conf
        self.nr_inodes: int = conf.nr_inodes
        self.nr_blocks: int = conf.nr_blocks
        self.nr_folios: int = conf.nr_folios
        self.blocks_per_folio: int = conf.blocks_per_folio
        self.cells_per_block: int = conf.cells_per_block
        self._family = [family_of(name) for name in self.names]
        self._families: dict[str, list[int]] = {}
        for at, family in enumerate(self._family):
            self._families.setdefault(family, []).append(at)
        self._sems = [
            (self.at[name], self.at[name.replace(".writer", ".readers")], name.rpartition(".")[0])
            for name in self.names
            if name.endswith(".writer")
        ]
        self.holders = self._declared(Lock)
        self.deciding = self._declared(Lock, Waits)

    def _declared(self, *marks: type[Mark]) -> list[int]:
        """Return the variables that the state declares to be one of these."""
        said = declared_marks(Kernel)
        return [
            at
            for at, family in enumerate(self._family)
            if any(isinstance(mark, marks) for mark in said[family])
        ]

    def alike(self, offsets: Sequence[int]) -> list[int]:
        """Return every variable that is one of these, of whichever inode, folio or block."""
        return [at for offset in offsets for at in self._families[self._family[offset]]]

    def path_of(self, state: Any, inode: int) -> str:
        """Return the path an inode is on: ``iomap`` or ``bh``."""
        return "iomap" if state[self.at[f"inode[{inode}].buffered_iomap"]] else "bh"

    def folio(self, state: Any, base: str, inode: int, folio: int) -> Resource:
        """Return a folio's lock or writeback as a resource."""
        return Resource(f"{base}[{self.path_of(state, inode)}]", inode, folio)

    def holds(self, state: Any, agent: Agent, spot: Spot) -> tuple[Hold, ...]:
        """Return what ``agent`` holds, outermost first."""
        found = self._queued(state, agent) if agent.info.kind == "worker" else []
        if not (agent.info.kind == "worker" and spot.function in _WORKER_LOOPS):
            found += self._locks(state, agent.context)
            found += self._unsubmitted(state, agent.context, spot)
        if agent.info.kind == "kjournald" and spot.inside("jbd2_journal_commit_transaction"):
            found.append(Hold(Resource(COMMIT), WRITE))
        unique = dict.fromkeys(found)
        return tuple(sorted(unique, key=lambda hold: (rank(hold.resource.name), hold.resource)))

    def _locks(self, state: Any, context: int) -> list[Hold]:
        found: list[Hold] = []
        for writer, readers, path in self._sems:
            if state[writer] == context + 1:
                found.append(Hold(_sem(path), WRITE))
            elif state[readers] >> context & 1:
                found.append(Hold(_sem(path), READ))
        for inode in range(self.nr_inodes):
            found += [
                Hold(self.folio(state, FOLIO_LOCK, inode, f), WRITE)
                for f in range(self.nr_folios)
                if state[self.at[f"inode[{inode}].folio[{f}].locked"]] == context + 1
            ]
        if state[self.at["journal.t_updates"]] >> context & 1:
            found.append(Hold(Resource(HANDLE), READ))
        if state[self.at["journal.j_checkpoint_mutex"]] == context + 1:
            found.append(Hold(Resource(CHECKPOINT), WRITE))
        if state[self.at["rsv_conversion_wq"]] == context + 1:
            found.append(Hold(Resource(SLOT), WRITE))
        return found

    def _unsubmitted(self, state: Any, context: int, spot: Spot) -> list[Hold]:
        """Folios that this task put under writeback and has not submitted yet."""
        found: list[Hold] = []
        first = state[self.at[f"wpc[{context}].wb_ctx"]] - 1 if context < NR_WRITERS else -1
        for inode in range(self.nr_inodes):
            path = f"inode[{inode}]"
            if first >= 0 and state[self.at[f"{path}.ioend[{first}].state"]] == IOEND_BUILDING:
                length = state[self.at[f"{path}.ioend[{first}].nr_blocks"]]
                found += self._writeback(state, inode, first, length)
                if self._orders_eof(state, inode, first, length):
                    found.append(Hold(Resource(EOF_WRITE, inode), WRITE))
            for f in range(self.nr_folios):
                folio = f"{path}.folio[{f}]"
                mine = state[self.at[f"{folio}.locked"]] == context + 1
                if mine and spot.inside("iomap_writeback_folio"):
                    found.append(Hold(self.folio(state, FOLIO_WRITEBACK, inode, f), WRITE))
        return found

    def _orders_eof(self, state: Any, inode: int, first: int, length: int) -> bool:
        """Whether sizes wait for a write of one of these blocks."""
        ordered = state[self.at[f"inode[{inode}].i_ordered_lblk"]] - 1
        needed = [
            b
            for b in range(first, first + length)
            if state[self.at[f"inode[{inode}].eof_needed[{b}]"]]
        ]
        at_end = state[self.at[f"inode[{inode}].i_disksize"]] // self.cells_per_block
        if state[self.at[f"inode[{inode}].disksize_grow_pending"]]:
            return bool(first <= at_end < first + length)
        return bool(needed) or first <= ordered < first + length

    def _queued(self, state: Any, agent: Agent) -> list[Hold]:
        """Folios whose bio is done and whose writeback ends in this inode's work item."""
        inode, found = agent.info.number, []
        for b in range(self.nr_blocks):
            if state[self.at[f"inode[{inode}].ioend[{b}].state"]] in (
                IOEND_COMPLETED,
                IOEND_WORKER,
            ):
                length = state[self.at[f"inode[{inode}].ioend[{b}].nr_blocks"]]
                found += self._writeback(state, inode, b, length)
        return found

    def _writeback(self, state: Any, inode: int, first: int, length: int) -> list[Hold]:
        folios = {b // self.blocks_per_folio for b in range(first, first + length)}
        return [Hold(self.folio(state, FOLIO_WRITEBACK, inode, f), WRITE) for f in sorted(folios)]

    def want(self, state: Any, spot: Spot, names: Sequence[str]) -> Want | None:
        """Return what a thread wants whose wait looks at the variables ``names``."""
        if spot.function == "ext4_journal_start_reserved":
            return Want(Resource(HANDLE), READ, "acquire", trylock=True)
        for name in names:
            found = self._want_of(state, spot, name)
            if found is not None:
                return found
        return None

    def _want_of(self, state: Any, spot: Spot, name: str) -> Want | None:
        path, _, field = name.rpartition(".")
        inode, folio = _inode_of(name), _folio_of(name)
        if field in ("writer", "readers"):
            mode = READ if spot.function == "down_read" else WRITE
            return Want(_sem(path), mode, "acquire")
        if field == "locked":
            return Want(self.folio(state, FOLIO_LOCK, inode, folio), WRITE, "acquire")
        if field == "writeback":
            return Want(self.folio(state, FOLIO_WRITEBACK, inode, folio), WRITE, "wait")
        if field == "work_queued":
            return self._want_of_item(state, inode)
        if field in ("i_ordered_lblk", "disksize_grow_pending"):
            return Want(Resource(EOF_WRITE, inode), WRITE, "wait")
        if field == "commit_request":
            return None
        if field == "tid" or name == "journal.committing":
            return Want(Resource(COMMIT), WRITE, "wait")
        known = {
            "journal.running": Want(Resource(HANDLE), READ, "acquire"),
            "journal.t_updates": Want(Resource(HANDLE), WRITE, "wait"),
            "journal.j_checkpoint_mutex": Want(Resource(CHECKPOINT), WRITE, "acquire"),
        }
        return known.get(name) or Want(Resource(field or name, inode), WRITE, "wait")

    def _want_of_item(self, state: Any, inode: int) -> Want | None:
        """A queued item wants the slot; one whose ioends are all held back wants their EOF block.

        An item with nothing to do is idle.
        """
        if state[self.at[f"inode[{inode}].work_queued"]]:
            return Want(Resource(SLOT), WRITE, "acquire")
        for b in range(self.nr_blocks):
            if state[self.at[f"inode[{inode}].ioend[{b}].state"]] == IOEND_COMPLETED:
                return Want(Resource(EOF_WRITE, inode), WRITE, "wait")
        return None

    def is_locked(self, state: Any) -> bool:
        """Whether the running transaction is T_LOCKED: handle starts wait for its handles."""
        return bool(state[self.at["journal.running"]] == T_LOCKED)


def _sem(path: str) -> Resource:
    return Resource(path.rpartition(".")[2], _inode_of(path))


def _inode_of(name: str) -> int:
    found = re.match(r"inode\[(\d+)\]", name)
    return int(found[1]) if found else -1


def _folio_of(name: str) -> int:
    found = re.search(r"folio\[(\d+)\]", name)
    return int(found[1]) if found else -1
