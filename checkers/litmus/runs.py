"""Run a litmus test for a design and compare: exactly the allowed outcomes, no more and no fewer.

Why so: one outcome too many is a bug that appeared, one missing is a situation that the model no
longer reaches or a rule that became stricter than thought; both deserve a look.  A run cut short
has not seen everything: a missing outcome says nothing then, one too many counts all the same.
"""

from dataclasses import dataclass

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.litmus.format import Allowed, Litmus
from powercut.checkers.litmus.update import Shown
from powercut.checkers.run.observation import Outcome
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import INCONCLUSIVE, RunResult
from powercut.checkers.run.runner import OnProgress, run_scope
from powercut.model.designs import DESIGNS
from powercut.model.mutants import Mutant

EXACT = "exact"
DIFFERENT = "different"
NO_SET = 'no "allowed" set to compare with; `powercut litmus --update --design DESIGN` writes one'


@dataclass(frozen=True, slots=True)
class DesignRun:
    """A litmus test under one design: the run, and how it differs from what is allowed.

    ``missing`` are allowed outcomes that nothing shows, ``extra`` shown ones that are not allowed;
    ``holding`` properties should be violated and are not, ``violated`` the other way round.
    """

    litmus: Litmus
    design: str
    result: RunResult
    missing: tuple[Outcome, ...] = ()
    extra: tuple[Outcome, ...] = ()
    holding: tuple[str, ...] = ()
    violated: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """``exact``, ``different`` or ``inconclusive`` (cut short, with nothing too many)."""
        if self.extra or self.violated:
            return DIFFERENT
        if not self.result.exhaustive:
            return INCONCLUSIVE
        return DIFFERENT if self.missing or self.holding else EXACT

    @property
    def shown(self) -> Shown:
        """What the run showed, as a set that can be written down."""
        return shown_by(self.litmus, self.result)


def run_litmus(
    litmus: Litmus,
    design: str,
    mutant: Mutant | None = None,
    *,
    limits: Limits | None = None,
    on_progress: OnProgress | None = None,
) -> DesignRun:
    """Run ``litmus`` under the design called ``design`` and compare.

    Raises :class:`KeyError` for a design that does not exist.
    """
    question = Question(
        DESIGNS[design],
        litmus.scope,
        mutant,
        observation=litmus.observation,
        limits=limits or Limits(),
    )
    return judge(litmus, design, run_scope(question, on_progress))


def shown_by(litmus: Litmus, result: RunResult) -> Shown:
    """Return what ``result`` shows of what ``litmus`` looks at."""
    outcomes = frozenset(result.outcomes) if litmus.looks_at_outcomes else frozenset()
    names = tuple(sorted(v.prop for v in result.violations)) if litmus.judges_properties else ()
    return Shown(outcomes, names)


def judge(litmus: Litmus, design: str, result: RunResult) -> DesignRun:
    """Compare ``result`` with what ``litmus`` allows ``design`` (nothing, if it is not named)."""
    block = litmus.block_of(design) or Allowed((design,), (), (), 0, 0)
    shown = shown_by(litmus, result)
    allowed = block.outcomes()
    excess = shown.outcomes - allowed.keys()
    return DesignRun(
        litmus,
        design,
        result,
        missing=tuple(outcome for outcome in allowed if outcome not in shown.outcomes),
        extra=tuple(outcome for outcome in result.outcomes if outcome in excess),
        holding=tuple(name for name in block.violates if name not in shown.violates),
        violated=tuple(name for name in shown.violates if name not in block.violates),
    )
