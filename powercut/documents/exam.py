"""The document of ``powercut exam``."""

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
