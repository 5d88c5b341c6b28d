"""How a system is searched, as data: one small record a kind of search.

Why so: a strategy is part of what is asked, so it travels with the question, can be compared and
printed, and says itself what its search can and cannot claim.
Rejected: flags and seeds that every caller interprets anew.
"""

from dataclasses import dataclass
from typing import ClassVar


class Strategy:
    """What a search promises.

    ``is_exact``: every state is kept whole, and a search that came to its end saw all of them.
    ``state_limit_ends_run``: a search cut short by the limit on states ends the run of all mounts.
    """

    is_exact: ClassVar[bool] = False
    state_limit_ends_run: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """How this search differs from an exhaustive one, in one or two words; may be empty."""
        return ""

    def reservation(self, omission_probability: float) -> str:
        """Say what a search that came to its end leaves open; empty if it leaves nothing."""
        del omission_probability
        return ""


@dataclass(frozen=True, slots=True)
class Exhaustive(Strategy):
    """Every reachable state, breadth-first: traces are shortest."""

    is_exact: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Compact(Strategy):
    """Every reachable state, depth-first, with a digest of each only: for what fills the memory.

    Such a run never "holds": a state may have been left out, and livelocks are not looked for.
    """

    @property
    def title(self) -> str:
        return "compact"

    def reservation(self, omission_probability: float) -> str:
        return (
            f"hash-compact: all states seen, unless digests collided (probability at most "
            f"{omission_probability:.1e}); livelocks not looked for"
        )


@dataclass(frozen=True, slots=True)
class Swarm(Strategy):
    """One member of a swarm: depth-first in an order of chance, every mount up to its limit.

    ``seed`` counts from 1; :class:`ValueError` below that.
    """

    state_limit_ends_run: ClassVar[bool] = False

    seed: int

    def __post_init__(self) -> None:
        if self.seed < 1:
            raise ValueError(f"a seed is a number from 1 up, not {self.seed}")

    @property
    def title(self) -> str:
        return f"seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Walk(Strategy):
    """``runs`` random runs of at most ``max_steps`` steps: a sample, never exhaustive."""

    seed: int
    runs: int
    max_steps: int = 1_000

    @property
    def title(self) -> str:
        return f"{self.runs} random runs, seed {self.seed}"


EXHAUSTIVE = Exhaustive()
COMPACT = Compact()
