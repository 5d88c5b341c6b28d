"""A truncate discards the buffers of a folio that is clean and zero as well."""

from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.ops import store, truncate, write
from powercut.model.scope import Geometry, Mount, Scope, Timer


def test_a_block_that_was_cut_is_mapped_anew() -> None:
    """The store is behind EOF, so writeback zeroes the page; truncate has no data to drop."""
    ops = (truncate(1), store(1), truncate(0), write(0))
    scope = Scope(
        "zero-page",
        "",
        (Mount((ops,), flusher_passes=2),),
        geometry=Geometry(nr_blocks=1, nr_phys=2),
        initial_size_cells=0,
        timer=Timer.NEVER,
    )
    result = run_scope(Question(DESIGNS["bh-ordered"], scope))
    assert result.exhaustive
    assert not {v.prop for v in result.violations}
