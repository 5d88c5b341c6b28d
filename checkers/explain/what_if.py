"""Run what a trace asks for as far as the model goes along: another schedule, design or workload.

Why so: a minimiser tries thousands of changed schedules, most of which do not fit, and a comparison
follows one design's schedule under another.  Both ask "and if these threads acted in this order?",
so a step that cannot be taken is left out instead of being an error.  Runs here are compiled and
prove nothing: what comes out is a trace like any other, and :mod:`~powercut.checkers.run.replay`
judges it. Rejected: replay with an option to skip (it is the judge, and must refuse).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from powercut.checkers.crash.evidence import describe_finding
from powercut.checkers.crash.image import make_disk
from powercut.checkers.crash.survivors import exceptions, newest, oldest
from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.run.mount import Epoch, Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import subject_of
from powercut.checkers.traces.format import Trace, disk_of
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK
from powercut.model.recovery import Disk, mkfs
from powercut.model.state import FIRST_OP_COLOUR, WRITTEN
from powercut.properties.catalog import PROPERTIES, Property
from powercut.properties.crash import Finding, factored, on_image
from powercut.properties.crash_state import CrashState

Kind = tuple[str, ...]
"""What a violation looks like, so that one is not taken for another: colour, sentence, waits."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A step to take: by this thread, and (where that matters) from this point of its path."""

    thread: str
    function: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """The steps of one mount and the colours the power cut should leave, if there is one."""

    wishes: tuple[Wish, ...]
    cells: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A run to try: of what, and every mount of it.

    With ``exact`` a step counts only from the point of its thread's path that the wish names.
    """

    question: Question
    mounts: tuple[EpochPlan, ...]
    exact: bool = False


@dataclass(slots=True)
class Course:
    """A run as it went.

    ``taken`` has, for each mount, the numbers of the wishes that came true.  ``kind`` is empty
    unless the run ends in a violation, which ``summary`` then says in one line.  ``states`` are
    those of each mount, the first one included; ``survivors`` counts the cells of all images that
    differ from the nearer of "nothing survives" and "everything survives", which ``ends`` names.
    """

    question: Question
    epochs: list[Epoch] = field(default_factory=list)
    taken: list[tuple[int, ...]] = field(default_factory=list)
    states: list[list[bytes]] = field(default_factory=list)
    kind: Kind = ()
    summary: str = ""
    survivors: int = 0
    ends: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every wish of every mount came true."""
        return all(t == tuple(range(len(t))) for t in self.taken)


def plan_of(trace: Trace) -> Plan:
    """Return what ``trace`` did as a plan.  Raises :class:`TraceError` for an unknown name."""
    question = subject_of(trace)
    mounts = []
    for epoch in trace.epochs:
        wishes = tuple(Wish(s.thread, s.function, s.label) for s in epoch.steps)
        crash = None if epoch.crash is None else disk_of(epoch.crash, question.scope.geometry)
        mounts.append(EpochPlan(wishes, None if crash is None else crash.cells))
    return Plan(question, tuple(mounts))


class Walker:
    """Runs plans about one property."""

    def __init__(self, prop: str) -> None:
        self.prop = PROPERTIES[prop]

    def walk(self, plan: Plan, *, wanted: Kind = (), any_image: bool = False) -> Course:
        """Run ``plan``; a step that cannot be taken is left out.

        With ``wanted`` the last mount ends as soon as there is a violation of this kind, and only
        that one counts; without, it is judged at its end, in the image that the plan asks for or,
        with ``any_image``, in all that a power cut there can leave.
        """
        course = Course(plan.question)
        start = mkfs(plan.question.scope)
        for n, mount in enumerate(plan.mounts):
            is_last = n + 1 == len(plan.mounts)
            run = _MountWalk(self.prop, Mount.of(plan.question, n, start))
            run.take(mount, plan.exact, wanted if is_last else ())
            if is_last and wanted in run.kinds():
                course.kind = wanted
            if is_last and any_image:
                course.kind = min(run.kinds(), default=())
            crash = run.cut(mount.cells, course, is_last)
            if is_last and not wanted and not any_image:
                course.kind = run.seen(crash)
            course.epochs.append(Epoch(start, tuple(run.schedule), crash))
            course.taken.append(tuple(run.taken))
            course.states.append(run.states)
            if crash is not None:
                start = run.mount.next_disk(crash)
        return course


class _MountWalk:
    """One mount of a walk."""

    def __init__(self, prop: Property, mount: Mount) -> None:
        self.prop = prop
        self.mount = mount
        self.states = [mount.start]
        self.schedule: list[int] = []
        self.taken: list[int] = []
        self.failure = ""
        self._judged: dict[bytes, list[Finding]] = {}

    def take(self, plan: EpochPlan, exact: bool, wanted: Kind) -> None:
        """Take what can be taken, up to a violation of the kind ``wanted``."""
        index = {info.name: t for t, info in enumerate(self.mount.threads)}
        for number, wish in enumerate(plan.wishes):
            if wanted and wanted in self.kinds():
                return
            thread = index.get(wish.thread)
            if thread is None or not self._fits(thread, wish, exact):
                continue
            self.schedule.append(thread)
            self.taken.append(number)
            try:
                self.states.append(self.mount.step(self.states[-1], thread))
            except STEP_ERRORS as error:
                self.failure = str(error) or type(error).__name__
                return

    def _fits(self, thread: int, wish: Wish, exact: bool) -> bool:
        state = self.states[-1]
        try:
            if not self.mount.is_enabled(state, thread):
                return False
        except STEP_ERRORS:
            return False
        if not exact:
            return True
        place = self.mount.place(state, thread)
        return (place.function, place.label) == (wish.function, wish.label)

    def _crash_state(self) -> CrashState:
        return self.mount.crash(self.states[-1])

    def findings(self) -> list[Finding]:
        """Return what a power cut here can show of the property."""
        projection = self.states[-1][self.mount.system.projected]
        if projection not in self._judged:
            found = [f for f in factored(self._crash_state()) if f.prop == self.prop.name]
            self._judged[projection] = found
        return self._judged[projection]

    def kinds(self) -> set[Kind]:
        """Return what is violated here: in some image if the property is about crashes."""
        if self.prop.kind == "crash":
            return set(map(kind_of, self.findings()))
        if self.prop.check is not None:
            bad = self.prop.check(self.mount.view(self.states[-1]))
            return {(self.prop.name,)} if bad else set()
        if self.prop.name == ASSERTION:
            return {(_without_numbers(self.failure),)} if self.failure else set()
        if self.prop.name == DEADLOCK:
            return self._stuck()
        assert self.prop.name == LIVELOCK
        again = self.states.index(self.states[-1]) < len(self.states) - 1
        return {(self.states[-1].hex(),)} if again else set()

    def seen(self, image: Disk | None) -> Kind:
        """Return what ``image`` (or the live state) shows, or nothing."""
        if image is None or self.prop.kind != "crash":
            return min(self.kinds(), default=())
        found = (f for f in on_image(self._crash_state(), image) if f.prop == self.prop.name)
        return min(map(kind_of, found), default=())

    def _stuck(self) -> set[Kind]:
        """Return where the programs that will never go on are parked."""
        state = self.states[-1]
        blocked = self.mount.unfinished(state)
        try:
            if not blocked or self.mount.enabled(state):
                return set()
        except STEP_ERRORS:
            return set()
        places = (self.mount.place(state, t) for t in blocked)
        return {tuple(sorted(f"{place.function}: {place.label}" for place in places))}

    def cut(self, cells: Sequence[int] | None, course: Course, is_last: bool) -> Disk | None:
        """Cut the power at the end of the mount, if the plan does; note what survives."""
        if cells is None:
            course.summary = self.failure
            return None
        crash = self._crash_state()
        cached = self.mount.cached(self.states[-1])
        image = _nearest(crash, cached, cells)
        if is_last and course.kind and self.prop.kind == "crash":
            image = self._evidence(crash, cached, course.kind)
            found = [f for f in on_image(crash, image) if f.prop == self.prop.name]
            course.summary = "; ".join(map(describe_finding, found))
        count, end = exceptions(image.cells, crash.may, cached)
        course.survivors += count
        course.ends.append(end)
        return image

    def _evidence(self, crash: CrashState, cached: Sequence[int], kind: Kind) -> Disk:
        """Return the image that shows the violation and is nearest to one of the two ends."""
        images = list(self._images(crash, cached, kind))
        return min(images, key=lambda image: exceptions(image.cells, crash.may, cached)[0])

    def _images(self, crash: CrashState, cached: Sequence[int], kind: Kind) -> Iterator[Disk]:
        per_block = crash.geometry.cells_per_block
        for cells in (oldest(crash.may, cached), newest(crash.may, cached)):
            image = make_disk(crash, cells)
            seen = (f for f in on_image(crash, image) if f.prop == self.prop.name)
            if any(kind_of(finding) == kind for finding in seen):
                yield image
                continue
            for finding in self.findings():
                if kind_of(finding) != kind or finding.cell < 0:
                    continue
                state, pblk = crash.inodes[finding.inode].extents[finding.cell // per_block]
                assert state == WRITTEN, "any other cell shows the same in every image"
                shown = list(cells)
                shown[pblk * per_block + finding.cell % per_block] = finding.colour
                yield make_disk(crash, shown)


def _nearest(crash: CrashState, cached: Sequence[int], cells: Sequence[int]) -> Disk:
    """Return the image that shows ``cells`` wherever that is possible here."""
    latest = newest(crash.may, cached)
    shown = [
        wanted if wanted & may else other
        for wanted, may, other in zip(cells, crash.may, latest, strict=True)
    ]
    return make_disk(crash, shown)


def kind_of(finding: Finding) -> Kind:
    """Return what a finding is about, whichever write and cell it is."""
    if finding.text:
        return ("text", _without_numbers(finding.text))
    return ("cell", str(min(finding.colour, FIRST_OP_COLOUR)))


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+", "#", text)
