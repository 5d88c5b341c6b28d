"""The audit: every reduction is harmless where it is tried, and a harmful one is caught."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from powercut.checkers import audit as module
from powercut.checkers.audit import REDUCTIONS, Comparison, Variant, audit, explore
from powercut.checkers.crash.image import file_images
from powercut.checkers.engine import kept, liveness
from powercut.checkers.engine.search import depth
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.engine.system import Build
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.recovery import Disk, canonical
from powercut.model.scope import Geometry, Mount, Scope
from powercut.model.setup import dimensions
from powercut.model.state import POLLUTION, ZERO
from powercut.properties.crash import Finding, factored
from powercut.properties.crash_state import CrashState

BY_NAME = {reduction.name: reduction for reduction in REDUCTIONS}


def compared(name: str, scope: str, design: str = "seed", mutant: str = "") -> Comparison:
    """Compare one reduction in one run."""
    planted = MUTANTS[mutant] if mutant else None
    (found,) = audit(DESIGNS[design], SCOPES[scope], planted, Limits(), reductions=[BY_NAME[name]])
    assert not found.stopped
    return found


@pytest.mark.parametrize(
    ("scope", "design", "mutant"),
    [
        pytest.param("eof-two-mounts", "seed", "", marks=pytest.mark.exhaustive),
        pytest.param("behind-eof", "seed-eof-ordered", "", marks=pytest.mark.exhaustive),
        ("eio-overwrite", "seed", ""),
        ("append-fsync", "seed", "no-preflush"),
        pytest.param("truncate-reuse", "seed", "reuse-before-commit", marks=pytest.mark.exhaustive),
    ],
)
def test_no_reduction_changes_anything(scope: str, design: str, mutant: str) -> None:
    planted = MUTANTS[mutant] if mutant else None
    found = list(audit(DESIGNS[design], SCOPES[scope], planted, Limits()))
    assert [one.reduction.name for one in found] == list(BY_NAME)
    assert {one.reduction.name: one.differences for one in found if one.differences} == {}
    assert all(one.used.crashes[0] and one.used.files for one in found)


@pytest.mark.exhaustive
@pytest.mark.parametrize("scope", ["eof-unsubmitted", "two-mounts-truncate"])
@pytest.mark.parametrize("design", ["seed-gap-ordered", "bh-ordered"])
def test_no_reduction_changes_anything_in_larger_scopes(scope: str, design: str) -> None:
    found = list(audit(DESIGNS[design], SCOPES[scope], None, Limits()))
    assert {one.reduction.name: one.differences for one in found if one.differences} == {}


@pytest.mark.parametrize("scope", ["eof-two-mounts", "eio-overwrite", "truncate-reuse"])
def test_the_plain_search_finds_what_the_runner_finds(scope: str) -> None:
    seen = explore(DESIGNS["seed"], SCOPES[scope], None, Limits(), Variant())
    result = run_scope(Question(DESIGNS["seed"], SCOPES[scope]))
    assert seen.states == result.states
    assert seen.violated == {v.prop for v in (*result.violations, *result.observations)}
    assert seen.reached == {name for name, reached in result.reached.items() if reached}
    assert sum(map(len, seen.crashes)) == result.crash_projections


def test_reductions_reduce() -> None:
    for name in ("dead-locals", "lock-steps"):
        found = compared(name, "eof-two-mounts")
        assert found.used.states < found.plain.states


# Each of these plants something wrong in what is used and says where it must show.


def test_a_canonical_form_that_forgets_pollution(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(disk: Disk, geometry: Geometry) -> Disk:
        found = canonical(disk, geometry)
        return replace(found, cells=tuple(ZERO if c == POLLUTION else c for c in found.cells))

    monkeypatch.setattr(module, "canonical", forgetful)
    differences = compared("canonical-starts", "eof-two-mounts").differences
    assert "violated only without it: stale-data" in differences
    assert any(text.startswith("crash states of mount 2") for text in differences)


def test_images_that_vary_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_image(state: CrashState) -> Iterator[Disk]:
        yield next(iter(file_images(state)))

    monkeypatch.setattr(module, "file_images", first_image)
    differences = compared("readable-cells", "append-fsync", mutant="no-preflush").differences
    assert [text.partition(":")[0] for text in differences] == ["recovered files"]


def test_a_judge_that_skips_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(state: CrashState) -> list[Finding]:
        return [finding for finding in factored(state) if finding.cell != 1]

    monkeypatch.setattr(module, "factored", hasty)
    differences = compared("by-cell", "eof-truncate-up").differences
    assert "violated only without it: stale-data" in " ".join(differences)


def test_leaving_out_a_thread_that_can_act(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_flusher(scope: Scope, mount: Mount) -> dict[str, int]:
        return {**dimensions(scope, mount), "nr_flushers": 0}

    monkeypatch.setattr(module, "dimensions", without_flusher)
    differences = compared("idle-threads", "eof-truncate-up").differences
    assert any(text.startswith("crash states of mount 1") for text in differences)


def test_digests_that_are_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = depth.digest
    monkeypatch.setattr(depth, "digest", lambda state: exact(state) & 0x3F)
    differences = compared("digests", "append-fsync").differences
    assert any(text.startswith("crash states of mount 1") for text in differences)


def test_a_memo_that_takes_too_much_for_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sloppy(BreadthFirst):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            look, seen = self.watch.on_projection, set()

            def once(projection: bytes, number: int) -> list[str]:
                if sum(projection) in seen:
                    return []
                seen.add(sum(projection))
                return look(projection, number) if look else []

            if look:
                self.watch.on_projection = once

    monkeypatch.setattr(module, "BreadthFirst", Sloppy)
    differences = compared("projection-memo", "eof-truncate-up").differences
    assert any(text.startswith("crash states of mount 1") for text in differences)


@pytest.mark.exhaustive
def test_live_locals_that_share_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, build = liveness.assign_slots, module._build.__wrapped__

    def crowded(save_points: Iterable[frozenset[str]]) -> dict[str, int]:
        return {name: slot // 2 for name, slot in exact(save_points).items()}

    def build_apart(dims: tuple[tuple[str, int], ...], zero_dead: bool) -> Build:
        kept._shared.cache_clear()
        slots = crowded if zero_dead else exact
        monkeypatch.setattr("powercut.checkers.engine.plan.assign_slots", slots)
        return build(dims, zero_dead)

    monkeypatch.setattr(module, "_build", build_apart)
    try:
        assert compared("dead-locals", "eof-truncate-up").differences
    finally:
        kept._shared.cache_clear()


def test_a_limit_cuts_the_comparison_short() -> None:
    few = Limits(max_states=100)
    found = list(audit(DESIGNS["seed"], SCOPES["append-fsync"], None, few))
    assert all("limit of 100 states reached" in one.stopped for one in found)


def test_more_writes_than_colours_cannot_be_compared() -> None:
    scope = SCOPES["eof-two-mounts"]
    many = replace(scope, mounts=(scope.mounts[0],) * 5)
    seen = explore(DESIGNS["seed"], many, None, Limits(), Variant(canonical_starts=False))
    assert seen.stopped == "mount 5: more writes over all mounts than there are colours"
