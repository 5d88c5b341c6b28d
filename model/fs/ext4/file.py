"""write(2) on a regular file.

Mirrors ext4_buffered_write_iter() of a 7.x kernel with the series' write path (v3): the old EOF
block is zeroed before any handle.
"""

from powercut.model.fs.ext4.ext4 import ext4_emergency_state
from powercut.model.fs.ext4.inode.zero import ext4_block_zero_eof
from powercut.model.fs.iomap.buffered_io.write import iomap_file_buffered_write
from powercut.model.kernel.primitives import down_write, up_write
from powercut.model.language import Path
from powercut.model.mm.filemap import generic_perform_write
from powercut.model.oracle import note_extension_begins, note_extension_ends
from powercut.model.state import Kernel


def ext4_buffered_write_iter(
    k: Kernel, current: int, i: int, pos: int, length: int, colour: int
) -> Path[None]:
    """write(2) of ``length`` cells at ``pos``.  kernel: ext4_buffered_write_iter()."""
    inode = k.inode[i]
    yield from down_write(k, current, inode.i_rwsem)
    if not ext4_emergency_state(k):
        if pos + length > inode.i_size:
            note_extension_begins(k, i)
        if pos > inode.i_size:
            yield from ext4_block_zero_eof(k, current, inode, inode.i_size, 1)
        if inode.buffered_iomap:
            yield from iomap_file_buffered_write(k, current, i, pos, pos + length, colour)
        else:
            yield from generic_perform_write(k, current, i, pos, pos + length, colour)
    note_extension_ends(k, i)
    up_write(k, inode.i_rwsem)
