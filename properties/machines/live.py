"""A run of the model that grows while it is made: operations are added as it goes.

What: one mount after another, each over the compiled system of its geometry.  A mount's programs
are constants of the model; an operation is appended before its task looks for it, and a task that
had finished is put back to the entry of the new one, where it would be standing had the operation
been in its program from the start.  So there is no second model, and whatever happened is an
ordinary scope with an ordinary schedule (:meth:`LiveRun.scope`, :meth:`LiveRun.epochs`), which the
replay takes natively.
Why so: every path of the model reads its program only when it gets there and reaches its first
preemption point without touching anything shared.
Rejected: a model of its own with a mailbox for operations (a second model, and traces nobody else
reads); all operations drawn first (a machine could not react to what it sees).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from checkers.crash.image import CrashState, decode
from checkers.engine.system import System
from checkers.workload.limits import DATA_OPS, MAX_DATA_OPS, MAX_MOUNTS
from model.recovery import Disk, canonical, mkfs
from model.scope import Mount, Op, Scope, Timer
from model.setup import configure, dimensions
from model.state import FIRST_OP_COLOUR, MAX_TASKS, NR_OPS
from properties.machines.setups import Setup
from properties.runner import Epoch, build_for, build_of, mounted

NAME = "machine"


@dataclass(frozen=True, slots=True)
class PastMount:
    """A mount that ended in a power cut."""

    tasks: tuple[tuple[Op, ...], ...]
    start: Disk
    schedule: tuple[int, ...]
    crash: Disk


@dataclass(frozen=True, slots=True)
class Mark:
    """The operations and the start of a mount, to come back to."""

    past: int
    steps_before: int
    start_disk: Disk
    tasks: tuple[tuple[Op, ...], ...]
    colours: tuple[tuple[int, int], ...]
    constants: bytes


@lru_cache(maxsize=32)
def _system_of(dims: tuple[tuple[str, int], ...], place: int) -> System:
    """Return the system that the run at ``place`` may reconfigure."""
    build = build_for(dims)
    empty = bytes(build.layout.constant_size)
    return System(build, empty, bytes(build.layout.shared_size))


def _base_scope(setup: Setup) -> Scope:
    """The scope whose system has every thread a run may need."""
    return Scope(
        NAME, "", (Mount(((),) * MAX_TASKS, setup.flusher_passes),), setup.geometry,
        setup.initial_size_cells, setup.initial_dirty_tail, setup.timer, setup.max_errors,
        setup.data_err_abort, setup.log_transactions, setup.nodelalloc,
    )  # fmt: skip


class LiveRun:
    """One run: ``state`` is where it stands, ``schedule`` the threads that ran in this mount.

    ``tasks`` are the operations of this mount, ``colours`` those of its data operations in the
    order they were started, ``past`` the mounts before.  With ``observes_calls`` the state knows
    how many calls of each task returned; nothing else depends on that.  Only one run at a time can
    be at a ``place``: runs that live side by side need places of their own.
    """

    def __init__(self, setup: Setup, *, observes_calls: bool = False, place: int = 0) -> None:
        self.setup = setup
        self._observes_calls = observes_calls
        self.base = _base_scope(setup)
        every = replace(
            self.base, max_errors=1, timer=Timer.FREE, mounts=(Mount(((),) * MAX_TASKS, 1),)
        )
        dims = dimensions(every, every.mounts[0])
        self.system = _system_of(tuple(sorted(dims.items())), place)
        self.threads = self.system.threads
        self.indexes = {
            kind: [n for n, info in enumerate(self.threads) if info.kind == kind]
            for kind in {info.kind for info in self.threads}
        }
        layout = self.system.build.layout
        self._constants = bytearray(layout.constant_size)
        self._conf = layout.view(bytearray(layout.shared_size), self._constants).conf
        self.past: list[PastMount] = []
        self.steps_before = 0
        self._mount(mkfs(self.base))

    def _mount(self, disk: Disk) -> None:
        self.start_disk = disk
        self.tasks: list[list[Op]] = [[] for _ in range(MAX_TASKS)]
        self.colours: list[tuple[int, int]] = []
        self.schedule: list[int] = []
        layout = self.system.build.layout
        self._constants[:] = bytes(layout.constant_size)
        setup = self.setup
        switch = setup.mutant.switch if setup.mutant else ""
        configure(
            self._conf, self.base, self.base.mounts[0], setup.design, switch,
            observes_calls=self._observes_calls,
        )  # fmt: skip
        self.system.reconfigure(bytes(self._constants))
        self._begin()

    def _begin(self) -> None:
        self.state = self.system.start(mounted(self.system, self.start_disk, self.base))
        if self.setup.timer == Timer.NEVER:
            self._finish(self.indexes["timer"])
        if not self.setup.max_errors:
            self._finish(self.indexes["failing_disk"])

    def rewind(self) -> None:
        """Go back to the start of this mount, all its operations in their programs."""
        self.schedule.clear()
        self._begin()

    def _finish(self, threads: Iterable[int]) -> None:
        """Threads the scope does not have: as if they had returned."""
        state = bytearray(self.state)
        for thread in threads:
            state[self.threads[thread].frame] = 0
        self.state = bytes(state)

    @property
    def steps(self) -> int:
        """Steps of all mounts so far."""
        return self.steps_before + len(self.schedule)

    @property
    def mounts(self) -> int:
        """How many mounts there were, this one included."""
        return len(self.past) + 1

    def used_tasks(self) -> int:
        """How many tasks have an operation; they are always the first ones."""
        return sum(1 for ops in self.tasks if ops)

    def room(self, task: int, op: Op) -> bool:
        """Tell whether ``op`` may be appended to the program of ``task``."""
        if task > self.used_tasks() or task >= MAX_TASKS or len(self.tasks[task]) == NR_OPS:
            return False
        return op.code not in DATA_OPS or len(self.colours) < MAX_DATA_OPS

    def start_op(self, task: int, op: Op) -> None:
        """Append ``op`` to the program of ``task``, which must have room."""
        assert self.room(task, op)
        ops = self.tasks[task]
        slot = self._conf.task[task].op[len(ops)]
        slot.code, slot.pos, slot.length, slot.inode = (
            int(op.code), op.pos_cells, op.length_cells, op.inode,
        )  # fmt: skip
        if op.code in DATA_OPS:
            slot.colour = FIRST_OP_COLOUR << len(self.colours)
            self.colours.append((task, len(ops)))
        thread = self.indexes["task"][task]
        if self.system.is_finished(self.state, thread):
            self._enter(task, thread, len(ops))
        self.system.reconfigure(bytes(self._constants))
        ops.append(op)

    def _enter(self, task: int, thread: int, number: int) -> None:
        """Park a finished task at the entry of its operation ``number``.

        Started with the operations before it blanked out, it passes over them.
        """
        blanked = bytearray(self._constants)
        view = self.system.build.layout.view(
            bytearray(self.system.build.layout.shared_size), blanked
        )
        for n in range(number):
            view.conf.task[task].op[n].code = 0
        self.system.reconfigure(bytes(blanked))
        self.state = self.system.restart(self.state, thread)

    def colour_of(self, task: int, number: int) -> int:
        """Return the colour of a data operation of this mount."""
        return FIRST_OP_COLOUR << self.colours.index((task, number))

    def writers(self, inode: int, cell: int) -> int:
        """Return the colours that operations started in this mount store at ``cell``."""
        found = 0
        for n, (task, number) in enumerate(self.colours):
            op = self.tasks[task][number]
            if op.inode == inode and op.pos_cells <= cell < op.pos_cells + op.length_cells:
                found |= FIRST_OP_COLOUR << n
        return found

    def enabled(self) -> list[int]:
        """Return the threads that can take a step, in order."""
        return self.system.enabled(self.state)

    def step(self, thread: int) -> None:
        """Let ``thread``, which must be enabled, take a step.

        What a wrong model can raise is raised; the step is part of the schedule then.
        """
        self.schedule.append(thread)
        self.state = self.system.step(self.state, thread)

    def crash_state(self) -> CrashState:
        """Return what a power cut now can leave."""
        projection = self.state[self.system.projected]
        return decode(self.system.build.layout, projection, self.setup.geometry)

    def may_remount(self) -> bool:
        """Tell whether a trace can hold one more mount; a mount without an operation is none."""
        return self.mounts < MAX_MOUNTS and self.used_tasks() > 0

    def remount(self, image: Disk) -> None:
        """Cut the power, leaving ``image``, and mount what recovery makes of it."""
        tasks = tuple(tuple(ops) for ops in self.tasks if ops)
        self.past.append(
            PastMount(tasks, self.start_disk, tuple(self.schedule), self._renamed(image))
        )
        self.steps_before += len(self.schedule)
        self._mount(canonical(image, self.setup.geometry))

    def mark(self) -> Mark:
        """Return what :meth:`back_to` needs to undo everything that happens from now on."""
        tasks = tuple(tuple(ops) for ops in self.tasks)
        return Mark(
            len(self.past), self.steps_before, self.start_disk, tasks, tuple(self.colours),
            bytes(self._constants),
        )  # fmt: skip

    def back_to(self, mark: Mark) -> None:
        """Return to the start of the mount of ``mark``, with the operations it had then."""
        del self.past[mark.past :]
        self.steps_before, self.start_disk = mark.steps_before, mark.start_disk
        self.tasks = [list(ops) for ops in mark.tasks]
        self.colours = list(mark.colours)
        self._constants[:] = mark.constants
        self.system.reconfigure(mark.constants)
        self.rewind()

    def scope(self) -> Scope:
        """Return the run as an ordinary scope: every mount with the operations it had."""
        now = tuple(tuple(ops) for ops in self.tasks if ops)
        passes = self.setup.flusher_passes
        mounts = [Mount(mount.tasks, passes) for mount in self.past]
        return replace(self.base, mounts=(*mounts, Mount(now, passes)))

    def epochs(self, crash: Disk | None) -> tuple[Epoch, ...]:
        """Return the run as the epochs of a violation of :meth:`scope`; ``crash`` ends the last."""
        scope = self.scope()
        now = None if crash is None else self._renamed(crash)
        runs: list[tuple[Disk, tuple[int, ...], Disk | None]] = [
            (mount.start, mount.schedule, mount.crash) for mount in self.past
        ]
        runs.append((self.start_disk, tuple(self.schedule), now))
        out = []
        for n, (start, schedule, end) in enumerate(runs):
            names = {info.name: t for t, info in enumerate(build_of(scope, n).threads)}
            there = tuple(names[self.threads[t].name] for t in schedule)
            out.append(Epoch(start, there, end))
        return tuple(out)

    def _renamed(self, image: Disk) -> Disk:
        """Return ``image`` with the colours that a scope gives: task by task, not by time."""
        order = sorted(range(len(self.colours)), key=lambda n: self.colours[n])
        new = {FIRST_OP_COLOUR << old: FIRST_OP_COLOUR << rank for rank, old in enumerate(order)}
        return replace(image, cells=tuple(new.get(cell, cell) for cell in image.cells))
