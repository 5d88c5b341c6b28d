"""The documents of ``powercut prove``: of a design, and with ``--wrong``."""

from msgspec import Struct

from powercut.documents.document import Document


class Decided(Struct, frozen=True, kw_only=True):
    """An obligation and what became of it; ``seconds`` are those of the solver."""

    name: str
    statement: str
    kind: str
    result: str
    seconds: float
    solver: str
    reason: str | None
    trace: str | None


class ProveDocument(Document, frozen=True, kw_only=True, tag="powercut.prove/1"):
    """The obligations of a design; the verdict does not rest on the findings."""

    design: str
    mounts: str
    assumptions: list[str]
    obligations: list[Decided]
    findings: list[Decided]


class ProveWrongDocument(Document, frozen=True, kw_only=True, tag="powercut.prove/1"):
    """Wrong designs, each refuted or not."""

    wrong_designs: bool
    assumptions: list[str]
    obligations: list[Decided]
