"""A walk through the mounts of a scope: step, go back, cut the power, choose survivors, go on.

Why so: all of it is plain calls and plain data, so that a line-based shell, a script and any richer
interface drive the same thing.  Steps are taken by the compiled system (going back is keeping a
list); where a thread waits, and for what, is asked of the native model, which knows the operands.
Rejected: native runs for the walk itself (a generator cannot be copied, so going back means
starting over).
"""

from collections.abc import Sequence

from powercut.checkers.crash.evidence import describe_finding
from powercut.checkers.crash.image import make_disk
from powercut.checkers.crash.survivors import newest, oldest
from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.run.mount import Epoch, Mount, predicates_of
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import HOLDS, VIOLATED
from powercut.checkers.run.standing import is_service, locks_of
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces.describe import describe_changes, values_of
from powercut.checkers.traces.format import COLOURS, Origin, Trace, TraceEpoch, disk_of
from powercut.errors import InputError
from powercut.explore.views import CrashCell, ThreadRow, Verdict
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK
from powercut.model.recovery import Disk, mkfs, read_file, recover
from powercut.properties.catalog import PROPERTIES
from powercut.properties.crash import on_image
from powercut.properties.crash_state import CrashState


class CommandError(InputError):
    """What was asked for cannot be done here; the message says why, and what can."""


class Session:
    """One walk; ``at`` is how many steps of the current mount are behind us.

    ``known`` are the states of the current mount, as far as they were visited; ``image`` is the
    chosen crash image at the current point, if one was chosen.  ``guide`` is the trace that
    :meth:`next` follows.
    """

    def __init__(self, question: Question, guide: Trace | None = None) -> None:
        self.question = question
        self.scope = question.scope
        self.guide = guide
        self.past: list[Epoch] = []
        self._open(mkfs(self.scope))

    def _open(self, start: Disk) -> None:
        self.here = Mount.of(self.question, len(self.past), start)
        self.known = [self.here.start]
        self.schedule: list[int] = []
        self.at = 0
        self.image: Disk | None = None
        self.failure = ""

    @property
    def state(self) -> bytes:
        """The state at the current point."""
        return self.known[self.at]

    @property
    def mount_number(self) -> int:
        """Which mount this is, from 1."""
        return len(self.past) + 1

    # Walking

    def thread_index(self, word: str) -> int:
        """Return the thread that ``word`` names, by name or by number."""
        names = [thread.name for thread in self.here.threads]
        if word in names:
            return names.index(word)
        if word.isascii() and word.isdigit() and int(word[:4]) < len(names) and len(word) < 4:
            return int(word)
        raise CommandError(f'there is no thread "{word}"; there are {", ".join(names)}')

    def step(self, thread: int) -> list[str]:
        """Let ``thread`` take a step; return what changed.  A known future is forgotten."""
        name = self.here.threads[thread].name
        if self.failure:
            raise CommandError("the model has failed here; go back")
        if self.here.system.is_finished(self.state, thread):
            raise CommandError(f"{name} has finished; {self._can_run()}")
        if not self.here.is_enabled(self.state, thread):
            raise CommandError(f"{name} has to wait; {self._can_run()}")
        del self.known[self.at + 1 :], self.schedule[self.at :]
        self.image = None
        before = self.values()
        try:
            new = self.here.step(self.state, thread)
        except STEP_ERRORS as error:
            self.failure = f"{name} fails: {type(error).__name__}: {error}"
            self.schedule.append(thread)
            return [self.failure]
        self.known.append(new)
        self.schedule.append(thread)
        self.at += 1
        return describe_changes(before, self.values())

    def _can_run(self) -> str:
        names = [self.here.threads[t].name for t in self.here.enabled(self.state)]
        return f"{', '.join(names)} can run" if names else "nobody can run"

    def goto(self, number: int) -> None:
        """Go to the point after step ``number`` of this mount, which must be known."""
        last = len(self.known) - 1
        if not 0 <= number <= last:
            raise CommandError(f"step {number} is not known; give 0..{last}")
        if number < last or self.failure:
            self._drop_failure()
        self.at = number
        self.image = None

    def _drop_failure(self) -> None:
        if self.failure:
            self.failure = ""
            self.schedule.pop()

    def back(self) -> None:
        """Take back what was done last: the choice of survivors, a step, or the mount."""
        if self.image is not None:
            self.image = None
        elif self.failure:
            self._drop_failure()
        elif self.at:
            self.at -= 1
        elif self.past:
            last = self.past.pop()
            self._open(last.start)
            for thread in last.schedule:
                self.step(thread)
            self.image = last.crash
        else:
            raise CommandError("this is the beginning")

    def next(self) -> tuple[str, list[str]]:
        """Do what the trace does next; return which thread (or event) and what changed."""
        if self.guide is None:
            raise CommandError("there is no trace to follow; start explore with one")
        epoch = self._guide_epoch(self.guide)
        if self.at < len(epoch.steps):
            name = epoch.steps[self.at].thread
            return name, self.step(self.thread_index(name))
        if epoch.crash is not None and self.image is None:
            self.cut(disk_of(epoch.crash, self.scope.geometry))
            return "power cut", []
        if self.image is not None and self.mount_number < len(self.guide.epochs):
            self.mount()
            return "mount", []
        raise CommandError("the trace ends here")

    def _guide_epoch(self, guide: Trace) -> TraceEpoch:
        """Return the trace's mount that matches this one, up to here."""
        if self.mount_number > len(guide.epochs):
            raise CommandError("the trace ends here")
        epoch = guide.epochs[self.mount_number - 1]
        geometry = self.scope.geometry
        taken = [self.here.threads[t].name for t in self.schedule[: self.at]]
        same_steps = taken == [step.thread for step in epoch.steps[: self.at]]
        start = self.here.next_disk(disk_of(epoch.start, geometry))
        if not same_steps or start != self.here.next_disk(self.here.disk):
            raise CommandError(
                "this is not the run of the trace any more; go back to where it left it"
            )
        return epoch

    def values(self) -> dict[str, int]:
        """Return every variable by name."""
        return values_of(self.here.system.build.layout, self.here.system.shared(self.state))

    def threads(self) -> list[ThreadRow]:
        """Return all threads: where they are, what they hold, whether they can run."""
        native = self._native()
        rows = []
        for index, info in enumerate(self.here.threads):
            place = self.here.place(self.state, index)
            finished = self.here.system.is_finished(self.state, index)
            enabled = self.here.is_enabled(self.state, index)
            function, call = ("", "") if finished else self._call(native, index)
            rows.append(
                ThreadRow(
                    index,
                    info.name,
                    "finished" if finished else "can run" if enabled else "waits",
                    function,
                    call,
                    place.file,
                    place.line,
                    tuple(locks_of(self.here, self.state, index)),
                    info.daemon,
                )
            )
        return rows

    def _native(self) -> NativeRun:
        native = self.here.native()
        for thread in self.schedule[: self.at]:
            native.step(thread)
        return native

    def _call(self, native: NativeRun, thread: int) -> tuple[str, str]:
        """Return the kernel function a thread is in and what it stands at there."""
        stack = native.stack(thread)
        place = self.here.place(self.state, thread)
        function = stack[-1][0]
        if len(stack) < 3 or not is_service(place.file, function):
            return function, place.label
        paths = native.operands(thread).values()
        operands = [path.removeprefix("inode[0].") for path in paths]
        locks = [o for o in operands if "folio[" in o or o.endswith(("sem", "lock"))]
        return stack[-2][0], f"{function}({', '.join(locks)})"

    # Crashing

    def crash_state(self) -> CrashState:
        """Return what a power cut at the current point can see."""
        return self.here.crash(self.state)

    def crash_cells(self) -> list[CrashCell]:
        """Return the physical cells that a power cut here can leave in more than one colour."""
        crash = self.crash_state()
        view = self.here.view(self.state)
        per_block = self.scope.geometry.cells_per_block
        owners = {
            pblk: block
            for inode in crash.inodes
            for block, (kind, pblk) in enumerate(inode.extents)
            if kind
        }
        cells = []
        for cell, may in enumerate(crash.may):
            if may.bit_count() > 1:
                block = owners.get(cell // per_block)
                offset = cell % per_block
                cells.append(
                    CrashCell(
                        cell // per_block,
                        offset,
                        None if block is None else block * per_block + offset,
                        tuple(names(may)),
                        tuple(names(view.device.cached[cell])),
                    )
                )
        return cells

    def survivors(self, rule: str) -> list[int]:
        """Return a colour for each physical cell: all cached writes survive (``new``) or none."""
        may = self.crash_state().may
        cached = self.here.cached(self.state)
        return newest(may, cached) if rule == "new" else oldest(may, cached)

    def cut_with(self, rule: str, kept: Sequence[tuple[str, int, int]] = ()) -> None:
        """Cut the power: ``rule`` for all cells, then ``kept`` (colour, block, cell) on top."""
        crash = self.crash_state()
        cells = self.survivors(rule)
        per_block = self.scope.geometry.cells_per_block
        for colour, block, offset in kept:
            if block >= self.scope.geometry.nr_phys or offset >= per_block:
                raise CommandError(f"there is no p{block}.{offset} on this disk")
            cell = block * per_block + offset
            mask = 1 << COLOURS.index(colour)
            if not crash.may[cell] & mask:
                possible = " or ".join(names(crash.may[cell]))
                raise CommandError(f"p{block}.{offset} cannot show {colour} here, only {possible}")
            cells[cell] = mask
        self.cut(make_disk(crash, cells))

    def cut(self, image: Disk) -> None:
        """Cut the power and leave ``image``, which must be possible here."""
        crash = self.crash_state()
        possible = all(c & may for c, may in zip(image.cells, crash.may, strict=True))
        if not possible or make_disk(crash, image.cells) != image:
            raise CommandError("a power cut here cannot leave this disk")
        self.image = image

    def mount(self) -> None:
        """Go on in the next mount, from the disk that the power cut left."""
        if self.image is None:
            raise CommandError('cut the power first: "crash new", "crash old" or "crash keep ..."')
        if self.mount_number == len(self.scope.mounts):
            count = len(self.scope.mounts)
            raise CommandError(f"the scope has {count} mount{'s' * (count > 1)}, this is the last")
        steps = tuple(self.schedule[: self.at])
        self.past.append(Epoch(self.here.disk, steps, self.image))
        self._open(self.here.next_disk(self.image))

    def recovered(self) -> Disk:
        """Return the chosen image after recovery."""
        if self.image is None:
            raise CommandError("no power cut chosen here")
        return recover(self.image, self.scope.geometry)

    def files(self) -> dict[tuple[int, tuple[int, ...]], Disk]:
        """Return the distinct files (size, colours) a power cut here can leave, with an image."""
        geometry = self.scope.geometry
        found: dict[tuple[int, tuple[int, ...]], Disk] = {}
        for image in self.here.images(self.state):
            disk = recover(image, geometry)
            found.setdefault((disk.inodes[0].size, read_file(disk, geometry, 0)), image)
        return found

    # Judging

    def verdicts(self) -> list[Verdict]:
        """Judge the current point: every property, on the live state and the chosen image."""
        predicates, _ = predicates_of(self.here.system)
        found: dict[str, list[str]] = {}
        if self.image is not None:
            for finding in on_image(self.crash_state(), self.image):
                found.setdefault(finding.prop, []).append(describe_finding(finding))
        rows = []
        for name, prop in PROPERTIES.items():
            violated, detail = False, ""
            if prop.kind == "crash":
                violated = name in found
                detail = "; ".join(found.get(name, [])) if self.image else "cut the power to see"
                known = self.image is not None
            elif name in predicates:
                known, violated = True, bool(predicates[name](self.state))
                detail = f"not so: {prop.statement}" if violated else ""
            else:
                known, violated, detail = self._engine_verdict(name)
            rows.append(Verdict(name, violated, known, detail, prop.advisory))
        return rows

    def _engine_verdict(self, name: str) -> tuple[bool, bool, str]:
        if name == ASSERTION:
            return True, bool(self.failure), self.failure
        if name == DEADLOCK:
            blocked = [self.here.threads[t].name for t in self.here.unfinished(self.state)]
            stuck = bool(blocked) and not self.here.enabled(self.state)
            return True, stuck, f"waiting for ever: {', '.join(blocked)}" if stuck else ""
        assert name == LIVELOCK
        return False, False, "only a search can tell"

    def violated(self) -> str:
        """Return the first property violated here that is not advisory, or an empty string."""
        return next((v.prop for v in self.verdicts() if v.violated and not v.advisory), "")

    def trace(self, prop: str = "") -> Trace:
        """Return the walk so far as a trace about ``prop`` (default: what is violated here)."""
        prop = prop or self.violated() or "stale-data"
        verdict = next((v for v in self.verdicts() if v.prop == prop), None)
        if verdict is None:
            raise CommandError(f'unknown property "{prop}"; known: {", ".join(PROPERTIES)}')
        if not verdict.known:
            raise CommandError(f"{prop} is not decided here: {verdict.detail}")
        steps = tuple(self.schedule[: self.at + bool(self.failure)])
        epochs = [*self.past, Epoch(self.here.disk, steps, self.image)]
        text = verdict.detail if verdict.violated else f"holds here: {PROPERTIES[prop].statement}"
        return make_trace(
            self.question,
            prop,
            epochs,
            text,
            VIOLATED if verdict.violated else HOLDS,
            may_fail=bool(self.failure),
            origin=Origin("explorer"),
        )


def names(mask: int) -> list[str]:
    """Return the names of the colours in a set."""
    return [name for n, name in enumerate(COLOURS) if mask >> n & 1]
