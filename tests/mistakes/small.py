"""A small kernel file, to see what the operators make of it."""

from powercut.checkers.mistakes.generate import Mistake, mistakes_of
from powercut.checkers.mistakes.source import SourceFile

TEXT = '''"""A file."""

from powercut.model.fs.ext4.start import start, submit
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.oracle import note_written
from powercut.model.state import EIO, OK, Inode, Kernel


def write(k: Kernel, current: int, inode: Inode, n: int) -> Path[int]:
    """Write."""
    yield from down_write(k, current, inode.i_data_sem)
    if n < inode.i_size and inode.i_sync:
        inode.i_disksize = min(n, inode.i_size)
        note_written(k, inode)
    inode.i_freeing = 1
    up_write(k, inode.i_data_sem)
    yield lambda: inode.work_queued == 0  # wait for the worker
    error = yield from start(k, current)
    if error:
        return EIO
    submit(k, inode)
    return OK


def submit(k: Kernel, inode: Inode) -> None:
    """Submit."""
    inode.i_size += 1
    assert inode.i_size < 9
'''


def mistakes_in(text: str = TEXT, kind: str = "") -> list[Mistake]:
    """Return the mistakes of a file, or those of one kind."""
    file = SourceFile("model/fs/small.py", text)
    found = mistakes_of([file], [file])
    return [mistake for mistake in found if kind in ("", mistake.kind)]
