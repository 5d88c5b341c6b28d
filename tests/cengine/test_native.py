"""All runs of the native model: the same states, transitions, projections and verdicts.

Natively a state is all variables, where every thread stands, call by call, and what its live
locals hold.  Which locals are live at a point is taken from the compiler (a generator keeps dead
ones, too, and they would count as differences); everything else is Python's own.  SPIN counts the
same scopes in ``test_spin``.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from powercut.checkers.crash.image import decode
from powercut.checkers.engine.frames import Frames
from powercut.checkers.engine.layout import path_of
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.c import CBreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Outcome, Watch
from powercut.checkers.engine.system import System
from powercut.checkers.run.mount import Mount, predicates_of
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.properties.catalog import STATE_PROPERTIES
from powercut.properties.crash import factored
from tests.cengine.test_spin import CASES, SMALL, VIOLATED

Seen = tuple[bytes, tuple[object, ...]]
DEADLOCK = "deadlock"


Stack = tuple[tuple[str, int], ...]


def live_locals(frames: Frames) -> dict[Stack, frozenset[str]]:
    """Return the names of the locals that are live at each point, by the stack there."""
    out: dict[Stack, frozenset[str]] = {}
    for number, place in frames.places.items():
        calls = [caller.rpartition(":") for caller in place.callers]
        here = (place.function, place.line)
        stack = (*((name, int(line)) for name, _, line in calls), here)
        names = {name.rpartition("_")[0] for name in frames.live[number]}
        out[stack] = out.get(stack, frozenset()) | names
    return out


class NativeSearch:
    """Depth-first over native runs; a state is reached again by running its schedule again."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.transitions = 0
        self.projections: set[bytes] = set()
        self.found: set[str] = set()
        self.seen: set[Seen] = set()
        self.live = {kind: live_locals(frames) for kind, frames in system.build.frames.items()}
        self._explore()

    def _explore(self) -> None:
        first = self._at(())
        self._look(first)
        run: NativeRun | None = first
        schedule: list[int] = []
        left = [first.enabled()]
        while left:
            if not left[-1]:
                left.pop()
                if schedule:
                    schedule.pop()
                run = None
                continue
            thread = left[-1].pop()
            run = run or self._at(schedule)
            run.step(thread)
            self.transitions += 1
            if self._look(run):
                schedule.append(thread)
                left.append(run.enabled())
            else:
                run = None

    def _at(self, schedule: Sequence[int]) -> NativeRun:
        system = self.system
        run = NativeRun(system.build, system.constants, system.shared(system.initial))
        for thread in schedule:
            run.step(thread)
        return run

    def _standing(self, run: NativeRun) -> Callable[[int], object]:
        """Return what says where a thread stands and what its live locals hold."""

        def standing(thread: int) -> object:
            stack = tuple(run.stack(thread))
            live = self.live[run.threads[thread].kind].get(stack, frozenset())
            held: list[object] = []
            path: Any = run._paths[thread]
            while getattr(path, "gi_frame", None) is not None:
                inside = path.gi_frame.f_locals.items()
                held += [(n, path_of(v) or v) for n, v in inside if n in live]
                path = path.gi_yieldfrom
            return stack, tuple(held)

        return standing

    def _look(self, run: NativeRun) -> bool:
        """Note what is to be seen; tell whether the state is new."""
        here = bytes(run.variables), tuple(map(self._standing(run), range(len(run.threads))))
        if here in self.seen:
            return False
        self.seen.add(here)
        self.projections.add(here[0][self.system.projected])
        self.found |= {name for name, bad in STATE_PROPERTIES.items() if bad(run.root)}
        if not run.enabled() and run.unfinished():
            self.found.add(DEADLOCK)
        return True


def compiled(system: System, scope: str) -> Iterator[tuple[Outcome, set[bytes]]]:
    """Explore with the Python and the C engine; yield outcomes and projections."""
    invariants, _ = predicates_of(system)
    for engine in (BreadthFirst, CBreadthFirst):
        projections: set[bytes] = set()

        def judge(projection: bytes, _: int, seen: set[bytes] = projections) -> list[str]:
            seen.add(projection)
            state = decode(system.build.layout, projection, SCOPES[scope].geometry)
            return [finding.prop for finding in factored(state)]

        yield engine(system, Watch(invariants, {}, judge), Limits()).run(), projections


def test_eight_scopes_are_among_those_of_spin() -> None:
    assert len(SMALL) >= 8
    assert set(SMALL) <= set(CASES)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("design", "scope"), SMALL)
def test_the_native_model_agrees(design: str, scope: str) -> None:
    system = Mount.of(Question(DESIGNS[design], SCOPES[scope])).system
    native = NativeSearch(system)
    verdicts = set(native.found)
    for projection in native.projections:
        state = decode(system.build.layout, projection, SCOPES[scope].geometry)
        verdicts |= {finding.prop for finding in factored(state)}
    assert verdicts or (design, scope) not in VIOLATED
    for outcome, projections in compiled(system, scope):
        assert (outcome.states, outcome.transitions) == (len(native.seen), native.transitions)
        assert projections == native.projections
        assert outcome.found.keys() == verdicts
