"""Evaluate a property where a replayed run has ended: on the image, or on the live state."""

from dataclasses import dataclass, field

from powercut.checkers.crash.evidence import describe_finding
from powercut.checkers.run.follow import Follower
from powercut.checkers.traces.views import WrongCell
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK
from powercut.model.recovery import Disk
from powercut.properties.catalog import PROPERTIES, Property
from powercut.properties.crash import on_image


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the property is violated, what was seen, and the cells that show it."""

    violated: bool
    detail: str
    wrong: list[WrongCell] = field(default_factory=list)


def judge(prop: str, run: Follower, crash: Disk | None, failure: str) -> Judgement:
    """Return whether ``prop`` is violated where ``run`` has ended, with ``crash`` or ``failure``.

    Of a livelock only the lasso is seen: that no continuation leaves it needs the search.
    """
    wanted = PROPERTIES[prop]
    if wanted.kind == "crash":
        assert crash is not None
        return _of_image(wanted, run, crash)
    if wanted.check is not None:
        violated = bool(wanted.check(run.native.root))
        return Judgement(violated, f"{'not so' if violated else 'so'}: {wanted.statement}")
    if prop == ASSERTION:
        return Judgement(bool(failure), failure or "no assertion failed")
    blocked = [run.mount.threads[t].name for t in run.native.unfinished()]
    if prop == DEADLOCK:
        stuck = not run.native.enabled() and bool(blocked)
        detail = f"nobody can run; waiting for ever: {', '.join(blocked)}"
        return Judgement(stuck, detail if stuck else "somebody can still run, or all is done")
    assert prop == LIVELOCK
    lap = len(run.states) - 1 - run.states.index(run.state)
    seen = f"the last {lap} steps lead back to the same state" if lap else "the schedule runs"
    return Judgement(bool(blocked), f"{seen}; that no continuation finishes needs the search")


def _of_image(prop: Property, run: Follower, crash: Disk) -> Judgement:
    state = run.mount.crash(run.variables)
    found = [finding for finding in on_image(state, crash) if finding.prop == prop.name]
    wrong = [WrongCell(f.inode, f.cell, f.colour, f.text) for f in found]
    detail = "; ".join(map(describe_finding, found)) or f"{prop.name} holds on this image"
    return Judgement(bool(found), detail, wrong)
