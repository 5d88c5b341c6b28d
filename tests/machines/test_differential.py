"""The differential machine: what is planted is reported, and every legal difference is needed."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from powercut.checkers.machines.compare import compare as compare_designs
from powercut.checkers.machines.differential import FOUND, LEGAL, Side, Wrong
from powercut.checkers.machines.differential_machine import (
    DifferentialMachine,
    Differs,
    differential_machine,
)
from powercut.checkers.machines.search import PROFILES
from powercut.checkers.machines.setups import GEOMETRIES, Setup
from powercut.checkers.machines.tally import Tally
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Geometry
from tests.tiers import fast_only

SMALL = [GEOMETRIES[name] for name in ("two-blocks", "two-block-folio")]
IOMAP = ("seed", "seed-eof-ordered", "seed-gap-ordered", "series-v5", "series-v5-submit-first")
SHORT = {
    "crash-newest-data-on-iomap": "series-v5",
    "crash-larger-size-on-iomap": "seed-gap-ordered",
}
"""The legal differences that ``seed`` does not show, with a design that does."""
ENOUGH = 1_000
"""Examples for what takes fewer than a hundred: what a seed draws depends on the modules loaded."""
SEEDS = range(1, 25)
"""Seeds of a short search that finds what is planted under most of them."""


def compare(design: str, slug: str = "", without: str = "", examples: int = 80) -> set[str]:
    """Return the kinds in which ``design`` differs from ``bh-ordered``; raises :class:`Differs`."""
    tally = Tally()
    machine = differential_machine(
        (DESIGNS["bh-ordered"], DESIGNS[design]),
        SMALL,
        MUTANTS.get(slug),
        legal=[entry for entry in LEGAL if entry.kind != without],
        tally=tally,
    )
    chosen = settings(
        max_examples=examples,
        stateful_step_count=15,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(seed(1)(machine), settings=chosen)
    return {kind for _, kind, _ in tally.known}


@pytest.mark.exhaustive
def test_two_designs_differ_in_legal_ways_only() -> None:
    met = compare("seed")
    assert met


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", IOMAP)
def test_every_pair_differs_in_legal_ways_only(design: str) -> None:
    assert compare(design)


@pytest.mark.parametrize(
    "kind",
    fast_only(
        [entry.kind for entry in LEGAL if entry.kind not in SHORT],
        "crash-zeros-on-buffer_head".__eq__,
    ),
)
def test_a_legal_difference_that_is_left_out_is_reported(kind: str) -> None:
    with pytest.raises(Differs) as caught:
        compare("seed", without=kind, examples=ENOUGH)
    assert caught.value.difference.kind == kind
    text = str(caught.value)
    assert "bh-ordered: " in text
    assert "seed: " in text


def started(
    design: str, slug: str = "", without: str = "", size: int = 1, found: Sequence[Wrong] = FOUND
) -> DifferentialMachine:
    """A machine at its first mount, to be driven by hand."""
    machine = differential_machine(
        (DESIGNS["bh-ordered"], DESIGNS[design]),
        SMALL,
        found=found,
        legal=[entry for entry in LEGAL if entry.kind != without],
    )()
    first = Setup(design=DESIGNS["bh-ordered"], initial_size_cells=size, flusher_passes=9)
    second = replace(first, design=DESIGNS[design], mutant=MUTANTS.get(slug))
    machine.begin((first, second))
    return machine


@pytest.mark.parametrize("kind", SHORT)
def test_a_legal_difference_of_later_designs_is_needed(kind: str) -> None:
    def run(without: str) -> None:
        machine = started(SHORT[kind], without=without)
        if kind == "crash-larger-size-on-iomap":
            machine.write(0, 2, 1, [Side.complete, Side.convert, Side.commit])
        else:
            machine.store(0, 0, [Side.flush])
            machine.truncate(0, 2, [])

    run("")
    with pytest.raises(Differs) as caught:
        run(kind)
    assert caught.value.difference.kind == kind


def forgets_a_size(machine: DifferentialMachine) -> None:
    """A size that is held back behind an unwritten EOF block, and a punch of that block."""
    machine.change_range(0, "fallocate", 3, 1, [])
    machine.change_range(0, "punch", 2, 2, [])
    machine.rest()


def commits_without_a_size(machine: DifferentialMachine) -> None:
    """An append to the EOF block that a truncate has filed, written by the commit."""
    machine.truncate(0, 1, [Side.flush, Side.complete])
    machine.write(0, 0, 2, [Side.commit])
    machine.rest()


CAUSES = {
    "seed-eof-ordered": (3, forgets_a_size),
    "seed-eof-deferred": (3, forgets_a_size),
    "seed-without-07": (3, commits_without_a_size),
}


@pytest.mark.parametrize(("wrong", "design"), [(w, d) for w in FOUND for d in w.designs])
def test_what_is_wrong_and_known_is_needed(wrong: Wrong, design: str) -> None:
    size, cause = CAUSES[design]
    machine = started(design, size=size)
    cause(machine)
    assert (design, wrong.kind, wrong.finding) in machine.tally.known
    with pytest.raises(Differs) as caught:
        cause(started(design, size=size, found=()))
    assert caught.value.difference.kind == wrong.kind


def test_a_size_is_not_forgotten_without_a_punch() -> None:
    machine = started("seed-eof-ordered")
    assert not machine.explains("rest-larger-size-on-buffer_head")
    machine.change_range(0, "punch", 2, 2, [])
    assert machine.explains("rest-larger-size-on-buffer_head")


@pytest.mark.exhaustive
def test_a_comparison_reports_a_kind_once_and_goes_on() -> None:
    profile = replace(PROFILES["dev"], examples=12, rounds=2)
    mutant = MUTANTS["fsync-no-commit-wait"]
    results = (compare_designs([DESIGNS["seed"]], profile, n, mutant=mutant) for n in SEEDS)
    result = next(result for result in results if result.failures)
    kinds = [failure.kind for failure in result.failures]
    assert len(kinds) == len(set(kinds))
    assert result.batches == 2
    (failure, *_) = result.failures
    assert (failure.design, failure.trace) == ("seed", None)
    assert "bh-ordered: " in failure.detail
    assert failure.blob
    assert 1 <= failure.examples <= result.tally.examples


def test_a_planted_commit_mistake_on_one_side_is_reported() -> None:
    with pytest.raises(Differs) as caught:
        compare("seed", "fsync-no-commit-wait", examples=ENOUGH)
    assert caught.value.difference.kind not in {entry.kind for entry in LEGAL}


def test_a_planted_written_allocation_is_reported() -> None:
    def run(slug: str) -> None:
        machine = started("seed", slug, size=0)
        machine.truncate(0, 2, [])
        machine.write(0, 0, 1, [Side.flush, Side.commit])

    run("")
    with pytest.raises(Differs) as caught:
        run("written-allocation")
    assert caught.value.difference.kind == "crash-previous-owner-on-iomap"


def test_a_planted_loss_in_the_middle_of_a_folio_is_reported() -> None:
    geometry = Geometry(blocks_per_folio=2, nr_phys=3)

    def run(slug: str) -> None:
        setup = Setup(
            design=DESIGNS["seed"], geometry=geometry, initial_size_cells=4, flusher_passes=9
        )
        planted = replace(setup, design=DESIGNS["bh-ordered"], mutant=MUTANTS.get(slug))
        machine = differential_machine((setup.design, planted.design), [geometry])()
        machine.begin((setup, planted))
        machine.truncate(0, 0, [])
        machine.write(0, 0, 3, [])
        machine.rest()

    run("")
    with pytest.raises(Differs) as caught:
        run("no-partial-submit")
    assert caught.value.difference.kind == "rest-newest-data-on-iomap"
