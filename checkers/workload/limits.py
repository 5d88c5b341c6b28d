"""How big a workload may be: every limit as a named constant, and the checks that enforce them.

Why so: a scope reaches the explorer from three sides (text files, fsx op files, saved traces), and
all three must agree on what is too big, or a trace could be saved that cannot be loaded.  So the
readers build the plain data first and ask this module; a :class:`LimitError` names the quantity
(``what``), and a reader that knows where it was written adds the place.  The numbers follow the
width of the explored state: a scope at every limit at once does not finish, but each single limit
is reachable.
Rejected: checks inside the data classes themselves (tests build odd scopes on purpose), and
limits on the number of states (only a run can know those).
"""

from collections.abc import Iterator

from powercut.errors import InputError
from powercut.model.scope import (
    BlockKind,
    Geometry,
    InitialBlock,
    Mount,
    Op,
    OpCode,
    Scope,
    Timer,
)

MIN_BLOCKS, MAX_BLOCKS = 1, 8
MIN_CELLS_PER_BLOCK, MAX_CELLS_PER_BLOCK = 1, 4
FOLIO_BLOCKS = (1, 2, 3, 4)
MIN_PHYS, MAX_PHYS = 1, 8
MAX_TOTAL_CELLS = 16
MIN_INODES, MAX_INODES = 1, 2
MIN_MOUNTS, MAX_MOUNTS = 1, 3
MIN_TASKS, MAX_TASKS = 1, 3
MIN_OPS, MAX_OPS = 1, 4
MAX_DATA_OPS = 4
"""Writes and stores in a mount: each gets a colour of its own."""
MAX_FLUSHER_PASSES = 2
MAX_EVICTIONS = 2
MAX_ERRORS = 2
LOG_UNLIMITED = 0
MIN_LOG, MAX_LOG = 2, 4
MAX_NAME_CHARS = 64
MAX_SUMMARY_CHARS = 400
MAX_FILE_BYTES = 64 * 1024
"""The largest workload file that is read, of either format."""

DATA_OPS = (OpCode.WRITE, OpCode.STORE)
RANGE_OPS = (*DATA_OPS, OpCode.READ, OpCode.PUNCH, OpCode.ZERO_RANGE, OpCode.FALLOCATE)
SYNC_OPS = (OpCode.FSYNC, OpCode.FDATASYNC, OpCode.SYNC)
HUGE = 10**9
"""Numbers above this are not printed digit by digit in a message."""

_NAME_MARKS = "-_."


class LimitError(InputError, ValueError):
    """A scope outside the limits; ``what`` names the quantity, ``str()`` is one line."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.args = (what, message)
        self.what = what


def check_scope(scope: Scope) -> None:
    """Raise :class:`LimitError` unless every part of ``scope`` is within the limits.

    Meant for scopes from any source; the message says which mount, task and operation (from 1).
    """
    check_name(scope.name)
    check_summary(scope.summary)
    check_geometry(scope.geometry)
    check_file(
        scope.initial_size_cells, scope.initial_dirty_tail, scope.geometry, scope.initial_blocks
    )
    if not isinstance(scope.timer, Timer):
        raise LimitError("timer", "timer must be never, once or free")
    check_range("errors", scope.max_errors, 0, MAX_ERRORS)
    check_flag("data_err=abort", scope.data_err_abort)
    check_log(scope.log_transactions)
    check_range("the number of mounts", len(scope.mounts), MIN_MOUNTS, MAX_MOUNTS)
    for number, mount in enumerate(scope.mounts, 1):
        _check_mount(mount, scope.geometry, f"mount {number}")


def total_cells(geometry: Geometry) -> int:
    """Return how many cells the file can hold."""
    return geometry.nr_blocks * geometry.cells_per_block


def check_range(what: str, value: object, low: int, high: int) -> None:
    """Raise :class:`LimitError` unless ``value`` is an integer in ``low..high``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise LimitError(what, f"{what} must be a whole number {low}..{high}")
    if not low <= value <= high:
        raise LimitError(what, f"{what} must be {low}..{high}, not {_show(value)}")


def check_flag(what: str, value: object) -> None:
    """Raise :class:`LimitError` unless ``value`` is a truth value."""
    if not isinstance(value, bool):
        raise LimitError(what, f"{what} must be true or false")


def check_name(name: str) -> None:
    """Raise :class:`LimitError` unless ``name`` is 1..64 ASCII letters, digits, ``-_.``."""
    if name and len(name) <= MAX_NAME_CHARS and all(is_name_char(c) for c in name):
        return
    raise LimitError(
        "name", f"name must be 1..{MAX_NAME_CHARS} ASCII letters, digits, '-', '_' or '.'"
    )


def is_name_char(char: str) -> bool:
    """Say whether ``char`` may occur in the name of a scope."""
    return char.isascii() and (char.isalnum() or char in _NAME_MARKS)


def check_summary(summary: str) -> None:
    """Raise :class:`LimitError` unless ``summary`` is one printable, trimmed, short line."""
    if len(summary) > MAX_SUMMARY_CHARS:
        raise LimitError("summary", f"summary must have at most {MAX_SUMMARY_CHARS} characters")
    if not summary.isprintable() or summary != summary.strip():
        raise LimitError("summary", "summary must be one line of printable text without end blanks")


def check_geometry(geometry: Geometry) -> None:
    """Raise :class:`LimitError` unless the sizes are within the limits."""
    check_range("blocks", geometry.nr_blocks, MIN_BLOCKS, MAX_BLOCKS)
    check_range("cells", geometry.cells_per_block, MIN_CELLS_PER_BLOCK, MAX_CELLS_PER_BLOCK)
    check_range("folio", geometry.blocks_per_folio, min(FOLIO_BLOCKS), max(FOLIO_BLOCKS))
    check_range("phys", geometry.nr_phys, MIN_PHYS, MAX_PHYS)
    check_range("blocks times cells", total_cells(geometry), 1, MAX_TOTAL_CELLS)
    check_range("inodes", geometry.nr_inodes, MIN_INODES, MAX_INODES)


def check_file(
    size_cells: int,
    dirty_tail: bool,
    geometry: Geometry,
    blocks: tuple[InitialBlock, ...] = (),
) -> None:
    """Raise :class:`LimitError` unless the initial file fits ``geometry`` (checked before)."""
    cells = geometry.cells_per_block
    check_range("size", size_cells, 0, total_cells(geometry))
    needed = -(-size_cells // cells)
    if blocks:
        _check_blocks(blocks, needed, geometry)
    elif needed > geometry.nr_phys:
        raise LimitError(
            "size",
            f"size={size_cells} needs {needed} physical blocks and phys={geometry.nr_phys}; "
            f"raise phys or give size 0..{geometry.nr_phys * cells}",
        )
    check_flag("dirty-tail", dirty_tail)
    if dirty_tail and size_cells % cells == 0:
        raise LimitError(
            "dirty-tail",
            f"dirty-tail needs a size inside a block, and size={size_cells} ends one "
            f"(cells={cells}); change size or drop dirty-tail",
        )
    if dirty_tail and blocks and blocks[needed - 1].kind != BlockKind.WRITTEN:
        raise LimitError(
            "dirty-tail", "dirty-tail needs a written EOF block; change blocks or drop dirty-tail"
        )


def _check_blocks(blocks: tuple[InitialBlock, ...], needed: int, geometry: Geometry) -> None:
    """Check one entry a block, each at a place of its own, none of them written behind EOF."""
    if len(blocks) != geometry.nr_blocks:
        raise LimitError(
            "blocks", f"blocks says {len(blocks)} blocks, and the file has {geometry.nr_blocks}"
        )
    taken: set[int] = set()
    for number, block in enumerate(blocks):
        if block.kind == BlockKind.HOLE:
            continue
        check_range("blocks", block.phys, 0, geometry.nr_phys - 1)
        if block.phys in taken:
            raise LimitError("blocks", f"two blocks of the file are at {block.phys}")
        taken.add(block.phys)
        if block.kind == BlockKind.WRITTEN and number >= needed:
            raise LimitError(
                "blocks", f"block {number} is behind EOF and written; make it unwritten, or a hole"
            )


def check_log(transactions: int) -> None:
    """Raise :class:`LimitError` unless the log is unlimited (0) or holds 2..4 transactions."""
    if transactions == LOG_UNLIMITED and type(transactions) is int:
        return
    try:
        check_range("log", transactions, MIN_LOG, MAX_LOG)
    except LimitError as error:
        raise LimitError("log", f"{error}; or 0 for a log that never fills") from None


def check_op(op: Op, geometry: Geometry) -> None:
    """Raise :class:`LimitError` unless ``op`` is inside the file; ``what`` is the argument."""
    total = total_cells(geometry)
    if not isinstance(op.code, OpCode):
        raise LimitError("operation", "unknown operation")
    check_range("the file of an operation", op.inode, 0, geometry.nr_inodes - 1)
    if op.code in RANGE_OPS:
        check_range("position", op.pos_cells, 0, total - 1)
        check_range("length", op.length_cells, 1, total - op.pos_cells)
        return
    check_range("length of an operation without a range", op.length_cells, 0, 0)
    if op.code == OpCode.TRUNCATE:
        check_range("size", op.pos_cells, 0, total)
        return
    if op.code not in (*SYNC_OPS, OpCode.UNLINK):
        raise LimitError("operation", "unknown operation")
    if op.code == OpCode.SYNC:
        check_range("the file of a sync, which is about all files,", op.inode, 0, 0)
    check_range(
        "position of an unlink" if op.code == OpCode.UNLINK else "position of a sync",
        op.pos_cells,
        0,
        0,
    )


def check_data_ops(count: int) -> None:
    """Raise :class:`LimitError` if a mount has more than the writes and stores it may have."""
    if count > MAX_DATA_OPS:
        raise LimitError(
            "data operations",
            f"a mount may have {MAX_DATA_OPS} writes and stores together, each with a colour of "
            "its own; drop one or move it to another mount",
        )


def _check_mount(mount: Mount, geometry: Geometry, where: str) -> None:
    check_range(f"{where}: flusher", mount.flusher_passes, 0, MAX_FLUSHER_PASSES)
    check_range(f"{where}: evict", mount.evictions, 0, MAX_EVICTIONS)
    check_range(f"{where}: the number of tasks", len(mount.tasks), MIN_TASKS, MAX_TASKS)
    for number, task in enumerate(mount.tasks, 1):
        check_range(f"{where}: operations of task {number}", len(task), MIN_OPS, MAX_OPS)
    for place, op in _ops_of(mount):
        try:
            check_op(op, geometry)
        except LimitError as error:
            raise LimitError(error.what, f"{where}, {place}: {error}") from None
    data_ops = sum(op.code in DATA_OPS for _, op in _ops_of(mount))
    try:
        check_data_ops(data_ops)
    except LimitError as error:
        raise LimitError(error.what, f"{where}: {error}") from None


def _ops_of(mount: Mount) -> Iterator[tuple[str, Op]]:
    """Yield every operation of ``mount`` with the words that say where it is."""
    for task_number, task in enumerate(mount.tasks, 1):
        for op_number, op in enumerate(task, 1):
            yield f"task {task_number}, operation {op_number}", op


def _show(value: int) -> str:
    """Print ``value``, but not the digits of an absurd one."""
    if value > HUGE:
        return "a number above 10^9"
    if value < -HUGE:
        return "a number below -10^9"
    return str(int(value))
