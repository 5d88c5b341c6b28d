"""Search a closed protocol: every order of its steps, the power cut after each of them.

What survives a power cut is judged once for each different content, as it is for the file system's
runs.  Only an exhaustive, breadth-first search is offered: traces are shortest, and a protocol that
fits a page seldom fills the memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.search.engines import (
    AUTO,
    PYTHON,
    SMALL_STATES,
    best_engine,
    needs_compiling,
)
from powercut.checkers.engine.search.making import make_search
from powercut.checkers.engine.search.outcome import Limits, Outcome, Watch, is_state_limit
from powercut.checkers.engine.search.protocol import Search
from powercut.checkers.engine.search.strategy import EXHAUSTIVE
from powercut.checkers.protocol.closed import CheckFailed, Closed, said
from powercut.checkers.protocol.replay import Shown, replay

HOLDS = "holds"
VIOLATED = "violated"
INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class ProtocolResult:
    """What one search found, with its bound; ``violations`` by property, each replayed natively.

    ``engine_note`` is one line for the user when the engine is not the one to be expected.
    """

    closed: Closed
    engine: str
    engine_note: str
    outcome: Outcome
    violations: Mapping[str, Shown]

    @property
    def verdict(self) -> str:
        """``violated``, ``inconclusive`` (cut short) or ``holds`` (for these sizes)."""
        if self.violations:
            return VIOLATED
        return HOLDS if self.outcome.exhaustive else INCONCLUSIVE

    def verdict_of(self, prop: str) -> str:
        """Return the verdict of one property."""
        if prop in self.violations:
            return VIOLATED
        return HOLDS if self.outcome.exhaustive else INCONCLUSIVE


def run_protocol(
    closed: Closed, engine: str = AUTO, limits: Limits | None = None
) -> ProtocolResult:
    """Search ``closed`` as far as ``limits`` go and replay what was found.

    The engine ``"c"`` raises :class:`NoCompiler` or :class:`CannotCompile` where ``"auto"`` would
    take Python.  Raises :class:`InternalError` if the native run does not show a violation.
    """
    limits = limits or Limits()
    if engine != AUTO:
        return _searched(closed, engine, limits)
    if needs_compiling([closed.build]):
        few = replace(limits, max_states=min(limits.max_states, SMALL_STATES))
        result = _searched(closed, PYTHON, few)
        if few == limits or not is_state_limit(result.outcome.stopped):
            return result
    best, note = best_engine([closed.build])
    return _searched(closed, best, limits, note)


def _searched(closed: Closed, engine: str, limits: Limits, note: str = "") -> ProtocolResult:
    watch = Watch(
        invariants=closed.invariants,
        situations=closed.situations,
        on_projection=(lambda left, _: closed.violated_after(left)) if closed.is_cut else None,
        find_stuck=True,
    )
    search = make_search(EXHAUSTIVE, engine, closed.system, watch, limits, [closed.system.initial])
    try:
        outcome = _outcome(search)
        names = [name for name in closed.properties if name in outcome.found]
        shown = {name: replay(closed, outcome.found[name]) for name in names}
    finally:
        search.close()
    return ProtocolResult(closed, engine, note, outcome, shown)


def _outcome(search: Search) -> Outcome:
    """Run ``search``; what a step raises is found as an assertion, so what is raised here is not.

    Raises :class:`CheckFailed`.
    """
    try:
        return search.run()
    except STEP_ERRORS as error:
        raise CheckFailed(f"a property or situation fails: {said(error)}") from None
