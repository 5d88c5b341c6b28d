"""The documents of the verbs below ``powercut trace``."""

from typing import Any

from msgspec import Struct

from powercut.checkers.explain.diff import Parted, StateDifference
from powercut.checkers.explain.minimise import Size
from powercut.checkers.traces.format import DiskImage, Origin, Trace
from powercut.documents.document import Document


class ShownWait(Struct, frozen=True, kw_only=True):
    """A wait that would have prevented the run: before ``step``, until the others had moved on."""

    step: int
    thread: str
    waits_for: list[str]


class ShownStep(Struct, frozen=True, kw_only=True):
    """A step; ``file`` and ``line`` are null if the model has no such point any more.

    What only a replay knows is null without one.  ``role`` is ``carrying``, ``needed`` or ``idle``.
    """

    number: int
    thread: str
    function: str
    file: str | None
    line: int | None
    label: str
    place: str | None
    locks: list[str] | None
    changes: list[str] | None
    role: str | None


class ShownMount(Struct, frozen=True, kw_only=True):
    """A mount: the disk it starts from, its steps, and the disk that the power cut left, if any."""

    start: DiskImage
    steps: list[ShownStep]
    crash: DiskImage | None
    journal: list[str] | None
    state: list[str] | None
    waiting: list[str] | None


class OfTrace(Document, frozen=True, kw_only=True):
    """What a trace is about; ``expected`` is the verdict that it records."""

    design: str
    mutant: str | None
    scope: str
    property: str
    expected: str
    summary: str


class ShowDocument(OfTrace, frozen=True, kw_only=True, tag="powercut.trace-show/1"):
    """A trace with what its replay saw."""

    trace: str
    origin: Origin
    detail: str | None
    error: str | None
    mounts: list[ShownMount]
    confirmed: bool | None
    waits: list[ShownWait]


class MinimiseDocument(OfTrace, frozen=True, kw_only=True, tag="powercut.trace-minimise/1"):
    """How far a counterexample could be made smaller."""

    trace: str
    output: str | None
    before: Size
    after: Size
    candidates: int
    survivors_from: list[str]
    workload: str
    stopped: str | None


class Side(Struct, frozen=True, kw_only=True):
    """One of the two traces that are compared."""

    trace: str
    design: str
    mutant: str | None
    scope: str
    property: str
    expected: str
    summary: str


class Both(Struct, frozen=True, kw_only=True):
    """What the two traces have where they differ."""

    first: str
    second: str


class MountEnd(Struct, frozen=True, kw_only=True):
    """How a mount ends in either trace, in words."""

    mount: int
    first: str
    second: str


class DiffDocument(Document, frozen=True, kw_only=True, tag="powercut.trace-diff/1"):
    """Where two traces part; what is the same in both is not in here."""

    first: Side
    second: Side
    subject: dict[str, Both]
    steps: list[Parted]
    states_compared: bool
    state: StateDifference | None
    outcomes: list[MountEnd]


class ConvertDocument(Document, frozen=True, kw_only=True, tag="powercut.trace-convert/1"):
    """What was converted; ``content`` is there if no file was written."""

    trace: str
    to: str
    version: str
    output: str | None
    content: str | None


class SchemaDocument(Document, frozen=True, kw_only=True, tag="powercut.trace-schema/1"):
    """The JSON Schema of trace files."""

    version: str
    json_schema: dict[str, Any]


def subject(trace: Trace) -> dict[str, Any]:
    """Return what a trace is about, as fields of a document."""
    return {
        "design": trace.design,
        "mutant": trace.mutant or None,
        "scope": trace.scope,
        "property": trace.property,
        "expected": trace.verdict,
        "summary": trace.summary,
    }
