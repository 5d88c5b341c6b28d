"""Take the steps of a trace, natively and compiled side by side, and refuse what does not fit.

A step is known by its thread, function and label.  Nothing is judged here, and nothing is said in
words: :mod:`~powercut.checkers.run.judgement` and :mod:`~powercut.checkers.run.replay_view` do that
with what is left.
"""

from dataclasses import dataclass

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.frames import Place
from powercut.checkers.engine.lockstep import compare
from powercut.checkers.run.faults import failure_of, place_in_model
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.places import place_of
from powercut.checkers.run.standing import call_of
from powercut.checkers.traces.errors import ModelFails, TraceMismatch
from powercut.checkers.traces.format import TraceStep, colour_set
from powercut.model.recovery import Disk

_FAILURES = (AssertionError, *STEP_ERRORS)


@dataclass(frozen=True, slots=True)
class Where:
    """The mount of a trace that messages speak of: ``number`` from 0 of ``mounts``."""

    name: str
    number: int
    mounts: int

    def mismatch(self, place: str, message: str) -> TraceMismatch:
        """Return the error about ``place`` of this mount."""
        return TraceMismatch(self.name, f"$.epochs[{self.number}]{place}", message)

    @property
    def words(self) -> str:
        """Which mount it is, where there are several."""
        return f"mount {self.number + 1}, " if self.mounts > 1 else ""


@dataclass(frozen=True, slots=True)
class Taken:
    """One step as it was taken: where the thread stood, the variables before and after.

    ``place`` is the point in the source, ``function`` and ``call`` say it in kernel words.
    """

    thread: int
    place: Place
    function: str
    call: str
    before: bytes
    after: bytes
    failure: str


class Follower:
    """One mount of a trace; ``states`` are the compiled ones, ``taken`` the steps between them."""

    def __init__(self, mount: Mount, where: Where) -> None:
        self.mount = mount
        self.where = where
        self.native = mount.native()
        self.states = [mount.start]
        self.taken: list[Taken] = []
        self._indexes = {info.name: index for index, info in enumerate(mount.threads)}

    @property
    def state(self) -> bytes:
        """The state it stands at."""
        return self.states[-1]

    @property
    def variables(self) -> bytes:
        """The variables of the native run."""
        return bytes(self.native.variables)

    def check_start(self, expected: Disk) -> None:
        """Check that the mount starts from what came before it."""
        if self.mount.variables_of(expected) == self.mount.variables:
            return
        number = self.where.number
        source = "the crash before it leaves" if number else "the workload starts from"
        message = f"mount {number + 1}: not the disk that {source}; save the trace again"
        raise self.where.mismatch(".start", message)

    def follow(self, steps: list[TraceStep], *, may_fail: bool) -> str:
        """Take every step; return the model's failure in the last one, if it ``may_fail``."""
        last = len(steps)
        for number, step in enumerate(steps, 1):
            self._compare(number)
            if step.thread not in self._indexes:
                known = ", ".join(self._indexes)
                raise self._mismatch(number, f"there is no thread {step.thread}; there are {known}")
            error = self._take(number, self._indexes[step.thread], step)
            if error is not None:
                if may_fail and number == last:
                    return failure_of(error)
                raise self._fails(number, step.thread, error)
        try:
            self._compare(last + 1)
        except TraceMismatch as error:
            if may_fail:
                return error.message
            raise
        return ""

    def _compare(self, number: int) -> None:
        """Check that native and compiled run agree before step ``number``."""
        try:
            compare(self.mount.system, self.state, self.native, number - 1)
        except _FAILURES as error:
            raise self._fails(number, "a wait", error) from None

    def _fails(self, number: int, what: str, error: Exception) -> ModelFails:
        failure = failure_of(error)
        mismatch = self._mismatch(number, f"{what} fails here: {failure}")
        return ModelFails(mismatch, place_in_model(error), failure)

    def _take(self, number: int, thread: int, step: TraceStep) -> Exception | None:
        self._check_place(number, thread, step)
        place = self.mount.place(self.state, thread)
        function, call = call_of(self.mount, self.native, self.state, thread)
        before = self.variables
        failed: Exception | None = None
        try:
            self.native.step(thread)
            self.states.append(self.mount.step(self.state, thread))
        except _FAILURES as error:
            failed = error
        failure = "" if failed is None else failure_of(failed)
        self.taken.append(Taken(thread, place, function, call, before, self.variables, failure))
        return failed

    def _check_place(self, number: int, thread: int, step: TraceStep) -> None:
        """Check where the thread is parked and that it can run."""
        place = self.mount.place(self.state, thread)
        wanted = f"{step.function} '{step.label}'"
        if self.native.is_finished(thread):
            raise self._mismatch(number, f"{step.thread} should be at {wanted}, has finished")
        stack = self.native.stack(thread)
        if (stack[-1][0], place.label) != (step.function, step.label):
            found = f"{stack[-1][0]} '{place.label}'{self._gone(step)}"
            raise self._mismatch(number, f"{step.thread} should be at {wanted}, is at {found}")
        if not self.native.is_enabled(thread):
            raise self._mismatch(number, f"{step.thread} cannot run at {wanted}: it has to wait")

    def _gone(self, step: TraceStep) -> str:
        """Say so if no thread of this kind can be at the point of ``step`` in this model."""
        return "" if place_of(self.mount, step) else "; this model has no such step any more"

    def _mismatch(self, number: int, message: str) -> TraceMismatch:
        place = f".steps[{number - 1}]"
        return self.where.mismatch(place, f"{self.where.words}step {number}: {message}")

    def check_crash(self, image: Disk) -> None:
        """Check that a power cut at the end can leave ``image``."""
        state = self.mount.crash(self.variables)
        here = f"{self.where.words}after step {len(self.taken)}"
        for i, (found, inode) in enumerate(zip(image.inodes, state.inodes, strict=True)):
            shown = found.size, found.orphan, found.extents
            if shown != (inode.size, inode.orphan, inode.extents):
                message = f"{here}: not the committed inode (its size there is {inode.size} cells)"
                raise self.where.mismatch(f".crash.inodes[{i}]", message)
        if image.bitmap != state.bitmap:
            raise self.where.mismatch(".crash.used_blocks", f"{here}: not the committed bitmap")
        for cell, (colour, may) in enumerate(zip(image.cells, state.may, strict=True)):
            if not colour & may:
                possible = colour_set(may)
                message = f"{here}: the disk cannot show {colour_set(colour)}, only {possible}"
                raise self.where.mismatch(f".crash.cells[{cell}]", message)
