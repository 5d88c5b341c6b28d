"""The crash machine finds, shrinks and repeats; known violations do not end it."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, reproduce_failure, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from powercut.checkers.machines.crash_machine import CrashMachine, permuted
from powercut.checkers.machines.factory import crash_machine
from powercut.checkers.machines.judge import Seen
from powercut.checkers.machines.known import Known
from powercut.checkers.machines.quality import MOST_EXAMPLES, MOST_STEPS
from powercut.checkers.machines.search import (
    PROFILES,
    Failure,
    profile_settings,
    run_machine,
    search,
)
from powercut.checkers.machines.setups import GEOMETRIES, Setup
from powercut.checkers.machines.violated import Violated
from powercut.checkers.run.replay import replay
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Op, OpCode
from powercut.model.state import ZERO
from powercut.properties.crash import STALE
from powercut.properties.kinds import OWN
from tests.machines.seeds import until_found

DEV = PROFILES["dev"]
TWO_BLOCKS = [GEOMETRIES["two-blocks"]]


def faulty(seed: int) -> tuple[int, Violated] | None:
    """What the machine finds in a design whose fsync does not wait for the commit."""
    mutant = MUTANTS["fsync-no-commit-wait"]
    machine = crash_machine([DESIGNS["seed"]], TWO_BLOCKS, mutant, schedules=5)
    violated = run_machine(machine, seed, profile_settings(DEV))
    return None if violated is None else (seed, violated)


@pytest.fixture(scope="module")
def under() -> tuple[int, Violated]:
    """A seed and what it finds, once for all tests here."""
    return until_found(faulty)


@pytest.fixture(scope="module")
def found(under: tuple[int, Violated]) -> Violated:
    """What is found, without the seed."""
    return under[1]


def test_a_seed_finds_the_same_every_time(under: tuple[int, Violated]) -> None:
    seed, first = under
    again = faulty(seed)
    assert again is not None
    (_, second) = again
    assert (first.seen, first.run.scope()) == (second.seen, second.run.scope())
    assert first.run.schedule == second.run.schedule


def test_the_blob_repeats_the_failure(found: Violated) -> None:
    note = next(n for n in found.__notes__ if "reproduce_failure" in n)
    version, _, blob = note.partition("reproduce_failure(")[2].partition(") as")[0].partition(", ")
    mutant = MUTANTS["fsync-no-commit-wait"]
    machine: Any = crash_machine([DESIGNS["seed"]], TWO_BLOCKS, mutant, schedules=5)
    literal = blob.removeprefix("b'").removesuffix("'").encode()
    decorated = reproduce_failure(version.strip("'"), literal)(machine)
    with pytest.raises(Violated) as caught:
        run_state_machine_as_test(decorated, settings=settings(profile_settings(DEV)))
    assert caught.value.seen == found.seen
    assert caught.value.run.schedule == found.run.schedule


def test_what_is_found_is_minimised_and_replays_natively() -> None:
    mutant = MUTANTS["no-preflush"]

    def look(seed: int) -> Failure | None:
        result = search(
            [DESIGNS["seed"]], DEV, seed, mutant=mutant, geometries=TWO_BLOCKS, stop_at_first=True
        )
        return next(iter(result.failures), None)

    failure = until_found(look)
    assert failure.trace is not None
    assert failure.trace.mutant == mutant.slug
    assert replay(failure.trace).reproduced
    assert failure.steps <= failure.shrunk_steps


class LostAppend(CrashMachine):
    """Appends only; looks for what the first mount left behind EOF, in the second."""

    setups = staticmethod(lambda *_: st.just(Setup(flusher_passes=2)))
    kinds = (OpCode.WRITE,)
    store: Any = None
    write: Any = None
    write_again: Any = None
    sync: Any = None
    sync_all: Any = None
    unlink: Any = None
    read: Any = None
    reclaim: Any = None
    fail_bio: Any = None
    truncate: Any = None
    punch: Any = None
    zero_range: Any = None
    fallocate: Any = None

    def explains(self, seen: Seen) -> Known | None:
        clean = not self.run.setup.initial_dirty_tail
        if seen.prop == STALE and clean and "data from behind EOF" in seen.detail:
            return None
        return super().explains(seen)


@pytest.mark.exhaustive
def test_a_lost_append_of_the_first_mount_is_stale_data_in_the_second() -> None:
    machine = crash_machine(
        [DESIGNS["seed"]], TWO_BLOCKS, wanted=STALE, schedules=120, base=LostAppend
    )
    not_shrunk = (Phase.generate, Phase.target)
    chosen = settings(profile_settings(DEV), max_examples=1_000, phases=not_shrunk)
    found = until_found(lambda seed: run_machine(machine, seed, chosen))
    assert found.run.mounts >= 2
    assert {op.code for task in found.run.past[0].tasks for op in task} == {OpCode.WRITE}


@pytest.mark.exhaustive
def test_a_known_violation_is_counted_and_passed() -> None:
    profile = replace(DEV, rounds=2, examples=60)

    def known_under(seed: int) -> list[str] | None:
        result = search([DESIGNS["seed"]], profile, seed, geometries=TWO_BLOCKS)
        assert not result.failures
        return [design for design, _, _ in result.tally.known] or None

    assert set(until_found(known_under, first=11)) == {"seed"}


def test_what_is_known_in_one_mount_is_looked_for_in_the_next() -> None:
    """The first mount has a tail on disk, which excuses it; the second one has none."""
    machine = crash_machine([DESIGNS["seed"]], TWO_BLOCKS)()
    machine.begin(Setup(initial_dirty_tail=True), 0, 0)
    machine.run.start_op(0, Op(OpCode.WRITE, 2, 2))
    stale = Seen(STALE, OWN, "", inode=0)
    machine._report(stale)
    clean = replace(machine.run.start_disk, cells=tuple(ZERO for _ in machine.run.start_disk.cells))
    machine.run.remount(clean)
    machine.judge.rewind()
    assert stale.key not in machine.judge.muted
    with pytest.raises(Violated):
        machine._report(stale)


def test_a_situation_that_is_never_reached_is_reported() -> None:
    profile = replace(DEV, examples=5, needs=("data-in-flight", "size-held-back"))
    result = search([DESIGNS["seed"]], profile, 1, geometries=TWO_BLOCKS)
    assert result.unreached == ["size-held-back"]


def test_permutations_are_numbered_from_the_plain_one() -> None:
    assert permuted("abc", 0) == ["a", "b", "c"]
    assert len({tuple(permuted("abc", n)) for n in range(6)}) == 6


FUZZ = (sys.executable, "-m", "powercut", "fuzz")
RARE = {"disksize-at-map", "write-keeps-handle", "marks-survive-cut", "old-mark-stays"}
"""Found after hundreds of examples; ``docs/machines.md`` has them."""


@pytest.mark.quality
@pytest.mark.parametrize("slug", [slug for slug in MUTANTS if slug not in RARE])
def test_mutants_are_found(slug: str) -> None:
    """By the command itself, under the first of three seeds that finds the mutant."""

    def look(seed: int) -> dict[str, Any] | None:
        argv = (*FUZZ, "--mutant", slug, "--seed", str(seed), "--json")
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert ended.returncode in (0, 1), ended.stdout + ended.stderr
        (mark,) = json.loads(ended.stdout)["mutants"]
        return mark if mark["property"] else None

    mark = until_found(look, most=3)
    assert mark["good"]
    assert mark["examples"] <= MOST_EXAMPLES
    assert mark["steps"] <= MOST_STEPS
