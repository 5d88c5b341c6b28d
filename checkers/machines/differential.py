"""Two designs, one workload: what a user of either could tell apart, by kind.

What: a :class:`Side` runs a workload on one design under a fixed policy: a call runs until it
returns, with whatever help it needs, and the background does one named job at a time (flush,
complete, convert, commit, rest).  After every job both sides are looked at: what a read shows, what
the syncs returned, which blocks are allocated, and what a power cut would leave.
Why so: both designs have these jobs, so "after this job" means the same for both although their
steps differ.  Where a design is at rest, or a sync has just returned, everything has to be the
same; before that they may be ahead of each other, and :data:`LEGAL` says in what.
Rejected: step for step the same schedule (there is no such thing); comparing the sets of what is
recoverable over all schedules (that is what exhausting both does, in far smaller scopes).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from powercut.checkers.machines.conditions import Around, all_hold
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.reference import SYNCS
from powercut.checkers.machines.setups import Setup
from powercut.model.designs import Design
from powercut.model.scope import Op
from powercut.model.state import FOREIGN, HOLE, POLLUTION, ZERO
from powercut.properties.crash_state import CrashState
from powercut.properties.findings.loader import shipped
from powercut.properties.findings.words import Word

READ, RESULT, STUCK = "read", "result", "stuck"
CRASH, SYNCED, REST = "crash", "synced", "rest"
"""Where a power cut is looked at: anywhere, when a sync has returned, at rest and flushed."""
BLOCKS = "blocks"
BH, IOMAP = "buffer_head", "iomap"
HELPERS = ("worker", "disk", "kjournald")
"""Who runs, in this order, while a call has to wait."""
LAST_HELPERS = ("timer", "flusher")
MOST_STEPS = 2_000
MOST_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """What one side shows of one file: a read, and what a power cut now would leave.

    ``shown`` is the set of values of each cell of the recovered file, ``flushed`` the same if the
    device flushes its cache before; ``blocks`` are the numbers of the allocated blocks.
    """

    content: tuple[int, ...]
    size: int
    shown: tuple[int, ...]
    flushed: tuple[int, ...]
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that differs: ``kind`` says what, and on which side there is more of it."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Legal:
    """A kind of difference that is right, the reason, and the kernel function that makes it so."""

    kind: str
    reason: str
    kernel: str


LEGAL: tuple[Legal, ...] = (
    Legal(
        "crash-larger-size-on-buffer_head",
        "i_disksize goes up when blocks are allocated or a written block is appended to; on the "
        "iomap path the worker raises it when the data is there",
        "mpage_map_and_submit_extent(), ext4_da_do_write_end(); ext4_iomap_wb_update_disksize()",
    ),
    Legal(
        "crash-newest-data-on-buffer_head",
        "a commit writes the data of ordered inodes, and with it whatever else is dirty in their "
        "mapped buffers; an iomap inode is not on that list",
        "journal_submit_data_buffers(), ext4_jbd2_inode_add_write()",
    ),
    Legal(
        "crash-older-data-on-buffer_head",
        "such a commit has written a version of the data that the user overwrote since",
        "journal_submit_data_buffers()",
    ),
    Legal(
        "crash-zeros-on-iomap",
        "blocks are allocated unwritten and read as zeros until they are converted; without "
        "delayed allocation the buffer_head path allocates them written, and orders the data",
        "ext4_iomap_get_blocks(); ext4_write_begin()",
    ),
    Legal(
        "crash-older-data-on-iomap",
        "an overwrite inside i_disksize starts no transaction, so no commit flushes the device "
        "cache behind it; the buffer_head path may have one to commit",
        "ext4_iomap_writeback_submit(); journal_submit_commit_record()",
    ),
    Legal(
        "crash-zeros-on-buffer_head",
        "the size was committed before the data, and the data has reached the device cache only; "
        "on the iomap path the size comes after the data, and its commit flushes the cache",
        "ext4_da_do_write_end(); ext4_iomap_wb_update_disksize()",
    ),
    Legal(
        "crash-newest-data-on-iomap",
        "a size extension submits the zeroed EOF block, or waits until it may be dirtied, in the "
        "designs that order it; the folio goes out whole",
        "ext4_iomap_submit_zero_block(), ext4_iomap_mark_disksize_pending()",
    ),
    Legal(
        "crash-larger-size-on-iomap",
        "the ioend of an ordered EOF block sets i_disksize to i_size",
        "ext4_iomap_wb_update_disksize() of the later revisions",
    ),
)
"""Every difference that is right.  Nothing is legal where both are at rest or have been synced."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A kind of difference that is a violation of some designs, where its conditions hold.

    ``finding`` is the title of the finding that explains it.
    """

    designs: tuple[str, ...]
    kind: str
    finding: str
    needs: tuple[Word, ...] = ()

    def when(self, run: LiveRun) -> bool:
        """Tell whether the difference may show in this mount."""
        return all_hold(self.needs, Around(run))


FOUND: tuple[Wrong, ...] = tuple(
    Wrong(entry.designs, entry.difference, finding.title, entry.needs)
    for finding in shipped().values()
    for entry in finding.differs
)
"""Differences that are wrong, and known."""


def label_of(design: Design) -> str:
    """Return which path the first file of ``design`` is on."""
    return IOMAP if design.iomap_inodes & 1 else BH


class Side:
    """One design under the workload; the policy is the same for every design.

    ``place`` tells runs apart that are alive at once.
    """

    def __init__(self, setup: Setup, place: int = 0) -> None:
        self.run = LiveRun(setup, observes_calls=True, place=place)
        layout = self.run.system.build.layout
        names = layout.names()
        self._offsets = [
            names.index(f"stable.oracle.calls[{t}].returned") for t in range(len(self.run.tasks))
        ]

    @property
    def label(self) -> str:
        """Which path the design's first file is on."""
        return label_of(self.run.setup.design)

    def _kind(self, kind: str) -> Sequence[int]:
        return self.run.indexes.get(kind, ())

    def _help(self, kinds: Sequence[str]) -> bool:
        """Let the first thread of these kinds that can run take a step."""
        for kind in kinds:
            for thread in self._kind(kind):
                if self.run.system.is_enabled(self.run.state, thread):
                    self.run.step(thread)
                    return True
        return False

    def call(self, task: int, op: Op) -> int | None:
        """Run ``op`` as a call of ``task`` until it returns.

        Return the result of a sync, OK for other calls, None if it never returns.
        """
        run, number = self.run, len(self.run.tasks[task])
        thread = run.indexes["task"][task]
        run.start_op(task, op)
        for _ in range(MOST_STEPS):
            if run.state[self._offsets[task]] > number:
                results = run.system.view(run.state).stable.oracle.calls[task].results
                return int(results >> 2 * number & 3) if op.code in SYNCS else 0
            if run.system.is_enabled(run.state, thread):
                run.step(thread)
            elif not self._help((*HELPERS, *LAST_HELPERS)):
                return None
        return None

    def flush(self) -> None:
        """One pass of the flusher over every file."""
        (thread,) = self._kind("flusher") or (-1,)
        for _ in range(self.run.setup.geometry.nr_inodes):
            if thread < 0 or self.run.system.is_finished(self.run.state, thread):
                return
            begin = self.run.system.place(self.run.state, thread)
            for _ in range(MOST_STEPS):
                if self.run.system.is_enabled(self.run.state, thread):
                    self.run.step(thread)
                elif not self._help((*HELPERS, "timer")):
                    return
                if self.run.system.place(self.run.state, thread) == begin:
                    break
                if self.run.system.is_finished(self.run.state, thread):
                    return

    def complete(self) -> None:
        """Every bio in flight completes."""
        while self._help(("disk",)):
            pass

    def convert(self) -> None:
        """The workers do what they have."""
        while self._help(("worker",)):
            pass

    def commit(self) -> None:
        """The commit timer expires, and the commit runs to its end, with the help it needs."""
        self._help(("timer",))
        while self._is_committing() and self._help(("kjournald", "worker", "disk")):
            pass

    def _is_committing(self) -> bool:
        journal = self.run.system.view(self.run.state).journal
        return bool(journal.commit_request or journal.committing)

    def rest(self) -> None:
        """Everything is written, converted and committed."""
        for _ in range(MOST_ROUNDS):
            self.flush()
            self.complete()
            self.convert()
            self.commit()
            if self.is_at_rest():
                return

    def is_at_rest(self) -> bool:
        """Tell whether nothing is dirty, in flight, queued or uncommitted."""
        run, geometry = self.run, self.run.setup.geometry
        k = run.system.view(run.state)
        if k.journal.running or k.journal.committing:
            return False
        for i in range(geometry.nr_inodes):
            inode = k.inode[i]
            folios = -(-geometry.nr_blocks // geometry.blocks_per_folio)
            if any(inode.folio[f].dirty or inode.folio[f].writeback for f in range(folios)):
                return False
            if inode.work_queued:
                return False
        return True

    def look(self) -> list[Seen]:
        """Return what can be seen of every file."""
        run, geometry = self.run, self.run.setup.geometry
        k = run.system.view(run.state)
        state = run.crash_state()
        cells = geometry.nr_phys * geometry.cells_per_block
        flushed = replace(state, may=tuple(k.device.cached[c] for c in range(cells)))
        out = []
        for i in range(geometry.nr_inodes):
            inode = k.inode[i]
            content = tuple(inode.page[c] for c in range(inode.i_size))
            blocks = range(geometry.nr_blocks)
            allocated = tuple(b for b in blocks if inode.raw.extent[b].state != HOLE)
            size = state.inodes[i].size
            shown, then = _recovered(state, i), _recovered(flushed, i)
            out.append(Seen(content, size, shown, then, allocated))
        return out

    def story(self) -> str:
        """Return the run in one line: who ran, and for how many steps; mounts behind bars."""
        schedules = [*(ran.epoch.schedule for ran in self.run.past), tuple(self.run.schedule)]
        return " | ".join(self._mount_story(schedule) for schedule in schedules)

    def _mount_story(self, schedule: Sequence[int]) -> str:
        names = (self.run.threads[t].name for t in schedule)
        runs = ((name, len(list(group))) for name, group in groupby(names))
        return " ".join(f"{name}*{count}" if count > 1 else name for name, count in runs)


def _recovered(state: CrashState, i: int) -> tuple[int, ...]:
    inode = state.inodes[i]
    return tuple(state.possible(inode, cell) for cell in range(inode.size))


def differences(sides: Sequence[Side], phase: str) -> Iterator[Difference]:
    """Yield how the two sides differ; ``phase`` is CRASH, SYNCED or REST, for both the same."""
    first, second = sides
    for i, (a, b) in enumerate(zip(first.look(), second.look(), strict=True)):
        if a.content != b.content:
            text = f"inode {i}: {first.label} reads {a.content}, {second.label} {b.content}"
            yield Difference(f"{READ}-content", text)
        for here, mine, there in ((first, a, b), (second, b, a)):
            yield from _more_of(f"inode {i}", here.label, mine, there, phase)


def _more_of(where: str, label: str, mine: Seen, other: Seen, phase: str) -> Iterator[Difference]:
    """Yield what this side may show and the other one may not."""
    if mine.size > other.size:
        yield Difference(f"{phase}-larger-size-on-{label}", f"{where}: {mine.size}, {other.size}")
    for cell, (here, there) in enumerate(zip(*_compared(mine, other, phase), strict=False)):
        newest = mine.content[cell] if cell < len(mine.content) else ZERO
        for name, mask in _names(here & ~there, newest):
            text = f"{where}: cell {cell} may show {mask}, only {there} on the other side"
            yield Difference(f"{phase}-{name}-on-{label}", text)
    more = set(mine.blocks) - set(other.blocks)
    if phase == REST and more:
        yield Difference(f"{phase}-{BLOCKS}-on-{label}", f"{where}: {sorted(more)} allocated")


def _compared(mine: Seen, other: Seen, phase: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if phase == REST:
        return mine.flushed, other.flushed
    return mine.shown, other.shown


def _names(mask: int, newest: int) -> Iterator[tuple[str, int]]:
    """Yield what the values of ``mask`` are to the user."""
    known = {
        "previous-owner": mask & FOREIGN,
        "tail": mask & POLLUTION,
        "zeros": mask & ZERO,
        "newest-data": mask & newest & ~ZERO,
    }
    known["older-data"] = mask & ~sum(known.values())
    yield from ((name, part) for name, part in known.items() if part)
