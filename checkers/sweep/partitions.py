"""What a level of the sweep divides calls into, and whether each part is there.

Why so: "every workload" is only worth what its table of calls and files divides; here the division
is said, and each part is covered or struck out with a reason.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from powercut.model.scope import BlockKind, Op, OpCode, Scope

Test = Callable[[Op, Scope], bool]


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a dimension: ``test`` says whether a call of a workload is in it.

    Without a test the part is struck out, and ``reason`` says why.
    """

    dimension: str
    name: str
    test: Test | None = None
    reason: str = ""


def _size(scope: Scope) -> int:
    return scope.initial_size_cells


def _end(op: Op) -> int:
    return op.pos_cells + op.length_cells


def _is_range(op: Op) -> bool:
    return op.length_cells > 0


def _per_block(scope: Scope) -> int:
    return scope.geometry.cells_per_block


def _kind_at(op: Op, scope: Scope) -> BlockKind:
    return scope.first_blocks()[op.pos_cells // _per_block(scope)].kind


def _of_kind(code: OpCode) -> Test:
    return lambda op, _scope: op.code == code


def _on(kind: BlockKind) -> Test:
    return lambda op, scope: _is_range(op) and _kind_at(op, scope) == kind


PARTITIONS: tuple[Partition, ...] = (
    *(
        Partition("call", code.name.lower(), _of_kind(code))
        for code in OpCode
        if code != OpCode.NONE
    ),
    Partition("call", "fallocate with KEEP_SIZE", reason="the model has no such call"),
    Partition("call", "insert and collapse range", reason="the model has no such calls"),
    Partition("call", "direct I/O, O_SYNC, msync", reason="the model has no such calls"),
    Partition("call", "rename, link, create", reason="the model has no namespace"),
    Partition("position", "inside the file", lambda op, s: _is_range(op) and _end(op) < _size(s)),
    Partition("position", "ends at EOF", lambda op, s: _is_range(op) and _end(op) == _size(s)),
    Partition(
        "position",
        "across EOF",
        lambda op, s: _is_range(op) and op.pos_cells < _size(s) < _end(op),
    ),
    Partition(
        "position", "begins at EOF", lambda op, s: _is_range(op) and op.pos_cells == _size(s)
    ),
    Partition(
        "position",
        "leaves a gap behind EOF",
        lambda op, s: _is_range(op) and op.pos_cells > _size(s),
    ),
    Partition("position", "behind two blocks", reason="the geometry has two blocks"),
    Partition("length", "one cell", lambda op, _s: op.length_cells == 1),
    Partition("length", "one block", lambda op, s: op.length_cells == _per_block(s)),
    Partition("length", "more than a block", lambda op, s: op.length_cells > _per_block(s)),
    Partition(
        "length",
        "a store of more than a cell",
        reason="a store through a mapping is one access of the processor, inside a cell",
    ),
    Partition(
        "alignment",
        "whole blocks",
        lambda op, s: (
            _is_range(op) and op.pos_cells % _per_block(s) == 0 and _end(op) % _per_block(s) == 0
        ),
    ),
    Partition(
        "alignment",
        "inside a block",
        lambda op, s: (
            _is_range(op)
            and op.pos_cells // _per_block(s) == (_end(op) - 1) // _per_block(s)
            and op.length_cells < _per_block(s)
        ),
    ),
    Partition(
        "alignment",
        "across a block's edge",
        lambda op, s: (
            _is_range(op) and op.pos_cells // _per_block(s) != (_end(op) - 1) // _per_block(s)
        ),
    ),
    Partition("truncate", "down", lambda op, s: _cuts(op) and op.pos_cells < _size(s)),
    Partition("truncate", "to the same size", lambda op, s: _cuts(op) and op.pos_cells == _size(s)),
    Partition("truncate", "up", lambda op, s: _cuts(op) and op.pos_cells > _size(s)),
    Partition("block", "hole", _on(BlockKind.HOLE)),
    Partition("block", "unwritten", _on(BlockKind.UNWRITTEN)),
    Partition("block", "written", _on(BlockKind.WRITTEN)),
    Partition("file", "empty", lambda _op, s: _size(s) == 0),
    Partition("file", "dirty tail", lambda _op, s: s.initial_dirty_tail),
    Partition("file", "unwritten behind EOF", lambda _op, s: _has_block_behind_eof(s)),
    Partition("file", "fragmented", lambda _op, s: _is_fragmented(s)),
    Partition("file", "written behind EOF", reason="e2fsck takes it for damage; no call leaves it"),
    Partition("result", "no space", lambda _op, s: s.geometry.nr_phys <= s.geometry.nr_blocks),
    Partition("result", "a failing bio", lambda _op, s: s.max_errors > 0),
    Partition("result", "EINTR, ENOMEM, EFBIG", reason="no call of the model fails so"),
)


def _cuts(op: Op) -> bool:
    return op.code == OpCode.TRUNCATE


def _has_block_behind_eof(scope: Scope) -> bool:
    used = -(-scope.initial_size_cells // scope.geometry.cells_per_block)
    return any(block.kind != BlockKind.HOLE for block in scope.first_blocks()[used:])


def _is_fragmented(scope: Scope) -> bool:
    places = [block.phys for block in scope.first_blocks() if block.kind != BlockKind.HOLE]
    return places != sorted(places)


def covered(scopes: Iterable[Scope]) -> dict[Partition, bool]:
    """Return whether some call of ``scopes`` is in each partition that is not struck out."""
    left = {partition for partition in PARTITIONS if partition.test is not None}
    for scope in scopes:
        if not left:
            break
        ops = [op for mount in scope.mounts for task in mount.tasks for op in task]
        left -= {p for p in left if p.test is not None and any(p.test(op, scope) for op in ops)}
    return {partition: partition not in left for partition in PARTITIONS if partition.test}
