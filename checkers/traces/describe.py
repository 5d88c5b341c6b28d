"""What a step changed, what a thread holds, what a power cut finds: variables in kernel words.

Everything here is a pure function of the named variables of a state (``name -> number``, names as
the layout gives them), so a replay, the explorer and a compiled run are described the same way.
A variable nobody has words for is shown as ``name old > new``: a new one cannot go unnoticed.

Rejected: sentences written into the model's paths (the model would be half prose), and a plain
list of changed variables (a commit changes forty, and says one thing).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from powercut.checkers.engine.layout import Layout, declared_marks, family_of
from powercut.checkers.traces.format import colour_set
from powercut.model.language import Hidden, Lock, Mark
from powercut.model.state import (
    BLOCK_FREE,
    BLOCK_FREED_COMMITTING,
    BLOCK_FREED_RUNNING,
    BLOCK_USED,
    FLUSHER,
    IOEND_BUILDING,
    IOEND_COMPLETED,
    IOEND_NONE,
    IOEND_SUBMITTED,
    IOEND_WORKER,
    KJOURNALD,
    T_COMMIT_CALLBACK,
    T_COMMIT_RECORD,
    T_LOCKED,
    T_NONE,
    T_RUNNING,
    TID_DONE,
    TID_RUNNING,
    WORKER,
    Kernel,
)

Values = Mapping[str, int]

_EXTENTS = ("hole", "unwritten", "written")
_COMMIT = ("finished", "T_FLUSH", "T_COMMIT_JFLUSH", "T_COMMIT_RECORD", "T_COMMIT_CALLBACK")
_TIDS = ("done", "the committing transaction", "the running transaction")


def values_of(layout: Layout, variables: bytes | bytearray) -> dict[str, int]:
    """Return every variable of a state by name."""
    return dict(zip(layout.names(), variables, strict=True))


def context_of(kind: str, number: int) -> int | None:
    """Return the context number under which a thread takes locks; ``None`` for hardware."""
    if kind == "task":
        return number
    contexts = {
        "flusher": FLUSHER,
        "wb_worker": FLUSHER,
        "worker": WORKER,
        "kjournald": KJOURNALD,
    }
    return contexts.get(kind)


def locks_held(values: Values, context: int | None) -> list[str]:
    """Return what ``context`` holds, outermost class first; ``(r)`` marks a shared hold."""
    if context is None:
        return []
    several = "inode[1].i_size" in values
    held: list[tuple[int, str]] = []
    for name, value in values.items():
        lock = _lock_of(name)
        if lock is None:
            continue
        reads = name.endswith(".readers")
        if value >> context & 1 if reads or lock.shared else value == context + 1:
            shown = _lock_name(lock, name, several) + (" (r)" if reads else "")
            held.append((lock.rank, shown))
    return [shown for _, shown in sorted(held, key=itemgetter(0))]


def operand_name(path: str) -> str:
    """Return a lockable variable as an argument: ``folio 1``, ``i_data_sem``, or nothing."""
    if _lock_of(f"{path}.locked"):
        return "folio " + path.rpartition("[")[2].rstrip("]")
    lock = _lock_of(path)
    return lock.name if lock else ""


def _marks_of(name: str) -> tuple[Mark, ...]:
    return declared_marks(Kernel).get(family_of(name), ())


def _lock_of(name: str) -> Lock | None:
    return next((mark for mark in _marks_of(name) if isinstance(mark, Lock)), None)


def _lock_name(lock: Lock, name: str, several: bool) -> str:
    numbers = dict(re.findall(r"(\w+)\[(\d+)\]", name))
    which = f" {numbers['folio']}" if "folio" in numbers else ""
    owner = f" of inode {numbers['inode']}" if "inode" in numbers and several else ""
    return lock.name + which + owner


def _is_hidden(name: str) -> bool:
    return any(isinstance(mark, Hidden) for mark in _marks_of(name))


def describe_changes(before: Values, after: Values) -> list[str]:
    """Return what changed between two states, grouped, in kernel words; locks are left out."""
    diff = _Diff(before, after)
    for i in range(_count(after, "inode", ".i_size")):
        inode = _InodeDiff(diff, i)
        for describe in _INODE_PARTS:
            describe(inode)
    for part in _PARTS:
        part(diff)
    for name in diff.left:
        if not _is_hidden(name):
            diff.lines.append(f"{name} {before[name]} > {after[name]}")
    return diff.lines


def _count(values: Values, before: str, after: str = "") -> int:
    """Return how many elements an array has, given its names around the index."""
    count = 0
    while f"{before}[{count}]{after}" in values:
        count += 1
    return count


class _Diff:
    """Two states, the names that differ and are not yet told, and the lines told so far."""

    def __init__(self, before: Values, after: Values) -> None:
        self.before = before
        self.after = after
        self.left = dict.fromkeys(n for n in after if before[n] != after[n])
        self.lines: list[str] = []
        self.nr_phys = _count(after, "block")
        self.per_block = _count(after, "device.cached") // max(self.nr_phys, 1)

    def take(self, name: str) -> bool:
        """Tell whether ``name`` changed; it counts as told from now on."""
        if name not in self.left:
            return False
        del self.left[name]
        return True

    def rose(self, name: str) -> bool:
        """Like :meth:`take`, and whether the variable was zero before."""
        return self.take(name) and not self.before[name]

    def say(self, line: str) -> None:
        self.lines.append(line)


class _InodeDiff:
    """The part of a difference that belongs to one inode."""

    def __init__(self, diff: _Diff, i: int) -> None:
        self.diff = diff
        self.path = f"inode[{i}]."
        after = diff.after
        self.intro = f"inode {i}: " if "inode[1].i_size" in after else ""
        self.nr_blocks = _count(after, f"inode[{i}].delayed")
        self.nr_folios = _count(after, f"inode[{i}].folio", ".dirty")
        self.nr_cells = _count(after, f"inode[{i}].page")

    def was(self, name: str) -> int:
        return self.diff.before[self.path + name]

    def now(self, name: str) -> int:
        return self.diff.after[self.path + name]

    def take(self, name: str) -> bool:
        return self.diff.take(self.path + name)

    def take_any(self, names: Sequence[str]) -> bool:
        """Take all of ``names``; tell whether one of them changed."""
        return sum(self.take(name) for name in names) > 0

    def say(self, line: str) -> None:
        self.diff.say(self.intro + line)


def cell_range(first: int, last: int) -> str:
    """Return ``cell 1`` or ``cells 1-2``."""
    return f"cell {first}" if first == last else f"cells {first}-{last}"


def _runs(cells: Mapping[int, str]) -> list[tuple[int, int, str]]:
    """Join neighbours with the same text: (first, last, text)."""
    out: list[tuple[int, int, str]] = []
    for cell, text in cells.items():
        if out and out[-1][1] == cell - 1 and out[-1][2] == text:
            out[-1] = (out[-1][0], cell, text)
        else:
            out.append((cell, cell, text))
    return out


def _sizes(inode: _InodeDiff) -> None:
    for name in ("i_size", "i_disksize", "held_size"):
        if inode.take(name):
            inode.say(f"{name} {inode.was(name)} > {inode.now(name)}")


def _pages(inode: _InodeDiff) -> None:
    changed = {
        c: colour_set(inode.now(f"page[{c}]"))
        for c in range(inode.nr_cells)
        if inode.take(f"page[{c}]")
    }
    for first, last, colour in _runs(changed):
        inode.say(f"page cache: {cell_range(first, last)} {colour}")


def _folios(inode: _InodeDiff) -> None:
    for f in range(inode.nr_folios):
        names = [f"folio[{f}].{name}" for name in ("dirty", "writeback", "absent")]
        if inode.take_any(names):
            inode.say(f"folio {f}: {folio_state(inode, f)}")


def folio_state(inode: _InodeDiff, f: int) -> str:
    """Return ``dirty, writeback`` and the like; with several blocks a folio, which are dirty."""
    per_folio = inode.nr_blocks // max(inode.nr_folios, 1)
    dirty = inode.now(f"folio[{f}].dirty")
    words = []
    if dirty and per_folio > 1:
        blocks = [str(f * per_folio + n) for n in range(per_folio) if dirty >> n & 1]
        words.append(f"dirty (block {', '.join(blocks)})")
    elif dirty:
        words.append("dirty")
    if inode.now(f"folio[{f}].writeback"):
        words.append("writeback")
    absent = inode.now(f"folio[{f}].absent")
    blocks = [str(f * per_folio + n) for n in range(per_folio) if absent >> n & 1]
    if len(blocks) == per_folio:
        return "not in the cache"
    if blocks:
        words.append(f"block {', '.join(blocks)} not read")
    return ", ".join(words) or "clean"


def _block_state(get: Callable[[str], int], b: int) -> str:
    state, pblk = get(f"raw.extent[{b}].state"), get(f"raw.extent[{b}].pblk")
    if get(f"delayed[{b}]"):
        return "delayed" if state == 0 else f"delayed and {_EXTENTS[state]} p{pblk}"
    return "hole" if state == 0 else f"{_EXTENTS[state]} p{pblk}"


def _blocks(inode: _InodeDiff) -> None:
    delayed = 0
    for b in range(inode.nr_blocks):
        delayed += inode.now(f"delayed[{b}]") - inode.was(f"delayed[{b}]")
        names = [f"delayed[{b}]", f"raw.extent[{b}].state", f"raw.extent[{b}].pblk"]
        if inode.take_any(names):
            inode.say(f"block {b}: {_block_state(inode.was, b)} > {_block_state(inode.now, b)}")
    name = "i_reserved_data_blocks"
    if inode.take(name) and inode.now(name) - inode.was(name) != delayed:
        inode.say(f"{name} {inode.was(name)} > {inode.now(name)}")


def _journalled(inode: _InodeDiff) -> None:
    told = False
    if inode.take("raw.orphan"):
        inode.say(f"{'on' if inode.now('raw.orphan') else 'off'} the orphan list")
        told = True
    if inode.take("raw.deleted"):
        inode.say("unlinked: no name refers to it")
        told = True
    if inode.take("raw.size"):
        inode.say(f"running transaction: size {inode.was('raw.size')} > {inode.now('raw.size')}")
        told = True
    joined = inode.take("i_sync_tid") and inode.now("i_sync_tid") == TID_RUNNING
    if joined and not told:
        inode.say("running transaction: has the inode")


def _ioends(inode: _InodeDiff) -> None:
    grown = [
        b
        for b in range(inode.nr_blocks)
        if inode.now(f"ioend[{b}].state") == IOEND_WORKER
        and 0 < inode.was(f"ioend[{b}].nr_blocks") < inode.now(f"ioend[{b}].nr_blocks")
    ]
    for b in range(inode.nr_blocks):
        fields = ("state", "nr_blocks", "end", "pblk", "unwritten", "error")
        if inode.take_any([f"ioend[{b}].{name}" for name in fields]):
            inode.say(_ioend_line(inode, b, grown))


def _ioend_line(inode: _InodeDiff, b: int, grown: list[int]) -> str:
    was, now = inode.was(f"ioend[{b}].state"), inode.now(f"ioend[{b}].state")
    failed = ", failed" if inode.now(f"ioend[{b}].error") else ""
    if now == IOEND_NONE:
        into = [g for g in grown if g < b]
        if was in (IOEND_COMPLETED, IOEND_WORKER) and into:
            return f"ioend {b} merged into ioend {into[-1]}"
        return f"ioend {b} finished"
    if now == IOEND_WORKER and was == IOEND_COMPLETED:
        target = f": {_ioend_target(inode, b)}" if b in grown else ""
        return f"ioend {b} taken by the worker{target}{failed}"
    if now == IOEND_COMPLETED:
        return f"ioend {b} queued for the worker{failed}"
    words = {IOEND_BUILDING: "built", IOEND_SUBMITTED: "submitted", IOEND_WORKER: "merged"}[now]
    if was == IOEND_BUILDING and now == IOEND_SUBMITTED:
        return f"ioend {b} submitted{failed}"
    return f"ioend {b} {words}: {_ioend_target(inode, b)}{failed}"


def _ioend_target(inode: _InodeDiff, b: int) -> str:
    length, pblk = inode.now(f"ioend[{b}].nr_blocks"), inode.now(f"ioend[{b}].pblk")
    if length > 1:
        text = f"blocks {b}-{b + length - 1} at p{pblk}-p{pblk + length - 1}"
    else:
        text = f"block {b} at p{pblk}"
    return text + (", unwritten" if inode.now(f"ioend[{b}].unwritten") else "")


def _eof(inode: _InodeDiff) -> None:
    for b in range(inode.nr_blocks):
        if inode.take_any([f"eof_needed[{b}]", f"eof_in_flight[{b}]"]):
            needed, flying = inode.now(f"eof_needed[{b}]"), inode.now(f"eof_in_flight[{b}]")
            state = "mark cleared"
            if needed:
                state = f"marked at EOF {needed}, a write of it must come first"
            elif flying:
                state = f"marked at EOF {flying}, its write is in flight"
            inode.say(f"EOF block {b}: {state}")
    if inode.take("disksize_grow_pending"):
        pending = inode.now("disksize_grow_pending")
        inode.say(f"i_disksize may {'not grow until its block is written' if pending else 'grow'}")
    if inode.take("i_ordered_lblk"):
        block = inode.now("i_ordered_lblk")
        inode.say(f"i_ordered_lblk: {f'block {block - 1}' if block else 'none'}")


def _inode_rest(inode: _InodeDiff) -> None:
    if inode.diff.rose(inode.path + "work_queued"):
        inode.say("work queued on rsv_conversion_wq")
    if inode.take("i_freeing"):
        inode.say("eviction begins" if inode.now("i_freeing") else "eviction ends")
    if inode.take("wb_err"):
        recorded = inode.now("wb_err") & ~inode.was("wb_err")
        inode.say("writeback error recorded" if recorded else "error reported")


def _journal(diff: _Diff) -> None:
    was, now = diff.before["journal.running"], diff.after["journal.running"]
    running = diff.take("journal.running")
    if running and now == T_RUNNING:
        diff.say("journal: new running transaction")
    elif running and now == T_LOCKED:
        diff.say("journal: T_LOCKED")
    if diff.take("journal.committing"):
        diff.say(f"journal: {_COMMIT[diff.after['journal.committing']]}")
    elif running and now == T_NONE and was != T_NONE:
        diff.say("journal: no running transaction")
    if diff.rose("journal.commit_request"):
        diff.say("journal: commit requested")
    if diff.rose("journal.aborted"):
        diff.say("journal: aborted")
    if diff.take("journal.log_used"):
        used = diff.after["journal.log_used"]
        diff.say(f"log: {used} transaction{'' if used == 1 else 's'} to checkpoint")


def _allocator(diff: _Diff) -> None:
    mapped = {
        diff.after[f"{m[1]}.pblk"]
        for m in (re.fullmatch(r"(inode\[\d+\]\.raw\.extent\[\d+\])\.state", n) for n in diff.after)
        if m and diff.after[m[0]]
    }
    for p in range(diff.nr_phys):
        if not diff.take(f"block[{p}]"):
            continue
        was, now = diff.before[f"block[{p}]"], diff.after[f"block[{p}]"]
        if now == BLOCK_USED and p not in mapped:
            diff.say(f"p{p} allocated")
        elif now == BLOCK_FREED_RUNNING:
            diff.say(f"p{p} freed, not to be reused before the commit")
        elif now == BLOCK_FREE:
            diff.say(f"p{p} freed, {'allocatable at once' if was == BLOCK_USED else 'allocatable'}")
        elif now == BLOCK_FREED_COMMITTING:
            diff.say(f"p{p} freed by the committing transaction")


def _stable(diff: _Diff) -> None:
    for name in list(diff.left):
        found = re.fullmatch(r"stable\.inode\[(\d+)\]\.committed\.(.*)", name)
        if not found or not diff.take(name):
            continue
        field = found[2]
        if field in ("size", "orphan"):
            value = diff.after[name]
            text = f"size {value}" if field == "size" else "orphan" if value else "no orphan"
            diff.say(f"durable: {text}")
        elif field.startswith("extent"):
            base = name.rpartition(".")[0]
            diff.take(f"{base}.pblk")
            diff.take(f"{base}.state")
            state, pblk = diff.after[f"{base}.state"], diff.after[f"{base}.pblk"]
            block = field[len("extent[") :].partition("]")[0]
            text = _EXTENTS[state] + (f" p{pblk}" if state else "")
            diff.say(f"durable: block {block} {text}")


def _disk(diff: _Diff) -> None:
    for p in range(diff.nr_phys):
        medium: dict[int, str] = {}
        cache: dict[int, str] = {}
        for c in range(diff.per_block):
            cell = p * diff.per_block + c
            may, cached = diff.after[f"stable.may[{cell}]"], diff.after[f"device.cached[{cell}]"]
            in_cache = diff.take(f"device.cached[{cell}]")
            if diff.take(f"stable.may[{cell}]"):
                medium[c] = f"{'may be' if may & may - 1 else '='} {colour_set(may)}"
            elif in_cache and cached != may:
                cache[c] = f"may be {colour_set(may)}, {colour_set(cached)} after a flush"
        for changed in (medium, cache):
            for first, last, text in _runs(changed):
                diff.say(f"disk p{p}: {cell_range(first, last)} {text}")


def _promises(diff: _Diff) -> None:
    sizes = [n for n in diff.left if n.endswith(".promise_size")]
    cells = [n for n in diff.left if ".promise[" in n]
    grown = [n for n in sizes if diff.after[n] > diff.before[n]]
    tighter = [n for n in cells if diff.after[n] & ~diff.before[n] == 0]
    if grown or tighter:
        owner = (grown or tighter)[0].partition(".promise")[0]
        diff.say(f"fsync promises size {diff.after[owner + '.promise_size']} and its content")
    for name in (*sizes, *cells):
        diff.take(name)


def _callers(diff: _Diff) -> None:
    for name in list(diff.left):
        found = re.fullmatch(r"caller\[(\d+)\]\.tid", name)
        if not found or not diff.take(name):
            continue
        who = _context_name(int(found[1]))
        was, now = diff.before[name], diff.after[name]
        if was == TID_DONE:
            diff.say(f"{who} waits for {_TIDS[now]}")
        elif now == TID_DONE:
            diff.say(f"{who} need not wait any longer")


def _mappings(diff: _Diff) -> None:
    for name in list(diff.left):
        found = re.fullmatch(r"wpc\[(\d+)\]\.map\.(\w+)", name)
        if not found or name not in diff.left:
            continue
        base = name.rpartition(".")[0]
        changed = {
            f
            for f in ("m_lblk", "m_len", "m_flags", "m_pblk", "current_cookie")
            if diff.take(f"{base}.{f}")
        }
        if changed == {"current_cookie"} and diff.after[f"{base}.m_len"]:
            stale = not diff.after[f"{base}.current_cookie"]
            state = "stale" if stale else "current"
            diff.say(f"cached mapping of {_context_name(int(found[1]))}: {state}")


def _context_name(context: int) -> str:
    return "the flusher" if context == FLUSHER else f"task{context}"


def _faults(diff: _Diff) -> None:
    if diff.rose("oracle.failed_allocation"):
        diff.say("allocation given up")
    if diff.rose("oracle.fsync_missed_error"):
        diff.say("fsync returns success over an unreported error")
    if diff.rose("oracle.failed_for_nothing"):
        diff.say("a sync fails, and nothing had failed")
    if diff.rose("oracle.misread"):
        diff.say("what is read back is not what was there")


_INODE_PARTS = (
    _sizes,
    _pages,
    _folios,
    _blocks,
    _journalled,
    _ioends,
    _eof,
    _inode_rest,
)
_PARTS = (_journal, _allocator, _stable, _disk, _promises, _callers, _mappings, _faults)


def journal_at_crash(values: Values) -> list[str]:
    """Say what a power cut here finds of each transaction."""
    out = []
    committing = values["journal.committing"]
    if values["journal.aborted"]:
        return ["the journal is aborted: what was committed before is found"]
    if committing in (T_COMMIT_RECORD, T_COMMIT_CALLBACK):
        out.append("the committing transaction has its record: replayed")
    elif committing:
        out.append("the committing transaction has no durable record: lost")
    if values["journal.running"] != T_NONE:
        out.append("the running transaction: lost")
    return out or ["nothing in flight in the journal"]


def describe_state(values: Values) -> list[str]:
    """Return the live state of every inode and the journal in a few lines."""
    diff = _Diff(values, values)
    out = []
    for i in range(_count(values, "inode", ".i_size")):
        inode = _InodeDiff(diff, i)
        sizes = ("i_size", "i_disksize", "i_reserved_data_blocks")
        out.append(inode.intro + ", ".join(f"{name} {inode.now(name)}" for name in sizes))
        blocks = (f"{b} {_block_state(inode.now, b)}" for b in range(inode.nr_blocks))
        out.append(f"{inode.intro}blocks: {', '.join(blocks)}")
        folios = (f"{f} {folio_state(inode, f)}" for f in range(inode.nr_folios))
        out.append(f"{inode.intro}folios: {', '.join(folios)}")
        for b in range(inode.nr_blocks):
            state = inode.now(f"ioend[{b}].state")
            if state:
                words = ("", "being built", "submitted", "queued for the worker", "at the worker")
                failed = ", failed" if inode.now(f"ioend[{b}].error") else ""
                line = f"ioend {b}: {words[state]}, {_ioend_target(inode, b)}{failed}"
                out.append(inode.intro + line)
    if values["journal.aborted"]:
        out.append("journal: aborted")
    return out
