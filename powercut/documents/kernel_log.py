"""The document of ``powercut kernel log``."""

from msgspec import Struct

from powercut.documents.document import Document, Seconds


class Fault(Struct, frozen=True, kw_only=True):
    """What the first violating state of its kind shows, and which state that is.

    The power is cut before entry ``before_entry`` of the log.  Of the ``unflushed`` writes those of
    the entries in ``survivors`` are there.
    """

    property: str
    file: str | None
    text: str
    before_entry: int
    unflushed: int
    survivors: list[int]


class KernelLogDocument(Document, frozen=True, kw_only=True, tag="powercut.kernel-log/1"):
    """What the crash states of a block log show, and how many of them were tried."""

    log: str
    stopped: str | None
    states: int
    drawn: int
    places: int
    sampled_places: int
    violating_states: int
    second_opinions: int
    judged_files: int | None
    seconds: Seconds
    faults: list[Fault]
