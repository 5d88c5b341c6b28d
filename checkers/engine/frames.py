"""Where a thread stands and what it keeps there: all that a translated program says of its threads.

Nothing here refers to the graph a frame was planned from, so it can be kept on disk and loaded
without building the graph again (``kept``).
"""

from dataclasses import dataclass

_DIGITS = 255
MOST_POINTS = _DIGITS * 256
"""Preemption points that a program counter can tell apart."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program point stands in the source."""

    function: str
    file: str
    line: int
    label: str
    callers: tuple[str, ...]


@dataclass(slots=True)
class Frames:
    """The frame of one ``kind`` of thread: ``size`` bytes, program counter first.

    ``places`` has every preemption point by its number, ``live`` the locals whose values count
    there, ``slots`` which byte behind the counter a local is saved in.  Point ``n`` is written with
    digits from 1 to 255, the lowest first, so that the first byte of a counter is 0 only for a
    thread that has finished, however many bytes there are.
    """

    kind: str
    places: dict[int, Place]
    live: dict[int, frozenset[str]]
    slots: dict[str, int]

    @property
    def counter_size(self) -> int:
        """Bytes of the program counter."""
        return 1 if len(self.places) <= _DIGITS else 2

    @property
    def size(self) -> int:
        """Bytes of the frame."""
        return self.counter_size + (1 + max(self.slots.values()) if self.slots else 0)

    def offset(self, name: str) -> int:
        """Return where in the frame the local ``name`` is saved."""
        return self.counter_size + self.slots[name]

    def counter(self, point: int) -> bytes:
        """Return the program counter of a thread parked at ``point``; 0 is finished."""
        if point == 0:
            return bytes(self.counter_size)
        high, low = divmod(point - 1, _DIGITS)
        return bytes((low + 1, high)[: self.counter_size])

    def point(self, state: bytes, frame: int) -> int:
        """Return the point where the thread whose frame starts at ``frame`` is parked."""
        return state[frame] + (_DIGITS * state[frame + 1] if self.counter_size == 2 else 0)
