"""Operations by the names of their system calls, for those who write programs in Python."""

from powercut.model.scope import Op, OpCode


def write(pos_cells: int, length_cells: int = 1, inode: int = 0) -> Op:
    """write(2) at a cell offset."""
    return Op(OpCode.WRITE, pos_cells, length_cells, inode)


def store(cell: int) -> Op:
    """A one-cell store through a shared mapping."""
    return Op(OpCode.STORE, cell, 1)


def read(pos_cells: int, length_cells: int = 1) -> Op:
    """read(2) at a cell offset."""
    return Op(OpCode.READ, pos_cells, length_cells)


def truncate(size_cells: int) -> Op:
    """truncate(2) to a size in cells."""
    return Op(OpCode.TRUNCATE, size_cells)


def punch(pos_cells: int, length_cells: int) -> Op:
    """fallocate(2) with FALLOC_FL_PUNCH_HOLE."""
    return Op(OpCode.PUNCH, pos_cells, length_cells)


def zero_range(pos_cells: int, length_cells: int) -> Op:
    """fallocate(2) with FALLOC_FL_ZERO_RANGE."""
    return Op(OpCode.ZERO_RANGE, pos_cells, length_cells)


def fallocate(pos_cells: int, length_cells: int) -> Op:
    """fallocate(2), mode 0."""
    return Op(OpCode.FALLOCATE, pos_cells, length_cells)


def unlink(inode: int = 0) -> Op:
    """unlink(2); the file goes when the last task is done with it."""
    return Op(OpCode.UNLINK, inode=inode)


FSYNC = Op(OpCode.FSYNC)
FDATASYNC = Op(OpCode.FDATASYNC)
SYNC = Op(OpCode.SYNC)
