"""The documents of ``powercut fuzz``: of a search, and with ``--mutant``."""

from msgspec import Struct

from powercut.documents.document import Document, Seconds


class KnownCount(Struct, frozen=True, kw_only=True):
    """How often a search met what a finding explains."""

    design: str
    property: str
    finding: str
    count: int


class FuzzFailure(Struct, frozen=True, kw_only=True):
    """Something new; ``blob`` is what Hypothesis reproduces the run from."""

    design: str
    property: str
    kind: str
    detail: str
    seed: int
    examples: int
    steps: int
    blob: str
    trace: str | None


class FuzzDocument(Document, frozen=True, kw_only=True, tag="powercut.fuzz/1"):
    """What a random search sampled and found."""

    profile: str
    seed: int
    batches: int
    examples: int
    steps: int
    states: int
    crash_situations: int
    remounts: int
    recovered_files: int
    seconds: Seconds
    stopped: str
    reached: dict[str, int]
    never_reached: list[str]
    known: list[KnownCount]
    failures: list[FuzzFailure]


class SearchedMutant(Struct, frozen=True, kw_only=True):
    """How one search for a mutant fared; ``good`` within the limits of examples and steps."""

    slug: str
    seed: int
    good: bool
    stopped: str
    examples: int
    property: str | None
    kind: str | None
    steps: int | None
    cpu_seconds: float


class FuzzMutantsDocument(Document, frozen=True, kw_only=True, tag="powercut.fuzz/1"):
    """Which planted mistakes random searches find, and with how many examples."""

    most_examples: int
    most_steps: int
    mutants: list[SearchedMutant]
