"""The document of ``powercut litmus``."""

from msgspec import Struct

from powercut.documents.document import Document, Seconds


class LitmusRun(Struct, frozen=True, kw_only=True):
    """A design in a litmus test: outcomes that it showed, those it should have, those too many.

    ``violates`` are properties that the run violates; ``violated`` and ``holding`` are those that
    the file has otherwise.
    """

    design: str
    verdict: str
    exhaustive: bool
    stopped: str | None
    states: int
    seconds: Seconds
    outcomes: list[str]
    missing: list[str]
    extra: list[str]
    violates: list[str]
    violated: list[str]
    holding: list[str]


class LitmusFile(Struct, frozen=True, kw_only=True):
    """A litmus file, or why it could not be used."""

    file: str
    name: str | None
    source: str | None
    error: str | None
    failures: list[str]
    updated: bool
    runs: list[LitmusRun]


class LitmusDocument(Document, frozen=True, kw_only=True, tag="powercut.litmus/1"):
    """Whether each design shows exactly the outcomes that it may show."""

    files: list[LitmusFile]
