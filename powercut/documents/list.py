"""The document of ``powercut list``."""

from msgspec import Struct, structs

from powercut.documents.document import Document
from powercut.properties.findings.loader import (
    Basis,
    Differs,
    Example,
    Finding,
    Known,
    Observed,
    Reached,
    Seen,
)


class ListedDesign(Struct, frozen=True, kw_only=True):
    """A design; ``default`` if ``check`` runs it without being asked."""

    name: str
    summary: str
    default: bool


class ListedMount(Struct, frozen=True, kw_only=True):
    """What runs in a mount: operations as a workload has them, a list a task."""

    tasks: list[list[str]]
    flusher_passes: int


class ListedScope(Struct, frozen=True, kw_only=True):
    """A scope and its bounds, as numbers and in a line."""

    name: str
    summary: str
    bounds: str
    blocks: int
    cells_per_block: int
    blocks_per_folio: int
    physical_blocks: int
    initial_size_cells: int
    timer: str
    max_errors: int
    data_err_abort: bool
    log_transactions: int
    mounts: list[ListedMount]


class ListedMutant(Struct, frozen=True, kw_only=True):
    """A mutant, and where which property catches it."""

    slug: str
    summary: str
    source: str
    caught_by: str
    scope: str
    design: str


class ListedProperty(Struct, frozen=True, kw_only=True):
    """A property; it ``needs`` one of these situations for its verdict to mean anything."""

    name: str
    statement: str
    kind: str
    advisory: bool
    needs: list[str]


class ListedSituation(Struct, frozen=True, kw_only=True):
    """A situation."""

    name: str
    summary: str


class ListedFinding(Struct, frozen=True, kw_only=True):
    """A finding, as its file has it, with what follows from that."""

    name: str
    title: str
    statement: str
    basis: Basis
    kernel: tuple[str, ...]
    known: tuple[Known, ...]
    reached: tuple[Reached, ...]
    observed: tuple[Observed, ...]
    example: tuple[Example, ...]
    differs: tuple[Differs, ...]
    seen: tuple[Seen, ...]
    litmus: tuple[str, ...]
    kernel_program: str
    designs: tuple[str, ...]
    status: str


class ListedPath(Struct, frozen=True, kw_only=True):
    """A generator function of the model."""

    function: str
    file: str
    line: int
    summary: str


class ListDocument(Document, frozen=True, kw_only=True, tag="powercut.list/1"):
    """What there is to choose from."""

    designs: list[ListedDesign]
    scopes: list[ListedScope]
    mutants: list[ListedMutant]
    properties: list[ListedProperty]
    situations: list[ListedSituation]
    findings: list[ListedFinding]
    paths: list[ListedPath]


def listed(finding: Finding) -> ListedFinding:
    """Return a finding as it is listed."""
    return ListedFinding(**structs.asdict(finding), designs=finding.designs, status=finding.status)
