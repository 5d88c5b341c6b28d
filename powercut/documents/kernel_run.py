"""The document of ``powercut kernel run``."""

from msgspec import Struct

from powercut.documents.document import Document, Seconds


class HelpedRounds(Struct, frozen=True, kw_only=True):
    """Rounds with the same help, and how many of them violate."""

    help: str
    rounds: int
    violating: int


class KernelFault(Struct, frozen=True, kw_only=True):
    """What some rounds violate; ``text`` and ``file`` are of the first state that shows it."""

    property: str
    violating_rounds: int
    file: str
    text: str
    before_entry: int
    unflushed: int
    survivors: list[int]
    by_help: list[HelpedRounds]


class KernelTrial(Struct, frozen=True, kw_only=True):
    """One program in rounds: what ran, how many crash states were judged, what they violate.

    ``second_opinions`` are states that e2fsck and debugfs recovered too, ``mounted`` those that the
    kernel itself mounted; all agreed.  ``followed_rounds`` are those that reached every hold of the
    schedule, or null for a trial that was not steered.
    """

    program: str
    rounds: int
    followed_rounds: int | None
    failed_calls: int
    states: int
    drawn: int
    sampled_places: int
    violating_states: int
    second_opinions: int
    mounted: int
    stopped: str | None
    guest_seconds: Seconds
    judge_seconds: Seconds
    faults: list[KernelFault]


class KernelRunDocument(Document, frozen=True, kw_only=True, tag="powercut.kernel-run/1"):
    """What a situation showed on a kernel, and what its control showed."""

    subject: str
    kernel: str
    accelerator: str
    mount_options: list[str]
    seed: int
    schedule: list[str]
    trial: KernelTrial | None
    control: KernelTrial | None
    note: str | None
    saved: list[str]
