"""What is asked of a run: one value, from the command line to the search and into every result.

Why so: a verdict means nothing without what it was asked of, so the question travels whole, and an
option is a field here and a flag of the command, nothing in between.
Rejected: the same parameters on every function in between (each new one changed six files).
"""

from dataclasses import dataclass, field

from powercut.checkers.engine.search.engines import AUTO, ENGINES
from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.engine.search.strategy import EXHAUSTIVE, Strategy
from powercut.checkers.run.observation import Observation
from powercut.checkers.weave.patch import ModelPatch
from powercut.model.designs import Design
from powercut.model.language import Variants
from powercut.model.mutants import Mutant
from powercut.model.scope import Scope
from powercut.properties.catalog import PROPERTIES


@dataclass(frozen=True, slots=True)
class Question:
    """Does ``design`` (with ``mutant``) hold in ``scope``, as far as ``strategy`` and limits go?

    ``patches`` are the user's own changes of the model, applied in order, the mutant after them.
    ``properties`` decide the verdict (none: all but the advisory ones); ``stop_at`` names one whose
    first violation ends the run, which is then not exhaustive; with ``known`` the first violation
    of any other property does.  ``variants`` are texts of the model beside which ``mutant`` chooses
    one by its number, instead of those that come with the model.  With ``splits`` what a crash
    shows wrong is told apart by file, cell and colour: each is a violation of its own, with a
    shortest schedule, so that a known one hides nothing beside it.  ``observation`` asks for
    outcomes too.  ``engine`` (one of ``ENGINES``) changes how long it takes and nothing else, so
    questions that differ in it are equal.  Raises :class:`ValueError` for an unknown engine.
    """

    design: Design
    scope: Scope
    mutant: Mutant | None = None
    properties: tuple[str, ...] = ()
    patches: tuple[ModelPatch, ...] = ()
    observation: Observation | None = None
    strategy: Strategy = EXHAUSTIVE
    limits: Limits = field(default_factory=Limits)
    stop_at: str = ""
    splits: bool = False
    known: frozenset[str] | None = None
    variants: Variants | None = None
    engine: str = field(default=AUTO, compare=False)

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            known = ", ".join(ENGINES)
            raise ValueError(f"unknown engine {self.engine!r}; known: {known}")

    @property
    def slug(self) -> str:
        """The mutant's name, empty without one."""
        return self.mutant.slug if self.mutant else ""

    @property
    def decisive(self) -> tuple[str, ...]:
        """The properties that decide the verdict."""
        return self.properties or tuple(n for n, p in PROPERTIES.items() if not p.advisory)

    @property
    def title(self) -> str:
        """What is asked, in a few words."""
        patched = " ".join(f"+{patch.name}" for patch in self.patches)
        words = (self.design.name, self.scope.name, self.slug, patched, self.strategy.title)
        return " ".join(word for word in words if word)

    def __str__(self) -> str:
        return self.title
