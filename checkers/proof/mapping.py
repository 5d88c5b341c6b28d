"""From a state of the executable model to the protocol's: what each field means there.

What: :class:`Mapper` reads the flat bytes of a state through the model's own view, for one colour,
and the program counters where the protocol names a phase of a call (a truncate between its sizes
and its removal, a tail already zeroed).
Why so: this is the only place that says how the two relate; everything the proof says of the model
goes through it.  Fields without meaning in a state (the end of no ioend, the frozen copy without a
commit, the owner of an unmapped cell) get one fixed value, so that equal situations are equal.
Rejected: ghost variables in the model (the model would then be written for the proof).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from powercut.checkers.engine.system import System
from powercut.checkers.proof.logic import HOLE
from powercut.checkers.proof.state import BOOL, CUT, CUTTING, FIELDS, IDLE, NONE, SCALAR, State
from powercut.model.scope import OpCode
from powercut.model.state import (
    FOREIGN,
    IOEND_BUILDING,
    IOEND_COMPLETED,
    IOEND_SUBMITTED,
    IOEND_WORKER,
    T_COMMIT_CALLBACK,
    T_NONE,
    WRITTEN,
)
from powercut.model.state import HOLE as EXTENT_HOLE

Plain = dict[str, Any]
"""Values of all fields: a number or truth value, or a tuple of them."""

HISTORY = ("must", "sync", "s_size", "s_last", "s_tid", "s_flush", "todo", "ok", "ok_else")
"""Fields that a state does not show: they say what happened.  A walk carries them along."""


@dataclass(frozen=True, slots=True)
class Call:
    """The operation a task is at: code, position, length, colour."""

    code: int
    pos: int
    length: int
    colour: int


def table(values: tuple[Any, ...]) -> Callable[[int], Any]:
    """Return ``values`` as a function; outside of them nothing is so, and nothing is mapped."""
    nothing = HOLE if values and not isinstance(values[0], bool) else False
    return lambda n: values[n] if 0 <= n < len(values) else nothing


def state_of(plain: Plain) -> State:
    """Return plain values as a state that the protocol can be evaluated on."""
    return State(
        {
            name: value if FIELDS[name].kind == SCALAR else table(value)
            for name, value in plain.items()
        }
    )


def canonical(plain: Plain) -> Plain:
    """Give every field without meaning its fixed value."""
    out = dict(plain)
    cells = range(len(plain["page"]))
    idle = [plain["io"][c] == NONE for c in cells]
    unused = [idle[c] and not plain["built"][c] for c in cells]
    for name in ("failed", "orders"):
        out[name] = tuple(not idle[c] and plain[name][c] for c in cells)
    out["end"] = tuple(0 if unused[c] else plain["end"][c] for c in cells)
    out["dest"] = tuple(HOLE if idle[c] else plain["dest"][c] for c in cells)
    if plain["commit"] in (T_NONE, T_COMMIT_CALLBACK):
        out["m_size"], out["m_orphan"] = 0, False
        out["m_map"] = tuple(HOLE for _ in cells)
        out["m_wr"] = out["m_ever"] = tuple(False for _ in cells)
    referenced = {d for name in ("map", "m_map", "c_map") for d in out[name] if d != HOLE}
    out["own"] = tuple(o if d in referenced else 0 for d, o in enumerate(plain["own"]))
    if plain["trunc"] == IDLE:
        out["target"] = 0
    return out


def no_history(nr_cells: int) -> Plain:
    """Return the history fields as they are when nothing is watched."""
    return {
        name: (False if FIELDS[name].sort == BOOL else 0)
        if FIELDS[name].kind == SCALAR
        else (False if FIELDS[name].sort == BOOL else 0,) * nr_cells
        for name in HISTORY
    }


class Mapper:
    """Maps states of one system (one file) to the protocol."""

    def __init__(self, system: System) -> None:
        self.system = system
        frames = system.build.frames["task"]
        local = next(name for name in frames.slots if name.rpartition("_")[0] == "n")
        self.tasks = [
            (index, thread.number, thread.frame + frames.offset(local))
            for index, thread in enumerate(system.threads)
            if thread.kind == "task"
        ]
        self.workers = [i for i, t in enumerate(system.threads) if t.kind == "worker"]

    def chain(self, state: bytes, thread: int) -> tuple[str, ...]:
        """Return the names of the functions a thread is in, innermost last."""
        place = self.system.place(state, thread)
        return (*(caller.partition(":")[0] for caller in place.callers), place.function)

    def call_of(self, state: bytes, thread: int) -> Call | None:
        """Return the operation that a task thread is at, if any."""
        for index, number, offset in self.tasks:
            if index == thread and not self.system.is_finished(state, thread):
                op = self.system.view(state).conf.task[number].op[min(state[offset], 3)]
                return Call(op.code, op.pos, op.length, op.colour)
        return None

    def ioends(self, state: bytes) -> list[tuple[int, tuple[int, ...]]]:
        """Return the ioends at the worker: their state and their cells."""
        k = self.system.view(state)
        per_block = k.conf.cells_per_block
        out = []
        for first in range(k.conf.nr_blocks):
            ioend = k.inode[0].ioend[first]
            if ioend.state == IOEND_WORKER:
                span = range(first * per_block, (first + ioend.nr_blocks) * per_block)
                out.append((ioend.state, tuple(span)))
        return out

    def plain(self, state: bytes, colour: int) -> Plain:
        """Return the protocol's fields for ``state`` as ``colour`` shows them."""
        k = self.system.view(state)
        inode = k.inode[0]
        out: Plain = {
            "isz": inode.i_size,
            "dsz": inode.i_disksize,
            "held": inode.held_size,
            "orphan": bool(inode.raw.orphan),
            "extending": bool(k.oracle.inode[0].extending),
            "commit": k.journal.committing,
            "is_foreign": colour == FOREIGN,
            "m_size": inode.committing.size,
            "m_orphan": bool(inode.committing.orphan),
            "c_size": k.stable.inode[0].committed.size,
            "c_orphan": bool(k.stable.inode[0].committed.orphan),
            "itid": inode.i_sync_tid,
            "erred": bool(k.device.errors_injected or k.oracle.failed_allocation),
            **no_history(k.conf.nr_cells),
        }
        self._calls(state, k, out)
        self._content(k, colour, out)
        self._ioends(state, k, out)
        return canonical(out)

    def _calls(self, state: bytes, k: Any, out: Plain) -> None:
        inode, extending = k.inode[0], k.oracle.inode[0].extending
        out["trunc"], out["target"], out["zeroed"] = IDLE, 0, False
        if inode.raw.orphan:
            out["trunc"], out["target"] = CUT, inode.i_size
        for thread, _, _ in self.tasks:
            call = self.call_of(state, thread)
            if call is None:
                continue
            chain = self.chain(state, thread)
            if inode.raw.orphan and "set_inode_sizes" in chain:
                out["trunc"], out["target"] = CUTTING, call.pos
            extends = any(f in chain for f in ("ext4_buffered_write_iter", "ext4_setattr"))
            gap = call.pos > inode.i_size and extending == inode.i_size + 1
            zeroing = "ext4_block_zero_eof" in chain
            if extends and gap and not zeroing and call.code != OpCode.STORE:
                out["zeroed"] |= inode.i_rwsem.writer == self._context(thread) + 1

    def _context(self, thread: int) -> int:
        return self.system.threads[thread].number

    def _content(self, k: Any, colour: int, out: Plain) -> None:
        per_block = k.conf.cells_per_block
        cells = range(k.conf.nr_cells)
        inode = k.inode[0]
        out["page"] = tuple(bool(inode.page[c] & colour) for c in cells)
        running, durable = k.oracle.inode[0], k.stable.oracle.inode[0]
        images = (
            ("", inode.raw, running.ever),
            ("m_", inode.committing, running.ever_committing),
            ("c_", k.stable.inode[0].committed, durable.ever),
        )
        owner = [0] * (k.conf.nr_phys * per_block)
        for prefix, image, ever in images:
            extents = [image.extent[c // per_block] for c in cells]
            places = [
                HOLE if e.state == EXTENT_HOLE else e.pblk * per_block + c % per_block
                for c, e in enumerate(extents)
            ]
            out[prefix + "map"] = tuple(places)
            out[prefix + "wr"] = tuple(e.state == WRITTEN for e in extents)
            out[prefix + "ever"] = tuple(bool(ever[c] & colour) for c in cells)
            for c, place in enumerate(places):
                if place != HOLE:
                    owner[place] = c
        phys = range(k.conf.nr_phys * per_block)
        out["own"] = tuple(owner)
        out["may"] = tuple(bool(k.stable.may[d] & colour) for d in phys)
        out["cached"] = tuple(bool(k.device.cached[d] & colour) for d in phys)
        out["else_may"] = tuple(bool(k.stable.may[d] & ~colour) for d in phys)
        out["else_cached"] = tuple(bool(k.device.cached[d] & ~colour) for d in phys)
        folios = [inode.folio[c // k.conf.cells_per_folio] for c in cells]
        bits = [c // per_block % k.conf.blocks_per_folio for c in cells]
        out["dirty"] = tuple(bool(f.dirty >> b & 1) for f, b in zip(folios, bits, strict=True))
        out["pst"] = tuple(k.block[d // per_block] for d in phys)
        for name, marks in (("need", inode.eof_needed), ("sent", inode.eof_in_flight)):
            out[name] = tuple(
                bool(marks[c // per_block]) and c >= marks[c // per_block] for c in cells
            )

    def _ioends(self, state: bytes, k: Any, out: Plain) -> None:
        per_block = k.conf.cells_per_block
        nr_cells = k.conf.nr_cells
        table: dict[str, list[Any]] = {
            "io": [NONE] * nr_cells,
            "failed": [False] * nr_cells,
            "end": [0] * nr_cells,
            "dest": [HOLE] * nr_cells,
            "built": [False] * nr_cells,
            "orders": [False] * nr_cells,
        }
        names = {IOEND_SUBMITTED: 1, IOEND_COMPLETED: 2, IOEND_WORKER: 3}
        for first in range(k.conf.nr_blocks):
            ioend = k.inode[0].ioend[first]
            if ioend.state == IOEND_BUILDING:
                for n in range(ioend.nr_blocks * per_block):
                    c = first * per_block + n
                    table["built"][c] = True
                    table["end"][c] = min((c // per_block + 1) * per_block, ioend.end)
            if ioend.state not in names:
                continue
            for n in range(ioend.nr_blocks * per_block):
                c = first * per_block + n
                table["io"][c] = names[ioend.state]
                table["failed"][c] = bool(ioend.error) and ioend.state != IOEND_SUBMITTED
                table["orders"][c] = bool(ioend.orders_eof)
                table["end"][c] = ioend.end
                table["dest"][c] = ioend.pblk * per_block + n
        out.update({name: tuple(values) for name, values in table.items()})
        converted: Sequence[int] = ()
        for worker in self.workers:
            if "ext4_iomap_wb_update_disksize" in self.chain(state, worker):
                current = self.ioends(state)[0][1]
                ioend = k.inode[0].ioend[current[0] // per_block]
                converted = current if ioend.unwritten else ()
        out["handle"] = bool(converted)
        out["pending"] = tuple(c in converted for c in range(nr_cells))
