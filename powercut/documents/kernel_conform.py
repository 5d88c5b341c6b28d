"""The document of ``powercut kernel conform``."""

from msgspec import Struct

from powercut.documents.document import Document, Seconds


class OutsideOutcome(Struct, frozen=True, kw_only=True):
    """An outcome that a kernel showed and the model does not have, and where it was seen first.

    ``before_entry`` is the first entry of the log that had not ended, or null for what a read
    showed without a power cut; ``survivors`` are the unflushed writes that survived.
    """

    outcome: str
    round: int
    before_entry: int | None
    survivors: list[int]
    saved: list[str]


class ConformedFile(Struct, frozen=True, kw_only=True):
    """One litmus test: outcomes in the model's exact set, how many of them were seen, the rest.

    ``skipped`` says why a kernel cannot be asked.
    """

    file: str
    name: str
    allowed: int
    seen: int
    looks: int
    outside: list[OutsideOutcome]
    skipped: str | None


class KernelConformDocument(Document, frozen=True, kw_only=True, tag="powercut.kernel-conform/1"):
    """What litmus tests showed on a kernel, beside the exact sets of a design.

    ``states`` are distinct crash states of disks, ``sampled_places`` places of a log whose subsets
    of unflushed writes were a sample.
    """

    kernel: str
    accelerator: str
    design: str
    seed: int
    rounds: int
    boots: int
    states: int
    sampled_places: int
    guest_seconds: Seconds
    judge_seconds: Seconds
    asked: int
    seen: int
    allowed: int
    files: list[ConformedFile]
    notes: list[str]
