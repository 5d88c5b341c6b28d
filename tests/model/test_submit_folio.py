"""How much of a folio the buffer_head path writes, and what becomes of the rest."""

from typing import Any

import pytest

from powercut.checkers.run.mount import Mount as Mounted
from powercut.checkers.run.question import Question
from powercut.model.designs import DESIGNS
from powercut.model.fs.ext4.inode.buffers import length_to_write, mpage_submit_folio
from powercut.model.ops import write
from powercut.model.scope import Geometry, Mount, Scope
from powercut.model.state import IOEND_NONE, IOEND_SUBMITTED, POLLUTION, ZERO

SINGLE = Geometry(nr_blocks=2, nr_phys=2)
PAIR = Geometry(nr_blocks=4, blocks_per_folio=2, nr_phys=4)


def dirty(geometry: Geometry, i_size: int) -> Any:
    """The variables with every block of a file written, dirty and mapped, and EOF at ``i_size``."""
    size = geometry.nr_blocks * geometry.cells_per_block
    scope = Scope("dirty", "", (Mount(((write(0),),)),), geometry=geometry, initial_size_cells=size)
    run = Mounted.of(Question(DESIGNS["bh-ordered"], scope)).native()
    inode = run.root.inode[0]
    inode.i_size = i_size
    for f in range(run.root.conf.nr_folios):
        inode.folio[f].dirty = inode.folio[f].mapped = (1 << geometry.blocks_per_folio) - 1
    for cell in range(size):
        inode.page[cell] = POLLUTION
    return run.root


@pytest.mark.parametrize(
    ("geometry", "i_size", "lengths"),
    [
        (SINGLE, 4, (2, 2)),
        (SINGLE, 3, (2, 1)),
        (SINGLE, 2, (2, 0)),
        (SINGLE, 1, (1, 1)),
        (SINGLE, 0, (0, 0)),
        (PAIR, 8, (4, 4)),
        (PAIR, 5, (4, 1)),
        (PAIR, 3, (3, 3)),
        (PAIR, 0, (0, 0)),
    ],
)
def test_a_folio_behind_eof_is_written_as_far_as_the_one_with_eof(
    geometry: Geometry, i_size: int, lengths: tuple[int, int]
) -> None:
    k = dirty(geometry, i_size)
    assert tuple(length_to_write(k, k.inode[0], f) for f in range(2)) == lengths


@pytest.mark.parametrize(
    ("geometry", "i_size", "submitted", "page"),
    [
        (SINGLE, 1, [1], [POLLUTION, ZERO]),
        (SINGLE, 2, [], [ZERO, ZERO]),
        (PAIR, 1, [2], [POLLUTION, ZERO, ZERO, ZERO]),
        (PAIR, 3, [2, 3], [POLLUTION, POLLUTION, POLLUTION, ZERO]),
    ],
)
def test_the_rest_is_zeroed_and_clean(
    geometry: Geometry, i_size: int, submitted: list[int], page: list[int]
) -> None:
    k = dirty(geometry, i_size)
    inode = k.inode[0]
    mpage_submit_folio(k, inode, 1, 0)
    states = [inode.ioend[b].state for b in range(geometry.nr_blocks)]
    assert [b for b, state in enumerate(states) if state == IOEND_SUBMITTED] == submitted
    assert {state for b, state in enumerate(states) if b not in submitted} == {IOEND_NONE}
    assert inode.folio[1].dirty == 0
    assert bool(inode.folio[1].writeback) == bool(submitted)
    assert [inode.page[c] for c in range(len(page), 2 * len(page))] == page


def test_buffers_that_are_not_mapped_stay_dirty_in_front_of_eof() -> None:
    k = dirty(PAIR, 8)
    folio = k.inode[0].folio[1]
    folio.mapped = 0b10
    mpage_submit_folio(k, k.inode[0], 1, 0)
    assert (folio.dirty, folio.write_bytes_pending) == (0b01, 1)
