"""Replay a trace natively and judge it again: the last word on every counterexample.

What: every step of every mount is taken by the model's own generators, in lockstep with the
compiled system; the crash image must be possible where the trace cuts the power; the next mount
must start from what that image gives; then the property is evaluated on what is there.
Why so: a counterexample that only the search believes proves a bug of the search.
Rejected: trusting the recorded verdict, and replaying the compiled system alone (it is what is
being checked).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET

from powercut.checkers.run.faults import patch_fault
from powercut.checkers.run.follow import Follower, Where
from powercut.checkers.run.judgement import Judgement, judge
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.places import placed_steps
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay_view import view_of
from powercut.checkers.run.result import HOLDS, VIOLATED
from powercut.checkers.traces.codec import scope_of
from powercut.checkers.traces.errors import ModelFails, TraceError
from powercut.checkers.traces.format import ImageError, Trace, TraceEpoch, disk_of
from powercut.checkers.traces.views import EpochReplay, PlacedStep
from powercut.checkers.weave.patch import ModelPatch, parse_patch
from powercut.model.designs import DESIGNS
from powercut.model.language import ASSERTION, LIVELOCK
from powercut.model.mutants import MUTANTS
from powercut.model.recovery import Disk, mkfs
from powercut.model.scope import Geometry
from powercut.properties.catalog import PROPERTIES


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What the replay found.

    ``expected`` is the trace's verdict with its property, ``detail`` what was seen.
    """

    reproduced: bool
    expected: str
    detail: str
    steps: int
    epochs: list[EpochReplay]


def subject_of(trace: Trace, name: str = "trace") -> Question:
    """Return what ``trace`` is about.  Raises :class:`TraceError` for a name nobody knows."""
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
    own = [] if trace.patches is UNSET else trace.patches
    return Question(
        DESIGNS[trace.design],
        scope_of(trace, name),
        mutant,
        (trace.property,),
        tuple(parse_patch(patch.text, f"{name}: {patch.name}") for patch in own),
    )


def replay(trace: Trace, name: str = "trace", patches: Sequence[ModelPatch] = ()) -> ReplayResult:
    """Re-run ``trace`` and judge its end; ``name`` heads messages.

    ``patches`` change the model after those that the trace brings.

    Raises :class:`TraceMismatch` where the model does not follow the trace, :class:`TraceError` for
    an unknown name, and :class:`~powercut.checkers.engine.errors.NondeterminismError` (an internal
    error) if the native and the compiled run differ.
    """
    question = subject_of(trace, name)
    question = dataclasses.replace(question, patches=(*question.patches, *patches))
    return replay_as(question, trace, name)


def replay_found(trace: Trace) -> ReplayResult:
    """Re-run a ``trace`` that a search has just found.

    Raises as :func:`replay` does, and :class:`~powercut.checkers.weave.errors.PatchError` where a
    patched model fails on the way: a search does not check every range.
    """
    try:
        return replay(trace)
    except ModelFails as error:
        patches = subject_of(trace).patches
        if not patches:
            raise
        raise patch_fault(patches, error.at, error.failure) from None


def replay_as(question: Question, trace: Trace, name: str = "trace") -> ReplayResult:
    """Re-run ``trace`` as a run of what ``question`` is about, whatever the trace names.

    Raises as :func:`replay` does.
    """
    runs, judgement = followed_as(question, trace, name)
    epochs = [view_of(run, []) for run in runs[:-1]] + [view_of(runs[-1], judgement.wrong)]
    return _result(trace, epochs, judgement)


def followed(trace: Trace, name: str = "trace") -> tuple[list[Follower], Judgement]:
    """Take every step of ``trace``; return each mount where it ended, and what the end shows.

    Raises as :func:`replay` does.
    """
    return followed_as(subject_of(trace, name), trace, name)


def followed_as(
    question: Question, trace: Trace, name: str = "trace"
) -> tuple[list[Follower], Judgement]:
    """Take every step of ``trace`` as a run of what ``question`` is about."""
    geometry = question.scope.geometry
    runs: list[Follower] = []
    judgement = Judgement(violated=False, detail="")
    start = mkfs(question.scope)
    for n, epoch in enumerate(trace.epochs):
        is_last = n + 1 == len(trace.epochs)
        mount = Mount.of(question, n, _disk(epoch, "start", n, geometry, name))
        run = Follower(mount, Where(name, n, len(trace.epochs)))
        run.check_start(start)
        failure = run.follow(epoch.steps, may_fail=is_last and trace.property == ASSERTION)
        crash = None if epoch.crash is None else _disk(epoch, "crash", n, geometry, name)
        if crash is not None:
            run.check_crash(crash)
            start = mount.next_disk(crash)
        if is_last:
            judgement = judge(trace.property, run, crash, failure)
        runs.append(run)
    return runs, judgement


def placed(trace: Trace) -> list[list[PlacedStep]]:
    """Return the steps of each mount of ``trace``, which need not replay, with their places.

    Raises :class:`TraceError` for an unknown name.
    """
    question = subject_of(trace)
    return [
        placed_steps(Mount.of(question, n), epoch.steps) for n, epoch in enumerate(trace.epochs)
    ]


def keeps_verdict(trace: Trace, judgement: Judgement) -> bool:
    """Tell whether ``judgement`` of its end is what ``trace`` says."""
    violated = judgement.violated
    if trace.property == LIVELOCK:  # the replay sees the lasso; that nothing leaves it is recorded
        violated = violated and trace.verdict == VIOLATED
    return (VIOLATED if violated else HOLDS) == trace.verdict


def _result(trace: Trace, epochs: list[EpochReplay], judgement: Judgement) -> ReplayResult:
    return ReplayResult(
        reproduced=keeps_verdict(trace, judgement),
        expected=f"{trace.property} {trace.verdict}",
        detail=judgement.detail,
        steps=sum(len(epoch.steps) for epoch in epochs),
        epochs=epochs,
    )


def _disk(epoch: TraceEpoch, which: str, n: int, geometry: Geometry, name: str) -> Disk:
    image = epoch.start if which == "start" else epoch.crash
    assert image is not None
    try:
        return disk_of(image, geometry)
    except ImageError as error:
        raise TraceError(name, f"$.epochs[{n}].{which}{error.place}", error.message) from None
