"""The machines' own test: is every planted mistake found, how soon, and how short is what is left?

What: each mutant is planted in its design, and the machines search with the geometry, the mount
options, the budgets of failing bios and of reclaim of the scope that the mutant names, and whether
it calls sync(2) or unlink(2); what they try by chance is of the kinds of operations it has.  They
are given nothing else: no operation, no order, no schedule, no initial file.
Why so: a search that finds nothing must first show that it finds these.  A violation counts only if
the design is not known for it without the mutant, and only if its trace replays natively.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from powercut.checkers.engine.search.outcome import INTERRUPTED
from powercut.checkers.machines.crash_machine import CrashMachine
from powercut.checkers.machines.reference_machine import ReferenceMachine
from powercut.checkers.machines.search import PROFILES, Failure, Profile, never, search
from powercut.checkers.machines.setups import Setup, setups
from powercut.checkers.weave.patch import ModelPatch
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS, Design
from powercut.model.mutants import MUTANTS, Mutant
from powercut.model.scope import Geometry, OpCode, Scope
from powercut.model.setup import unlinks_files

MOST_EXAMPLES = 1_500
MOST_STEPS = 60
BY_REFERENCE = frozenset({"disksize-at-map"})
"""Its property is advisory, ext4 documents it as legal at times; the specification knows when."""

EXAM = replace(
    PROFILES["ci"],
    name="exam",
    examples=150,
    rounds=MOST_EXAMPLES // 150,
    searches=2,
    states_by_chance=150_000,
    needs=(),
    time_limit_s=1_200.0,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """How one mutant fared with one seed; ``failure`` is ``None`` if it was not found.

    ``stopped`` says why the search ended early, if it did: what it found is not shrunk then.
    """

    mutant: Mutant
    seed: int
    examples: int
    failure: Failure | None
    cpu_seconds: float
    stopped: str = ""

    @property
    def good(self) -> bool:
        """Whether it was found in time and its trace is short enough."""
        return self.failure is not None and self.failure.steps <= MOST_STEPS


def machine_for(mutant: Mutant) -> type[CrashMachine]:
    """Return the machine that looks for ``mutant``."""
    if mutant.slug in BY_REFERENCE:
        return ReferenceMachine
    scope = SCOPES[mutant.scope]

    def given(
        designs: Sequence[Design], planted: Mutant | None, geometries: Sequence[Geometry]
    ) -> st.SearchStrategy[Setup]:
        return setups(designs, planted, geometries).map(lambda setup: as_mounted(setup, scope))

    members = {"setups": staticmethod(given), "kinds": kinds_in(scope)}
    return type(CrashMachine.__name__, (CrashMachine,), members)


def kinds_in(scope: Scope) -> tuple[OpCode, ...]:
    """Return the kinds of operations that ``scope`` has."""
    ops = {op.code for mount in scope.mounts for task in mount.tasks for op in task}
    return tuple(sorted(ops))


def as_mounted(setup: Setup, scope: Scope) -> Setup:
    """Return ``setup`` with the mount options, the fault budget and the threads of ``scope``.

    The commit interval is a mount option: whether, and how often, its timer may expire.
    """
    syncs = any(op.code == OpCode.SYNC for m in scope.mounts for ops in m.tasks for op in ops)
    return replace(
        setup,
        timer=scope.timer,
        flusher_passes=max(mount.flusher_passes for mount in scope.mounts),
        max_errors=scope.max_errors,
        data_err_abort=scope.data_err_abort,
        log_transactions=scope.log_transactions,
        nodelalloc=scope.nodelalloc,
        evictions=max(mount.evictions for mount in scope.mounts),
        syncs=syncs,
        unlinks=unlinks_files(scope) and not syncs,
    )


def examine(
    slugs: Sequence[str] = tuple(MUTANTS),
    seeds: Sequence[int] = (1, 2, 3),
    profile: Profile = EXAM,
    interrupted: Callable[[], bool] = never,
    patches: tuple[ModelPatch, ...] = (),
) -> Iterator[Mark]:
    """Search for every mutant with every seed; yield a mark each, the last one if interrupted.

    Each is planted over ``patches``.
    """
    for slug in slugs:
        mutant = MUTANTS[slug]
        for seed in seeds:
            result = search(
                [DESIGNS[mutant.design]],
                profile,
                seed * 1_000_000,
                mutant=mutant,
                patches=patches,
                geometries=[SCOPES[mutant.scope].geometry],
                base=machine_for(mutant),
                stop_at_first=True,
                interrupted=interrupted,
            )
            failure = result.failures[0] if result.failures else None
            tried = failure.examples if failure else result.tally.examples
            yield Mark(mutant, seed, tried, failure, result.cpu_seconds, result.stopped)
            if result.stopped == INTERRUPTED:
                return
