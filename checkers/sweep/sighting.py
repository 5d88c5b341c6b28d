"""A violation of an explored workload, seen as the machines see theirs: which finding is it?

What: the mount in which the violation shows is walked once more, and the conditions of the findings
are asked of it.  What no finding explains is new.
Why so: one set of conditions, whoever found the violation.
Rejected: names of workloads in the findings (tens of thousands, and a new level would have none).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.system import System, ThreadInfo
from powercut.checkers.machines.judge import Seen, kind_of
from powercut.checkers.machines.known import known
from powercut.checkers.machines.setups import Setup
from powercut.checkers.run.mount import Mount, predicates_of
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import Violation
from powercut.checkers.workload.limits import DATA_OPS
from powercut.model.recovery import Disk
from powercut.model.scope import Op, OpCode, Scope
from powercut.model.state import FIRST_OP_COLOUR
from powercut.properties.kinds import ANY_KIND


@dataclass(frozen=True, slots=True)
class Sighting:
    """A violation with its kind, the file that it is about, and the finding that explains it."""

    violation: Violation
    kind: str
    inode: int | None
    finding: str

    @property
    def key(self) -> tuple[str, str, int | None, str]:
        """What makes two violations of a run the same for a reader."""
        return self.violation.prop, self.kind, self.inode, self.finding


class Walk:
    """The last mount of a violation, walked to its end: what the conditions are asked of.

    ``before`` are the properties of live states that were violated before the last step.
    """

    def __init__(self, question: Question, violation: Violation) -> None:
        number, epoch = len(violation.epochs) - 1, violation.epochs[-1]
        self.mount = Mount.of(question, number, epoch.start)
        self.setup = _setup_of(question)
        self.schedule: Sequence[int] = epoch.schedule
        self.tasks: Sequence[Sequence[Op]] = question.scope.mounts[number].tasks
        self.state = self.mount.start
        self.before: set[str] = set()
        predicates, _ = predicates_of(self.mount.system)
        for thread in epoch.schedule:
            self.before |= {name for name, broken in predicates.items() if broken(self.state)}
            try:
                self.state = self.mount.step(self.state, thread)
            except STEP_ERRORS:
                break

    @property
    def system(self) -> System:
        """The compiled mount."""
        return self.mount.system

    @property
    def start_disk(self) -> Disk:
        """The disk that the mount started from."""
        return self.mount.disk

    @property
    def threads(self) -> Sequence[ThreadInfo]:
        """The threads that the schedule speaks of."""
        return self.mount.threads

    def calls(self, *codes: OpCode) -> list[Op]:
        """Return the operations of the mount that have one of ``codes``."""
        return [op for ops in self.tasks for op in ops if op.code in codes]

    def writers(self, inode: int, cell: int) -> int:
        """Return the colours that operations of the mount store at ``cell``."""
        found, colour = 0, FIRST_OP_COLOUR
        for op in (op for ops in self.tasks for op in ops if op.code in DATA_OPS):
            if op.inode == inode and op.pos_cells <= cell < op.pos_cells + op.length_cells:
                found |= colour
            colour <<= 1
        return found


def sighting_of(question: Question, violation: Violation) -> Sighting:
    """Return what ``violation`` of a run of ``question`` is, and which finding explains it."""
    walk = Walk(question, violation)
    finding = violation.finding
    kind = ANY_KIND if finding is None else kind_of(walk, finding)
    inode = None if finding is None else finding.inode
    seen = Seen(violation.prop, kind, violation.detail, None, inode)
    entry = known(walk, seen, walk.before)
    return Sighting(violation, kind, inode, entry.name if entry is not None else "")


def _setup_of(question: Question) -> Setup:
    scope: Scope = question.scope
    return Setup(
        question.design,
        question.mutant,
        scope.geometry,
        scope.initial_size_cells,
        scope.initial_dirty_tail,
        scope.timer,
        scope.max_errors,
        scope.data_err_abort,
        scope.log_transactions,
        scope.nodelalloc,
    )
