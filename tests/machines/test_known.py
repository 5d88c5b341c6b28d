"""A known violation is excused where its cause is there, and nowhere else."""

from dataclasses import replace

import pytest

from powercut.checkers.machines.conditions import Around
from powercut.checkers.machines.judge import Judge, Seen
from powercut.checkers.machines.known import KNOWN, known
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.quality import as_mounted
from powercut.checkers.machines.setups import GEOMETRIES, Setup
from powercut.checkers.run.replay import subject_of
from powercut.checkers.traces import Trace, load_trace
from powercut.checkers.traces.format import disk_of
from powercut.model.designs import DESIGNS
from powercut.model.language import DEADLOCK, LIVELOCK
from powercut.model.scope import Op, OpCode
from powercut.properties.catalog import PROPERTIES
from powercut.properties.crash import DURABILITY, STALE, STRUCTURE
from powercut.properties.findings.loader import shipped
from powercut.properties.kinds import (
    ANY_KIND,
    BEHIND_SIZE,
    CONTENT,
    GROWN,
    MISPLACED,
    OWN,
    PREVIOUS_OWNER,
    SIZE,
)
from tests.traces.corpus import ENDING, FOLDER

FOLIO = GEOMETRIES["two-block-folio"]
STORE, PUNCH = Op(OpCode.STORE, 0, 1), Op(OpCode.PUNCH, 2, 2)
OVER_EOF, GAP = Op(OpCode.WRITE, 1, 2), Op(OpCode.WRITE, 2, 2)
FALLOCATE, TRUNCATE = Op(OpCode.FALLOCATE, 2, 2), Op(OpCode.TRUNCATE, 0)


def live(setup: Setup, *ops: Op) -> LiveRun:
    run = LiveRun(setup)
    for op in ops:
        run.start_op(0, op)
    return run


def is_known(run: LiveRun, prop: str, kind: str) -> bool:
    return known(run, Seen(prop, kind, "")) is not None


def a(design: str) -> Setup:
    return Setup(DESIGNS[design])


@pytest.mark.parametrize(
    ("setup", "ops", "prop", "kind", "excused"),
    [
        (a("seed"), (GAP,), STALE, OWN, False),
        (a("seed"), (GAP, STORE), STALE, OWN, True),
        (replace(a("seed"), initial_dirty_tail=True), (GAP,), STALE, OWN, True),
        (replace(a("seed-gap-ordered"), initial_dirty_tail=True), (GAP,), STALE, OWN, False),
        (replace(a("seed-gap-ordered"), initial_dirty_tail=True), (OVER_EOF,), STALE, OWN, True),
        (replace(a("seed-eof-ordered"), initial_dirty_tail=True), (OVER_EOF,), STALE, OWN, False),
        (replace(a("seed-eof-ordered"), geometry=FOLIO), (GAP, STORE), STALE, OWN, True),
        (replace(a("seed-eof-ordered"), max_errors=1), (STORE,), STALE, OWN, False),
        (replace(a("seed-eof-deferred"), max_errors=1), (STORE,), STALE, OWN, False),
        (a("seed"), (Op(OpCode.TRUNCATE, 4),), STALE, OWN, False),
        (a("seed"), (Op(OpCode.TRUNCATE, 4), Op(OpCode.TRUNCATE, 1)), STALE, OWN, True),
        (a("seed"), (GAP, PUNCH, FALLOCATE), STALE, PREVIOUS_OWNER, False),
        (replace(a("seed"), geometry=FOLIO), (GAP, PUNCH), STALE, PREVIOUS_OWNER, False),
        (replace(a("seed"), geometry=FOLIO), (PUNCH, FALLOCATE), STALE, PREVIOUS_OWNER, True),
        (replace(a("series-v5"), geometry=FOLIO), (PUNCH, FALLOCATE), STALE, PREVIOUS_OWNER, False),
        (a("bh-ordered"), (GAP, TRUNCATE), STALE, PREVIOUS_OWNER, False),
        (replace(a("bh-ordered"), nodelalloc=True), (TRUNCATE,), STALE, PREVIOUS_OWNER, True),
        (a("bh-ordered"), (TRUNCATE, GAP), STALE, OWN, False),
        (a("bh-ordered"), (GAP, PUNCH), STALE, OWN, False),
        (a("seed"), (GAP, STORE), DURABILITY, CONTENT, False),
        (replace(a("seed"), geometry=FOLIO), (GAP, STORE), DURABILITY, CONTENT, True),
        (replace(a("bh-ordered"), nodelalloc=True), (GAP, PUNCH), STALE, OWN, True),
        (replace(a("bh-ordered"), nodelalloc=True), (TRUNCATE,), STALE, OWN, True),
        (replace(a("bh-ordered"), initial_dirty_tail=True), (GAP, PUNCH), STALE, OWN, True),
        (a("bh-ordered"), (TRUNCATE, GAP, TRUNCATE), STALE, OWN, True),
        (a("seed-eof-ordered"), (GAP,), DURABILITY, SIZE, False),
        (a("seed-eof-ordered"), (GAP, PUNCH), DURABILITY, SIZE, True),
        (a("seed-eof-ordered"), (), STRUCTURE, BEHIND_SIZE, True),
        (a("seed"), (), STRUCTURE, BEHIND_SIZE, False),
        (a("seed-gap-ordered"), (GAP,), DEADLOCK, ANY_KIND, False),
        (a("seed-eof-deferred"), (GAP,), DEADLOCK, ANY_KIND, False),
        (a("seed-eof-deferred"), (GAP, PUNCH), DEADLOCK, ANY_KIND, True),
        (a("series-v5"), (GAP, STORE), "sizes", ANY_KIND, False),
        (a("series-v5"), (GAP, TRUNCATE), "sizes", ANY_KIND, True),
        (a("series-v5"), (GAP, FALLOCATE), "sizes", ANY_KIND, True),
        (a("mixed"), (GAP,), DEADLOCK, ANY_KIND, False),
        (a("seed-without-07"), (GAP,), DEADLOCK, ANY_KIND, False),
    ],
)
def test_a_violation_is_excused_by_its_cause(
    setup: Setup, ops: tuple[Op, ...], prop: str, kind: str, excused: bool
) -> None:
    assert is_known(live(setup, *ops), prop, kind) is excused


def test_a_written_block_behind_the_size_excuses_what_shows_it() -> None:
    run = live(a("seed-eof-ordered"), Op(OpCode.TRUNCATE, 4))
    assert not is_known(run, STALE, OWN)
    disk = run.start_disk
    behind = replace(disk.inodes[0], size=0)
    run.start_disk = replace(disk, inodes=(behind,))
    assert is_known(run, STALE, OWN)


@pytest.mark.parametrize(("i", "excused"), [(0, True), (1, False), (None, True)])
def test_a_cause_in_one_file_excuses_nothing_in_another(i: int | None, excused: bool) -> None:
    two = replace(a("seed"), geometry=GEOMETRIES["two-large-files"])
    run = live(two, STORE, replace(GAP, inode=1))
    assert (known(run, Seen(STALE, OWN, "", inode=i)) is not None) is excused


@pytest.mark.parametrize("kind", [OWN, PREVIOUS_OWNER, MISPLACED])
def test_a_late_bio_explains_what_comes_after_it(kind: str) -> None:
    """It goes to a block that anybody may have; before it, nothing is explained."""
    run = live(a("seed"), GAP)
    assert not is_known(run, STALE, kind)
    assert known(run, Seen(STALE, kind, ""), {"late-write"})
    assert not known(run, Seen(STALE, kind, ""), {"read-back"})


def test_nobody_is_known_for_a_misplaced_write_but_by_a_late_bio() -> None:
    misplaced = [entry for entry in KNOWN if entry.kind == MISPLACED]
    assert {entry.finding for entry in misplaced} == {shipped()["punch-late-bio"].title}
    assert not any(
        entry.when(Around(live(a("seed"), GAP, PUNCH, FALLOCATE))) for entry in misplaced
    )


@pytest.mark.parametrize(
    ("setup", "ops", "prop", "kind"),
    [
        (a("seed-eof-deferred"), (STORE,), STALE, OWN),
        (a("bh-ordered"), (OVER_EOF, OVER_EOF), "read-back", ANY_KIND),
        (a("bh-ordered"), (OVER_EOF, OVER_EOF), DURABILITY, CONTENT),
        (a("mixed"), (OVER_EOF, FALLOCATE), "read-back", ANY_KIND),
        (replace(a("bh-ordered"), nodelalloc=True), (GAP,), STALE, PREVIOUS_OWNER),
        (replace(a("seed"), data_err_abort=True), (OVER_EOF,), "data-err-abort", ANY_KIND),
    ],
)
def test_a_budget_of_errors_excuses_nothing_until_a_bio_has_failed(
    setup: Setup, ops: tuple[Op, ...], prop: str, kind: str
) -> None:
    run = live(replace(setup, max_errors=1), *ops)
    assert not is_known(run, prop, kind)
    run.schedule.append(run.indexes["failing_disk"][0])
    assert is_known(run, prop, kind)


def test_a_first_write_is_no_overwrite() -> None:
    """data_err=abort has to see it."""
    empty = replace(a("seed"), data_err_abort=True, max_errors=1, initial_size_cells=0)
    for ops, excused in (((GAP,), False), ((GAP, GAP), True)):
        run = live(empty, *ops)
        run.schedule.append(run.indexes["failing_disk"][0])
        assert is_known(run, "data-err-abort", ANY_KIND) is excused


def test_a_mount_that_truncates_an_orphan_overwrites_its_last_block() -> None:
    setup = replace(a("seed"), data_err_abort=True, max_errors=1)
    for orphan in (False, True):
        run = live(setup)
        disk = run.start_disk
        run.start_disk = replace(disk, inodes=(replace(disk.inodes[0], orphan=orphan),))
        run.schedule.append(run.indexes["failing_disk"][0])
        assert is_known(run, "data-err-abort", ANY_KIND) is orphan


def test_a_run_that_does_nothing_excuses_little() -> None:
    """Only what its design may do with any operation, if it does anything at all."""
    always = {
        (name, entry.prop, entry.kind)
        for entry in KNOWN
        for name in entry.designs
        if entry.when(Around(live(a(name))))
    }
    assert always == {
        ("seed-eof-ordered", STRUCTURE, BEHIND_SIZE),
        ("bh-ordered", GROWN, ANY_KIND),
        ("mixed", GROWN, ANY_KIND),
        ("seed-gap-ordered", GROWN, ANY_KIND),
        ("series-v5", GROWN, ANY_KIND),
        ("series-v5-submit-first", GROWN, ANY_KIND),
        ("seed-without-07", "sizes", ANY_KIND),
        ("seed-without-07", DURABILITY, SIZE),
    }


def test_entries_name_designs_and_properties_that_exist() -> None:
    for entry in KNOWN:
        assert set(entry.designs) <= set(DESIGNS)
        assert entry.prop in PROPERTIES or entry.prop.startswith("reference-")


def walked(trace: Trace) -> tuple[LiveRun, list[Seen], set[str]]:
    """Walk ``trace`` as a machine would have.

    Returns the run, what it shows at its end and the properties that it violated before, in its
    last mount.
    """
    subject = subject_of(trace)
    scope = subject.scope
    run = LiveRun(as_mounted(Setup(subject.design, subject.mutant, scope.geometry), scope))
    judge = Judge(run)
    threads = {info.name: n for n, info in enumerate(run.threads)}
    before: set[str] = set()
    for epoch, mount in zip(trace.epochs, scope.mounts, strict=True):
        run.start_disk = disk_of(epoch.start, scope.geometry)
        run.begin_again()
        judge.rewind()
        before.clear()
        for task, ops in enumerate(mount.tasks):
            for op in ops:
                run.start_op(task, op)
        for step in epoch.steps:
            before |= {seen.prop for seen in judge.look()}
            run.step(threads[step.thread])
    at_rest = judge.endless() if trace.property == LIVELOCK else judge.stuck()
    return run, [*judge.look(), *([at_rest] if at_rest else [])], before


def walks(trace: Trace) -> bool:
    """Whether a machine may walk it: where sync(2) is called, its mounts begin with one."""
    subject = subject_of(trace)
    setup = Setup(subject.design, subject.mutant, subject.scope.geometry)
    syncs = as_mounted(setup, subject.scope).syncs
    return not syncs and not PROPERTIES[trace.property].advisory


SAVED = {
    path.name.removesuffix(ENDING): trace
    for path in sorted(FOLDER.glob(f"*{ENDING}"))
    if "-holds-in-" not in path.name and walks(trace := load_trace(path))
}


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_violation_is_known_unless_a_mutant_is_planted(name: str) -> None:
    trace = SAVED[name]
    run, found, before = walked(trace)
    assert trace.property in {seen.prop for seen in found}
    excused = [known(run, seen, before) is not None for seen in found]
    assert not all(excused) if trace.mutant else all(excused)
