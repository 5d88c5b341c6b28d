"""The crash machine: Hypothesis starts operations, schedules, fails bios and cuts the power.

What: a rule either starts an operation and lets threads run, or lets threads run for a while; one
cuts the power with a choice of surviving cells and mounts again.  After every single step of the
model all properties are judged, in every crash image.  At the end everything that may happen next
is explored, up to a limit, and everybody runs, fairly, until nobody can.  Then the last mount
starts again: a few of its operations are explored, to the end if they are small enough, and once
more after a power cut somewhere; all of them run in a number of random orders.
Why so: Hypothesis is good at operations and at shrinking, and slow at single steps; the engine and
random orders are the reverse, so each does its part.  There are no preconditions: where a rule has
nothing to do it does nothing, and shrinking drops it.  What the choices mean depends on the run
alone, so a blob replays.
Rejected: a rule a step (most examples never left the first operation); random priorities (shrinking
a priority changes the whole run behind it).
"""

import sys
from collections.abc import Callable, Sequence
from math import factorial
from random import Random
from typing import ClassVar

from hypothesis import event, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from powercut.checkers.crash.image import image_with, relevant_cells
from powercut.checkers.engine.errors import STEP_ERRORS, EngineError
from powercut.checkers.engine.search.outcome import Found
from powercut.checkers.machines.chance import kinds_of, workload
from powercut.checkers.machines.judge import Judge, Seen
from powercut.checkers.machines.known import Known, known
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.neighbourhood import explore, key_of
from powercut.checkers.machines.setups import Setup, setups
from powercut.checkers.machines.tally import Tally
from powercut.checkers.machines.violated import Violated, violated
from powercut.checkers.run.mount import predicates_of
from powercut.model.language import ASSERTION, LIVELOCK
from powercut.model.scope import Op, OpCode
from powercut.properties.crash_state import colours_of
from powercut.properties.kinds import ANY_KIND

BURSTS = (0, 1, 2, 3, 4, 6, 8, 12)
"""How far a turn goes: so many steps, and then the thread has to let everybody else run first.

0 stands for "until it has to wait", and keeps its place.
"""
FAIR_STEPS = 64
"""Nobody keeps the processor for longer than this when everybody runs."""
KINDS = (
    "task",
    "flusher",
    "worker",
    "disk",
    "kjournald",
    "timer",
    "failing_disk",
    "wb_worker",
    "reclaim",
    "settle",
)

ORDERS = factorial(len(KINDS))
MOST_CHANGES = 4
"""How often the running thread loses its priority in a schedule that is tried."""
STAY = (0.0, 0.3, 0.6, 0.8, 0.9)
"""How likely the thread that runs is to go on, in a random walk; drawn for each."""
MOST_ASLEEP = 3
DOZE = 0.04
"""How likely, at each step, some thread falls asleep or wakes up."""
AGAIN = 0.6
"""How likely an operation is to run again in the mount after a crash."""
FEW = (1, 2, 2, 3, 3, 4)
"""How many operations are explored together."""
SECOND_MOUNT = 0.5
"""How likely a search is to be followed by a power cut and another one."""
SEARCH_COSTS = 500
"""What starting a search costs, in states."""
MOST_STEPS = 600
MOST_TURNS = 300
"""No run needs this many turns to come to rest: whoever does is asked whether it can at all."""

_TASKS = st.integers(0, 2)
_CELLS = st.integers(0, 15)
_LENGTHS = st.integers(1, 4)
_WHICH = st.integers(0, 15)
_INODES = st.integers(0, 1)
_TURNS = st.binary(max_size=8)
_MORE_TURNS = st.binary(min_size=1, max_size=16)


def permuted(items: Sequence[str], number: int) -> list[str]:
    """Return the permutation of ``items`` with that number; 0 leaves them as they are."""
    left, out = list(items), []
    while left:
        number, place = divmod(number, len(left))
        out.append(left.pop(place))
    return out


class CrashMachine(RuleBasedStateMachine):
    """Use :func:`crash_machine`, which says what is drawn; this holds the rules.

    At the end of every example ``searches`` explore up to ``states`` states each, and others, by
    chance, ``states_by_chance`` together; their operations are of ``kinds`` (empty: all that a
    set-up has).  Then ``schedules`` are tried.  A machine does not ``explores`` if the engine
    cannot stand in for its judge.
    ``wanted`` restricts what fails to one property (empty: all); ``passed_over`` are (design,
    property, kind) that were reported before.
    ``first_failure`` becomes the number of the example that failed first, ``shortest`` the
    violation with the fewest steps.
    """

    tally: ClassVar[Tally] = Tally()
    wanted: ClassVar[str] = ""
    schedules: ClassVar[int] = 20
    explores: ClassVar[bool] = True
    searches: ClassVar[int] = 3
    states: ClassVar[int] = 40_000
    states_by_chance: ClassVar[int] = 80_000
    kinds: ClassVar[tuple[OpCode, ...]] = ()
    passed_over: ClassVar[set[tuple[str, str, str]]] = set()
    first_failure: ClassVar[int] = 0
    shortest: ClassVar[Violated | None] = None
    setups: ClassVar[Callable[..., st.SearchStrategy[Setup]]] = staticmethod(setups)
    judge_class: ClassVar[type[Judge]] = Judge
    observes_calls: ClassVar[bool] = False
    run: LiveRun

    @staticmethod
    def check() -> None:
        """Raise if the search has to end."""

    def begin(self, setup: Setup, order: int, seed: int) -> None:
        """Mount for the first time.

        ``order`` numbers the order in which kinds of threads run, ``seed`` the schedules that are
        tried at the end.
        """
        self.check()
        self._seed = seed
        self.tally.examples += 1
        self.run = LiveRun(setup, observes_calls=self.observes_calls)
        self.judge = self.judge_class(self.run)
        self._situations = predicates_of(self.run.system)[1]
        self._missing: dict[str, Callable[[bytes], int]] = dict(self._situations)
        self._most_waiting = 0
        self._priorities = [
            thread for kind in permuted(KINDS, order) for thread in self.run.indexes.get(kind, ())
        ]
        self._look()

    @rule(task=_TASKS, inode=_INODES, pos=_CELLS, length=_LENGTHS, turns=_TURNS)
    def write(self, task: int, inode: int, pos: int, length: int, turns: bytes) -> None:
        """Start a write(2)."""
        self._start(OpCode.WRITE, task, inode, pos, length, turns)

    @rule(task=_TASKS, inode=_INODES, gap=st.integers(0, 3), length=_LENGTHS, turns=_TURNS)
    def append(self, task: int, inode: int, gap: int, length: int, turns: bytes) -> None:
        """Start a write(2) at or behind what is i_size now."""
        inode %= self.run.setup.geometry.nr_inodes
        pos = self.run.system.view(self.run.state).inode[inode].i_size + gap
        self._start(OpCode.WRITE, task, inode, pos, length, turns)

    @rule(task=_TASKS, turns=_TURNS)
    def write_again(self, task: int, turns: bytes) -> None:
        """Start the last write(2) of this mount again, as another task perhaps."""
        ops = [op for ops in self.run.tasks for op in ops if op.code == OpCode.WRITE]
        last = ops[-1] if ops else Op(OpCode.WRITE, 0, 1)
        self._start(OpCode.WRITE, task, last.inode, last.pos_cells, last.length_cells, turns)

    @rule(task=_TASKS, inode=_INODES, pos=_CELLS, turns=_TURNS)
    def store(self, task: int, inode: int, pos: int, turns: bytes) -> None:
        """Start a store of one cell through a shared mapping."""
        self._start(OpCode.STORE, task, inode, pos, 1, turns)

    @rule(task=_TASKS, inode=_INODES, size=st.integers(0, 16), turns=_TURNS)
    def truncate(self, task: int, inode: int, size: int, turns: bytes) -> None:
        """Start a truncate(2), down or up."""
        self._start(OpCode.TRUNCATE, task, inode, size, 0, turns)

    @rule(task=_TASKS, inode=_INODES, pos=_CELLS, length=_LENGTHS, turns=_TURNS)
    def punch(self, task: int, inode: int, pos: int, length: int, turns: bytes) -> None:
        """Start a punch hole."""
        self._start(OpCode.PUNCH, task, inode, pos, length, turns)

    @rule(task=_TASKS, inode=_INODES, pos=_CELLS, length=_LENGTHS, turns=_TURNS)
    def zero_range(self, task: int, inode: int, pos: int, length: int, turns: bytes) -> None:
        """Start a zero range."""
        self._start(OpCode.ZERO_RANGE, task, inode, pos, length, turns)

    @rule(task=_TASKS, inode=_INODES, pos=_CELLS, length=_LENGTHS, turns=_TURNS)
    def fallocate(self, task: int, inode: int, pos: int, length: int, turns: bytes) -> None:
        """Start a fallocate(2), mode 0."""
        self._start(OpCode.FALLOCATE, task, inode, pos, length, turns)

    @rule(task=_TASKS, inode=_INODES, data=st.booleans(), turns=_TURNS)
    def sync(self, task: int, inode: int, data: bool, turns: bytes) -> None:
        """Start an fsync(2) or fdatasync(2)."""
        self._start(OpCode.FDATASYNC if data else OpCode.FSYNC, task, inode, 0, 0, turns)

    @rule(task=_TASKS, turns=_TURNS)
    def sync_all(self, task: int, turns: bytes) -> None:
        """Start a sync(2)."""
        if self.run.setup.syncs:
            self._start(OpCode.SYNC, task, 0, 0, 0, turns)

    @rule(task=_TASKS, inode=_INODES, turns=_TURNS)
    def unlink(self, task: int, inode: int, turns: bytes) -> None:
        """Start an unlink(2)."""
        if self.run.setup.unlinks:
            self._start(OpCode.UNLINK, task, inode, 0, 0, turns)

    @rule(task=_TASKS, inode=_INODES, pos=_CELLS, length=_LENGTHS, turns=_TURNS)
    def read(self, task: int, inode: int, pos: int, length: int, turns: bytes) -> None:
        """Start a read(2), where folios are reclaimed: what is cached it would not notice."""
        if self.run.setup.evictions:
            self._start(OpCode.READ, task, inode, pos, length, turns)

    @rule(which=_WHICH)
    def reclaim(self, which: int) -> None:
        """Reclaim a clean folio."""
        self._advance(self._enabled("reclaim"), which)

    @rule(turns=_MORE_TURNS)
    def let_run(self, turns: bytes) -> None:
        """Let threads run, one after the other."""
        self._take(turns)

    @rule(turns=_MORE_TURNS)
    def let_run_more(self, turns: bytes) -> None:
        """The same again: half of all rules should run something."""
        self._take(turns)

    @rule()
    def settle(self) -> None:
        """Let everybody run until nobody can."""
        self._settle()

    @rule(which=_WHICH)
    def complete_bio(self, which: int) -> None:
        """Complete a bio."""
        self._advance(self._enabled("disk"), which)

    @rule(which=_WHICH)
    def fail_bio(self, which: int) -> None:
        """Fail a bio."""
        self._advance(self._enabled("failing_disk"), which)

    @rule()
    def expire_commit_timer(self) -> None:
        """Expire the commit timer."""
        self._advance(self._enabled("timer"), 0)

    @rule(survivors=st.lists(st.integers(0, 3), max_size=16), newest=st.booleans())
    def cut_power(self, survivors: list[int], newest: bool) -> None:
        """Cut the power, keep some of the cached writes of each cell, recover, mount again.

        Cells that ``survivors`` says nothing about keep the oldest they can, or the newest.
        """
        run = self.run
        if not run.may_remount():
            return
        state = run.crash_state()
        wanted = []
        for n, cell in enumerate(relevant_cells(state)):
            colours = colours_of(state.may[cell])
            choice = survivors[n] if n < len(survivors) else -int(newest)
            wanted.append((cell, colours[choice % len(colours)]))
        run.remount(image_with(state, wanted))
        self.judge.rewind()
        self.tally.power_cuts += 1
        self._look()

    def teardown(self) -> None:
        """Let everybody run until nobody can, and judge the end."""
        if not hasattr(self, "run") or sys.exc_info()[0] is not None:
            return
        choose = Random(self._seed)
        if self.searches:
            self._explore_from_here(choose)
        self._settle()
        self._search_a_few(choose)
        self._try_schedules(choose)
        reached = len(self._situations) - len(self._missing)
        self.tally.mounts += self.run.mounts
        target(float(reached), label="situations reached")
        target(float(self._most_waiting), label="threads waiting at once")
        event(f"mounts: {self.run.mounts}")
        for name in self._situations.keys() - self._missing.keys():
            event(f"reached: {name}")

    def _explore_from_here(self, choose: Random) -> None:
        """Explore what may happen next; the run does not move."""
        here, muted = self.run.here(), frozenset(self.judge.muted)
        self._explore(choose)
        self.run.return_to(here)
        self.judge.stand_at(muted)

    def _explore(self, choose: Random) -> tuple[int, ...]:
        """Explore from the state of the run; walk to whatever is wrong, and report it.

        Returns the way to a crash situation, chosen at random; the run may have moved.
        """
        self.check()
        run = self.run
        here, muted = run.here(), frozenset(self.judge.muted)
        seen = explore(run, self.judge, self._missing, self.states, choose)
        self.tally.states += seen.states
        for name in seen.reached & self._missing.keys():
            del self._missing[name]
            self.tally.reached[name] += 1
        for found in seen.found:
            run.return_to(here)
            self.judge.stand_at(muted)
            self._confirm(found)
        if seen.found:
            run.return_to(here)
            self.judge.stand_at(muted)
        return seen.cut

    def _confirm(self, found: Found) -> None:
        """Walk to what the engine found; the judge has to see it, too."""
        for thread in found.schedule:
            self._burst(thread, 1)
        if found.name == LIVELOCK:
            self._report(Seen(LIVELOCK, ANY_KIND, "no continuation of this run comes to rest"))
        self._check_end()
        if key_of(found.name) not in self.judge.muted:
            raise EngineError(f"{found.name}: explored, but not seen when walked to")

    def _search_a_few(self, choose: Random) -> None:
        """Explore a few operations from the start of the last mount: of its own, and by chance."""
        run = self.run
        mark = run.mark()
        for _ in range(self.searches if run.used_tasks() else 0):
            run.back_to(mark)
            self._search(self._few(choose), choose)
        enough = self.tally.states + self.states_by_chance
        while self.tally.states < enough:
            run.back_to(mark)
            enough -= SEARCH_COSTS
            self._search(self._by_chance(choose), choose)
        run.back_to(mark)
        self.judge.rewind()

    def _search(self, ops: Sequence[Sequence[Op]], choose: Random) -> None:
        """Explore ``ops`` from the start of this mount, and perhaps once more after a crash."""
        run = self.run
        run.begin_again()
        self.judge.rewind()
        self._start_all(ops)
        cut = self._explore(choose)
        if run.may_remount() and choose.random() < SECOND_MOUNT:
            for thread in cut:
                self._burst(thread, 1)
            self._start_over(choose)
            self._explore(choose)

    def _by_chance(self, choose: Random) -> list[list[Op]]:
        """Return a few operations that nobody started, for the files as this mount found them."""
        setup = self.run.setup
        sizes = [inode.size for inode in self.run.start_disk.inodes]
        return workload(setup, sizes, self.kinds or kinds_of(setup), choose)

    def _few(self, choose: Random) -> list[list[Op]]:
        """Return a few of the operations of this mount, each in its own task, in order."""
        has_first = self.run.setup.syncs
        ops = [
            (task, op)
            for task, ops in enumerate(self.run.tasks)
            for op in ops[has_first and task == 0 :]
        ]
        number = min(len(ops), choose.choice(FEW))
        few: dict[int, list[Op]] = {}
        for n in sorted(choose.sample(range(len(ops)), number)):
            few.setdefault(ops[n][0], []).append(ops[n][1])
        return list(few.values())

    def _start_all(self, tasks: Sequence[Sequence[Op]]) -> None:
        """Start these operations, a task each."""
        for task, ops in enumerate(tasks):
            for op in ops:
                if self.run.room(task, op):
                    self.run.start_op(task, op)
        self._look()

    def _try_schedules(self, choose: Random) -> None:
        """Run the operations of the last mount again from its start, in random orders.

        By turns: everybody walks at random while a few sleep, or the one of the highest priority
        runs and a few times loses it.  Either finds what the other hardly ever does.
        """
        run = self.run
        mark = run.mark()
        for number in range(self.schedules if run.used_tasks() else 0):
            self.check()
            run.back_to(mark)
            self.judge.rewind()
            if number % 3 == 0:
                self._run_by_priority(choose)
            elif number % 3 == 1 or not run.may_remount():
                self._walk(choose, MOST_STEPS)
            else:
                self._walk(choose, choose.randrange(FAIR_STEPS))
                self._start_over(choose)
                self._walk(choose, MOST_STEPS)

    def _start_over(self, choose: Random) -> None:
        """Cut the power anywhere, mount, and start some of the same operations again."""
        run, ops = self.run, [tuple(ops) for ops in self.run.tasks]
        state = run.crash_state()
        cells = relevant_cells(state)
        run.remount(
            image_with(state, [(c, choose.choice(colours_of(state.may[c]))) for c in cells])
        )
        self.judge.rewind()
        for number, task in enumerate(ops):
            has_first = number == 0 and run.setup.syncs
            place = 0 if has_first else run.used_tasks()
            for op in task[has_first:]:
                if choose.random() < AGAIN and run.room(place, op):
                    run.start_op(place, op)
        self._look()

    def _walk(self, choose: Random, steps: int) -> None:
        """Mostly let the same thread run on; some sleep until nobody else can run."""
        run = self.run
        there = [t for t in range(len(run.threads)) if not run.system.is_finished(run.state, t)]
        stay, current = choose.choice(STAY), -1
        asleep = set(choose.sample(there, min(len(there), choose.randrange(MOST_ASLEEP + 1))))
        for _ in range(steps):
            enabled = run.enabled()
            if not enabled:
                self._check_end()
                return
            awake = [thread for thread in enabled if thread not in asleep]
            if not awake:
                asleep.clear()
                awake = enabled
            if current not in awake or choose.random() >= stay:
                current = choose.choice(awake)
            self._burst(current, 1)
            if choose.random() < DOZE:
                asleep ^= {choose.choice(there)}

    def _run_by_priority(self, choose: Random) -> None:
        """Let the first thread run that can, one step at a time, until nobody can."""
        run = self.run
        order = list(range(len(run.threads)))
        choose.shuffle(order)
        self._priorities = order
        changes = {choose.randrange(FAIR_STEPS) for _ in range(choose.randrange(MOST_CHANGES + 1))}
        for number in range(MOST_STEPS):
            first = next((t for t in order if run.system.is_enabled(run.state, t)), None)
            if first is None:
                self._check_end()
                return
            self._burst(first, 1)
            if number in changes or number > MOST_STEPS // 2:
                self._demote(first)

    def _start(
        self, code: OpCode, task: int, inode: int, pos: int, length: int, turns: bytes
    ) -> None:
        run, geometry = self.run, self.run.setup.geometry
        cells = geometry.nr_blocks * geometry.cells_per_block
        inode %= geometry.nr_inodes
        if code == OpCode.TRUNCATE:
            op = Op(code, pos % (cells + 1), 0, inode)
        elif length:
            start = pos % cells
            op = Op(code, start, min(length, cells - start), inode)
        else:
            op = Op(code, inode=inode)
        task = min(task, run.used_tasks())
        if run.room(task, op):
            run.start_op(task, op)
        self._take(turns)

    def _take(self, turns: bytes) -> None:
        """Let one enabled thread after the other run: five bits say which, three how far."""
        for turn in turns:
            enabled = self._in_order()
            if not enabled:
                return
            thread = enabled[(turn >> 3) % len(enabled)]
            if self._burst(thread, BURSTS[turn & 7]):
                self._demote(thread)

    def _in_order(self) -> list[int]:
        """Return the threads that can run, the one whose turn it is first."""
        run = self.run
        return [t for t in self._priorities if run.system.is_enabled(run.state, t)]

    def _demote(self, thread: int) -> None:
        self._priorities.remove(thread)
        self._priorities.append(thread)

    def _enabled(self, kind: str) -> list[int]:
        run = self.run
        return [t for t in run.indexes.get(kind, ()) if run.system.is_enabled(run.state, t)]

    def _advance(self, threads: Sequence[int], which: int) -> None:
        if threads:
            self._burst(threads[which % len(threads)], 1)

    def _burst(self, thread: int, steps: int) -> bool:
        """Let ``thread`` take up to ``steps`` steps (0: until it has to wait).

        Tell whether it was stopped, rather than having to wait or having finished.
        """
        run = self.run
        for _ in range(steps or FAIR_STEPS):
            try:
                if not run.system.is_enabled(run.state, thread):
                    return False
                run.step(thread)
            except STEP_ERRORS as error:
                self._report(Seen(ASSERTION, ANY_KIND, str(error)))
            self._look()
        return True

    def _look(self) -> None:
        """Judge the state the run is in."""
        for seen in self.judge.look():
            self._report(seen)
        state = self.run.state
        self.tally.steps += 1
        for name in [n for n, holds in self._missing.items() if holds(state)]:
            del self._missing[name]
            self.tally.reached[name] += 1

    def _report(self, seen: Seen) -> None:
        """Fail with ``seen``, unless it is known, reported before, or not what is wanted."""
        design = self.run.setup.design.name
        entry = self.explains(seen)
        if entry is not None:
            self.tally.known[design, entry.prop, entry.finding] += 1
        elif (design, seen.prop, seen.kind) not in self.passed_over and (
            not self.wanted or seen.prop == self.wanted
        ):
            machine = type(self)
            machine.first_failure = machine.first_failure or self.tally.examples
            error = violated(self.run, seen)
            if machine.shortest is None or self.run.steps < machine.shortest.run.steps:
                machine.shortest = error
            raise error
        self.judge.muted.add(seen.key)

    def explains(self, seen: Seen) -> Known | None:
        """Return what is known about ``seen``; a machine that looks for one of these says less."""
        return known(self.run, seen, {prop for prop, _, _ in self.judge.muted})

    def _settle(self) -> None:
        """Everybody runs by priority until nobody can; then nobody may be left waiting."""
        run = self.run
        been_at: set[bytes] = set()
        while enabled := self._in_order():
            self._most_waiting = max(self._most_waiting, self._count_waiting(enabled))
            if run.state in been_at:
                endless = self.judge.endless()
                if endless is not None:
                    self._report(endless)
                    return
            if len(been_at) > MOST_TURNS:
                event("did not come to rest")
                return
            been_at.add(run.state)
            if self._burst(enabled[0], 0):
                self._demote(enabled[0])
        self._check_end()

    def _check_end(self) -> None:
        stuck = self.judge.stuck()
        if stuck is not None:
            self._report(stuck)

    def _count_waiting(self, enabled: Sequence[int]) -> int:
        unfinished = self.run.system.unfinished(self.run.state)
        return sum(1 for thread in unfinished if thread not in enabled)
