"""A run that grows while it is made is an ordinary scope with an ordinary schedule."""

import random

import pytest

from checkers.crash.image import image_with
from checkers.workload.limits import check_scope
from model.designs import DESIGNS
from model.scope import Op, OpCode, Timer
from properties.machines.live import LiveRun
from properties.machines.setups import GEOMETRIES, Setup
from properties.replay import replay
from properties.tracing import Subject, make_trace


def random_run(setup: Setup, seed: int, steps: int) -> LiveRun:
    """Start operations and threads as they come, cut the power when nobody can run."""
    choose = random.Random(seed)
    run = LiveRun(setup)
    cells = setup.geometry.nr_blocks * setup.geometry.cells_per_block
    while run.steps < steps:
        inode = choose.randrange(setup.geometry.nr_inodes)
        op = choose.choice(
            [
                Op(OpCode.WRITE, choose.randrange(cells), 1, inode),
                Op(OpCode.TRUNCATE, choose.randrange(cells), 0, inode),
                Op(OpCode.PUNCH, choose.randrange(cells), 1, inode),
                Op(OpCode.FSYNC, inode=inode),
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


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("timer", [Timer.FREE, Timer.NEVER])
def test_a_live_run_replays_natively_as_a_scope(name: str, timer: Timer) -> None:
    """The replay raises if any thread cannot take its step, or stands somewhere else."""
    setup = Setup(DESIGNS["seed"], geometry=GEOMETRIES[name], timer=timer, max_errors=1)
    run = random_run(setup, seed=7, steps=120)
    if not run.used_tasks():
        run.start_op(0, Op(OpCode.FSYNC))
    scope = run.scope()
    check_scope(scope)
    epochs = run.epochs(image_with(run.crash_state(), ()))
    trace = make_trace(Subject(setup.design, scope), "durability", epochs, "", "holds")
    assert replay(trace).steps == run.steps > 0


def test_going_back_runs_the_same_operations_to_the_same_state() -> None:
    run = random_run(Setup(), seed=3, steps=40)
    schedule, state = list(run.schedule), run.state
    run.rewind()
    for thread in schedule:
        run.step(thread)
    assert run.state == state
