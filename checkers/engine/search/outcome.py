"""What every explorer takes and gives: limits, watchers, and an outcome that states its bound."""

import resource
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from powercut.checkers.engine.search.coverage import Sample
from powercut.checkers.engine.system import Predicate

_STATM = Path("/proc/self/statm")

ProjectionCheck = Callable[[bytes, int], list[str]]
"""Called with a new projection and the number of the state; returns the properties violated."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop early; an exploration cut short by one of these is inconclusive."""

    max_states: int = 5_000_000
    max_memory_mib: int = 8_192
    time_limit_s: float = 3_600.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot of a running exploration."""

    states: int
    transitions: int
    frontier: int
    depth: int
    seconds: float

    @property
    def rate(self) -> float:
        """States per second so far."""
        return self.states / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Watch:
    """What to look at while exploring.

    ``invariants`` return 0 in a good state; ``situations`` are looked for until reached;
    ``on_projection`` sees every new value of the projected part, ``on_state`` every new state with
    its number (Python searches only); ``on_progress`` is called a few times a second.
    ``find_stuck`` also looks for states from which no run can finish.  The search ends when all of
    ``stop_when`` were found, or something that is not among ``known``.
    """

    invariants: dict[str, Predicate] = field(default_factory=dict)
    situations: dict[str, Predicate] = field(default_factory=dict)
    on_projection: ProjectionCheck | None = None
    on_state: Callable[[bytes, int], None] | None = None
    on_progress: Callable[[Progress], None] | None = None
    find_stuck: bool = False
    stop_when: frozenset[str] | None = None
    known: frozenset[str] | None = None

    def is_answered(self, found: Collection[str]) -> bool:
        """Tell whether a search that has found this has nothing more to say."""
        if self.stop_when is not None and self.stop_when <= set(found):
            return True
        return self.known is not None and not self.known >= set(found)


INTERRUPTED = "interrupted"
FIRST_VIOLATION = "stopped at the first violation"


def is_state_limit(stopped: str) -> bool:
    """Tell whether what ``Outcome.stopped`` says is the limit on states."""
    return stopped.startswith("limit of ")


def is_time_limit(stopped: str) -> bool:
    """Tell whether what ``Outcome.stopped`` says is the limit on time."""
    return stopped.startswith("time limit of ")


def time_limit_reached(seconds: float) -> str:
    """Return what ``Outcome.stopped`` says of a search that took ``seconds``, and no more."""
    return f"time limit of {seconds:g} s reached"


@dataclass(frozen=True, slots=True)
class Found:
    """A violated property: the schedule that leads to it (thread indexes), and what was seen."""

    name: str
    start: bytes
    schedule: tuple[int, ...]
    detail: str = ""


@dataclass(slots=True)
class Outcome:
    """The result of an exploration, with everything needed to say how far it reaches.

    ``stopped`` is empty when the frontier emptied; otherwise the reason it was cut short.
    ``omission_probability`` is 0 for exact searches; ``sample`` is what a member of a swarm saw.
    """

    states: int = 0
    transitions: int = 0
    projections: int = 0
    depth: int = 0
    seconds: float = 0.0
    stopped: str = ""
    omission_probability: float = 0.0
    reached: set[str] = field(default_factory=set)
    found: dict[str, Found] = field(default_factory=dict)
    sample: Sample | None = None

    @property
    def exhaustive(self) -> bool:
        """Whether every reachable state was seen, none left out by a limit."""
        return not self.stopped


def memory_mib() -> int:
    """Return the resident memory of this process in MiB: now on Linux, elsewhere the peak."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform != "darwin" else peak // (1024 * 1024)
    return pages * resource.getpagesize() // (1024 * 1024)


class Budget:
    """Watches the clock, the memory and the state count of one exploration."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def exceeded(self, states: int) -> str:
        """Return which limit is reached, in words, or an empty string."""
        if states >= self.limits.max_states:
            return f"limit of {self.limits.max_states} states reached"
        if self.seconds > self.limits.time_limit_s:
            return time_limit_reached(self.limits.time_limit_s)
        if memory_mib() > self.limits.max_memory_mib:
            return f"memory limit of {self.limits.max_memory_mib} MiB reached"
        return ""
