"""What the page of a trace shows, as plain records: the JSON inside the page.

Why so: the page's script draws and never judges.  Every image was recovered and judged by the
model before the page was written, and the script only looks a choice up.
Rejected: recovery in the script (a second recovery that no test compares with the model's).

States repeat, so a point of a mount has indexes into pools: ``states``, ``crashes``, ``sources``.
"""

from msgspec import Struct


class Wrong(Struct, frozen=True):
    """A property that a recovered file breaks; ``cell`` is -1 where ``text`` says it all."""

    prop: str
    inode: int
    cell: int
    text: str
    advisory: bool


class RecoveredInode(Struct, frozen=True):
    """A file after recovery: its size and a colour a cell, ``None`` for what cannot be read."""

    size_cells: int
    deleted: bool
    cells: list[str | None]


class Outcome(Struct, frozen=True):
    """Images that recover to the same files: how many, the files, and what is wrong with them."""

    images: int
    files: list[RecoveredInode]
    wrong: list[Wrong]


class FreeCell(Struct, frozen=True):
    """A physical cell in which a power cut can leave several colours that a reader can tell."""

    block: int
    cell: int
    colours: list[str]


class Crash(Struct, frozen=True):
    """What a power cut can leave at a point.

    ``choice`` has the outcome of every combination of ``free`` cells, the last cell counting
    fastest; it is empty where there are too many to judge (``judged`` says how many were).
    """

    journal: list[str]
    free: list[FreeCell]
    outcomes: list[Outcome]
    choice: list[int]
    images: int
    judged: int


class Row(Struct, frozen=True):
    """One line of the state pane; ``key`` tells it from the others of its part."""

    key: str
    text: str
    cells: list[str]


class Part(Struct, frozen=True):
    """One part of the state: page cache, extents, journal, device, locks."""

    name: str
    rows: list[Row]


class Standing(Struct, frozen=True):
    """A thread at a point: ``run``, ``wait`` or ``done``, where it stands, what it holds."""

    status: str
    place: str
    holds: list[str]


class Point(Struct, frozen=True):
    """The state between two steps; ``state`` and ``crash`` are indexes into the pools."""

    state: int
    crash: int
    threads: list[Standing]


class Step(Struct, frozen=True):
    """A step; ``role`` is ``carrying``, ``needed``, ``idle`` or nothing where nobody asked."""

    thread: int
    function: str
    call: str
    changes: list[str]
    role: str
    source: int


class Bio(Struct, frozen=True):
    """A bio on its way: the steps (from 1) that submitted and that completed it, 0 for never."""

    submitted: int
    completed: int
    text: str


class Source(Struct, frozen=True):
    """Lines of the model around a step; ``line`` is the step's, ``first`` that of the excerpt."""

    file: str
    line: int
    first: int
    lines: list[str]


class MountPage(Struct, frozen=True):
    """One mount: its threads and calls, a point before every step and one at the end."""

    threads: list[str]
    calls: list[str]
    start: list[RecoveredInode]
    steps: list[Step]
    points: list[Point]
    bios: list[Bio]
    cut: list[str] | None
    left: Outcome | None
    waiting: list[str]


class TracePage(Struct, frozen=True):
    """Everything that the page of a trace shows."""

    title: str
    verdict: str
    prop: str
    statement: str
    summary: str
    about: list[tuple[str, str]]
    cells_per_block: int
    colours: dict[str, str]
    prevented: list[tuple[int, str]]
    mounts: list[MountPage]
    states: list[list[Part]]
    crashes: list[Crash]
    sources: list[Source]
