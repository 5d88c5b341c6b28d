"""The ways to make a counterexample smaller: each gives candidates, none of them judges.

Why so: what may be removed is one question, whether the violation stays is another, and the order
in which candidates are tried is what makes the result repeatable.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from powercut.checkers.crash.survivors import newest, oldest
from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.search.engines import PYTHON
from powercut.checkers.engine.search.making import make_search
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.search.strategy import EXHAUSTIVE
from powercut.checkers.explain.what_if import Course, EpochPlan, Kind, Plan, Walker, Wish, kind_of
from powercut.checkers.run.mount import Mount
from powercut.checkers.workload.limits import (
    MAX_NAME_CHARS,
    MAX_SUMMARY_CHARS,
    LimitError,
    check_scope,
)
from powercut.model.scope import Mount as Workload
from powercut.model.scope import Op, OpCode, Scope
from powercut.model.state import FIRST_OP_COLOUR
from powercut.properties.crash import factored

if TYPE_CHECKING:
    from powercut.model.recovery import Disk

_REDUCED = "-min"


def _with_wishes(plan: Plan, n: int, wishes: Sequence[Wish]) -> Plan:
    mounts = list(plan.mounts)
    mounts[n] = replace(mounts[n], wishes=tuple(wishes))
    return replace(plan, mounts=tuple(mounts), exact=False)


def without_steps(plan: Plan, n: int, first: int, stop: int) -> Plan:
    """Return ``plan`` without the steps ``first``..``stop`` of mount ``n``.

    A thread that loses a step takes its later ones at the times that are left.
    """
    wishes = plan.mounts[n].wishes
    return _with_wishes(plan, n, wishes[:first] + wishes[stop:])


# ---- context switches ---------------------------------------------------------------------------


def joined_runs(plan: Plan) -> Iterator[Plan]:
    """Yield plans in which two runs of one thread, with others in between, are one."""
    for n, mount in enumerate(plan.mounts):
        runs = [tuple(group) for _, group in groupby(mount.wishes, key=lambda wish: wish.thread)]
        for at, run in enumerate(runs):
            later = (k for k in range(at + 1, len(runs)) if runs[k][0].thread == run[0].thread)
            to = next(later, None)
            if to is None:
                continue
            between = runs[at + 1 : to]
            yield _joined(plan, n, [*runs[: at + 1], runs[to], *between, *runs[to + 1 :]])
            yield _joined(plan, n, [*runs[:at], *between, run, *runs[to:]])
            for others in _split(between):
                yield _joined(
                    plan, n, [*runs[:at], *others[0], run, runs[to], *others[1], *runs[to + 1 :]]
                )
        yield from _pulled(plan, n)


def _joined(plan: Plan, n: int, runs: Sequence[Sequence[Wish]]) -> Plan:
    return _with_wishes(plan, n, [wish for run in runs for wish in run])


def _split(between: list[tuple[Wish, ...]]) -> Iterator[tuple[list[tuple[Wish, ...]], ...]]:
    """Yield ways to put some of the runs in between first and the others last."""
    for thread in sorted({run[0].thread for run in between}):
        first = [run for run in between if run[0].thread == thread]
        rest = [run for run in between if run[0].thread != thread]
        if rest:
            yield first, rest
            yield rest, first


def _pulled(plan: Plan, n: int) -> Iterator[Plan]:
    """Yield plans in which a thread goes on for one step more before another one acts."""
    wishes = plan.mounts[n].wishes
    for at, wish in enumerate(wishes):
        later = (k for k in range(at + 1, len(wishes)) if wishes[k].thread == wish.thread)
        to = next(later, at + 1)
        if to > at + 1:
            moved = (*wishes[: at + 1], wishes[to], *wishes[at + 1 : to], *wishes[to + 1 :])
            yield _with_wishes(plan, n, moved)
            moved = (*wishes[:at], *wishes[at + 1 : to], wish, *wishes[to:])
            yield _with_wishes(plan, n, moved)


# ---- what survives ------------------------------------------------------------------------------


def calmer_crashes(plan: Plan, course: Course) -> Iterator[Plan]:
    """Yield plans in which less is special about what a crash between two mounts leaves."""
    for n, epoch in enumerate(course.epochs[:-1]):
        if epoch.crash is None:
            continue
        mount = Mount.of(plan.question, n, epoch.start)
        state = mount.start
        for thread in epoch.schedule:
            state = mount.step(state, thread)
        may, cached = mount.crash(state).may, mount.cached(state)
        shown = epoch.crash.cells
        for end in (oldest(may, cached), newest(may, cached)):
            yield _with_cells(plan, n, end)
            for cell, colour in enumerate(end):
                if shown[cell] != colour:
                    yield _with_cells(plan, n, [*shown[:cell], colour, *shown[cell + 1 :]])


def _with_cells(plan: Plan, n: int, cells: Sequence[int]) -> Plan:
    mounts = list(plan.mounts)
    mounts[n] = replace(mounts[n], cells=tuple(cells))
    return replace(plan, mounts=tuple(mounts))


# ---- a shorter way ------------------------------------------------------------------------------


def shorter_mount(
    walker: Walker, plan: Plan, course: Course, n: int, kind: Kind, max_states: int
) -> Plan | None:
    """Search mount ``n``, from its disk, for a shortest schedule to where it has to lead.

    That is a violation of ``kind``, or for an earlier mount a disk from which the next one starts
    alike.  ``None`` if the search found nothing within ``max_states`` states.
    """
    mount = Mount.of(plan.question, n, course.epochs[n].start)
    goal = _Goal(walker, mount, course, n, kind)
    limits = Limits(max_states=max_states)
    search = make_search(EXHAUSTIVE, PYTHON, mount.system, goal.watch(), limits, [mount.start])
    found = search.run().found.get(goal.name)
    search.close()
    if found is None:
        return None
    wishes = [Wish(mount.threads[thread].name) for thread in found.schedule]
    changed = _with_wishes(plan, n, wishes)
    return changed if goal.image is None else _with_cells(changed, n, goal.image.cells)


class _Goal:
    """What a search looks for."""

    def __init__(self, walker: Walker, mount: Mount, course: Course, n: int, kind: Kind) -> None:
        self.prop = walker.prop
        self.mount = mount
        self.is_last = n + 1 == len(course.epochs)
        self.kind = kind
        self.name = self.prop.name if self.is_last else "next-mount"
        self.image: Disk | None = None
        self.target = None if self.is_last else course.epochs[n + 1].start

    def watch(self) -> Watch:
        """Return what the search has to look at."""
        check = None
        if not self.is_last:
            check = self._leads_on
        elif self.prop.kind == "crash":
            check = self._shows
        return Watch(on_projection=check, stop_when=frozenset({self.name}))

    def _shows(self, projection: bytes, _number: int) -> list[str]:
        found = factored(self.mount.crash_of(projection))
        kinds = {kind_of(finding) for finding in found if finding.prop == self.name}
        return [self.name] if self.kind in kinds else []

    def _leads_on(self, projection: bytes, _number: int) -> list[str]:
        for image, following in self.mount.next_disks(self.mount.crash_of(projection)):
            if following == self.target:
                self.image = self.image or image
                return [self.name]
        return []


# ---- the workload -------------------------------------------------------------------------------


def smaller_workloads(plan: Plan, course: Course, original: Scope) -> Iterator[Plan]:
    """Yield plans over workloads with less in them, the biggest pieces first."""
    scope = plan.question.scope
    for n in range(len(scope.mounts) - 1, -1, -1):
        if len(scope.mounts) > 1:
            yield from _checked(_without_mount(plan, n, original))
    owners = _operations(plan, course)
    for n, mount in enumerate(scope.mounts):
        for t in range(len(mount.tasks)):
            if len(mount.tasks) > 1:
                yield from _checked(_without_task(plan, n, t, original))
        for t, ops in enumerate(mount.tasks):
            for m in range(len(ops)):
                if len(ops) > 1:
                    yield from _checked(*_without_op(plan, n, t, m, owners, original))
        if mount.flusher_passes:
            fewer = replace(mount, flusher_passes=mount.flusher_passes - 1)
            yield from _checked(_with_mount(plan, n, fewer, original))


def _checked(*plans: Plan) -> Iterator[Plan]:
    for plan in plans:
        try:
            check_scope(plan.question.scope)
        except LimitError:
            continue
        yield plan


def _renamed(original: Scope, mounts: Sequence[Workload]) -> Scope:
    """Return ``original`` with other mounts, under a name that says so."""
    if original.name.endswith(_REDUCED):
        return replace(original, mounts=tuple(mounts))
    name = original.name[: MAX_NAME_CHARS - len(_REDUCED)] + _REDUCED
    summary = f"reduced from {original.name}: {original.summary}"[:MAX_SUMMARY_CHARS].strip()
    return replace(original, name=name, summary=summary, mounts=tuple(mounts))


def _with_scope(plan: Plan, scope: Scope, mounts: Sequence[EpochPlan], *, exact: bool) -> Plan:
    return Plan(replace(plan.question, scope=scope), tuple(mounts), exact=exact)


def _without_mount(plan: Plan, n: int, original: Scope) -> Plan:
    mounts = plan.question.scope.mounts
    scope = _renamed(original, mounts[:n] + mounts[n + 1 :])
    kept = plan.mounts[:n] + plan.mounts[n + 1 :]
    return _with_scope(plan, scope, kept or plan.mounts, exact=False)


def _with_mount(plan: Plan, n: int, mount: Workload, original: Scope) -> Plan:
    mounts = list(plan.question.scope.mounts)
    mounts[n] = mount
    return _with_scope(plan, _renamed(original, mounts), plan.mounts, exact=True)


def _without_task(plan: Plan, n: int, t: int, original: Scope) -> Plan:
    """Leave out a task; the tasks behind it move up."""
    mount = plan.question.scope.mounts[n]
    fewer = replace(mount, tasks=mount.tasks[:t] + mount.tasks[t + 1 :])
    changed = _with_mount(plan, n, fewer, original)
    if n >= len(plan.mounts):
        return changed
    names = {f"task{k}": f"task{k - (k > t)}" for k in range(len(mount.tasks)) if k != t}
    wishes = tuple(
        replace(wish, thread=names.get(wish.thread, wish.thread))
        for wish in plan.mounts[n].wishes
        if wish.thread != f"task{t}"
    )
    return _adapted(changed, n, wishes, mount, {(t, m) for m in range(len(mount.tasks[t]))})


def _without_op(
    plan: Plan, n: int, t: int, m: int, owners: Sequence[Sequence[int]], original: Scope
) -> list[Plan]:
    """Leave out an operation: with the steps it took, or with what does not fit any more."""
    mount = plan.question.scope.mounts[n]
    ops = mount.tasks[t][:m] + mount.tasks[t][m + 1 :]
    fewer = replace(mount, tasks=(*mount.tasks[:t], ops, *mount.tasks[t + 1 :]))
    changed = _with_mount(plan, n, fewer, original)
    if n >= len(plan.mounts):
        return [changed]
    wishes = plan.mounts[n].wishes
    own = [
        wish
        for wish, op in zip(wishes, owners[n], strict=True)
        if wish.thread != f"task{t}" or op != m
    ]
    fitting = _adapted(changed, n, tuple(own), mount, {(t, m)})
    return [replace(fitting, exact=False), fitting, _adapted(changed, n, wishes, mount, {(t, m)})]


def _adapted(
    plan: Plan, n: int, wishes: tuple[Wish, ...], before: Workload, gone: set[tuple[int, int]]
) -> Plan:
    """Give mount ``n`` its steps, and the colours of the writes their new numbers."""
    cells = plan.mounts[n].cells
    if cells is not None:
        new = _recoloured(before, gone)
        cells = tuple(new.get(colour, colour) for colour in cells)
    mounts = list(plan.mounts)
    mounts[n] = EpochPlan(wishes, cells)
    return replace(plan, mounts=tuple(mounts))


def _recoloured(before: Workload, gone: set[tuple[int, int]]) -> dict[int, int]:
    """Return the colour each write has without the operations ``gone``; 0 for one that is gone."""
    new: dict[int, int] = {}
    colour = FIRST_OP_COLOUR
    for place in _coloured(before.tasks):
        new[FIRST_OP_COLOUR << len(new)] = 0 if place in gone else colour
        colour <<= place not in gone
    return new


def _coloured(tasks: Sequence[Sequence[Op]]) -> list[tuple[int, int]]:
    """Return task and number of the operations that have a colour, in the order of colours."""
    return [
        (t, m)
        for t, ops in enumerate(tasks)
        for m, op in enumerate(ops)
        if op.code in (OpCode.WRITE, OpCode.STORE)
    ]


def _operations(plan: Plan, course: Course) -> list[list[int]]:
    """Return, for each step of each mount, which operation its task is in (-1: not a task)."""
    out = []
    for n, epoch in enumerate(course.epochs):
        mount = Mount.of(plan.question, n, epoch.start)
        native = mount.native()
        numbers = []
        for thread in epoch.schedule:
            is_task = mount.threads[thread].kind == "task"
            numbers.append(native.entry_local(thread, "n") if is_task else -1)
            with suppress(AssertionError, *STEP_ERRORS):  # the last step of a failing run
                native.step(thread)
        out.append(numbers)
    return out
