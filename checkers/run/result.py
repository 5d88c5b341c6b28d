"""What a run found, with the question and the bound: a frozen record, made when the run is over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from powercut.checkers.engine.search.coverage import Sample
from powercut.checkers.engine.search.engines import PYTHON
from powercut.checkers.run.mount import Epoch
from powercut.checkers.run.observation import Outcome
from powercut.checkers.run.question import Question
from powercut.properties.crash import Finding

HOLDS: Final = "holds"
VIOLATED: Final = "violated"
INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Violation:
    """A violated property with a shortest schedule (of its last mount) that leads there.

    ``finding`` is what the power cut at the end shows, for a property of crashes.
    """

    prop: str
    detail: str
    epochs: tuple[Epoch, ...]
    finding: Finding | None = None

    @property
    def steps(self) -> int:
        """Steps of all mounts together."""
        return sum(len(epoch.schedule) for epoch in self.epochs)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one run found, with its bound: counts add up over the mounts of the scope.

    ``violations`` are of the properties that decide, ``observations`` of the others.
    ``files`` are the distinct recovered files (size in cells, colours) over all crash images.
    ``engine_note`` is one line for the user when the engine is not the one to be expected.
    ``outcomes`` is what an observed run shows, each with a shortest way to it.
    ``sample`` is what a member of a swarm saw, over all mounts.
    ``omission_probability`` bounds how likely a hash-compact search has left a state out.
    """

    question: Question
    engine: str = PYTHON
    engine_note: str = ""
    states: int = 0
    transitions: int = 0
    crash_projections: int = 0
    crash_images: int = 0
    initial_states: int = 0
    seconds: float = 0.0
    omission_probability: float = 0.0
    stopped: str = ""
    reached: Mapping[str, bool] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    observations: tuple[Violation, ...] = ()
    files: frozenset[tuple[int, tuple[int, ...]]] = frozenset()
    outcomes: Mapping[Outcome, tuple[Epoch, ...]] = field(default_factory=dict)
    sample: Sample | None = None

    @property
    def design(self) -> str:
        """The name of the design."""
        return self.question.design.name

    @property
    def scope(self) -> str:
        """The name of the scope."""
        return self.question.scope.name

    @property
    def mutant(self) -> str:
        """The name of the mutant, empty without one."""
        return self.question.slug

    @property
    def properties(self) -> tuple[str, ...]:
        """The properties that decide the verdict."""
        return self.question.decisive

    @property
    def recovered_files(self) -> int:
        """How many distinct files recovery gives."""
        return len(self.files)

    @property
    def exhaustive(self) -> bool:
        """Whether every state of every mount was seen."""
        return not self.stopped

    @property
    def is_compact_to_the_end(self) -> bool:
        """Whether a hash-compact search came to its end."""
        reservation = self.question.strategy.reservation(self.omission_probability)
        return bool(reservation) and self.stopped == reservation

    @property
    def verdict(self) -> str:
        """``violated``, ``inconclusive`` (cut short) or ``holds`` (within this scope)."""
        if self.violations:
            return VIOLATED
        return HOLDS if self.exhaustive else INCONCLUSIVE

    def verdict_of(self, prop: str) -> str:
        """Return the verdict of one property."""
        if any(v.prop == prop for v in (*self.violations, *self.observations)):
            return VIOLATED
        return HOLDS if self.exhaustive else INCONCLUSIVE
