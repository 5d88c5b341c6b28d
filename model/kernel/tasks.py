"""The threads of the model and the closed program they make.

Tasks run their list of operations; everything else is a daemon that acts whenever its condition
holds.  Which threads exist depends on the scope: a thread that can never act would only cost.
"""

from powercut.model.block.device import disk, failing_disk, settle_failed_write
from powercut.model.fs.ext4.extents.fallocate import ext4_fallocate, ext4_zero_range
from powercut.model.fs.ext4.file import ext4_buffered_write_iter
from powercut.model.fs.ext4.fsync import ext4_sync_file
from powercut.model.fs.ext4.inode.evict import ext4_evict_inode
from powercut.model.fs.ext4.inode.mkwrite import ext4_page_mkwrite
from powercut.model.fs.ext4.inode.punch import ext4_punch_hole
from powercut.model.fs.ext4.inode.truncate import ext4_setattr
from powercut.model.fs.ext4.namei import ext4_unlink
from powercut.model.fs.ext4.page_io.end_io import ext4_end_io_rsv_work, ext4_iomap_end_io
from powercut.model.fs.fs_writeback import flusher, wb_workfn
from powercut.model.fs.jbd2.journal.kjournald import commit_timer, kjournald2
from powercut.model.fs.sync import ksys_sync
from powercut.model.language import Path, Program, Thread
from powercut.model.mm.filemap import filemap_read
from powercut.model.mm.vmscan import reclaim
from powercut.model.oracle import note_call_returned
from powercut.model.scope import OpCode
from powercut.model.state import NR_OPS, Kernel


def has_open(k: Kernel, t: int, i: int) -> int:
    """Tell whether task ``t`` has file ``i`` open, where files are unlinked at all."""
    return k.conf.unlinks == 0 or (k.inode[i].opened >> t) & 1


def close_file(k: Kernel, t: int, i: int) -> Path[None]:
    """close(2) after the last operation of task ``t`` on file ``i``.  kernel: iput()."""
    inode = k.inode[i]
    inode.opened &= ~(1 << t)
    if inode.opened == 0 and inode.raw.deleted:
        yield from ext4_evict_inode(k, t, i)


def task(k: Kernel, t: int) -> Path[None]:
    """Run the operations of task ``t`` one after the other."""
    program = k.conf.task[t]
    for n in range(NR_OPS):
        op = program.op[n]
        if not has_open(k, t, op.inode):
            continue
        if op.code == OpCode.WRITE:
            yield from ext4_buffered_write_iter(k, t, op.inode, op.pos, op.length, op.colour)
        elif op.code == OpCode.STORE:
            for cell in range(op.pos, op.pos + op.length):
                yield from ext4_page_mkwrite(k, t, op.inode, cell, op.colour)
        elif op.code == OpCode.TRUNCATE:
            yield from ext4_setattr(k, t, op.inode, op.pos)
        elif op.code == OpCode.PUNCH:
            yield from ext4_punch_hole(k, t, op.inode, op.pos, op.length)
        elif op.code == OpCode.ZERO_RANGE:
            yield from ext4_zero_range(k, t, op.inode, op.pos, op.length)
        elif op.code == OpCode.FALLOCATE:
            yield from ext4_fallocate(k, t, op.inode, op.pos, op.length)
        elif op.code == OpCode.READ:
            yield from filemap_read(k, t, k.inode[op.inode], op.pos, op.length)
        elif op.code == OpCode.FSYNC or op.code == OpCode.FDATASYNC:
            yield from ext4_sync_file(k, t, op.inode, op.code == OpCode.FDATASYNC)
        elif op.code == OpCode.SYNC:
            yield from ksys_sync(k, t)
        elif op.code == OpCode.UNLINK:
            yield from ext4_unlink(k, t, op.inode)
        if op.code:
            note_call_returned(k, t)
        if op.closes:
            yield from close_file(k, t, op.inode)


def rsv_conversion_work(k: Kernel, i: int) -> Path[None]:
    """The conversion work of inode ``i``, on whichever path the inode is."""
    if k.inode[i].buffered_iomap:
        yield from ext4_iomap_end_io(k, i)
    else:
        yield from ext4_end_io_rsv_work(k, i)


PROGRAM = Program(
    state=Kernel,
    threads=(
        Thread("task", task, "nr_tasks"),
        Thread("flusher", flusher, "nr_flushers"),
        Thread("worker", rsv_conversion_work, "nr_inodes", daemon=True),
        Thread("disk", disk, "nr_ioends", daemon=True),
        Thread("failing_disk", failing_disk, "nr_failing_disks", daemon=True),
        Thread("kjournald", kjournald2, 1, daemon=True),
        Thread("timer", commit_timer, "nr_timers", daemon=True),
        Thread("wb_worker", wb_workfn, "nr_wb_workers", daemon=True),
        Thread("reclaim", reclaim, "nr_reclaimers", daemon=True),
        Thread("settle", settle_failed_write, "nr_settlers", daemon=True),
    ),
    constant="conf",
    projected="stable",
)
