"""A handle that is open when the journal aborts gets no blocks, least of all the freed ones."""

import pytest

from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.ops import punch, truncate, write
from powercut.model.scope import Geometry, Mount, Scope, Timer

CUT = Mount(((truncate(0), write(0), write(2)),))
PUNCHED = Mount(((write(2, 3), punch(0, 2)),), flusher_passes=2)


@pytest.mark.parametrize(
    ("design", "mount", "nr_blocks"),
    [
        ("bh-ordered", CUT, 2),
        ("bh-ordered", PUNCHED, 3),
        ("seed", PUNCHED, 3),
        ("series-v5", PUNCHED, 3),
    ],
)
def test_a_freed_block_is_not_written_over_after_an_abort(
    design: str, mount: Mount, nr_blocks: int
) -> None:
    """The commit that freed it is not durable: the file has it still."""
    scope = Scope(
        "abort",
        "",
        (mount,),
        geometry=Geometry(nr_blocks=nr_blocks, nr_phys=3),
        initial_size_cells=2,
        timer=Timer.ONCE,
        max_errors=1,
        data_err_abort=True,
    )
    result = run_scope(Question(DESIGNS[design], scope))
    assert result.exhaustive
    assert result.reached["journal-aborted"]
    assert not result.violations
