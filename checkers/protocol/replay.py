"""Take the steps of a violation natively, beside the compiled run, and judge where they end.

Why so: a violation that only the search believes proves a mistake of the search.  Whatever is
printed of a violation is what the protocol itself, run by Python, did and left.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from powercut.checkers.engine.lockstep import compare
from powercut.checkers.engine.search.outcome import Found
from powercut.checkers.protocol.closed import FAILURES, RECOVERY, Closed, said
from powercut.errors import InternalError
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK

Change = tuple[str, int, int]
"""A variable, its value before and after."""


@dataclass(frozen=True, slots=True)
class StepShown:
    """One step: the thread, where it stood (the innermost function), and what it changed."""

    thread: str
    function: str
    file: str
    line: int
    label: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CutShown:
    """A power cut: every variable that survived, and what recovery changed."""

    kept: Mapping[str, int]
    recovery: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A violation as the native run shows it; ``cut`` is there if the power was cut at its end."""

    prop: str
    detail: str
    steps: tuple[StepShown, ...]
    cut: CutShown | None = None


def replay(closed: Closed, found: Found) -> Shown:
    """Return what the native run shows of ``found``.

    Raises :class:`InternalError` if it shows something else.
    """
    run = _Run(closed)
    failure = run.follow(found)
    cut = None
    if found.name == RECOVERY or found.name in closed.after_crash:
        cut, detail = run.cut(found.name)
    else:
        detail = run.judge(found.name, failure)
    if not detail:
        raise InternalError(f"{closed.name}: the native run does not show {found.name}")
    return Shown(found.name, detail, tuple(run.steps), cut)


class _Run:
    def __init__(self, closed: Closed) -> None:
        self.closed = closed
        self.native = closed.native()
        self.states = [closed.system.initial]
        self.steps: list[StepShown] = []

    def follow(self, found: Found) -> str:
        """Take every step; return what fails in the last one."""
        last = len(found.schedule)
        for number, thread in enumerate(found.schedule, 1):
            failure = self._take(thread)
            if failure and number == last and found.name == ASSERTION:
                return failure
            if failure:
                raise InternalError(f"{self.closed.name}: step {number} of a replay: {failure}")
        compare(self.closed.system, self.states[-1], self.native, last)
        return ""

    def _take(self, thread: int) -> str:
        """Take one step natively and compiled; return what failed."""
        system, native, state = self.closed.system, self.native, self.states[-1]
        place = system.place(state, thread)
        function, line = native.stack(thread)[-1]
        before = bytes(native.variables)
        failure = ""
        try:
            compare(system, state, native, len(self.steps))
            native.step(thread)
            self.states.append(system.step(state, thread))
        except FAILURES as error:
            failure = said(error)
        changes = self._changes(before, bytes(native.variables))
        name = system.threads[thread].name
        self.steps.append(StepShown(name, function, place.file, line, place.label, changes))
        return failure

    def _changes(self, before: bytes, after: bytes) -> tuple[Change, ...]:
        names = self.closed.build.layout.names()
        rows = zip(names, before, after, strict=True)
        return tuple((name, old, new) for name, old, new in rows if old != new)

    def judge(self, prop: str, failure: str) -> str:
        """Return why ``prop`` does not hold at the end; nothing if it does."""
        if prop == ASSERTION:
            return failure
        blocked = [self.native.threads[t].name for t in self.native.unfinished()]
        if prop == DEADLOCK:
            stuck = bool(blocked) and not self.native.enabled()
            return f"nobody can run; waiting for ever: {', '.join(blocked)}" if stuck else ""
        if prop == LIVELOCK:
            lap = len(self.states) - 1 - self.states.index(self.states[-1])
            if not lap or not blocked:
                return ""
            return (
                f"the last {lap} steps lead back to the same state, and no run leaves it for good"
            )
        wanted = self.closed.everywhere[prop]
        return f"not so: {wanted.statement}" if wanted.check(self.native.root) else ""

    def cut(self, prop: str) -> tuple[CutShown, str]:
        """Cut the power; return what is left, and why ``prop`` does not hold of it."""
        closed = self.closed
        left = bytes(self.native.variables[closed.system.projected])
        kept = closed.kept(left)
        where = closed.system.projected
        names = closed.build.layout.names()[where]
        survived = dict(zip(names, left, strict=True))
        try:
            after = closed.recovered(left)
        except FAILURES as error:
            detail = f"recovery fails: {said(error)}" if prop == RECOVERY else ""
            return CutShown(survived, ()), detail
        shown = CutShown(survived, self._changes(kept, after))
        wanted = closed.after_crash.get(prop)
        violated = wanted is not None and wanted.check(closed.view(bytearray(after)))
        return shown, f"not so: {wanted.statement}" if wanted and violated else ""
