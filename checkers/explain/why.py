"""Why a counterexample shows its violation: the steps it depends on, and the waits it lacks.

The end of the run is reduced to the bytes that decide it (those that cannot go back to their value
from before the mount without the violation going away), and
:mod:`~powercut.checkers.explain.dependence` follows them backwards, mount by mount: what a mount
took over from the disk it started from decides what matters of the one before.  Locks that were
taken and given back, completions of other writes, and threads that only acted are left out.

A *wait* is a counterfactual: had this step waited until these threads had done all they could, the
same schedule would not have shown the violation.  It is tried, not derived, and it is one way to
prevent this run, not a proof that the design is right with it.

What is shown as needed is checked where it can be: the needed steps alone are run, and the answer
says whether they show the violation (they cannot run alone where a system call in between is left
out, because a task cannot skip one).
Rejected: naming causes by deleting steps alone (in a shortest schedule no step can go, so all of
them would be causes).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from powercut.checkers.crash.image import make_disk
from powercut.checkers.engine.system import ThreadInfo
from powercut.checkers.explain.dependence import (
    Record,
    Slice,
    activation_steps,
    deciding_bytes,
    final_variables,
    holders,
    record,
    slice_of,
)
from powercut.checkers.explain.what_if import Course, Plan, Walker, Wish, plan_of
from powercut.checkers.run.mount import Mount
from powercut.checkers.traces.format import StepsWhy, Trace
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK
from powercut.properties.crash import factored, on_image

_REST = 200
_WITHOUT_WILL = ("disk", "failing_disk", "timer")
"""Kinds of threads that no code could make wait."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Had ``step`` (of the last mount, from 1) waited for ``threads``, this run would be right."""

    step: int
    thread: str
    threads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """``confirmed``: the needed steps were run alone and show the violation."""

    mounts: tuple[StepsWhy, ...]
    confirmed: bool
    waits: tuple[Wait, ...]


def explain(trace: Trace, *, waits: bool = True) -> Why:
    """Say why ``trace``, which must replay as a violation, shows it; ``waits``: try those too."""
    walker = Walker(trace.property)
    plan = plan_of(trace)
    course = walker.walk(plan)
    if not course.complete or not course.kind:
        raise ValueError("the trace does not replay as a violation")
    slices = _slices(walker, plan, course)
    mounts = tuple(
        StepsWhy(
            carrying=[k + 1 for k in sorted(part.carrying)],
            idle=[k + 1 for k in range(len(epoch.steps)) if k not in part.needed],
        )
        for epoch, part in zip(trace.epochs, slices, strict=True)
    )
    confirmed = walker.walk(_only(plan, slices), wanted=course.kind).kind == course.kind
    found = tuple(_waits(walker, plan, course, slices[-1])) if waits else ()
    return Why(mounts, confirmed, found)


def annotated(trace: Trace) -> Trace:
    """Return ``trace`` with what :func:`explain` says of each mount written into it."""
    parts = explain(trace, waits=False).mounts
    epochs = [
        msgspec.structs.replace(epoch, why=part)
        for epoch, part in zip(trace.epochs, parts, strict=True)
    ]
    return msgspec.structs.replace(trace, epochs=epochs)


def _only(plan: Plan, slices: Sequence[Slice]) -> Plan:
    for n, part in enumerate(slices):
        plan = _kept(plan, n, part.needed)
    return plan


def _kept(plan: Plan, n: int, steps: frozenset[int]) -> Plan:
    """Return ``plan`` with only these steps of mount ``n``."""
    mounts = list(plan.mounts)
    kept = tuple(wish for k, wish in enumerate(mounts[n].wishes) if k in steps)
    mounts[n] = replace(mounts[n], wishes=kept)
    return replace(plan, mounts=tuple(mounts))


def _slices(walker: Walker, plan: Plan, course: Course) -> list[Slice]:
    records = [
        record(Mount.of(course.question, n, epoch.start), epoch.schedule)
        for n, epoch in enumerate(course.epochs)
    ]
    slices = [_last_slice(walker, plan, course, records[-1])]
    for n in range(len(records) - 2, -1, -1):
        slices.insert(0, _earlier_slice(course, n, records, slices[0]))
    return slices


def _last_slice(walker: Walker, plan: Plan, course: Course, run: Record) -> Slice:
    """Return the slice of the mount in which the violation shows."""
    prop = walker.prop
    last = len(run.steps) - 1
    if prop.name == ASSERTION:
        return slice_of(run, (), [last])
    if prop.name == LIVELOCK:
        first = course.states[-1].index(course.states[-1][-1])
        return slice_of(run, (), range(first, last + 1))
    if prop.name == DEADLOCK:
        return _deadlock_slice(walker, plan, course, run)
    return _slice_for(run, range(len(run.after)), _judge(walker, course, run))


def _slice_for(run: Record, candidates: Sequence[int], holds: Callable[[bytes], bool]) -> Slice:
    """Slice for the bytes that decide, until what the needed steps leave is enough.

    A byte that has its first value again in the end decides nothing at first; it does once a needed
    step changes it.
    """
    assert holds(run.after), "the run itself shows what its parts are judged by"
    without = run.before
    deciding: set[int] = set()
    while True:
        deciding |= deciding_bytes(without, run.after, candidates, holds)
        sliced = slice_of(run, deciding)
        without = final_variables(run, sliced.needed)
        if holds(without):
            return sliced


def _deadlock_slice(walker: Walker, plan: Plan, course: Course, run: Record) -> Slice:
    """Leave out every activation without which the same programs wait at the same places.

    Values do not tell why something never happens, so this slice is found by trying.
    """
    needed = frozenset(range(len(run.steps)))
    for steps in activation_steps(run):
        tried = _kept(plan, len(plan.mounts) - 1, needed - steps)
        if walker.walk(tried, wanted=course.kind).kind == course.kind:
            needed -= steps
    everything = slice_of(run, (), needed)
    return replace(everything, needed=needed, carrying=holders(run) & needed)


def _judge(walker: Walker, course: Course, run: Record) -> Callable[[bytes], bool]:
    """Return the test of final variables for this very violation."""
    prop = walker.prop
    if prop.check is not None:
        check = prop.check
        return lambda variables: bool(check(run.mount.view(variables)))
    image = course.epochs[-1].crash
    assert image is not None, "a crash property is about an image"
    state = run.mount.crash(run.after)
    shown = [finding for finding in on_image(state, image) if finding.prop == prop.name]

    def holds(variables: bytes) -> bool:
        found = factored(run.mount.crash(variables))
        return any(finding == shown[0] for finding in found)

    return holds


def _earlier_slice(course: Course, n: int, records: Sequence[Record], later: Slice) -> Slice:
    """Return the slice of mount ``n`` for what the mount after it took over and needed."""
    run, following = records[n], records[n + 1]
    image = course.epochs[n].crash
    assert image is not None, "a mount ends in a power cut if another follows"
    taken_over = following.mount.variables

    def holds(variables: bytes) -> bool:
        state = run.mount.crash(variables)
        cells = [
            colour if colour & may else may & -may
            for colour, may in zip(image.cells, state.may, strict=True)
        ]
        start = run.mount.next_disk(make_disk(state, cells))
        found = following.mount.variables_of(start)
        return all(found[byte] == taken_over[byte] for byte in later.inherited)

    projected = run.mount.system.projected
    return _slice_for(run, range(projected.start, projected.stop), holds)


# ---- waits that would have prevented it ---------------------------------------------------------


def _waits(walker: Walker, plan: Plan, course: Course, last: Slice) -> Iterator[Wait]:
    """Try, from the last step that carries what is wrong to the first, who it could wait for."""
    threads = Mount.of(plan.question, len(plan.mounts) - 1).threads
    kinds = {info.name: info.kind for info in threads}
    found = False
    for everybody in (False, True):
        for step in sorted(last.carrying, reverse=True):
            own = plan.mounts[-1].wishes[step].thread
            if kinds[own] in _WITHOUT_WILL:
                continue
            others = [info for info in threads if info.name != own]
            for group in [others] if everybody else _groups(others):
                if _prevents(walker, plan, course, step, group):
                    names = _fewest(walker, plan, course, step, group)
                    yield Wait(step + 1, own, tuple(info.name for info in names))
                    found = True
                    break
        if found:
            return


def _groups(threads: Sequence[ThreadInfo]) -> Iterator[list[ThreadInfo]]:
    """Yield who may be waited for: the hardware, or one thread with what it cannot do without."""
    hardware = [info for info in threads if info.kind == "disk"]
    yield hardware
    for info in threads:
        if info.kind in _WITHOUT_WILL:
            continue
        clock = [each for each in threads if each.kind == "timer" and info.kind == "kjournald"]
        yield [info, *clock, *hardware]


def _fewest(
    walker: Walker, plan: Plan, course: Course, step: int, group: Sequence[ThreadInfo]
) -> Sequence[ThreadInfo]:
    """Leave out of ``group`` who need not have done anything."""
    for info in group:
        fewer = [each for each in group if each != info]
        if fewer and _prevents(walker, plan, course, step, fewer):
            group = fewer
    return group


def _prevents(
    walker: Walker, plan: Plan, course: Course, step: int, group: Sequence[ThreadInfo]
) -> bool:
    """Tell whether the run is right if ``group`` does all it can before ``step`` is taken."""
    wishes = plan.mounts[-1].wishes
    if not group:
        return False
    rest = [Wish(info.name) for _ in range(_REST // len(group)) for info in group]
    delayed = replace(plan.mounts[-1], wishes=(*wishes[:step], *rest, *wishes[step:]))
    tried = walker.walk(replace(plan, mounts=(*plan.mounts[:-1], delayed)), wanted=course.kind)
    if tried.kind == course.kind:
        return False
    thread = wishes[step].thread
    own = [k + len(rest) for k in range(step, len(wishes)) if wishes[k].thread == thread]
    return set(own) <= set(tried.taken[-1])
