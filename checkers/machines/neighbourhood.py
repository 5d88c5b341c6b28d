"""Everything that a live run can do next, explored in the engine: to the end, or to a limit.

What: a breadth-first search from the state of a run, which looks for whatever the run's judge
would report: unknown violations in a state or in a crash image of it, deadlocks, livelocks.  What
it finds are schedules; the machine walks them, judged step by step, and reports.
Why so: one or two operations in a mount have a few ten thousand states, which the engine sees in
the time of a thousand random steps.  Hypothesis draws what is explored, and shrinks it.
Rejected: more random schedules (a deadlock that needs three switches at the right steps was not
among 45,000 of them, and is in the first few thousand states); the default scopes (those are
explored anyway, and were chosen by whoever wrote the model).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from powercut.checkers.engine.search.engines import PYTHON, best_engine
from powercut.checkers.engine.search.making import make_search
from powercut.checkers.engine.search.outcome import INTERRUPTED, Found, Limits, Watch
from powercut.checkers.engine.search.strategy import EXHAUSTIVE
from powercut.checkers.engine.system import Build, Predicate
from powercut.checkers.machines.judge import Judge, Key
from powercut.checkers.machines.live import LiveRun
from powercut.properties.crash import Finding

PYTHON_SHARE = 20
"""Where C cannot be compiled, the search ends after this part of the states."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What was explored from one state.

    ``found`` has a shortest schedule for each kind of violation, the shortest one first.
    ``cut`` leads to one of the crash situations, chosen at random.
    """

    states: int
    whole: bool
    reached: frozenset[str]
    found: tuple[Found, ...]
    cut: tuple[int, ...]


def name_of(finding: Finding, kind: str) -> str:
    """Return the name under which a crash finding is looked for."""
    return f"{finding.prop} {kind} {finding.inode}"


def key_of(name: str) -> Key:
    """Return the key of what was found under ``name``."""
    prop, _, rest = name.partition(" ")
    kind, _, inode = rest.partition(" ")
    return prop, kind, int(inode) if inode else None


@lru_cache(maxsize=32)
def _engine(build: Build) -> str:
    return best_engine([build])[0]


def explore(
    run: LiveRun,
    judge: Judge,
    situations: Mapping[str, Predicate],
    max_states: int,
    choose: Random,
) -> Neighbourhood:
    """Explore up to ``max_states`` states from where ``run`` stands, which does not move.

    ``situations`` are looked for by the way.  An interrupt is for the whole search, so it is
    raised again.
    """
    cuts: list[int] = []

    def crash(projection: bytes, number: int) -> list[str]:
        cuts.append(number)
        wrong = judge.after_crash(projection)
        return list(dict.fromkeys(name_of(f, kind) for f, kind in wrong))

    watch = Watch(judge.invariants(), dict(situations), crash, find_stuck=True)
    engine = _engine(run.system.build)
    limit = max_states // PYTHON_SHARE if engine == PYTHON else max_states
    search = make_search(
        EXHAUSTIVE, engine, run.system, watch, Limits(max_states=limit), [run.state]
    )
    outcome = search.run()
    if outcome.stopped == INTERRUPTED:
        raise KeyboardInterrupt
    cut = search.schedule_to(choose.choice(cuts))[1] if cuts else ()
    search.close()
    found = sorted(outcome.found.values(), key=lambda f: len(f.schedule))
    return Neighbourhood(
        outcome.states, outcome.exhaustive, frozenset(outcome.reached), tuple(found), cut
    )
