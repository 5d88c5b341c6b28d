"""Look at a live run: every property at every step, in every crash image, and at the end.

What: the property objects of :mod:`~powercut.properties.catalog` and the crash checks of
:mod:`~powercut.properties.crash`, applied to one run as it grows.  A finding has a *kind* beside
its property (whose data a stale cell shows, what is wrong with the structure), because a known
violation of a design excuses nothing but its own kind. Why so: all images of a projection are
judged at once and remembered by projection, so that an exhaustive crash check at every step costs
next to nothing. Rejected: one image a power cut (a million runs would miss what one look at the
sets shows).
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice

from powercut.checkers.crash.evidence import describe_finding, evidence_image
from powercut.checkers.crash.image import file_images
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import INTERRUPTED, Limits, Watch
from powercut.checkers.engine.system import Predicate
from powercut.checkers.machines.conditions import Watched
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.run.mount import predicates_of
from powercut.model.language import DEADLOCK, LIVELOCK
from powercut.model.recovery import Disk, cell_content, read_file, recover
from powercut.model.scope import Geometry
from powercut.model.state import FOREIGN, OLD, POLLUTION
from powercut.properties.catalog import PROPERTIES
from powercut.properties.crash import DURABILITY, STALE, STRUCTURE, ZEROS, Finding, factored
from powercut.properties.crash_state import CrashState
from powercut.properties.kinds import (
    ANY_KIND,
    BEHIND_SIZE,
    BITMAP,
    CONTENT,
    MISPLACED,
    OWN,
    OWNED_TWICE,
    PREVIOUS_OWNER,
    SIZE,
)

Key = tuple[str, str, int | None]
"""Property, kind and file."""

_CACHE_LIMIT = 200_000
_LIVELOCK_STATES = 30_000
_NOTED_IMAGES = 16


@dataclass(frozen=True, slots=True)
class Seen:
    """A violated property, its kind and a line about it.

    ``image`` is the crash image that shows it and ``inode`` the file it is about, if there is one.
    """

    prop: str
    kind: str
    detail: str
    image: Disk | None = None
    inode: int | None = None

    @property
    def key(self) -> Key:
        """What is muted once it is known."""
        return self.prop, self.kind, self.inode


class CrashCache:
    """The findings of every crash projection met so far, over all runs of a process."""

    def __init__(self) -> None:
        self._findings: dict[tuple[Geometry, bytes], tuple[Finding, ...]] = {}
        self._noted: set[tuple[Geometry, bytes]] = set()
        self.judged = 0
        self.files: set[tuple[int, tuple[int, ...]]] = set()

    def findings(self, run: LiveRun, projection: bytes) -> tuple[Finding, ...]:
        """Return what is wrong in some image that a power cut now can leave."""
        key = (run.setup.geometry, projection)
        found = self._findings.get(key)
        if found is None:
            if len(self._findings) >= _CACHE_LIMIT:
                self._findings.clear()
            state = run.mount.crash_of(projection)
            found = tuple(f for f in factored(state) if f.prop != ZEROS)
            self._findings[key] = found
            self.judged += 1
            self._note_files(state)
        return found

    def note(self, geometry: Geometry, projection: bytes, state: CrashState) -> None:
        """Count a projection that somebody else judges."""
        if (geometry, projection) in self._noted:
            return
        if len(self._noted) >= _CACHE_LIMIT:
            self._noted.clear()
        self._noted.add((geometry, projection))
        self.judged += 1
        self._note_files(state)

    def _note_files(self, state: CrashState) -> None:
        """Remember what recovered files look like, size and colours, for some of the images."""
        for image in islice(file_images(state), _NOTED_IMAGES):
            disk = recover(image, state.geometry)
            for i, inode in enumerate(disk.inodes):
                self.files.add((inode.size, read_file(disk, state.geometry, i)))


CRASHES = CrashCache()


class Judge:
    """Watches one run.  ``muted`` is what it no longer reports, until the run is rewound."""

    def __init__(self, run: LiveRun) -> None:
        self.run = run
        self.muted: set[Key] = set()
        self._projection = b""
        invariants, _ = predicates_of(run.system)
        self._invariants = list(invariants.items())

    def rewind(self) -> None:
        """The run is somewhere else: what was known there explains nothing here."""
        self.stand_at(frozenset())

    def stand_at(self, muted: AbstractSet[Key]) -> None:
        """The run is back where only ``muted`` was known."""
        self._projection = b""
        self.muted = set(muted)

    def look(self) -> Iterator[Seen]:
        """Yield what is wrong in the state of the run and in any crash image of it."""
        state = self.run.state
        for name, broken in self._invariants:
            if broken(state) and (name, ANY_KIND, None) not in self.muted:
                yield Seen(name, ANY_KIND, f"not so: {PROPERTIES[name].statement}")
        projection = state[self.run.system.projected]
        if projection != self._projection:
            self._projection = projection
            yield from self._crashes(projection)

    def _crashes(self, projection: bytes) -> Iterator[Seen]:
        for finding, kind in self.after_crash(projection):
            image = evidence_image(self.run.crash_state(), finding)
            yield Seen(finding.prop, kind, describe_finding(finding), image, finding.inode)

    def after_crash(self, projection: bytes) -> Iterator[tuple[Finding, str]]:
        """Yield what is wrong in some image of ``projection``, with its kind."""
        for finding in CRASHES.findings(self.run, projection):
            kind = kind_of(self.run, finding)
            if (finding.prop, kind, finding.inode) not in self.muted:
                yield finding, kind

    def invariants(self) -> dict[str, Predicate]:
        """Return the state properties that are still reported."""
        return {n: b for n, b in self._invariants if (n, ANY_KIND, None) not in self.muted}

    def stuck(self) -> Seen | None:
        """Return the deadlock, if nobody can run and some program has not finished."""
        run = self.run
        waiting = [run.threads[t].name for t in run.system.unfinished(run.state)]
        if not waiting or run.enabled():
            return None
        return Seen(DEADLOCK, ANY_KIND, f"nobody can run; waiting: {', '.join(waiting)}")

    def endless(self) -> Seen | None:
        """Return the livelock, if no continuation of the run comes to rest; extends the run.

        An exhaustive search from here decides; one that is cut short says nothing.
        """
        run = self.run
        watch = Watch(find_stuck=True, stop_when=frozenset({LIVELOCK}))
        search = BreadthFirst(run.system, watch, Limits(max_states=_LIVELOCK_STATES), [run.state])
        outcome = search.run()
        if outcome.stopped == INTERRUPTED:
            raise KeyboardInterrupt
        found = outcome.found.get(LIVELOCK)
        if found is None:
            return None
        for thread in found.schedule:
            run.step(thread)
        return Seen(LIVELOCK, ANY_KIND, "no continuation of this run comes to rest")


def kind_of(run: Watched, finding: Finding) -> str:
    """Return whose data a stale cell shows, what a sync promised, or what is wrong otherwise."""
    if finding.prop == STRUCTURE:
        if "behind size" in finding.text:
            return BEHIND_SIZE
        return OWNED_TWICE if "owned twice" in finding.text else BITMAP
    if finding.prop == DURABILITY:
        return SIZE if finding.text else CONTENT
    if finding.prop != STALE:
        return ANY_KIND
    if finding.colour == FOREIGN:
        return PREVIOUS_OWNER
    if finding.colour in (OLD, POLLUTION):
        there = cell_content(run.start_disk, run.setup.geometry, finding.inode, finding.cell)
        return OWN if there == finding.colour else MISPLACED
    return OWN if finding.colour & run.writers(finding.inode, finding.cell) else MISPLACED
