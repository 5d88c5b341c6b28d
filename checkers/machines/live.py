"""A run of the model that grows while it is made: operations are added as it goes.

What: one mount after another, each over the compiled system of its geometry.  A mount's programs
are constants of the model; an operation is appended before its task looks for it, and a task that
had finished is put back to the entry of the new one, where it would be standing had the operation
been in its program from the start.  So there is no second model, and whatever happened is an
ordinary scope with an ordinary schedule (:meth:`LiveRun.scope`, :meth:`LiveRun.epochs`), which the
replay takes natively.  Two things an operation decides for the whole mount are not left to it:
where sync(2) may be called, the first task begins with one, because the mount has another flusher
then; and where a file is unlinked, an operation keeps its task's file open from the mount on, so
the schedule so far runs again, to the same state but for who has what open.  It does as well for a
read, which looks at the page cache before its first preemption point.
Why so: every other path reads its program only when it gets there and reaches its first
preemption point without touching anything shared.
Rejected: a model of its own with a mailbox for operations (a second model, and traces nobody else
reads); all operations drawn first (a machine could not react to what it sees).
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from powercut.checkers.engine.system import System
from powercut.checkers.machines.setups import Setup
from powercut.checkers.run.mount import Epoch, Mount, build_for, build_of, changes_of
from powercut.checkers.weave.patch import ModelPatch
from powercut.checkers.workload.limits import DATA_OPS, MAX_DATA_OPS, MAX_MOUNTS
from powercut.model.recovery import Disk, mkfs
from powercut.model.scope import Mount as Workload
from powercut.model.scope import Op, OpCode, Scope, Timer
from powercut.model.setup import configure, dimensions
from powercut.model.state import FIRST_OP_COLOUR, MAX_TASKS, NR_OPS
from powercut.properties.crash_state import CrashState

NAME = "machine"


@dataclass(frozen=True, slots=True)
class Ran:
    """An epoch that ended in a power cut, with the operations its tasks had by then."""

    tasks: tuple[tuple[Op, ...], ...]
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class Mark:
    """The operations and the start of a mount, to come back to."""

    past: int
    steps_before: int
    start_disk: Disk
    tasks: tuple[tuple[Op, ...], ...]
    colours: tuple[tuple[int, int], ...]
    constants: bytes


@dataclass(frozen=True, slots=True)
class Here:
    """A state of a run in its present mount, and how it came about."""

    state: bytes
    schedule: tuple[int, ...]


@lru_cache(maxsize=32)
def _system_of(
    dims: tuple[tuple[str, int], ...], place: int, patches: tuple[ModelPatch, ...]
) -> System:
    """Return the system that the run at ``place`` may reconfigure."""
    build = build_for(dims, patches=patches)
    empty = bytes(build.layout.constant_size)
    return System(build, empty, bytes(build.layout.shared_size))


def _base_scope(setup: Setup) -> Scope:
    """The scope whose system has every thread a run may need."""
    mount = Workload(((),) * MAX_TASKS, setup.flusher_passes, setup.evictions)
    return Scope(
        NAME,
        "",
        (mount,),
        setup.geometry,
        setup.initial_size_cells,
        setup.initial_dirty_tail,
        setup.timer,
        setup.max_errors,
        setup.data_err_abort,
        setup.log_transactions,
        setup.nodelalloc,
    )


def _every_thread(base: Scope) -> dict[str, int]:
    """Return the array sizes with every thread that a run of ``base`` may need.

    Which of them it has is decided by letting the others return at once: that costs nothing, and
    spares builds.  Only what reclaims is numerous enough for a build of its own.
    """
    mount = Workload(((),) * MAX_TASKS, 1, base.mounts[0].evictions)
    every = replace(base, max_errors=1, timer=Timer.FREE, mounts=(mount,))
    return dimensions(every, mount) | {"nr_wb_workers": 1}


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
        self._changes = changes_of(setup)
        dims = tuple(sorted(_every_thread(self.base).items()))
        self.system = _system_of(dims, place, self._changes)
        self.threads = self.system.threads
        self.indexes = {
            kind: [n for n, info in enumerate(self.threads) if info.kind == kind]
            for kind in {info.kind for info in self.threads}
        }
        layout = self.system.build.layout
        self._constants = bytearray(layout.constant_size)
        self._conf = layout.view(bytearray(layout.shared_size), self._constants).conf
        self.past: list[Ran] = []
        self.steps_before = 0
        self._mount(mkfs(self.base))

    def _mount(self, disk: Disk) -> None:
        self.start_disk = disk
        self.tasks: list[list[Op]] = [[] for _ in range(MAX_TASKS)]
        self.colours: list[tuple[int, int]] = []
        self.schedule: list[int] = []
        if self.setup.syncs:
            self.tasks[0].append(Op(OpCode.SYNC))
        self._configure()
        self._begin()

    def _configure(self) -> None:
        """Make the constants those of the operations there are."""
        self._constants[:] = bytes(len(self._constants))
        setup = self.setup
        now = self._as_mount(tuple(tuple(ops) for ops in self.tasks))
        configure(
            self._conf,
            self._scope_with(now),
            now,
            setup.design,
            setup.mutant.number if setup.mutant else 0,
            observes_calls=self._observes_calls,
        )
        for n, (task, number) in enumerate(self.colours):
            self._conf.task[task].op[number].colour = FIRST_OP_COLOUR << n
        self.system.reconfigure(bytes(self._constants))

    def _begin(self) -> None:
        self.mount = Mount(self.system, self.base, self.start_disk)
        self.state = self.mount.start
        if self.setup.timer == Timer.NEVER:
            self._finish("timer")
        if not self.setup.max_errors:
            self._finish("failing_disk", "settle")
        self._finish("flusher" if self.setup.syncs else "wb_worker")

    def begin_again(self) -> None:
        """Start this mount again, without its operations."""
        self._mount(self.start_disk)

    def here(self) -> Here:
        """Return where the run stands, for :meth:`return_to`."""
        return Here(self.state, tuple(self.schedule))

    def return_to(self, here: Here) -> None:
        """Stand where the run stood; valid while the mount and its operations are the same."""
        self.state, self.schedule[:] = here.state, here.schedule

    def rewind(self) -> None:
        """Go back to the start of this mount, all its operations in their programs."""
        self.schedule.clear()
        self._begin()

    def _finish(self, *kinds: str) -> None:
        """Threads the scope does not have: as if they had returned."""
        state = bytearray(self.state)
        for kind in kinds:
            for thread in self.indexes.get(kind, ()):
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

    def calls(self, *codes: OpCode) -> list[Op]:
        """Return the operations of this mount that have one of ``codes``."""
        return [op for ops in self.tasks for op in ops if op.code in codes]

    def used_tasks(self) -> int:
        """How many tasks have an operation; they are always the first ones."""
        return sum(1 for ops in self.tasks if ops)

    def room(self, task: int, op: Op) -> bool:
        """Tell whether ``op`` may be appended to the program of ``task``."""
        if task > self.used_tasks() or task >= MAX_TASKS or len(self.tasks[task]) == NR_OPS:
            return False
        if op.code == OpCode.SYNC and not self.setup.syncs:
            return False
        if op.code == OpCode.UNLINK and not self.setup.unlinks:
            return False
        if self._is_gone(op.inode):
            return False
        return op.code not in DATA_OPS or len(self.colours) < MAX_DATA_OPS

    def _is_gone(self, i: int) -> bool:
        """Tell whether file ``i`` is unlinked and nobody has it open."""
        if not self.setup.unlinks:
            return False
        inode = self.system.view(self.state).inode[i]
        return bool(inode.raw.deleted and not inode.opened)

    def start_op(self, task: int, op: Op) -> None:
        """Append ``op`` to the program of ``task``, which must have room."""
        assert self.room(task, op)
        ops = self.tasks[task]
        if op.code in DATA_OPS:
            self.colours.append((task, len(ops)))
        if op.code in (OpCode.UNLINK, OpCode.READ) or self._conf.unlinks:
            ops.append(op)
            self._configure()
            self._run_again()
            return
        slot = self._conf.task[task].op[len(ops)]
        slot.code, slot.pos, slot.length, slot.inode = (
            int(op.code),
            op.pos_cells,
            op.length_cells,
            op.inode,
        )
        if op.code in DATA_OPS:
            slot.colour = self.colour_of(task, len(ops))
        thread = self.indexes["task"][task]
        if self.system.is_finished(self.state, thread):
            self._enter(task, thread, len(ops))
        self.system.reconfigure(bytes(self._constants))
        ops.append(op)

    def _run_again(self) -> None:
        """Take the steps of this mount once more, under the constants of now."""
        self._begin()
        for thread in self.schedule:
            self.state = self.system.step(self.state, thread)

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
        return self.mount.crash(self.state)

    def may_remount(self) -> bool:
        """Tell whether a trace can hold one more mount; a mount without an operation is none."""
        return self.mounts < MAX_MOUNTS and self.used_tasks() > 0

    def remount(self, image: Disk) -> None:
        """Cut the power, leaving ``image``, and mount what recovery makes of it."""
        tasks = tuple(tuple(ops) for ops in self.tasks if ops)
        epoch = Epoch(self.start_disk, tuple(self.schedule), self._renamed(image))
        self.past.append(Ran(tasks, epoch))
        self.steps_before += len(self.schedule)
        self._mount(self.mount.next_disk(image))

    def mark(self) -> Mark:
        """Return what :meth:`back_to` needs to undo everything that happens from now on."""
        tasks = tuple(tuple(ops) for ops in self.tasks)
        return Mark(
            len(self.past),
            self.steps_before,
            self.start_disk,
            tasks,
            tuple(self.colours),
            bytes(self._constants),
        )

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
        """Return the run as an ordinary scope: every mount with the operations it had.

        A mount has to have one; where there is none yet, it gets one that never begins.
        """
        now = tuple(tuple(ops) for ops in self.tasks if ops)
        return self._scope_with(self._as_mount(now or ((Op(OpCode.FSYNC),),)))

    def _scope_with(self, now: Workload) -> Scope:
        past = (self._as_mount(ran.tasks) for ran in self.past)
        return replace(self.base, mounts=(*past, now))

    def _as_mount(self, tasks: tuple[tuple[Op, ...], ...]) -> Workload:
        return Workload(tasks, self.setup.flusher_passes, self.setup.evictions)

    def epochs(self, crash: Disk | None) -> tuple[Epoch, ...]:
        """Return the run as the epochs of a violation of :meth:`scope`; ``crash`` ends the last."""
        scope = self.scope()
        now = None if crash is None else self._renamed(crash)
        runs = [ran.epoch for ran in self.past]
        runs.append(Epoch(self.start_disk, tuple(self.schedule), now))
        out = []
        for n, run in enumerate(runs):
            build = build_of(scope, n, patches=self._changes)
            names = {info.name: t for t, info in enumerate(build.threads)}
            there = tuple(names[self.threads[t].name] for t in run.schedule)
            out.append(replace(run, schedule=there))
        return tuple(out)

    def _renamed(self, image: Disk) -> Disk:
        """Return ``image`` with the colours that a scope gives: task by task, not by time."""
        order = sorted(range(len(self.colours)), key=lambda n: self.colours[n])
        new = {FIRST_OP_COLOUR << old: FIRST_OP_COLOUR << rank for rank, old in enumerate(order)}
        return replace(image, cells=tuple(new.get(cell, cell) for cell in image.cells))
