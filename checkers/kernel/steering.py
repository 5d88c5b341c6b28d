"""From a counterexample of the model to a schedule for a real kernel.

What: a trace says between which steps one thread has to wait for another.  Each of these waits
becomes a hold: a place of the kernel's code, the entry of a function or its return, where a thread
of a name spins until the next place of the schedule is reached (``guest/hold.c``).  The first hold
is open from the call in which the trace has it.
Why so: a race that shows in some of hundreds of rounds shows in most of them, on a kernel whose
code is its own.
A hold behind which nobody waits may have no symbol; it is left out if it is the last.
Rejected: a place a step (most steps of the model have no address in a compiled kernel, and only
where threads change does the order matter), counting calls of a function (a hold that is not at the
first call of its function is refused instead).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from powercut.checkers.kernel.rounds import Situation
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import replay
from powercut.checkers.run.runner import run_scope
from powercut.checkers.run.trace_of import trace_of
from powercut.checkers.traces import StepView
from powercut.checkers.traces.codec import scope_of
from powercut.checkers.traces.format import Trace
from powercut.model.designs import DESIGNS
from powercut.model.scope import OpCode
from powercut.properties.crash import DURABILITY, STALE

_TASK, _JOURNAL, _TIMER = "task", "kjournald", "timer"
_RWSEM = "down_write(i_rwsem)"
_WITH_RWSEM = (
    OpCode.WRITE,
    OpCode.TRUNCATE,
    OpCode.PUNCH,
    OpCode.ZERO_RANGE,
    OpCode.FALLOCATE,
)
_SYMBOLS = {
    "ext4_journal_start": "__ext4_journal_start_sb",
    "journal_submit_data_buffers": "ext4_journal_submit_inode_data_buffers",
    "journal_finish_inode_data_buffers": "ext4_journal_finish_inode_data_buffers",
}
"""Functions that are inlined, or static and inlined: what they call, or what calls them."""
_PREFIXES = ("__ext4_", "ext4_", "jbd2_", "truncate_", "filemap_", "iomap_", "block_", "mpage_")
"""How names begin that the model has from the kernel, and that have a symbol there."""
_NAMES = {_JOURNAL: "jbd2"}
"""How the name of a thread begins in a kernel."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A thread of a name waits at the entry of a function, or where it returns."""

    function: str
    at_return: bool
    thread: str

    @property
    def line(self) -> str:
        """What the guest is told."""
        return f"hold {self.function} {'return' if self.at_return else 'entry'} {self.thread}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Holds in their order; the first one is open from call ``call`` (from 0) of task ``task``."""

    holds: tuple[Hold, ...]
    task: int
    call: int

    @property
    def lines(self) -> tuple[str, ...]:
        """What the guest is told."""
        return (*(hold.line for hold in self.holds), f"arm {self.task} {self.call}")


def schedule_of(situation: Situation, design: str) -> Schedule:
    """Return the schedule of a shortest counterexample of the design, in the situation's scope.

    Raises ValueError where there is none, or none that a schedule can follow.
    """
    if situation.scope is None:
        raise ValueError("no scope to find a counterexample in; give its trace")
    result = run_scope(Question(DESIGNS[design], situation.scope))
    found = [v for v in result.violations if v.prop in (STALE, DURABILITY)]
    if not found:
        raise ValueError(f"{design} shows nothing to steer to in {situation.name}")
    return schedule_of_trace(trace_of(found[0], result))


def schedule_of_trace(trace: Trace) -> Schedule:
    """Return the schedule of a trace's last mount.

    Raises ValueError for one in which no task waits inside a call for the journal.
    """
    steps = [s for s in replay(trace).epochs[-1].steps if not s.thread.startswith(_TIMER)]
    waits = list(_waits(steps))
    if not waits or not steps[waits[0]].thread.startswith(_TASK):
        raise ValueError("no call waits for the journal in the counterexample; run it unsteered")
    holds = [_hold(steps, at) for at in waits]
    while holds and not holds[-1].function.startswith(_PREFIXES):
        holds.pop()
    nameless = [hold.function for hold in holds if not hold.function.startswith(_PREFIXES)]
    if not holds or nameless:
        place = nameless[0] if nameless else "the place where its call waits"
        raise ValueError(f"{place} is no function of a kernel; run it unsteered")
    first = steps[waits[0]]
    task = int(first.thread.removeprefix(_TASK))
    begun = sum(s.thread == first.thread and s.call == _RWSEM for s in steps[: waits[0] + 1])
    calls = [n for n, op in enumerate(_calls(trace, task)) if op in _WITH_RWSEM]
    return Schedule(tuple(holds), task, calls[begun - 1])


def _calls(trace: Trace, task: int) -> Sequence[OpCode]:
    return [op.code for op in scope_of(trace).mounts[-1].tasks[task]]


def _waits(steps: Sequence[StepView]) -> Iterator[int]:
    """Yield the steps after which their thread waits while the task or the journal goes on."""
    for at, (step, following) in enumerate(pairwise(steps)):
        if step.thread == following.thread:
            continue
        is_task = step.thread.startswith(_TASK) and following.thread == _JOURNAL
        is_journal = step.thread == _JOURNAL and following.thread.startswith(_TASK)
        if (is_task and step.locks) or (is_journal and _next_of(steps, at) is not None):
            yield at


def _next_of(steps: Sequence[StepView], at: int) -> StepView | None:
    later = (step for step in steps[at + 1 :] if step.thread == steps[at].thread)
    return next(later, None)


def _hold(steps: Sequence[StepView], at: int) -> Hold:
    """Return where the thread of step ``at`` waits before its next step."""
    step, following = steps[at], _next_of(steps, at)
    thread = _NAMES.get(step.thread, step.thread)
    if following is not None and following.call.endswith("()"):
        called = following.call.removesuffix("()")
        return Hold(_SYMBOLS.get(called, called), False, thread)
    if following is not None and following.function != step.function:
        return Hold(_SYMBOLS.get(following.function, following.function), False, thread)
    return Hold(_SYMBOLS.get(step.function, step.function), True, thread)
