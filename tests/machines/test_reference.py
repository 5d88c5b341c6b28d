"""The plain specification of a file, and that it finds planted mistakes by itself."""

import pytest

from model.designs import DESIGNS
from model.mutants import MUTANTS
from model.scope import Op, OpCode
from properties.machines.factory import crash_machine
from properties.machines.reference import FileSpec
from properties.machines.reference_machine import GEOMETRIES, ReferenceMachine
from properties.machines.search import PROFILES, profile_settings, run_machine
from properties.machines.violated import Violated

A, B = 1, 2


def after(initial: list[int], *ops: tuple[Op, int]) -> FileSpec:
    spec = FileSpec(initial, cells_per_block=2)
    for op, value in ops:
        spec.begin(op, value)
        if op.code == OpCode.FSYNC:
            spec.synced()
    return spec


WRITE = (Op(OpCode.WRITE, 1, 1), B)
FSYNC = (Op(OpCode.FSYNC), 0)


def test_an_append_may_be_there_or_not() -> None:
    spec = after([A], WRITE)
    assert spec.versions[-1].cells == (A, B)
    assert not spec.wrong_after_crash([A])
    assert not spec.wrong_after_crash([A, B])
    assert spec.wrong_after_crash([])
    assert spec.wrong_after_crash([A, A])


def test_a_sync_promises_what_was_there() -> None:
    spec = after([A], WRITE, FSYNC)
    assert not spec.wrong_after_crash([A, B])
    assert spec.wrong_after_crash([A]).startswith("size")
    assert spec.wrong_after_crash([A, 0]).startswith("cell 1")


def test_what_a_truncate_cut_off_does_not_come_back() -> None:
    spec = after([A, A], (Op(OpCode.TRUNCATE, 1), 0), (Op(OpCode.TRUNCATE, 3), 0))
    assert not spec.wrong_after_crash([A, A])
    assert not spec.wrong_after_crash([A, 0, 0])
    assert spec.wrong_after_crash([A, A, 0])


def test_a_size_without_its_data() -> None:
    assert after([A], WRITE).grew_without_data([A, 0])
    assert not after([A], WRITE).grew_without_data([A, B])
    gap = after([A], (Op(OpCode.WRITE, 2, 1), B))
    assert not gap.grew_without_data([A, 0])


def look(design: str, slug: str, examples: int) -> Violated | None:
    machine = crash_machine(
        [DESIGNS[design]], GEOMETRIES[:1], MUTANTS.get(slug), schedules=6, base=ReferenceMachine
    )
    chosen = profile_settings(PROFILES["dev"])
    for seed in range(examples // chosen.max_examples + 1):
        found = run_machine(machine, seed, chosen)
        if found is not None:
            return found
    return None


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_designs_do_what_the_specification_says(design: str) -> None:
    assert look(design, "", 50) is None


@pytest.mark.parametrize(
    "slug",
    [
        "fsync-no-commit-wait",
        "no-preflush",
        pytest.param("disksize-at-map", marks=pytest.mark.slow),
    ],
)
def test_the_specification_finds_mutants_by_itself(slug: str) -> None:
    found = look("seed", slug, 400)
    assert found is not None
    assert found.seen.prop.startswith("reference-")
