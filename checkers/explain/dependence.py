"""Which steps of a run its end depends on: dynamic slices of one mount, byte by byte.

Two slices are made of the accesses of a native run.

* *needed*: steps that, run alone in the same order, read every value that they read in the whole
  run and leave the wrong values at the end.  A read is satisfied by the last needed writer of the
  byte, or by the value from before the mount, if that is the same value; so a lock that was taken
  and given back is not a reason.  A needed step needs the earlier steps of its *activation* (one
  operation of a task, one round of a daemon: locals live no longer), and all of an activation if a
  later one of the same thread is needed.
* *carrying*: those of them whose stores the wrong values were made from.  Conditions, locks and
  program order are left out here; indexes are not, because they say which block was written.

What it over-approximates: a byte is one thing, so flags that share one depend on each other; a
condition that read a value needs exactly that value, not one that decides alike; and an end that
could have come about in two ways has the way it took.
Rejected: reads and writes of whole steps for both slices (a commit copies every inode in one step,
so everything would carry everything).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.recorded import Accesses, RecordedBytes, Write
from powercut.checkers.run.mount import Mount

Activation = tuple[int, int]
_FAILURES = (AssertionError, *STEP_ERRORS)


@dataclass(slots=True)
class Record:
    """One mount as it ran natively: accesses and activation of each step, from index 0.

    ``before`` and ``after`` are the variables at the first and the last point.  ``waits`` are the
    bytes that waiting threads look at in the end: threads in the middle of their work, and daemons
    for which what they look at has changed (work that is queued behind somebody else's).
    """

    mount: Mount
    before: bytes
    after: bytes
    steps: list[Accesses]
    activations: list[Activation]
    log: list[Write]
    latest: dict[int, int]
    start_reads: frozenset[int]
    waits: dict[int, frozenset[int]] = field(default_factory=dict)


def record(mount: Mount, schedule: Sequence[int]) -> Record:
    """Run ``schedule`` natively from the start of ``mount`` and note every access."""
    native = mount.native(RecordedBytes)
    memory = native.variables
    assert isinstance(memory, RecordedBytes)
    rounds = _Rounds(native)
    before, start_reads = bytes(memory), frozenset(memory.accesses.reads)
    steps, activations = [], []
    for number, thread in enumerate(schedule, 1):
        activations.append(rounds.of(thread))
        steps.append(memory.begin(number))
        try:
            native.step(thread)
        except _FAILURES:
            break
    done = Record(
        mount,
        before,
        bytes(memory),
        steps,
        activations,
        list(memory.log),
        dict(memory.latest),
        start_reads,
    )
    for thread, info in enumerate(mount.threads):
        accesses = memory.begin(len(steps) + 1)
        try:
            blocked = not native.is_finished(thread) and not native.is_enabled(thread)
        except _FAILURES:
            continue
        changed = any(before[byte] != value for byte, value in accesses.reads.items())
        is_idle = info.daemon and rounds.is_idle(thread)
        if blocked and (not is_idle or (changed and info.kind != "timer")):
            done.waits[thread] = frozenset(accesses.reads)
    return done


class _Rounds:
    """Numbers the rounds of daemons and the operations of tasks."""

    def __init__(self, native: NativeRun) -> None:
        self.native = native
        self.idle = [native.stack(thread) for thread in range(len(native.threads))]
        self.count = [0] * len(native.threads)

    def is_idle(self, thread: int) -> bool:
        """Tell whether a thread is where it was first parked, with nothing begun."""
        return self.native.stack(thread) == self.idle[thread]

    def of(self, thread: int) -> Activation:
        """Return the activation that the next step of ``thread`` belongs to."""
        if self.native.threads[thread].kind == "task":
            return thread, self.native.entry_local(thread, "n")
        self.count[thread] += self.is_idle(thread)
        return thread, self.count[thread]


@dataclass(frozen=True, slots=True)
class Slice:
    """Steps by index from 0, and the bytes whose values from before the mount matter."""

    needed: frozenset[int]
    carrying: frozenset[int]
    inherited: frozenset[int]


def slice_of(run: Record, criterion: Iterable[int], forced: Iterable[int] = ()) -> Slice:
    """Return the slices of ``run`` for the final values of the bytes ``criterion``.

    ``forced`` steps are needed whatever they do.
    """
    wanted = frozenset(criterion)
    forced = frozenset(forced)
    needed = _Needed(run, wanted)
    needed.close(forced)
    chain, origins = _chain(run, wanted, forced)
    return Slice(
        frozenset(needed.steps), frozenset(chain & needed.steps), needed.inherited() | origins
    )


def holders(run: Record) -> frozenset[int]:
    """Return the steps that last changed what the waiting threads look at in the end."""
    looked_at = {byte for reads in run.waits.values() for byte in reads}
    writes = (run.latest.get(byte) for byte in looked_at if run.before[byte] != run.after[byte])
    return frozenset(run.log[w].step - 1 for w in writes if w is not None and run.log[w].step)


def activation_steps(run: Record) -> list[frozenset[int]]:
    """Return the steps of each activation, the one that began last first."""
    found: dict[Activation, set[int]] = {}
    for step, own in enumerate(run.activations):
        found.setdefault(own, set()).add(step)
    return [frozenset(steps) for steps in reversed(found.values())]


class _Needed:
    """The growing set of needed steps."""

    def __init__(self, run: Record, criterion: frozenset[int]) -> None:
        self.run = run
        self.criterion = criterion
        self.steps: set[int] = set()
        self.writers: dict[int, list[int]] = {}
        for number, accesses in enumerate(run.steps):
            for byte in accesses.writes:
                self.writers.setdefault(byte, []).append(number)

    def close(self, forced: frozenset[int]) -> None:
        """Add steps until every needed read is satisfied."""
        for step in forced:
            self._add(step)
        while self._unfinished() or self._unsatisfied():
            pass

    def _add(self, step: int) -> None:
        own = self.run.activations[step]
        self.steps |= {k for k in range(step + 1) if self.run.activations[k] == own}

    def _unfinished(self) -> bool:
        """Complete the activations that a later needed one of the same thread follows."""
        last: dict[int, Activation] = {}
        for step in sorted(self.steps):
            thread, _ = self.run.activations[step]
            last[thread] = self.run.activations[step]
        begun = {self.run.activations[step] for step in self.steps}
        missing = {
            k
            for k, own in enumerate(self.run.activations)
            if own in begun and own != last[own[0]] and k not in self.steps
        }
        self.steps |= missing
        return bool(missing)

    def _unsatisfied(self) -> bool:
        """Add the writer of the first value that a needed step would not read; tell if any."""
        end = len(self.run.steps)
        reads: Iterator[tuple[int, int, int]] = (
            (step, byte, value)
            for step in sorted(self.steps)
            for byte, value in self.run.steps[step].reads.items()
        )
        ends = ((end, byte, self.run.after[byte]) for byte in sorted(self.criterion))
        for step, byte, value in [*ends, *reads]:
            if self.value(byte, step) != value:
                self._add(max(w for w in self.writers[byte] if w < step))
                return True
        return False

    def value(self, byte: int, step: int) -> int:
        """Return what the needed steps before ``step`` leave in ``byte``."""
        for writer in reversed(self.writers.get(byte, ())):
            if writer < step and writer in self.steps:
                return self.run.steps[writer].writes[byte]
        return self.run.before[byte]

    def inherited(self) -> frozenset[int]:
        """Return the bytes that are read, or shown in the end, as they were before the mount."""
        out = {b for b in self.criterion if not self._is_written(b, len(self.run.steps))}
        for step in self.steps:
            out |= {b for b in self.run.steps[step].reads if not self._is_written(b, step)}
        return frozenset(out | self.run.start_reads)

    def _is_written(self, byte: int, step: int) -> bool:
        return any(w < step and w in self.steps for w in self.writers.get(byte, ()))


def _chain(
    run: Record, criterion: Iterable[int], forced: frozenset[int]
) -> tuple[set[int], set[int]]:
    """Return the steps whose stores led to the final values, and the bytes it all began with."""
    todo = [run.latest.get(byte, -1 - byte) for byte in criterion]
    steps = set(forced)
    for step in forced:
        todo += run.steps[step].tail
    seen: set[int] = set()
    origins: set[int] = set()
    while todo:
        write = todo.pop()
        if write in seen:
            continue
        seen.add(write)
        if write < 0:
            origins.add(-1 - write)
            continue
        if run.log[write].step:
            steps.add(run.log[write].step - 1)
        todo += run.log[write].sources
    return steps, origins


def final_variables(run: Record, steps: frozenset[int]) -> bytes:
    """Return the variables that ``steps`` alone leave, if each reads what it read in the run."""
    variables = bytearray(run.before)
    for number in sorted(steps):
        for byte, value in run.steps[number].writes.items():
            variables[byte] = value
    return bytes(variables)


def deciding_bytes(
    without: bytes, after: bytes, candidates: Iterable[int], holds: Callable[[bytes], bool]
) -> set[int]:
    """Return bytes that may not have their value in ``without`` if ``holds`` is true of ``after``.

    One after the other gets it; those that may keep it do not matter.
    """
    variables = bytearray(after)
    deciding = set()
    for byte in candidates:
        if variables[byte] == without[byte]:
            continue
        variables[byte] = without[byte]
        try:
            matters = not holds(bytes(variables))
        except (ValueError, IndexError):
            matters = True
        if matters:
            variables[byte] = after[byte]
            deciding.add(byte)
    return deciding
