"""A run that grows while it is made is an ordinary scope with an ordinary schedule."""

import random
from dataclasses import replace

import pytest

from powercut.checkers.crash.image import image_with
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.setups import GEOMETRIES, Setup
from powercut.checkers.run.mount import Mount, build_of
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import replay
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces.format import Trace
from powercut.checkers.weave.patch import parse_patch
from powercut.checkers.workload.limits import check_scope
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS, Mutant
from powercut.model.scope import Op, OpCode, Timer
from tests.tiers import every


def random_run(setup: Setup, seed: int, steps: int) -> LiveRun:
    """Start operations and threads as they come, cut the power when nobody can run."""
    choose = random.Random(seed)
    run = LiveRun(setup)
    more = [OpCode.READ] * bool(setup.evictions)
    more += [OpCode.SYNC] * setup.syncs + [OpCode.UNLINK] * 3 * setup.unlinks
    cells = setup.geometry.nr_blocks * setup.geometry.cells_per_block
    for _ in range(20 * steps):
        if run.steps >= steps:
            break
        inode = choose.randrange(setup.geometry.nr_inodes)
        op = choose.choice(
            [
                Op(OpCode.WRITE, choose.randrange(cells), 1, inode),
                Op(OpCode.TRUNCATE, choose.randrange(cells), 0, inode),
                Op(OpCode.PUNCH, choose.randrange(cells), 1, inode),
                Op(OpCode.FSYNC, inode=inode),
                *(plain(code, inode) for code in more),
            ]
        )
        task = choose.randrange(3)
        if choose.random() < 0.2 and run.room(task, op):
            run.start_op(task, op)
        enabled = run.enabled()
        if enabled:
            run.step(choose.choice(enabled))
        elif run.may_remount():
            run.remount(image_with(run.crash_state(), ()))
        elif run.mounts == 3:
            break
    return run


def plain(code: OpCode, inode: int) -> Op:
    """Return the operation on all of the first block, or without a place."""
    return Op(code, 0, 2 * (code == OpCode.READ), 0 if code == OpCode.SYNC else inode)


def replays(run: LiveRun) -> Trace:
    """Replay a run natively as a trace of an ordinary scope, or fail."""
    scope = run.scope()
    check_scope(scope)
    epochs = run.epochs(image_with(run.crash_state(), ()))
    setup = run.setup
    question = Question(setup.design, scope, setup.mutant, patches=setup.patches)
    trace = make_trace(question, "durability", epochs, "", "holds")
    assert replay(trace).steps == run.steps > 0
    return trace


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("timer", [Timer.FREE, Timer.NEVER])
def test_a_live_run_replays_natively_as_a_scope(name: str, timer: Timer) -> None:
    """The replay raises if any thread cannot take its step, or stands somewhere else."""
    setup = Setup(DESIGNS["seed"], geometry=GEOMETRIES[name], timer=timer, max_errors=1)
    run = random_run(setup, seed=7, steps=120)
    if not run.used_tasks():
        run.start_op(0, Op(OpCode.FSYNC))
    replays(run)


SPECIAL = {
    "evicts": Setup(evictions=2),
    "evicts-after-errors": Setup(evictions=2, max_errors=1),
    "syncs": Setup(syncs=True),
    "syncs-without-passes": Setup(syncs=True, flusher_passes=0),
    "syncs-and-evicts": Setup(syncs=True, evictions=1, timer=Timer.ONCE),
    "unlinks": Setup(unlinks=True),
    "unlinks-and-evicts": Setup(unlinks=True, evictions=1, max_errors=1),
}


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("name", ["two-block-folio", "two-files"])
@pytest.mark.parametrize("seed", every(2, [1, 2]))
def test_what_decides_the_threads_replays_natively(special: str, name: str, seed: int) -> None:
    setup = replace(SPECIAL[special], geometry=GEOMETRIES[name])
    run = random_run(setup, seed, steps=150)
    codes = {op.code for mount in run.scope().mounts for ops in mount.tasks for op in ops}
    assert (OpCode.SYNC in codes) == setup.syncs
    assert (OpCode.UNLINK in codes) == setup.unlinks
    assert {run.threads[t].kind for t in run.schedule} <= existing_kinds(run)
    replays(run)


def existing_kinds(run: LiveRun) -> set[str]:
    """The kinds of thread that the last mount of the run's scope has."""
    scope = run.scope()
    return {info.kind for info in build_of(scope, len(scope.mounts) - 1).threads}


@pytest.mark.parametrize("special", SPECIAL)
def test_the_scope_of_a_run_has_its_state(special: str) -> None:
    """Every variable and every constant: the schedule taken by the scope's own system.

    Colours are those of the scope if the operations were started task by task.
    """
    setup = replace(SPECIAL[special], geometry=GEOMETRIES["two-files"])
    choose, run = random.Random(5), LiveRun(setup)
    last = Op(OpCode.SYNC if setup.syncs else OpCode.TRUNCATE)
    if setup.unlinks:
        last = Op(OpCode.UNLINK)
    ops = [Op(OpCode.WRITE, 0, 1), Op(OpCode.FSYNC), Op(OpCode.WRITE, 0, 2, 1)]
    ops += [Op(OpCode.READ, 0, 2), last]
    for task, op in enumerate(ops):
        if run.room(task // 2, op):
            run.start_op(task // 2, op)
        for _ in range(12):
            if enabled := run.enabled():
                run.step(choose.choice(enabled))
    system = Mount.of(Question(setup.design, run.scope())).system
    state = system.initial
    (epoch,) = run.epochs(None)
    for thread in epoch.schedule:
        state = system.step(state, thread)
    assert system.shared(state) == run.system.shared(run.state)
    enabled_names = {system.threads[t].name for t in system.enabled(state)}
    assert enabled_names == {run.threads[t].name for t in run.enabled()}


def test_a_file_that_is_gone_cannot_be_opened() -> None:
    run = LiveRun(Setup(unlinks=True))
    run.start_op(0, Op(OpCode.UNLINK))
    run.start_op(1, Op(OpCode.FSYNC))
    while not run.system.is_finished(run.state, run.indexes["task"][0]):
        run.step(run.indexes["task"][0])
    assert run.room(1, Op(OpCode.FSYNC)), "the other task has it open"
    for thread in [*run.indexes["task"], *run.indexes["kjournald"]] * 60:
        if run.system.is_enabled(run.state, thread):
            run.step(thread)
    assert not run.room(1, Op(OpCode.FSYNC))


def test_going_back_runs_the_same_operations_to_the_same_state() -> None:
    run = random_run(Setup(), seed=3, steps=40)
    schedule, state = list(run.schedule), run.state
    run.rewind()
    for thread in schedule:
        run.step(thread)
    assert run.state == state


@pytest.mark.parametrize("mutant", every(2, [None, MUTANTS["no-orphan"]]))
def test_a_live_run_of_a_patched_model_brings_its_patch(mutant: Mutant | None) -> None:
    """The patch gives a preemption point another label, which its step has then."""
    file = "model/fs/jbd2/commit.py"
    old = "    yield  # record durable"
    head = f"--- {file}\n+++ {file}\n@@ -1,1 +1,1 @@\n"
    patch = parse_patch(f"{head}-{old}\n+{old}, patched\n", "label.patch")
    run = LiveRun(Setup(mutant=mutant, patches=(patch,)))
    run.start_op(0, Op(OpCode.WRITE, 0, 2))
    run.start_op(0, Op(OpCode.FSYNC))
    while enabled := run.enabled():
        run.step(enabled[0])
    trace = replays(run)
    assert [each.name for each in trace.patches or ()] == ["label.patch"]
    assert "record durable, patched" in [step.label for step in trace.epochs[0].steps]
