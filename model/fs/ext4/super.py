"""The part of sync(2) that is the file system's.

Mirrors ext4_sync_fs() of fs/ext4/super.c.
"""

from powercut.model.block.blk_flush import blkdev_issue_flush
from powercut.model.fs.ext4.ext4 import ext4_emergency_state
from powercut.model.fs.jbd2.journal.requests import (
    jbd2_complete_transaction,
    jbd2_get_latest_transaction,
    jbd2_log_start_commit,
    jbd2_trans_will_send_data_barrier,
)
from powercut.model.language import Path
from powercut.model.state import Kernel


def flush_workqueue(k: Kernel) -> Path[None]:
    """Wait for the conversions in rsv_conversion_wq.  kernel: same name.

    Work queued meanwhile is waited for as well.
    """
    yield lambda: k.rsv_conversion_wq == 0 and not any_work_queued(k)  # flush the conversion queue


def any_work_queued(k: Kernel) -> int:
    """Tell whether some inode's conversions are queued."""
    for i in range(k.conf.nr_inodes):
        if k.inode[i].work_queued:
            return 1
    return 0


def ext4_sync_fs(k: Kernel, current: int) -> Path[None]:
    """->sync_fs(), called without waiting and then with.  kernel: ext4_sync_fs().

    Whether the commit flushes the device for us is decided before it is waited for.
    """
    if ext4_emergency_state(k):
        return
    yield from flush_workqueue(k)
    jbd2_log_start_commit(k)
    yield from flush_workqueue(k)
    if ext4_emergency_state(k):
        return
    target = jbd2_get_latest_transaction(k)
    needs_barrier = not jbd2_trans_will_send_data_barrier(k, target)
    yield from jbd2_complete_transaction(k, current, target)
    if needs_barrier:
        yield  # flush the device
        blkdev_issue_flush(k)
