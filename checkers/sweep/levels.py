"""What a level of the sweep contains: this module is its definition.

What: a level is a list of shapes.  A shape is a pattern of calls in the words of workloads, where
``A``, ``B`` and ``C`` stand for *every* call of the table, over initial files and backgrounds.
``;`` follows in one task, ``|`` is a task beside it, ``/`` is a power cut and the next mount.

Why so: workloads are exhausted as interleavings are.  A scope somebody thought of says nothing
about the one nobody thought of.
Rejected: a random sample (what was left out cannot be said), and larger geometries at first (two
blocks of two cells have every position that is inside, at, before and behind EOF and a block's
edge).

Two workloads that cannot differ are one: :func:`canonical`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import product
from typing import Any, Final

from powercut.model.scope import BlockKind, Geometry, InitialBlock, Mount, Op, OpCode, Scope

GEOMETRY: Final = Geometry()
_CELLS = GEOMETRY.nr_blocks * GEOMETRY.cells_per_block
FREE: Final = "ABC"
"""Letters of a pattern that stand for every call."""
_SEPARATORS = str.maketrans(";|/", "   ")


@dataclass(frozen=True, slots=True)
class Start:
    """An initial file; ``blocks`` as in a workload, empty for the blocks of the size, written."""

    name: str
    size_cells: int
    dirty_tail: bool = False
    blocks: tuple[InitialBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class Background:
    """What is around the calls: changes of the scope, of its geometry and of its mounts."""

    name: str
    scope: Mapping[str, Any] = field(default_factory=dict)
    geometry: Mapping[str, int] = field(default_factory=dict)
    mount: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape:
    """A pattern over files and backgrounds."""

    pattern: str
    starts: tuple[str, ...]
    backgrounds: tuple[str, ...] = ("plain",)


_HOLE = InitialBlock(BlockKind.HOLE)


def _written(phys: int) -> InitialBlock:
    return InitialBlock(BlockKind.WRITTEN, phys)


def _unwritten(phys: int) -> InitialBlock:
    return InitialBlock(BlockKind.UNWRITTEN, phys)


STARTS: Final[Mapping[str, Start]] = {
    start.name: start
    for start in (
        Start("empty", 0),
        Start("in-block", 1),
        Start("dirty-tail", 1, dirty_tail=True),
        Start("block", 2),
        Start("in-last-block", 3),
        Start("dirty-last-tail", 3, dirty_tail=True),
        Start("full", 4),
        Start("hole", 3, blocks=(_HOLE, _HOLE)),
        Start("hole-first", 3, blocks=(_HOLE, _written(0))),
        Start("unwritten", 3, blocks=(_unwritten(0), _unwritten(1))),
        Start("unwritten-last", 3, blocks=(_written(0), _unwritten(1))),
        Start("behind-eof", 1, blocks=(_written(0), _unwritten(1))),
        Start("fragmented", 3, blocks=(_written(1), _written(0))),
    )
}

BACKGROUNDS: Final[Mapping[str, Background]] = {
    background.name: background
    for background in (
        Background("plain"),
        Background("two-passes", mount={"flusher_passes": 2}),
        Background("failing-bio", scope={"max_errors": 1}),
        Background("abort", scope={"max_errors": 1, "data_err_abort": True}),
        Background("nodelalloc", scope={"nodelalloc": True}),
        Background("eviction", mount={"evictions": 1}),
        Background("small-log", scope={"log_transactions": 2}),
        Background("full-pool", geometry={"nr_phys": 2}),
        Background("large-folio", geometry={"blocks_per_folio": 2}),
        Background("two-files", geometry={"nr_inodes": 2}),
        Background("two-files-full-pool", geometry={"nr_inodes": 2, "nr_phys": 2}),
    )
}
_ONE_FILE = tuple(name for name in BACKGROUNDS if not name.startswith("two-files"))

LEVELS: Final[Mapping[int, tuple[Shape, ...]]] = {
    1: (
        Shape("A; fsync", tuple(STARTS)),
        Shape("A; fsync", ("dirty-tail", "unwritten-last"), _ONE_FILE[1:]),
    ),
    2: (
        Shape("A; fsync", tuple(STARTS), _ONE_FILE),
        Shape("A; B; fsync", ("empty", "dirty-tail", "unwritten-last")),
        Shape("A; fsync; B", ("empty", "dirty-tail", "unwritten-last")),
        Shape("A | B", ("empty", "unwritten-last")),
        Shape("A; fsync | B", ("dirty-tail",)),
        Shape("A / B; fsync", ("in-block", "dirty-last-tail")),
        Shape("A; B; fsync", ("dirty-tail",), ("failing-bio", "nodelalloc", "large-folio")),
        Shape(
            "A | write@1 0 2; fsync@1", ("in-block", "block"), ("two-files", "two-files-full-pool")
        ),
    ),
    3: (
        Shape("A; B; C; fsync", ("empty", "dirty-tail")),
        Shape("A; fsync; B; C", ("dirty-tail",)),
        Shape("A; B | C", ("dirty-tail",)),
        Shape("A; B / C; fsync", ("in-block",)),
    ),
}


def calls(*, reads: bool = False) -> tuple[Op, ...]:
    """Return the table of calls over the geometry; ``reads`` matter only where folios go away."""
    ranges = [(p, n) for p in range(_CELLS) for n in range(1, _CELLS - p + 1)]
    ranged = (OpCode.WRITE, OpCode.PUNCH, OpCode.ZERO_RANGE, OpCode.FALLOCATE)
    found = [Op(code, pos, length) for code in ranged for pos, length in ranges]
    found += [Op(OpCode.STORE, pos, 1) for pos in range(_CELLS)]
    found += [Op(OpCode.TRUNCATE, size) for size in range(_CELLS + 1)]
    found += [Op(code) for code in (OpCode.FSYNC, OpCode.FDATASYNC, OpCode.SYNC, OpCode.UNLINK)]
    if reads:
        per_block = GEOMETRY.cells_per_block
        found += [Op(OpCode.READ, b * per_block, per_block) for b in range(GEOMETRY.nr_blocks)]
    return tuple(found)


def workloads(level: int) -> Iterator[Scope]:
    """Yield every workload of ``level``, in a fixed order, each once up to :func:`canonical`.

    Its name is made from what it says, so it is the same whatever else a level contains.
    """
    seen: set[bytes] = set()
    for shape in LEVELS[level]:
        for scope in of_shape(shape):
            key = digest_of(scope)
            if key not in seen:
                seen.add(key)
                yield replace(scope, name=f"sweep-{key.hex()}")


def of_shape(shape: Shape) -> Iterator[Scope]:
    """Yield the workloads of a shape in their canonical form, equal ones too."""
    words = shape.pattern.translate(_SEPARATORS).split()
    letters = [letter for letter in FREE if letter in words]
    for background in shape.backgrounds:
        around = BACKGROUNDS[background]
        table = calls(reads=bool(around.mount.get("evictions")))
        for start in shape.starts:
            for chosen in product(table, repeat=len(letters)):
                by_letter = dict(zip(letters, chosen, strict=True))
                yield _scope(shape.pattern, by_letter, STARTS[start], around)


def _scope(pattern: str, by_letter: Mapping[str, Op], start: Start, around: Background) -> Scope:
    mounts = tuple(
        Mount(
            canonical(
                tuple(
                    tuple(_op(text.strip(), by_letter) for text in task.split(";"))
                    for task in mount.split("|")
                )
            ),
            **around.mount,
        )
        for mount in pattern.split("/")
    )
    return Scope(
        name="sweep",
        summary=f"{start.name}, {around.name}",
        mounts=mounts,
        geometry=replace(GEOMETRY, **around.geometry),
        initial_size_cells=start.size_cells,
        initial_dirty_tail=start.dirty_tail,
        initial_blocks=start.blocks,
        **around.scope,
    )


_FIXED: Final[Mapping[str, Op]] = {
    "fsync": Op(OpCode.FSYNC),
    "fsync@1": Op(OpCode.FSYNC, inode=1),
    "write@1 0 2": Op(OpCode.WRITE, 0, 2, inode=1),
}


def _op(text: str, by_letter: Mapping[str, Op]) -> Op:
    return by_letter[text] if text in by_letter else _FIXED[text]


def canonical(tasks: tuple[tuple[Op, ...], ...]) -> tuple[tuple[Op, ...], ...]:
    """Return the tasks of a mount as they stand for all that cannot differ from them.

    An fsync right behind an fsync of the same file has nothing to do, and no state between the two
    is new; tasks have no order.
    """
    return tuple(sorted(map(_without_repeats, tasks), key=_order))


def _without_repeats(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    kept = [
        op
        for before, op in zip((None, *ops), ops, strict=False)
        if op.code != OpCode.FSYNC or op != before
    ]
    return tuple(kept)


def _order(task: tuple[Op, ...]) -> list[tuple[int, int, int, int]]:
    return [(op.code, op.pos_cells, op.length_cells, op.inode) for op in task]


def digest_of(scope: Scope) -> bytes:
    """Return eight bytes that tell a workload from all others of a level, its name apart."""
    content = replace(scope, name="", summary="")
    return blake2b(repr(content).encode(), digest_size=8).digest()
