"""Small workloads by chance: a few operations of a few kinds, near the end of the file.

Why so: what goes wrong with a file goes wrong at its EOF, and needs two or three kinds of
operations several times, not all kinds once.  So each workload takes its kinds first (swarm
testing), and places them by what a user knows: the size that the operations before leave.
Rejected: places drawn evenly (three of four operations had nothing to do with each other); the
workloads of the default scopes (whoever wrote the model chose those).
"""

from collections.abc import Sequence
from random import Random

from powercut.checkers.machines.setups import Setup
from powercut.model.scope import Geometry, Op, OpCode
from powercut.model.state import MAX_TASKS

KINDS = (
    OpCode.WRITE,
    OpCode.TRUNCATE,
    OpCode.STORE,
    OpCode.FSYNC,
    OpCode.FDATASYNC,
    OpCode.FALLOCATE,
    OpCode.PUNCH,
    OpCode.ZERO_RANGE,
)
"""What every set-up has."""
NR_KINDS = (1, 2, 2, 3)
LENGTHS = (1, 1, 2, 2, 3, 4)
NUMBERS = (1, 2, 3, 3, 4, 4, 4)
"""How many operations a workload has."""
TASKS = (1, 1, 1, 2, 3)
_WHOLE_FILE = {OpCode.FSYNC, OpCode.FDATASYNC, OpCode.SYNC, OpCode.UNLINK}


def kinds_of(setup: Setup) -> tuple[OpCode, ...]:
    """Return the kinds of operations that ``setup`` allows."""
    special = (
        (OpCode.SYNC, setup.syncs),
        (OpCode.UNLINK, setup.unlinks),
        (OpCode.READ, setup.evictions > 0),
    )
    return (*KINDS, *(code for code, there in special if there))


def workload(
    setup: Setup, sizes: Sequence[int], kinds: Sequence[OpCode], choose: Random
) -> list[list[Op]]:
    """Return a few operations on files of ``sizes`` cells, a list for each task.

    ``kinds`` are those to choose from, some of them.
    """
    few = choose.sample(list(kinds), min(len(kinds), choose.choice(NR_KINDS)))
    if not {OpCode.WRITE, OpCode.STORE} & set(few):
        few.append(OpCode.WRITE)
    now = list(sizes)
    tasks: list[list[Op]] = [[] for _ in range(min(choose.choice(TASKS), MAX_TASKS))]
    for _ in range(choose.choice(NUMBERS)):
        op = _operation(setup.geometry, now, choose.choice(few), choose)
        choose.choice(tasks).append(op)
    return [ops for ops in tasks if ops]


def _operation(geometry: Geometry, sizes: list[int], code: OpCode, choose: Random) -> Op:
    """Return an operation near the end of a file; ``sizes`` becomes what it leaves."""
    i = choose.randrange(len(sizes))
    if code in _WHOLE_FILE:
        return Op(code, inode=i)
    cells = geometry.nr_blocks * geometry.cells_per_block
    steps = (0, 0, 1, 2, geometry.cells_per_block)
    place = sizes[i] + choose.choice(steps) * choose.choice((-1, 1))
    if code == OpCode.TRUNCATE:
        place += place == sizes[i]
        sizes[i] = max(0, min(cells, place))
        return Op(code, sizes[i], 0, i)
    pos = max(0, min(cells - 1, place))
    if code == OpCode.STORE:
        return Op(code, pos, 1, i)
    length = min(choose.choice(LENGTHS), cells - pos)
    if code in (OpCode.WRITE, OpCode.FALLOCATE):
        sizes[i] = max(sizes[i], pos + length)
    return Op(code, pos, length, i)
