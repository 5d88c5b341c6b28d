"""Search under a profile: batches of examples, what they found as traces, what they never saw.

What: Hypothesis runs a machine in batches, one design a batch, seeds counting up from the first.
A violation that the design is not known for ends its batch, shrunk; its trace is made, minimised
and replayed natively, and the search goes on with the next batch, which passes over it.
Why so: batches bound what an interrupt can lose, and a seed names everything a batch does.  A
profile names the situations it has to reach: a search that never saw a dirty tail on disk says
nothing about dirty tails, so that is a failure too.
Rejected: one endless example database (no run could be repeated elsewhere).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import Phase, Verbosity, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from powercut.checkers.engine.search.outcome import INTERRUPTED
from powercut.checkers.explain.minimise import Minimiser
from powercut.checkers.machines.crash_machine import CrashMachine
from powercut.checkers.machines.factory import crash_machine
from powercut.checkers.machines.judge import CRASHES
from powercut.checkers.machines.setups import GEOMETRIES
from powercut.checkers.machines.tally import Tally
from powercut.checkers.machines.violated import Violated
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import replay
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces.format import Origin, Trace
from powercut.checkers.weave.patch import ModelPatch
from powercut.errors import PowercutError
from powercut.model.designs import Design
from powercut.model.mutants import Mutant
from powercut.model.scope import Geometry
from powercut.properties.catalog import PROPERTIES
from powercut.properties.crash import on_image
from powercut.properties.kinds import GROWN

RULES = 20
"""Rules an example may apply."""
MINIMISE_RUNS = 600
_PHASES = (Phase.explicit, Phase.generate, Phase.target, Phase.shrink)

COMMON = (
    "data-in-flight",
    "completed-before-commit",
    "out-of-order",
    "record-durable-data-in-flight",
    "two-transactions",
    "dirty-tail",
    "dirty-tail-on-disk",
    "synced",
    "freed-block-pending",
    "handle-under-folio-lock",
)
RARE = (
    "orphan-committed",
    "stale-mapping",
    "commit-under-folio-lock",
    "size-held-back",
    "bio-failed",
    "journal-aborted",
    "checkpointing",
    "folio-evicted",
    "unwritten-not-cached",
    "unlinked-committed",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is searched: ``rounds`` batches a design (0: until the time is over).

    An example ends with ``searches`` of up to ``states`` states each, with others of about
    ``states_by_chance`` states together, and with ``schedules``.  ``needs``
    are situations that have to be reached over all designs together.
    """

    name: str
    examples: int
    rounds: int
    searches: int
    states: int
    states_by_chance: int
    schedules: int
    geometries: tuple[str, ...]
    needs: tuple[str, ...]
    time_limit_s: float


ALL, EVERY = tuple(GEOMETRIES), (*COMMON, *RARE)
SMALL = ("two-blocks", "two-block-folio", "full-pool")
PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        # name, examples a batch, batches, searches, their states, by chance, schedules, ...
        Profile("dev", 25, 1, 2, 10_000, 10_000, 6, SMALL, COMMON, 120),
        Profile("ci", 120, 3, 3, 40_000, 80_000, 10, ALL, EVERY, 1_200),
        Profile(
            "soak", 150, 0, 3, 100_000, 150_000, 15, tuple(GEOMETRIES), (*COMMON, *RARE), 1_800
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A violation that the design is not known for: shrunk, minimised and replayed natively.

    ``examples`` were tried before it was seen; ``blob`` is Hypothesis' own reproduction of it.
    ``trace`` is ``None`` where the reference sees what no property of the catalogue is about.
    """

    design: str
    prop: str
    kind: str
    detail: str
    seed: int
    examples: int
    blob: str
    shrunk_steps: int
    trace: Trace | None

    @property
    def steps(self) -> int:
        """Steps of the minimised trace, all mounts together."""
        if self.trace is None:
            return self.shrunk_steps
        return sum(len(epoch.steps) for epoch in self.trace.epochs)


class NotReproduced(PowercutError):
    """The native replay of a violation did not show it: a bug of the search, not of a design."""


@dataclass(slots=True)
class SearchResult:
    """What a search saw.  ``stopped`` says why it ended early, if it did."""

    profile: Profile
    seed: int
    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    batches: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    stopped: str = ""

    @property
    def unreached(self) -> list[str]:
        """The situations the profile needs that were never reached."""
        return [name for name in self.profile.needs if not self.tally.reached[name]]


OnBatch = Callable[[SearchResult], None]
Check = Callable[[], None]
"""Called where a search may end; raises if it has to."""
OneBatch = Callable[[Design, int, Check], Failure | None]
"""Runs a batch for a design with a seed."""


class TimeIsUp(KeyboardInterrupt):
    """The time limit was reached: it ends a batch as an interrupt does."""


class Cut(KeyboardInterrupt):
    """A batch was cut short, and ``failure`` had been seen."""

    def __init__(self, failure: Failure, cause: KeyboardInterrupt) -> None:
        super().__init__()
        self.failure = failure
        self.cause = cause


def never() -> bool:
    """Nobody interrupts."""
    return False


def profile_settings(profile: Profile) -> settings:
    """Return the Hypothesis settings of a profile; no health check is suppressed."""
    return settings(
        max_examples=profile.examples,
        stateful_step_count=RULES,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=_PHASES,
        verbosity=Verbosity.quiet,
    )


def run_machine(machine: type[CrashMachine], seed: int, chosen: settings) -> Violated | None:
    """Run one batch; return what it failed with, shrunk."""
    try:
        run_state_machine_as_test(seeded(seed)(machine), settings=chosen)
    except Violated as error:
        return error
    return None


def search(
    designs: Sequence[Design],
    profile: Profile,
    seed: int,
    *,
    mutant: Mutant | None = None,
    patches: tuple[ModelPatch, ...] = (),
    geometries: Sequence[Geometry] = (),
    base: type[CrashMachine] = CrashMachine,
    time_limit_s: float | None = None,
    stop_at_first: bool = False,
    on_batch: OnBatch | None = None,
    interrupted: Callable[[], bool] = never,
) -> SearchResult:
    """Search ``designs`` under ``profile``; an interrupt keeps what was found so far.

    The model is changed by ``patches``, and ``mutant`` planted over them.

    A violation that was seen is kept as it is if it could not be shrunk any more.  Raises
    :class:`NotReproduced` if a violation does not replay natively.
    """
    result = SearchResult(profile, seed)
    shapes = tuple(geometries) or tuple(GEOMETRIES[name] for name in profile.geometries)
    passed_over: set[tuple[str, str, str]] = set()

    def one_batch(design: Design, number: int, check: Check) -> Failure | None:
        machine = crash_machine(
            [design],
            shapes,
            mutant,
            patches=patches,
            tally=result.tally,
            passed_over=passed_over,
            schedules=profile.schedules,
            states=profile.states,
            states_by_chance=profile.states_by_chance,
            searches=profile.searches,
            base=base,
            check=check,
        )
        try:
            error = run_machine(machine, number, profile_settings(profile))
        except KeyboardInterrupt as cause:
            if machine.shortest is None:
                raise
            failure = failure_of(machine.shortest, number, machine.first_failure, shrink=False)
            raise Cut(failure, cause) from None
        finally:
            result.tally.files = CRASHES.files
            result.tally.projections = CRASHES.judged
        if error is None:
            return None
        passed_over.add((design.name, error.seen.prop, error.seen.kind))
        return failure_of(error, number, machine.first_failure)

    run_batches(
        result,
        designs,
        one_batch,
        time_limit_s=time_limit_s,
        stop_at_first=stop_at_first,
        on_batch=on_batch,
        interrupted=interrupted,
    )
    return result


def run_batches(
    result: SearchResult,
    designs: Sequence[Design],
    one_batch: OneBatch,
    *,
    time_limit_s: float | None = None,
    stop_at_first: bool = False,
    on_batch: OnBatch | None = None,
    interrupted: Callable[[], bool] = never,
) -> None:
    """Run a batch for one design after the other, each with the next seed; fill in ``result``.

    ``time_limit_s``, ``None`` for that of the profile, and ``interrupted`` are looked at in every
    example.
    """
    profile = result.profile
    limit = profile.time_limit_s if time_limit_s is None else time_limit_s
    started, cpu_started = time.monotonic(), time.process_time()

    def check() -> None:
        if interrupted():
            raise KeyboardInterrupt
        if time.monotonic() - started > limit:
            raise TimeIsUp

    def note(failure: Failure | None) -> None:
        if failure is not None:
            result.failures.append(failure)
        result.seconds = time.monotonic() - started
        result.cpu_seconds = time.process_time() - cpu_started
        if on_batch is not None:
            on_batch(result)

    try:
        while not (profile.rounds and result.batches == profile.rounds * len(designs)):
            check()
            design = designs[result.batches % len(designs)]
            failure = one_batch(design, result.seed + result.batches, check)
            result.batches += 1
            note(failure)
            if stop_at_first and result.failures:
                break
    except KeyboardInterrupt as end:
        cause = end.cause if isinstance(end, Cut) else end
        if not isinstance(cause, TimeIsUp):
            result.stopped = INTERRUPTED
        elif profile.rounds:
            result.stopped = f"time limit of {limit:g} s reached"
        note(end.failure if isinstance(end, Cut) else None)


def failure_of(error: Violated, seed: int, examples: int, *, shrink: bool = True) -> Failure:
    """Return a violation as its trace, minimised if ``shrink``.

    Raises :class:`NotReproduced`, and :class:`Cut` if it is interrupted.
    """
    trace, cause = trace_of_violated(error), None
    if trace is not None:
        if not replay(trace).reproduced:
            raise NotReproduced(f"{error}: the native replay does not show it")
        minimiser = Minimiser(trace)
        try:
            minimiser.run(MINIMISE_RUNS if shrink else 0)
        except KeyboardInterrupt as interrupt:
            cause = interrupt
        trace = minimiser.best
    seen, run = error.seen, error.run
    failure = Failure(
        run.setup.design.name,
        seen.prop,
        seen.kind,
        seen.detail,
        seed,
        examples,
        blob_of(error),
        run.steps,
        trace,
    )
    if cause is not None:
        raise Cut(failure, cause)
    return failure


def blob_of(error: AssertionError) -> str:
    """Return the arguments of the decorator with which Hypothesis repeats a failure."""
    notes = " ".join(getattr(error, "__notes__", ()))
    return notes.partition("@reproduce_failure(")[2].partition(") as")[0]


def trace_of_violated(error: Violated) -> Trace | None:
    """Return what a machine found as an ordinary trace of an ordinary scope.

    ``None`` where it is about no property of the catalogue.
    """
    run, seen = error.run, error.seen
    prop = property_of(error)
    if not prop:
        return None
    setup = run.setup
    question = Question(setup.design, run.scope(), setup.mutant, patches=setup.patches)
    epochs = run.epochs(seen.image)
    return make_trace(question, prop, epochs, seen.detail, origin=Origin("machine"))


def property_of(error: Violated) -> str:
    """Return the property of the catalogue that is violated, if any.

    What the reference finds wrong in a crash image is mostly what some property is about, too; an
    advisory one is about a size without data, and nothing else.
    """
    if error.seen.prop in PROPERTIES:
        return error.seen.prop
    if error.seen.image is None:
        return ""
    found = {f.prop for f in on_image(error.run.crash_state(), error.seen.image)}
    names = (n for n, p in PROPERTIES.items() if not p.advisory or error.seen.prop == GROWN)
    return next((name for name in names if name in found), "")
