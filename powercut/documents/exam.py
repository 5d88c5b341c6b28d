"""The documents of ``powercut exam``: of mutants, and of generated mistakes."""

from msgspec import Struct

from powercut.documents.document import Document, Seconds


class ExaminedMutant(Struct, frozen=True, kw_only=True):
    """How a mutant fared: ``by`` has the properties that it breaks, ``expected`` should be one."""

    slug: str
    caught: bool
    by: list[str]
    expected: str
    design: str
    scope: str
    states: int
    steps: int | None
    seconds: Seconds
    exhaustive: bool
    bound: str
    failure: str | None
    trace: str | None


class ExamDocument(Document, frozen=True, kw_only=True, tag="powercut.exam/1"):
    """Which property catches which planted mistake."""

    mutants: list[ExaminedMutant]


class Score(Struct, frozen=True, kw_only=True):
    """Generated mistakes of one file, kind, or both; ``score`` is in percent."""

    name: str
    made: int
    mistakes: int
    caught: int
    score: float
    equivalent: int
    not_executed: int
    not_translated: int


class Survivor(Struct, frozen=True, kw_only=True):
    """A mistake that nobody noticed, in ``runs`` runs of ``states`` states.

    ``missing`` says what would be needed, ``hidden`` which properties were violated anyway, ``cut``
    which runs a limit ended.
    """

    name: str
    kind: str
    file: str
    missing: str
    reason: str | None
    runs: int
    states: int
    hidden: list[str]
    cut: list[str]
    patch: str


class NotTranslated(Struct, frozen=True, kw_only=True):
    """A mistake that is outside the model's language."""

    name: str
    why: str


class ExamGeneratedDocument(Document, frozen=True, kw_only=True, tag="powercut.exam-generated/1"):
    """Who notices mistakes that are made by rule; ``chosen`` is how many were to be judged.

    Runs of more than ``max_states`` states were not asked (``null``: all were).
    """

    designs: list[str]
    asked_first: list[str]
    chosen: int
    max_states: int | None
    total: Score
    files: list[Score]
    kinds: list[Score]
    pairs: list[Score]
    survivors: list[Survivor]
    not_translated: list[NotTranslated]
