"""The document of ``powercut check --audit``."""

from msgspec import Struct

from powercut.documents.document import Document, Seconds, Verdict


class AuditDifference(Struct, frozen=True, kw_only=True):
    """What a search with the reduction found otherwise."""

    run: str
    difference: str


class AuditedReduction(Struct, frozen=True, kw_only=True):
    """A reduction over all runs; ``skipped`` says why it was not compared."""

    name: str
    leaves_out: str
    skipped: str | None
    verdict: Verdict | None
    runs: int
    cut_short: int
    states: int
    states_without: int
    differences: list[AuditDifference]


class AuditDocument(Document, frozen=True, kw_only=True, tag="powercut.audit/1"):
    """What each reduction of the search saves, and whether it changes what is found."""

    stopped: str | None
    seconds: Seconds
    reductions: list[AuditedReduction]
