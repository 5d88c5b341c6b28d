"""The document of ``powercut replay``."""

from msgspec import Struct

from powercut.documents.document import Document


class ReplayedTrace(Struct, frozen=True, kw_only=True):
    """A trace: what it says, and what the native model showed.  What is not known is null."""

    trace: str
    reproduced: bool
    design: str | None
    mutant: str | None
    scope: str | None
    property: str | None
    verdict: str | None
    summary: str | None
    steps: int | None
    expected: str | None
    detail: str | None
    error: str | None


class ReplayDocument(Document, frozen=True, kw_only=True, tag="powercut.replay/1"):
    """Whether each trace kept its verdict."""

    stopped: str | None
    traces: list[ReplayedTrace]
