"""Answer one question: explore every mount, cut the power everywhere, judge every image.

A crash is not a transition of the search.  Every new projection of a state (what a power cut could
see) is checked once, for all images it stands for; the images that differ for the next mount become
the initial states of a second search, and so on for every mount of the scope.  Measured on a
prototype, crash transitions would add more edges than the whole search has.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from powercut.checkers.crash.evidence import describe_finding, evidence_image
from powercut.checkers.crash.image import count_images, file_images
from powercut.checkers.engine.search.engines import (
    AUTO,
    PYTHON,
    SMALL_STATES,
    best_engine,
    needs_compiling,
)
from powercut.checkers.engine.search.making import make_search
from powercut.checkers.engine.search.outcome import (
    INTERRUPTED,
    Found,
    Outcome,
    Progress,
    Watch,
    is_state_limit,
)
from powercut.checkers.run.mount import Epoch, Mount, build_asked, predicates_of
from powercut.checkers.run.observation import Outcome as Observed
from powercut.checkers.run.observation import outcome_of
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult, Violation
from powercut.model.recovery import Disk, mkfs, read_file, recover
from powercut.properties.catalog import SITUATIONS
from powercut.properties.crash import Finding, factored
from powercut.properties.crash_state import CrashState

OnProgress = Callable[[Progress], None]
Origins = dict[Disk, tuple[Epoch, ...]]
"""The disks a mount may start from, each with a shortest way to it."""


def run_scope(question: Question, on_progress: OnProgress | None = None) -> RunResult:
    """Explore what ``question`` asks for, unless limits or an interrupt cut it short.

    The engine ``"c"`` raises :class:`NoCompiler` or :class:`CannotCompile` where ``"auto"`` would
    take Python.  An observation that says that the power does not fail is explored in Python.
    """
    observed = question.observation
    if observed is not None and observed.points[-1].live:
        return _Run(question, PYTHON, on_progress).run()
    if question.engine != AUTO:
        return _Run(question, question.engine, on_progress).run()
    small: RunResult | None = None
    builds = [build_asked(question, n) for n in range(len(question.scope.mounts))]
    if question.strategy.is_exact and needs_compiling(builds):
        limits = question.limits
        few = replace(limits, max_states=min(limits.max_states, SMALL_STATES))
        small = _Run(replace(question, limits=few), PYTHON, on_progress).run()
        if few == limits or not small.stopped.endswith(f"limit of {SMALL_STATES} states reached"):
            return replace(small, question=question)
    try:
        engine, note = best_engine(builds)
    except KeyboardInterrupt:
        if small is None:
            raise
        return replace(small, question=question, stopped=INTERRUPTED)
    return replace(_Run(question, engine, on_progress).run(), engine_note=note)


class _Run:
    """The mounts of a run, one after the other, and what they add up to.

    ``total`` adds up what the searches say; the rest is what is seen beside them.
    """

    def __init__(self, question: Question, engine: str, on_progress: OnProgress | None) -> None:
        self.question = question
        self.engine = engine
        self.on_progress = on_progress
        self.total = Outcome()
        self.violations: dict[str, Violation] = {}
        self.initial_states = 0
        self.crash_images = 0
        self.files: set[tuple[int, tuple[int, ...]]] = set()
        self.outcomes: dict[Observed, tuple[Epoch, ...]] = {}

    def run(self) -> RunResult:
        """Explore every mount from what the one before may leave."""
        question = self.question
        origins: Origins = {mkfs(question.scope): ()}
        for number in range(len(question.scope.mounts)):
            mount = _MountRun(self, number, origins)
            outcome = mount.search.run()
            self._add(outcome, number)
            for found in outcome.found.values():
                self.violations.setdefault(found.name, mount.violation(found))
            mount.search.close()
            if outcome.stopped:
                self.total.stopped = f"mount {number + 1}: {outcome.stopped}"
                if question.strategy.state_limit_ends_run or not is_state_limit(outcome.stopped):
                    break
            origins = mount.next_origins
        return self._result()

    def _add(self, outcome: Outcome, number: int) -> None:
        total = self.total
        total.states += outcome.states
        total.transitions += outcome.transitions
        total.projections += outcome.projections
        total.seconds += outcome.seconds
        total.omission_probability += outcome.omission_probability
        total.reached |= outcome.reached
        if outcome.sample is not None:
            earlier = total.sample
            joined = earlier.joined(outcome.sample, number) if earlier else outcome.sample
            total.sample = joined

    def _result(self) -> RunResult:
        question, total = self.question, self.total
        decisive = question.decisive
        found = self.violations.values()
        return RunResult(
            question,
            self.engine,
            states=total.states,
            transitions=total.transitions,
            crash_projections=total.projections,
            crash_images=self.crash_images,
            initial_states=self.initial_states,
            seconds=total.seconds,
            omission_probability=total.omission_probability,
            stopped=total.stopped or question.strategy.reservation(total.omission_probability),
            reached={name: name in total.reached for name in SITUATIONS},
            violations=tuple(v for v in found if v.prop in decisive),
            observations=tuple(v for v in found if v.prop not in decisive),
            files=frozenset(self.files),
            outcomes=self.outcomes,
            sample=total.sample,
        )


class _MountRun:
    """The search of one mount, from every disk the mount before may leave."""

    def __init__(self, run: _Run, number: int, origins: Origins) -> None:
        question = run.question
        observed = question.observation
        self.parent = run
        self.observation = observed
        self.point = observed.points[number] if observed is not None else None
        self.mount = Mount.of(question, number)
        self.is_last = number + 1 == len(question.scope.mounts)
        self.tasks = [info.frame for info in self.mount.threads if info.kind == "task"]
        self.origins = origins
        self.next_origins: Origins = {}
        self.evidence: dict[str, tuple[Finding, Disk]] = {}
        self.starts: dict[bytes, Disk] = {}
        for disk in origins:
            self.starts.setdefault(self.mount.start_from(disk), disk)
        run.initial_states += len(self.starts)
        self.search = make_search(
            question.strategy,
            run.engine,
            self.mount.system,
            self._watch(),
            question.limits,
            self.starts,
        )

    def _watch(self) -> Watch:
        run = self.parent
        invariants, situations = predicates_of(self.mount.system)
        stop_at = run.question.stop_at
        return Watch(
            invariants=invariants,
            situations={n: s for n, s in situations.items() if n not in run.total.reached},
            on_projection=self._crash,
            on_state=self._look_live if self.point is not None and self.point.live else None,
            on_progress=run.on_progress,
            find_stuck=True,
            stop_when=frozenset({stop_at}) if stop_at else None,
            known=run.question.known,
        )

    def _crash(self, projection: bytes, number: int) -> list[str]:
        """Judge every image of a new projection; remember what the next mount may start from."""
        run, mount = self.parent, self.mount
        if run.question.variants is not None:
            return self._crash_again(projection, number)
        geometry = mount.scope.geometry
        state = mount.crash_of(projection)
        run.crash_images += count_images(state)
        counts = self._counts(state)
        for image in file_images(state):
            disk = recover(image, geometry)
            files = [
                (inode.size, read_file(disk, geometry, i)) for i, inode in enumerate(disk.inodes)
            ]
            run.files.update(files)
            if counts and not self.is_last:
                start = mount.next_disk(image)
                if start not in self.next_origins:
                    self.next_origins[start] = self._way_to(number, image)
            elif counts and self.observation is not None:
                self._observe(outcome_of(self.observation, files, state.calls), number, image)
        findings = factored(state)
        for finding in findings:
            name = self._name(finding)
            if name not in self.evidence:
                self.evidence[name] = (finding, evidence_image(state, finding))
        return list(dict.fromkeys(map(self._name, findings)))

    def _name(self, finding: Finding) -> str:
        """Return what a finding is looked for under."""
        if not self.parent.question.splits:
            return finding.prop
        return f"{finding.prop} {finding.inode} {finding.cell} {finding.colour} {finding.text}"

    def _crash_again(self, projection: bytes, number: int) -> list[str]:
        """Do the same where variants are asked one after the other: most projections are known."""
        left = _left_by(_Key(self.mount, projection), self.is_last)
        for start, image in left.starts:
            if start not in self.next_origins:
                self.next_origins[start] = self._way_to(number, image)
        for finding in left.findings:
            name = self._name(finding)
            if name not in self.evidence:
                state = self.mount.crash_of(projection)
                self.evidence[name] = (finding, evidence_image(state, finding))
        return list(dict.fromkeys(map(self._name, left.findings)))

    def _counts(self, state: CrashState) -> bool:
        """Tell whether a power cut here is one that is asked for."""
        if self.point is None:
            return True
        return not self.point.live and self.point.counts([done for done, _ in state.calls])

    def _look_live(self, state: bytes, number: int) -> None:
        """Note what the files show wherever every task is done."""
        if any(state[frame] for frame in self.tasks):
            return
        assert self.observation is not None
        seen_by = self.mount.view(state).stable.oracle.calls
        calls = [(seen_by[t].returned, seen_by[t].results) for t in range(len(self.tasks))]
        seen = outcome_of(self.observation, self.mount.read_files(state), calls)
        self._observe(seen, number, None)

    def _observe(self, outcome: Observed, number: int, crash: Disk | None) -> None:
        if outcome not in self.parent.outcomes:
            self.parent.outcomes[outcome] = self._way_to(number, crash)

    def _way_to(self, number: int, crash: Disk | None) -> tuple[Epoch, ...]:
        """Return the mounts that lead to state ``number`` of this one, where ``crash`` is left."""
        first, schedule = self.search.schedule_to(number)
        disk = self.starts[first]
        return *self.origins[disk], Epoch(disk, schedule, crash)

    def violation(self, found: Found) -> Violation:
        """Turn what the search found into a violation with all its mounts."""
        disk = self.starts[found.start]
        if found.name not in self.evidence:
            epoch = Epoch(disk, found.schedule, None)
            return Violation(found.name, found.detail, (*self.origins[disk], epoch))
        finding, crash = self.evidence[found.name]
        epochs = (*self.origins[disk], Epoch(disk, found.schedule, crash))
        return Violation(finding.prop, describe_finding(finding), epochs, finding)


class _Key:
    """A projection of a mount, equal to that of any mount with the same sizes."""

    def __init__(self, mount: Mount, projection: bytes) -> None:
        self.mount = mount
        self.projection = projection

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Key) or self.projection != other.projection:
            return False
        return self.mount.scope.geometry == other.mount.scope.geometry

    def __hash__(self) -> int:
        return hash(self.projection)


@dataclass(frozen=True, slots=True)
class _Left:
    """What a power cut leaves: findings, and each disk of the next mount with an image."""

    findings: tuple[Finding, ...]
    starts: tuple[tuple[Disk, Disk], ...]


@lru_cache(maxsize=1 << 16)
def _left_by(key: _Key, is_last: bool) -> _Left:
    mount = key.mount
    state = mount.crash_of(key.projection)
    disks: dict[Disk, Disk] = {}
    if not is_last:
        for start, image in ((start, image) for image, start in mount.next_disks(state)):
            disks.setdefault(start, image)
    return _Left(tuple(factored(state)), tuple(disks.items()))
