"""What a replay shows of a run: plain data, made by the replay and drawn by the ladder.

Why so: the ladder, the explorer and JSON output all show the same steps, and none of them should
know how a run is executed.
Rejected: handing out state vectors (every reader would need the layout).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A saved step and where its point stands in this model's source.

    ``file`` and ``line`` are ``None`` if no thread of this kind has such a point any more.
    """

    thread: str
    function: str
    file: str | None
    line: int | None
    label: str


@dataclass(frozen=True, slots=True)
class StepView:
    """One step as it was taken.

    ``function`` is the kernel function the thread was in and ``call`` what it stood at there (a
    lock with its operand, or the label of the point); ``place`` is both.  ``file`` and ``line`` are
    those of the point, in the model that was replayed.  ``locks`` are held after the step,
    ``changes`` are in kernel words.
    """

    thread: str
    place: str
    function: str
    call: str
    file: str
    line: int
    locks: list[str]
    changes: list[str]


@dataclass(frozen=True, slots=True)
class WrongCell:
    """What recovery shows that it should not; ``cell`` is -1 where ``text`` says it all."""

    inode: int
    cell: int
    colour: int
    text: str


@dataclass(frozen=True, slots=True)
class EpochReplay:
    """One mount as it was replayed.

    ``possible`` has, for each physical cell, the colours a power cut may leave at the end;
    ``journal`` says what the cut finds of each transaction, ``state`` the live state at the end,
    ``waiting`` who waits there and for what.  ``wrong`` is set where the property is violated.
    """

    steps: list[StepView]
    possible: list[list[str]] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    wrong: list[WrongCell] = field(default_factory=list)
