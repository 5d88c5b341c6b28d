"""Replay a trace natively and judge it again: the last word on every counterexample.

What: every step of every mount is taken by the model's own generators, in lockstep with the
compiled system; the crash image must be possible where the trace cuts the power; the next mount
must start from what that image gives; then the property is evaluated on what is there.
Why so: a counterexample that only the search believes proves a bug of the search.  Lines may have
moved since the trace was made, functions and labels may not.
Rejected: trusting the recorded verdict, and replaying the compiled system alone (it is what is
being checked).
"""

import traceback
from dataclasses import dataclass, field

from powercut.checkers.crash.image import decode
from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.system import System
from powercut.checkers.engine.walk import compare
from powercut.checkers.run.runner import HOLDS, VIOLATED, describe_finding, make_system, mounted
from powercut.checkers.traces.codec import scope_of
from powercut.checkers.traces.describe import (
    context_of,
    describe_changes,
    describe_state,
    journal_at_crash,
    locks_held,
    operand_name,
    values_of,
)
from powercut.checkers.traces.digest import model_digest
from powercut.checkers.traces.errors import TraceError, TraceMismatch
from powercut.checkers.traces.format import (
    ImageError,
    Trace,
    TraceEpoch,
    TraceStep,
    colour_set,
    disk_of,
)
from powercut.checkers.traces.views import EpochReplay, StepView, WrongCell
from powercut.model.designs import DESIGNS, Design
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK
from powercut.model.mutants import MUTANTS, Mutant
from powercut.model.recovery import Disk, canonical, mkfs
from powercut.model.scope import Scope
from powercut.properties.catalog import PROPERTIES
from powercut.properties.crash import on_image
from powercut.properties.crash_state import CrashState

__all__ = ["EpochReplay", "ReplayResult", "StepView", "WrongCell", "check_names", "replay"]

_FAILURES = (AssertionError, *STEP_ERRORS)


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What the replay found.

    ``expected`` is the trace's verdict with its property, ``detail`` what was seen; ``same_model``
    says whether the model's sources are those the trace was made with.
    """

    reproduced: bool
    expected: str
    detail: str
    steps: int
    epochs: list[EpochReplay]
    same_model: bool = True


@dataclass(slots=True)
class _Judgement:
    """The property at the end of the last mount."""

    violated: bool
    detail: str
    wrong: list[WrongCell] = field(default_factory=list)


def check_names(trace: Trace, name: str = "trace") -> tuple[Design, Mutant | None, Scope]:
    """Return what a trace is about.  Raises :class:`TraceError` for a name nobody knows."""
    if trace.design not in DESIGNS:
        known = ", ".join(DESIGNS)
        raise TraceError(name, "$.design", f'unknown design "{trace.design}"; expected {known}')
    if trace.mutant and trace.mutant not in MUTANTS:
        message = f'unknown mutant "{trace.mutant}"; `powercut list` shows them'
        raise TraceError(name, "$.mutant", message)
    if trace.property not in PROPERTIES:
        message = f'unknown property "{trace.property}"; expected {", ".join(PROPERTIES)}'
        raise TraceError(name, "$.property", message)
    if PROPERTIES[trace.property].kind == "crash" and trace.epochs[-1].crash is None:
        message = f"null, but {trace.property} is about what a crash leaves; expected a disk"
        raise TraceError(name, f"$.epochs[{len(trace.epochs) - 1}].crash", message)
    mutant = MUTANTS[trace.mutant] if trace.mutant else None
    return DESIGNS[trace.design], mutant, scope_of(trace, name)


def replay(trace: Trace, name: str = "trace") -> ReplayResult:
    """Re-run ``trace`` and judge its end; ``name`` heads messages.

    Raises :class:`TraceMismatch` where the model does not follow the trace, :class:`TraceError` for
    an unknown name, and :class:`~powercut.checkers.engine.errors.NondeterminismError` (an internal
    error) if the native and the compiled run differ.
    """
    design, mutant, scope = check_names(trace, name)
    epochs: list[EpochReplay] = []
    judgement = _Judgement(False, "")
    start = mkfs(scope)
    for n, epoch in enumerate(trace.epochs):
        is_last = n + 1 == len(trace.epochs)
        run = _EpochRun(trace, n, make_system(scope, n, design, mutant), scope, name)
        run.begin(start)
        failure = run.take_steps(may_fail=is_last and trace.property == ASSERTION)
        crash = None if epoch.crash is None else run.crash(_disk(epoch, "crash", n, scope, name))
        if crash is not None:
            start = canonical(crash, scope.geometry)
        if is_last:
            judgement = run.judge(crash, failure)
        epochs.append(run.view(judgement.wrong))
    verdict = VIOLATED if judgement.violated else HOLDS
    return ReplayResult(
        reproduced=verdict == trace.verdict,
        expected=f"{trace.property} {trace.verdict}",
        detail=judgement.detail,
        steps=sum(len(epoch.steps) for epoch in epochs),
        epochs=epochs,
        same_model=trace.model_digest == model_digest(),
    )


def _disk(epoch: TraceEpoch, which: str, n: int, scope: Scope, name: str) -> Disk:
    image = epoch.start if which == "start" else epoch.crash
    assert image is not None
    try:
        return disk_of(image, scope.geometry)
    except ImageError as error:
        raise TraceError(name, f"$.epochs[{n}].{which}{error.place}", error.message) from None


class _EpochRun:
    """One mount, native and compiled side by side."""

    def __init__(self, trace: Trace, n: int, system: System, scope: Scope, name: str) -> None:
        self.trace = trace
        self.epoch = trace.epochs[n]
        self.n = n
        self.system = system
        self.scope = scope
        self.name = name
        self.where = f"mount {n + 1}, " if len(trace.epochs) > 1 else ""
        self.steps: list[StepView] = []
        self.variables = mounted(system, _disk(self.epoch, "start", n, scope, name), scope)
        self.state = system.start(self.variables)
        self.visited = [self.state]
        self.native = NativeRun(system.build, system.constants, self.variables)
        self.layout = system.build.layout

    def begin(self, expected: Disk) -> None:
        """Check that the mount starts from what came before it."""
        if mounted(self.system, expected, self.scope) == self.variables:
            return
        source = "the crash before it leaves" if self.n else "the workload starts from"
        message = f"mount {self.n + 1}: not the disk that {source}; save the trace again"
        raise TraceMismatch(self.name, f"$.epochs[{self.n}].start", message)

    def take_steps(self, *, may_fail: bool) -> str:
        """Take every step; return the model's failure in the last one, if it ``may_fail``."""
        names = {info.name: index for index, info in enumerate(self.system.threads)}
        last = len(self.epoch.steps)
        for number, step in enumerate(self.epoch.steps, 1):
            self._compare(number)
            if step.thread not in names:
                known = ", ".join(names)
                raise self._mismatch(number, f"there is no thread {step.thread}; there are {known}")
            failure = self._take(number, names[step.thread], step)
            if failure:
                if may_fail and number == last:
                    return failure
                raise self._mismatch(number, f"{step.thread} fails here: {failure}")
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
            compare(self.system, self.state, self.native, number - 1)
        except _FAILURES as error:
            raise self._mismatch(number, f"a wait fails here: {_failure(error)}") from None

    def _take(self, number: int, thread: int, step: TraceStep) -> str:
        function, call = self._check_place(number, thread, step)
        before = values_of(self.layout, self.native.variables)
        failure = ""
        try:
            self.native.step(thread)
            self.state = self.system.step(self.state, thread)
            self.visited.append(self.state)
        except _FAILURES as error:
            failure = _failure(error)
        after = values_of(self.layout, self.native.variables)
        info = self.system.threads[thread]
        self.steps.append(
            StepView(
                thread=step.thread,
                place=f"{function}(): {call}",
                function=function,
                call=call,
                locks=locks_held(after, context_of(info.kind, info.number)),
                changes=describe_changes(before, after) + ([failure] if failure else []),
            )
        )
        return failure

    def _check_place(self, number: int, thread: int, step: TraceStep) -> tuple[str, str]:
        """Check where the thread is parked and that it can run; return function and call."""
        place = self.system.place(self.state, thread)
        wanted = f"{step.function} '{step.label}'"
        if self.native.is_finished(thread):
            raise self._mismatch(number, f"{step.thread} should be at {wanted}, has finished")
        stack = self.native.stack(thread)
        if (stack[-1][0], place.label) != (step.function, step.label):
            found = f"{stack[-1][0]} '{place.label}'{self._gone(thread, step)}"
            raise self._mismatch(number, f"{step.thread} should be at {wanted}, is at {found}")
        if not self.native.is_enabled(thread):
            raise self._mismatch(number, f"{step.thread} cannot run at {wanted}: it has to wait")
        return self._call(thread)

    def _gone(self, thread: int, step: TraceStep) -> str:
        """Say so if no thread of this kind can be at the point of ``step`` in this model."""
        places = self.system.build.frames[self.system.threads[thread].kind].places.values()
        if any((p.function, p.label) == (step.function, step.label) for p in places):
            return ""
        return "; this model has no such step any more"

    def _call(self, thread: int) -> tuple[str, str]:
        """Return the function a parked thread is in, and what it stands at there.

        Where the innermost function waits for something it was given, its caller says more.
        """
        stack = self.native.stack(thread)
        place = self.system.place(self.state, thread)
        function = stack[-1][0]
        if len(stack) < 3 or not _is_service(place.file, function):
            return function, place.label or "preemption point"
        named = (operand_name(path) for path in self.native.operands(thread).values())
        operand = ", ".join(name for name in named if name)
        holding = " taken" if place.label == "holding" else ""
        return stack[-2][0], f"{function}({operand}){holding}"

    def _mismatch(self, number: int, message: str) -> TraceMismatch:
        place = f"$.epochs[{self.n}].steps[{number - 1}]"
        return TraceMismatch(self.name, place, f"{self.where}step {number}: {message}")

    def _crash_state(self) -> CrashState:
        projection = bytes(self.native.variables[self.layout.projected])
        return decode(self.layout, projection, self.scope.geometry)

    def crash(self, image: Disk) -> Disk:
        """Return ``image``, once it is sure that a power cut here can leave it."""
        state = self._crash_state()
        place = f"$.epochs[{self.n}].crash"
        here = f"{self.where}after step {len(self.epoch.steps)}"
        for i, (found, inode) in enumerate(zip(image.inodes, state.inodes, strict=True)):
            if (found.size, found.orphan, found.extents) != (
                inode.size,
                inode.orphan,
                inode.extents,
            ):
                message = f"{here}: not the committed inode (its size there is {inode.size} cells)"
                raise TraceMismatch(self.name, f"{place}.inodes[{i}]", message)
        if image.bitmap != state.bitmap:
            message = f"{here}: not the committed bitmap"
            raise TraceMismatch(self.name, f"{place}.used_blocks", message)
        for cell, (colour, may) in enumerate(zip(image.cells, state.may, strict=True)):
            if not colour & may:
                possible = colour_set(may)
                message = f"{here}: the disk cannot show {colour_set(colour)}, only {possible}"
                raise TraceMismatch(self.name, f"{place}.cells[{cell}]", message)
        return image

    def judge(self, crash: Disk | None, failure: str) -> _Judgement:
        """Evaluate the trace's property where the run has ended."""
        prop = PROPERTIES[self.trace.property]
        if prop.kind == "crash":
            assert crash is not None
            found = [f for f in on_image(self._crash_state(), crash) if f.prop == prop.name]
            wrong = [WrongCell(f.inode, f.cell, f.colour, f.text) for f in found]
            detail = "; ".join(map(describe_finding, found)) or f"{prop.name} holds on this image"
            return _Judgement(bool(found), detail, wrong)
        if prop.check is not None:
            violated = bool(prop.check(self.native.root))
            return _Judgement(violated, f"{'not so' if violated else 'so'}: {prop.statement}")
        if prop.name == ASSERTION:
            return _Judgement(bool(failure), failure or "no assertion failed")
        blocked = [self.system.threads[t].name for t in self.native.unfinished()]
        if prop.name == DEADLOCK:
            stuck = not self.native.enabled() and bool(blocked)
            detail = f"nobody can run; waiting for ever: {', '.join(blocked)}"
            return _Judgement(stuck, detail if stuck else "somebody can still run, or all is done")
        assert prop.name == LIVELOCK
        lap = len(self.visited) - 1 - self.visited.index(self.state)
        seen = f"the last {lap} steps lead back to the same state" if lap else "the schedule runs"
        detail = f"{seen}; that no continuation finishes needs the search"
        return _Judgement(self.trace.verdict == VIOLATED and bool(blocked), detail)

    def view(self, wrong: list[WrongCell]) -> EpochReplay:
        """Return the mount as it was replayed."""
        values = values_of(self.layout, self.native.variables)
        state = self._crash_state()
        waiting = []
        for thread in range(len(self.system.threads)):
            if not _is_blocked(self.native, thread):
                continue
            info = self.system.threads[thread]
            function, call = self._call(thread)
            held = ", ".join(locks_held(values, context_of(info.kind, info.number)))
            holding = f" holding {held}" if held else ""
            waiting.append(f"{info.name}{holding} waits in {function}(): {call}")
        return EpochReplay(
            steps=self.steps,
            possible=[colour_set(may).split("|") for may in state.may],
            journal=journal_at_crash(values),
            state=describe_state(values),
            waiting=waiting,
            wrong=wrong,
        )


def _is_service(file: str, function: str) -> bool:
    """Tell whether a function waits on behalf of its caller, as locks and handle starts do."""
    return file == "model/kernel/primitives.py" or function in (
        "ext4_journal_start",
        "jbd2_complete_transaction",
    )


def _failure(error: Exception) -> str:
    """Say in one line what failed, and where in the model if the error does not say."""
    text = " ".join(str(error).split())
    kind = "assertion failed" if isinstance(error, AssertionError) else type(error).__name__
    if text:
        return f"{kind}: {text}"
    places = traceback.extract_tb(error.__traceback__)
    return f"{kind}: {places[-1].line} in {places[-1].name}()" if places else kind


def _is_blocked(native: NativeRun, thread: int) -> bool:
    """Tell whether a thread waits in the middle of its work; an idle daemon does not."""
    depth = len(native.stack(thread))
    try:
        return depth > native.threads[thread].daemon and not native.is_enabled(thread)
    except _FAILURES:
        return False
