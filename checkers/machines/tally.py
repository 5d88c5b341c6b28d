"""What a search counted: steps, crashes, recovered files, situations, known violations."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts over all examples of a search.

    ``steps`` are steps of the model, each judged, those of shrinking included; ``states`` are those
    that searches explored, every crash situation of them judged; ``known`` counts by
    (design, property, finding).  ``projections`` are distinct crash situations, all images of each
    judged; ``files`` are recovered files (size, colours), noted for a few images of each.
    """

    examples: int = 0
    steps: int = 0
    states: int = 0
    mounts: int = 0
    power_cuts: int = 0
    projections: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    known: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    files: set[tuple[int, tuple[int, ...]]] = field(default_factory=set)
