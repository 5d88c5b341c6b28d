"""The factored crash check against the naive one, image by image, violations included."""

import pytest

from powercut.checkers.crash.image import (
    all_images,
    count_images,
    decode,
    file_images,
    image_with,
    relevant_cells,
)
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.recovery import canonical, mkfs, read_file, recover
from powercut.properties.crash import CELL_PROPERTIES, Finding, factored, on_image
from powercut.properties.crash_state import CrashState

CASES = [
    ("append-fsync", "seed", ""),
    ("append-fsync", "seed", "no-preflush"),
    ("append-fsync", "seed", "written-allocation"),
    ("append-fsync", "seed", "fsync-no-commit-wait"),
    ("eof-truncate-up", "seed", ""),
    ("eof-truncate-up", "seed-eof-ordered", ""),
    ("eof-two-mounts", "seed-eof-ordered", ""),
    ("eof-in-block", "seed-gap-ordered", ""),
    ("truncate-truncate", "seed", ""),
    ("truncate-reuse", "seed", "reuse-before-commit"),
    ("eio-overwrite", "seed", ""),
    ("eio-append", "seed", "merge-across-error"),
    ("log-full", "seed", ""),
]


def crash_states(scope_name: str, design: str, mutant: str) -> list[CrashState]:
    """Return every crash state of the first mount of a scope."""
    scope = SCOPES[scope_name]
    found: list[bytes] = []

    def note(projection: bytes, _number: int) -> list[str]:
        found.append(projection)
        return []

    system = Mount.of(Question(DESIGNS[design], scope, MUTANTS.get(mutant))).system
    BreadthFirst(system, Watch(on_projection=note), Limits()).run()
    return [decode(system.build.layout, p, scope.geometry) for p in found]


def cell_findings(findings: list[Finding]) -> set[Finding]:
    return {f for f in findings if f.prop in CELL_PROPERTIES and f.cell >= 0}


@pytest.mark.parametrize(("scope", "design", "mutant"), CASES)
def test_factored_check_agrees_with_every_image(scope: str, design: str, mutant: str) -> None:
    for state in crash_states(scope, design, mutant):
        images = list(all_images(state))
        assert len(images) == count_images(state) == len(set(images))
        naive: set[Finding] = set()
        for image in images:
            naive |= set(on_image(state, image))
        fast = set(factored(state))
        assert cell_findings(list(naive)) == cell_findings(list(fast))
        assert {f.prop for f in naive} == {f.prop for f in fast}


def test_the_compared_cases_include_every_kind_of_violation() -> None:
    seen: set[str] = set()
    for scope, design, mutant in CASES:
        for state in crash_states(scope, design, mutant):
            seen |= {f.prop for f in factored(state)}
    assert seen == {
        "stale-data",
        "durability",
        "structure",
        "unstable-conversion",
        "zeros-for-data",
    }


def test_file_images_show_every_distinct_file() -> None:
    geometry = SCOPES["eof-truncate-up"].geometry
    for state in crash_states("eof-truncate-up", "seed", ""):
        every = {read_file(recover(i, geometry), geometry, 0) for i in all_images(state)}
        pruned = {read_file(recover(i, geometry), geometry, 0) for i in file_images(state)}
        assert every == pruned


def test_file_images_keep_every_start_of_the_next_mount() -> None:
    geometry = SCOPES["eof-two-mounts"].geometry
    for state in crash_states("eof-two-mounts", "seed", ""):
        every = {canonical(i, geometry) for i in all_images(state)}
        assert every == {canonical(i, geometry) for i in file_images(state)}


def test_recovery_twice_is_recovery_once() -> None:
    geometry = SCOPES["truncate-truncate"].geometry
    orphans = 0
    for state in crash_states("truncate-truncate", "seed", ""):
        for image in file_images(state):
            once = recover(image, geometry)
            assert recover(once, geometry) == once
            orphans += any(i.orphan for i in image.inodes)
    assert orphans


def test_an_image_cannot_show_an_impossible_colour() -> None:
    state = crash_states("append-fsync", "seed", "")[0]
    cell = relevant_cells(state)[0]
    with pytest.raises(ValueError, match="cannot show colour"):
        image_with(state, [(cell, 128)])


def test_mkfs_is_what_the_first_crash_finds() -> None:
    scope = SCOPES["append-fsync"]
    first = crash_states("append-fsync", "seed", "")[0]
    assert list(file_images(first)) == [mkfs(scope)]
