"""Compare designs with the buffer_head path under a profile; report what differs and is not legal.

Why so: batches, seeds, limits and interrupts are those of every search, and so is the report.
Rejected: a trace of what differs (it takes two runs to show it, and neither breaks a property).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import seed as seeded
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from powercut.checkers.machines.differential import BH, FOUND, LEGAL, Legal, Wrong, label_of
from powercut.checkers.machines.differential_machine import Differs, differential_machine
from powercut.checkers.machines.search import (
    Check,
    Cut,
    Failure,
    OnBatch,
    Profile,
    SearchResult,
    blob_of,
    never,
    profile_settings,
    run_batches,
)
from powercut.checkers.machines.setups import GEOMETRIES
from powercut.checkers.weave.patch import ModelPatch
from powercut.model.designs import DESIGNS, Design
from powercut.model.mutants import Mutant

FIRST = DESIGNS["bh-ordered"]
COMPARABLE = [design for design in DESIGNS.values() if label_of(design) != BH]
"""The designs whose first file is on the iomap path."""
DIFFERENCE = "difference"
CALLS = 15
"""Rules an example may apply, most of them a call and some jobs of the background."""


def compare(
    designs: Sequence[Design],
    profile: Profile,
    seed: int,
    *,
    mutant: Mutant | None = None,
    patches: tuple[ModelPatch, ...] = (),
    legal: Sequence[Legal] = LEGAL,
    found: Sequence[Wrong] = FOUND,
    time_limit_s: float | None = None,
    on_batch: OnBatch | None = None,
    interrupted: Callable[[], bool] = never,
) -> SearchResult:
    """Compare each of ``designs``, with ``mutant`` and ``patches``, with the buffer_head path.

    A kind of difference that is in neither table is one failure for each design; the tally's
    ``known`` counts the others, with their reasons.  An interrupt keeps what was found so far.
    """
    result = SearchResult(replace(profile, needs=()), seed)
    shapes = [GEOMETRIES[name] for name in profile.geometries if GEOMETRIES[name].nr_inodes == 1]
    chosen = settings(profile_settings(profile), stateful_step_count=CALLS)
    passed_over: defaultdict[str, set[str]] = defaultdict(set)

    def one_batch(design: Design, number: int, check: Check) -> Failure | None:
        machine = differential_machine(
            (FIRST, design),
            shapes,
            mutant,
            patches=patches,
            legal=legal,
            found=found,
            passed_over=passed_over[design.name],
            tally=result.tally,
            check=check,
        )
        try:
            run_state_machine_as_test(seeded(number)(machine), settings=chosen)
        except Differs as error:
            passed_over[design.name].add(error.difference.kind)
            return failure_of(error, number, machine.first_failure)
        except KeyboardInterrupt as cause:
            if machine.shortest is None:
                raise
            failure = failure_of(machine.shortest, number, machine.first_failure)
            raise Cut(failure, cause) from None
        return None

    run_batches(
        result,
        designs,
        one_batch,
        time_limit_s=time_limit_s,
        on_batch=on_batch,
        interrupted=interrupted,
    )
    return result


def failure_of(error: Differs, seed: int, examples: int) -> Failure:
    """Return a difference as the failure of the second design."""
    design = error.sides[1].run.setup.design.name
    steps = sum(side.run.steps for side in error.sides)
    return Failure(
        design,
        DIFFERENCE,
        error.difference.kind,
        error.told(),
        seed,
        examples,
        blob_of(error),
        steps,
        None,
    )
