"""Random scopes: what the named ones do not try, with bounded searches from fixed seeds.

Nothing but what docs/findings.md explains may be violated: a new violation here is either a finding
or a false alarm of an oracle, and both need a look.
"""

import random

import pytest

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.run.mount import Mount as Mounted
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope, Timer
from tests.model.walking import walk_together

KNOWN = {
    "seed": {"stale-data", "data-err-abort"},
    "seed-eof-ordered": {"stale-data", "structure", "data-err-abort"},
    "seed-gap-ordered": {"stale-data", "deadlock", "data-err-abort"},
    "seed-eof-deferred": {"stale-data", "deadlock", "data-err-abort"},
}


def random_op(draw: random.Random, cells: int, per_block: int) -> Op:
    code = draw.choice(
        [
            OpCode.WRITE,
            OpCode.WRITE,
            OpCode.WRITE,
            OpCode.STORE,
            OpCode.TRUNCATE,
            OpCode.FSYNC,
            OpCode.FDATASYNC,
        ]
    )
    if code == OpCode.WRITE:
        pos = draw.randrange(cells)
        return Op(code, pos, draw.randint(1, min(per_block + 1, cells - pos)))
    if code == OpCode.STORE:
        return Op(code, draw.randrange(cells), 1)
    if code == OpCode.TRUNCATE:
        return Op(code, draw.randint(0, cells))
    return Op(code)


def random_mount(draw: random.Random, cells: int, per_block: int) -> Mount:
    colours = 4
    tasks = []
    for _ in range(draw.choice([1, 1, 2])):
        ops = []
        for _ in range(draw.randint(1, 3)):
            op = random_op(draw, cells, per_block)
            if op.code in (OpCode.WRITE, OpCode.STORE):
                if colours == 0:
                    continue
                colours -= 1
            ops.append(op)
        tasks.append(tuple(ops) or (Op(OpCode.FSYNC),))
    return Mount(tuple(tasks), draw.choice([0, 1, 1, 2]))


def random_scope(seed: int) -> Scope:
    draw = random.Random(seed)
    per_block = draw.choice([2, 2, 4])
    blocks = draw.choice([2, 2, 3])
    size = draw.randint(0, per_block * blocks - 1)
    errors = draw.choice([0, 0, 1])
    return Scope(
        name=f"random-{seed}",
        summary="random",
        mounts=tuple(
            random_mount(draw, per_block * blocks, per_block) for _ in range(draw.choice([1, 1, 2]))
        ),
        geometry=Geometry(
            blocks, per_block, draw.choice([1, 1, 2]), draw.choice([blocks, blocks + 1])
        ),
        initial_size_cells=size,
        initial_dirty_tail=size % per_block != 0 and draw.random() < 0.5,
        timer=draw.choice(list(Timer)),
        max_errors=errors,
        data_err_abort=bool(errors) and draw.random() < 0.5,
        log_transactions=draw.choice([0, 0, 0, 2, 3]),
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("design", KNOWN)
@pytest.mark.parametrize("seed", range(15))
def test_only_known_violations(design: str, seed: int) -> None:
    scope = random_scope(seed)
    result = run_scope(Question(DESIGNS[design], scope, limits=Limits(max_states=20_000)))
    assert {v.prop for v in result.violations} <= KNOWN[design]


@pytest.mark.parametrize("seed", range(20))
def test_native_and_compiled_agree_and_stay_in_range(seed: int) -> None:
    scope = random_scope(1000 + seed)
    draw = random.Random(seed)
    mount = Mounted.of(Question(DESIGNS[draw.choice(list(KNOWN))], scope))
    walk_together(mount.system, mount.native(), draw, 400)
