"""From a scope, a design and a mutant to the two vectors a run starts from.

The view of the vectors comes from the engine and is passed in: this module only knows the declared
names.
"""

from typing import Any

from powercut.model.designs import Design
from powercut.model.fs.iomap.buffered_io.read import blocks_of_folio
from powercut.model.recovery import Disk, cell_content, recover
from powercut.model.scope import Mount, OpCode, Scope, Timer
from powercut.model.state import (
    ANY_COLOUR,
    BLOCK_FREE,
    BLOCK_USED,
    FIRST_OP_COLOUR,
    FOREIGN,
    HOLE,
    NR_OPS,
    WRITTEN,
    ZERO,
)


def dimensions(scope: Scope, mount: Mount) -> dict[str, int]:
    """Return the array sizes and thread counts for one mount of ``scope``."""
    geometry = scope.geometry
    ioends = geometry.nr_inodes * geometry.nr_blocks
    nr_folios = -(-geometry.nr_blocks // geometry.blocks_per_folio)
    nr_cells = geometry.nr_blocks * geometry.cells_per_block
    syncs = any(op.code == OpCode.SYNC for ops in mount.tasks for op in ops)
    phys_cells = geometry.nr_phys * geometry.cells_per_block
    return {
        "nr_inodes": geometry.nr_inodes,
        "nr_blocks": geometry.nr_blocks,
        "nr_folios": nr_folios,
        "nr_cells": nr_cells,
        "nr_phys": geometry.nr_phys,
        "phys_cells": phys_cells,
        "nr_tasks": len(mount.tasks),
        "nr_ops": NR_OPS,
        "file_cells": geometry.nr_inodes * nr_cells,
        "nr_flushers": 1 if mount.flusher_passes and not syncs else 0,
        "nr_wb_workers": int(syncs),
        "nr_ioends": ioends,
        "nr_failing_disks": ioends if scope.max_errors else 0,
        "nr_reclaimers": nr_folios * geometry.nr_inodes if mount.evictions else 0,
        "nr_settlers": 2 * phys_cells if mount.evictions and scope.max_errors else 0,
        "nr_timers": 0 if scope.timer == Timer.NEVER else 1,
    }


def unlinks_files(scope: Scope) -> bool:
    """Tell whether any operation of any mount unlinks a file."""
    return any(
        op.code == OpCode.UNLINK for mount in scope.mounts for ops in mount.tasks for op in ops
    )


def configure(
    conf: Any,
    scope: Scope,
    mount: Mount,
    design: Design,
    mutant: int = 0,
    *,
    observes_calls: bool = False,
) -> None:
    """Fill the constant part: ``mutant`` is the number of the mutant to run, if any.

    With ``observes_calls`` a crash keeps how far each task was and what its syncs returned.
    """
    geometry = scope.geometry
    dims = dimensions(scope, mount)
    for name in ("nr_inodes", "nr_blocks", "nr_folios", "nr_cells", "nr_phys"):
        setattr(conf, name, dims[name])
    conf.cells_per_block = geometry.cells_per_block
    conf.blocks_per_folio = geometry.blocks_per_folio
    conf.cells_per_folio = geometry.cells_per_block * geometry.blocks_per_folio
    conf.eof_rule = design.eof_rule
    conf.revision = design.revision
    conf.submits_first = int(design.submits_first)
    conf.nodelalloc = int(scope.nodelalloc)
    conf.observes_calls = int(observes_calls)
    conf.iomap_inodes = design.iomap_inodes
    conf.orders_iomap = int(design.orders_iomap)
    conf.data_err_abort = int(scope.data_err_abort)
    conf.max_errors = scope.max_errors
    conf.log_transactions = scope.log_transactions
    conf.timer = int(scope.timer)
    conf.flusher_passes = mount.flusher_passes
    conf.max_evictions = mount.evictions
    conf.unlinks = int(unlinks_files(scope))
    conf.mutant = mutant
    _fill_programs(conf, mount)


def _fill_programs(conf: Any, mount: Mount) -> None:
    colour = FIRST_OP_COLOUR
    for t, ops in enumerate(mount.tasks):
        for n, op in enumerate(ops):
            slot = conf.task[t].op[n]
            slot.code = int(op.code)
            slot.pos = op.pos_cells
            slot.length = op.length_cells
            slot.inode = op.inode
            later = any(
                other.inode == op.inode for other in ops[n + 1 :] if other.code != OpCode.SYNC
            )
            slot.closes = int(conf.unlinks and op.code != OpCode.SYNC and not later)
            if op.code in (OpCode.WRITE, OpCode.STORE):
                slot.colour = colour
                colour = (colour << 1) & ANY_COLOUR


def mount_disk(k: Any, disk: Disk, scope: Scope) -> None:
    """Fill the variables as a fresh mount of ``disk`` has them: recovered, cached, nothing dirty.

    What recovery left is on the medium, so it is also promised: another crash must show it again.
    Blocks nobody refers to hold somebody else's old data.
    """
    geometry = scope.geometry
    found = recover(disk, geometry)
    per_block = geometry.cells_per_block
    for p in range(geometry.nr_phys):
        used = found.bitmap >> p & 1
        k.block[p] = BLOCK_USED if used else BLOCK_FREE
        for cell in range(p * per_block, (p + 1) * per_block):
            k.stable.may[cell] = k.device.cached[cell] = found.cells[cell] if used else FOREIGN
    k.journal.bitmap = found.bitmap
    k.stable.bitmap = found.bitmap
    for i in range(geometry.nr_inodes):
        _mount_inode(k, found, scope, i)
        if disk.inodes[i].orphan:
            _zero_orphan_tail(k, scope, i)


def _mount_inode(k: Any, disk: Disk, scope: Scope, i: int) -> None:
    inode, oracle, promised = k.inode[i], k.oracle.inode[i], k.stable.oracle.inode[i]
    inode.i_ino = i
    geometry = scope.geometry
    size = disk.inodes[i].size
    inode.buffered_iomap = k.conf.iomap_inodes >> i & 1
    inode.i_size = inode.i_disksize = size
    if k.conf.max_evictions:
        for f in range(-(-geometry.nr_blocks // geometry.blocks_per_folio)):
            inode.folio[f].absent = blocks_of_folio(k, f)
    promised.promise_size = size
    if k.conf.unlinks and not disk.inodes[i].deleted:
        inode.opened = _openers(k, i)
    for image in (inode.raw, k.stable.inode[i].committed):
        image.size = size
        image.deleted = int(disk.inodes[i].deleted)
        for block, (state, pblk) in enumerate(disk.inodes[i].extents):
            image.extent[block].state = state
            image.extent[block].pblk = pblk
            if state != HOLE and block * geometry.cells_per_block >= size:
                oracle.mounted_behind_eof |= 1 << block
    for cell in range(geometry.nr_blocks * geometry.cells_per_block):
        colour = cell_content(disk, geometry, i, cell)
        inside = cell < size
        inode.page[cell] = colour
        oracle.ever[cell] = promised.ever[cell] = colour | ZERO if inside else ZERO
        promised.promise[cell] = colour if inside else ANY_COLOUR


def _openers(k: Any, i: int) -> int:
    """Return the mask of tasks that close file ``i`` some time, so have it open now."""
    return sum(
        1 << t
        for t in range(len(k.conf.task))
        if any(
            k.conf.task[t].op[n].closes and k.conf.task[t].op[n].inode == i for n in range(NR_OPS)
        )
    )


def _zero_orphan_tail(k: Any, scope: Scope, i: int) -> None:
    """After orphan processing the EOF block's tail is zero in the page cache, and dirty."""
    inode = k.inode[i]
    geometry = scope.geometry
    block = inode.i_size // geometry.cells_per_block
    if inode.i_size % geometry.cells_per_block == 0 or inode.raw.extent[block].state != WRITTEN:
        return
    for cell in range(inode.i_size, (block + 1) * geometry.cells_per_block):
        inode.page[cell] = ZERO
    folio, bit = inode.folio[block // geometry.blocks_per_folio], block % geometry.blocks_per_folio
    folio.dirty |= 1 << bit
    folio.absent &= ~(1 << bit)
