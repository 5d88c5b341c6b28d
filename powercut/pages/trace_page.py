"""From a trace to the records of its page: replay it, look at every point, say what matters.

Why so: whatever the page shows was computed by the model that replays the trace, point by point.
Rejected: the ladder's views alone (they know the end of a mount, a page shows every point).
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.explain.why import Wait, explain
from powercut.checkers.run.follow import Follower
from powercut.checkers.run.judgement import Judgement
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.replay import followed, keeps_verdict
from powercut.checkers.run.replay_view import view_of
from powercut.checkers.run.result import VIOLATED
from powercut.checkers.run.standing import locks_of
from powercut.checkers.traces.codec import scope_of
from powercut.checkers.traces.describe import (
    journal_at_crash,
    values_of,
)
from powercut.checkers.traces.format import StepsWhy, Trace, TraceEpoch, disk_of
from powercut.checkers.traces.ladder import (
    colour_meanings,
    op_words,
    render_ladder,
    unit_words,
)
from powercut.checkers.traces.views import EpochReplay
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.recovery import Disk
from powercut.model.scope import Geometry, Scope
from powercut.model.scope import Mount as Calls
from powercut.model.state import IOEND_NONE, IOEND_SUBMITTED
from powercut.pages.crash import crash_of, outcome_of, recovered_files
from powercut.pages.data import (
    Bio,
    Crash,
    MountPage,
    Outcome,
    Part,
    Point,
    Source,
    Standing,
    Step,
    TracePage,
)
from powercut.pages.render import render_page
from powercut.pages.source import source_at
from powercut.pages.state import state_parts
from powercut.properties.catalog import PROPERTIES

_Item = TypeVar("_Item")


class Pool(Generic[_Item]):
    """Records that repeat: each once, in the order of their first use."""

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, item: _Item) -> int:
        """Return the index of ``item``."""
        number = self._numbers.setdefault(msgspec.json.encode(item), len(self.items))
        if number == len(self.items):
            self.items.append(item)
        return number


class _Pools:
    def __init__(self) -> None:
        self.states: Pool[list[Part]] = Pool()
        self.crashes: Pool[Crash] = Pool()
        self.sources: Pool[Source] = Pool()


def page_of(trace: Trace, name: str = "trace") -> str:
    """Replay ``trace`` and return its page as one HTML document; ``name`` heads messages.

    Raises what :func:`~powercut.checkers.run.replay.replay` raises.
    """
    runs, judgement = followed(trace, name)
    page = _trace_page(trace, name, runs, judgement)
    epochs = [view_of(run, []) for run in runs[:-1]] + [view_of(runs[-1], judgement.wrong)]
    marks = [epoch.why for epoch in trace.epochs if epoch.why is not None]
    marks = marks if len(marks) == len(trace.epochs) else []
    return render_page(page, trace, render_ladder(trace, epochs, marks))


def _trace_page(
    trace: Trace, name: str, runs: Sequence[Follower], judgement: Judgement
) -> TracePage:
    kept = keeps_verdict(trace, judgement)
    why = explain(trace) if kept and trace.verdict == VIOLATED else None
    scope = scope_of(trace, name)
    pools = _Pools()
    mounts = [
        _mount_page(run, epoch, scope.mounts[n], why.mounts[n] if why else None, pools)
        for n, (run, epoch) in enumerate(zip(runs, trace.epochs, strict=True))
    ]
    steps = mounts[-1].steps
    return TracePage(
        title=f"{trace.property} {trace.verdict}: {trace.design}, {trace.scope}",
        verdict=trace.verdict if kept else "not reproduced",
        prop=trace.property,
        statement=PROPERTIES[trace.property].statement,
        summary=trace.summary,
        about=_about(trace, scope),
        cells_per_block=scope.geometry.cells_per_block,
        colours=colour_meanings(scope.mounts[len(runs) - 1]),
        prevented=[(wait.step, _wait_words(wait, steps)) for wait in (why.waits if why else ())],
        mounts=mounts,
        states=pools.states.items,
        crashes=pools.crashes.items,
        sources=pools.sources.items,
    )


def _wait_words(wait: Wait, steps: Sequence[Step]) -> str:
    where = f"step {wait.step}, {steps[wait.step - 1].function}()"
    return f"if {wait.thread} waited for {' and '.join(wait.threads)} before {where}"


def _about(trace: Trace, scope: Scope) -> list[tuple[str, str]]:
    about = [("design", f"{trace.design}: {DESIGNS[trace.design].summary}")]
    if trace.mutant:
        about.append(("mutant", f"{trace.mutant}: {MUTANTS[trace.mutant].summary}"))
    if trace.patches:
        about.append(("patches", ", ".join(patch.name for patch in trace.patches)))
    about.append(("scope", f"{scope.name}: {scope.summary}" if scope.summary else scope.name))
    return [*about, ("units", unit_words(scope.geometry))]


def _mount_page(
    run: Follower, epoch: TraceEpoch, calls: Calls, why: StepsWhy | None, pools: _Pools
) -> MountPage:
    mount, geometry = run.mount, run.mount.scope.geometry
    seen = view_of(run, [])
    points = [_point(mount, state, pools) for state in run.states]
    crash = None if epoch.crash is None else disk_of(epoch.crash, geometry)
    return MountPage(
        threads=[info.name for info in mount.threads],
        calls=[
            f"task{t}: " + "; ".join(op_words(op.code, op.pos_cells, op.length_cells) for op in ops)
            for t, ops in enumerate(calls.tasks)
            if ops
        ],
        start=recovered_files(mount.disk, geometry),
        steps=_steps(run, seen, why, pools),
        points=points,
        bios=_bios(run, geometry),
        cut=None if epoch.crash is None else [str(colour) for colour in epoch.crash.cells],
        left=None if crash is None else _left(run, crash),
        waiting=seen.waiting,
    )


def _left(run: Follower, crash: Disk) -> Outcome:
    return outcome_of(run.mount.crash(run.variables), crash)


def _steps(run: Follower, seen: EpochReplay, why: StepsWhy | None, pools: _Pools) -> list[Step]:
    steps = []
    for number, (taken, view) in enumerate(zip(run.taken, seen.steps, strict=True), 1):
        source = source_at(run.mount, view.file, view.line)
        steps.append(
            Step(
                thread=taken.thread,
                function=view.function,
                call=view.call,
                changes=view.changes,
                role=_role(why, number),
                source=-1 if source is None else pools.sources.number(source),
            )
        )
    return steps


def _role(why: StepsWhy | None, number: int) -> str:
    if why is None:
        return ""
    if number in why.carrying:
        return "carrying"
    return "idle" if number in why.idle else "needed"


def _point(mount: Mount, state: bytes, pools: _Pools) -> Point:
    values = values_of(mount.system.build.layout, mount.system.shared(state))
    crash = crash_of(mount.crash(state), journal_at_crash(values))
    parts = state_parts(mount.view(state), mount.scope.geometry)
    threads = [
        Standing(
            _status(mount, state, thread),
            _place(mount, state, thread),
            locks_of(mount, state, thread),
        )
        for thread in range(len(mount.threads))
    ]
    return Point(pools.states.number(parts), pools.crashes.number(crash), threads)


def _status(mount: Mount, state: bytes, thread: int) -> str:
    if mount.system.is_finished(state, thread):
        return "done"
    try:
        return "run" if mount.is_enabled(state, thread) else "wait"
    except STEP_ERRORS:  # an assertion of a wait's condition: the step that follows says so
        return "run"


def _place(mount: Mount, state: bytes, thread: int) -> str:
    if mount.system.is_finished(state, thread):
        return ""
    place = mount.place(state, thread)
    return f"{place.function}(): {place.label}" if place.label else f"{place.function}()"


def _bios(run: Follower, geometry: Geometry) -> list[Bio]:
    """Return every bio of the run, from the states of the ioends."""
    layout = run.mount.system.build.layout
    names = [
        f"inode[{i}].ioend[{b}].state"
        for i in range(geometry.nr_inodes)
        for b in range(geometry.nr_blocks)
    ]
    bios: list[Bio] = []
    under_way: dict[str, int] = {}
    for number, taken in enumerate(run.taken, 1):
        before, after = values_of(layout, taken.before), values_of(layout, taken.after)
        for name in names:
            was, now = before[name], after[name]
            if now == IOEND_SUBMITTED != was:
                under_way[name] = number
            elif was == IOEND_SUBMITTED != now:
                bios.append(Bio(under_way.pop(name, 0), number, _bio_words(name, now)))
    return bios + [Bio(number, 0, _bio_words(name, None)) for name, number in under_way.items()]


def _bio_words(name: str, now: int | None) -> str:
    block = name.removesuffix("].state").rpartition("[")[2]
    if now is None:
        return f"ioend {block}: not complete at the end"
    return f"ioend {block}: {'completed' if now == IOEND_NONE else 'completed, for the worker'}"
