"""Every mutant is caught by the property it names; the design itself is clean of it there."""

import pytest

from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS, Mutant
from powercut.properties.catalog import PROPERTIES
from tests.tiers import QUALITY, every

BIG = ("span-truncate", "two-block-folio")
_baselines: dict[tuple[str, str], RunResult] = {}


def names(result: RunResult) -> set[str]:
    return {v.prop for v in (*result.violations, *result.observations)}


def baseline(mutant: Mutant) -> RunResult:
    key = (mutant.design, mutant.scope)
    if key not in _baselines:
        _baselines[key] = run_scope(Question(DESIGNS[mutant.design], SCOPES[mutant.scope]))
    return _baselines[key]


def check(mutant: Mutant) -> None:
    clean = baseline(mutant)
    assert clean.exhaustive
    assert mutant.caught_by not in names(clean)
    found = run_scope(
        Question(DESIGNS[mutant.design], SCOPES[mutant.scope], mutant, stop_at=mutant.caught_by)
    )
    assert mutant.caught_by in names(found)


@pytest.mark.parametrize(
    "slug", every(6, [m.slug for m in MUTANTS.values() if m.scope not in BIG], QUALITY)
)
def test_mutant_is_caught(slug: str) -> None:
    check(MUTANTS[slug])


@pytest.mark.quality
@pytest.mark.parametrize("slug", [m.slug for m in MUTANTS.values() if m.scope in BIG])
def test_mutant_in_a_big_scope_is_caught(slug: str) -> None:
    check(MUTANTS[slug])


def test_every_property_catches_a_mutant_or_a_design() -> None:
    """Structure and data-err-abort are violated by the designs themselves (test_designs)."""
    caught = {m.caught_by for m in MUTANTS.values()} | {"structure", "data-err-abort"}
    assert caught | {"assertion"} == set(PROPERTIES)
