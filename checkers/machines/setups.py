"""What a machine's run starts from: a few geometries, drawn with everything else of a scope.

Why so: each geometry is compiled once (about a second), so they come from a short list; the rest
of a set-up is run-time constants and costs nothing to draw.  The large ones are far beyond what can
be explored to the end.  Rejected: any geometry (most of the time went into the compiler).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from powercut.checkers.weave.patch import ModelPatch
from powercut.model.designs import DESIGNS, Design
from powercut.model.mutants import Mutant
from powercut.model.scope import Geometry, OpCode, Timer

GEOMETRIES: dict[str, Geometry] = {
    "two-blocks": Geometry(),
    "two-block-folio": Geometry(blocks_per_folio=2),
    "full-pool": Geometry(nr_phys=2),
    "two-files": Geometry(nr_blocks=1, nr_phys=2, nr_inodes=2),
    "four-blocks": Geometry(nr_blocks=4, blocks_per_folio=2, nr_phys=6),
    "two-large-files": Geometry(nr_blocks=4, blocks_per_folio=2, nr_phys=8, nr_inodes=2),
    "eight-blocks": Geometry(nr_blocks=8, nr_phys=8),
    "large-folios": Geometry(nr_blocks=8, blocks_per_folio=4, nr_phys=8),
}


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything about a run that is fixed before its first step; sizes in cells.

    ``patches`` are the user's changes of the model; the mutant is planted over them.

    With ``syncs`` every mount begins with a sync(2) that may be late, and others may follow; with
    ``unlinks`` files may be unlinked.  Not both, :class:`ValueError`: in a scope that unlinks, the
    model lets a task call sync(2) only while it has file 0 open.
    """

    design: Design = DESIGNS["seed"]
    mutant: Mutant | None = None
    geometry: Geometry = GEOMETRIES["two-blocks"]
    initial_size_cells: int = 1
    initial_dirty_tail: bool = False
    timer: Timer = Timer.FREE
    max_errors: int = 0
    data_err_abort: bool = False
    log_transactions: int = 0
    nodelalloc: bool = False
    flusher_passes: int = 1
    evictions: int = 0
    syncs: bool = False
    unlinks: bool = False
    patches: tuple[ModelPatch, ...] = ()

    def __post_init__(self) -> None:
        if self.syncs and self.unlinks:
            raise ValueError("a set-up has sync(2) or unlink(2), not both")


@st.composite
def setups(
    draw: st.DrawFn,
    designs: Sequence[Design],
    mutant: Mutant | None,
    geometries: Sequence[Geometry],
) -> Setup:
    """Any set-up of the given designs and geometries; the plainest one is the simplest."""
    geometry = draw(st.sampled_from(geometries))
    cells = min(geometry.nr_blocks, geometry.nr_phys) * geometry.cells_per_block
    size = draw(st.integers(0, cells))
    errors = draw(st.sampled_from((0, 0, 0, 1, 2)))
    special = draw(st.sampled_from((OpCode.NONE, OpCode.NONE, OpCode.SYNC, OpCode.UNLINK)))
    return Setup(
        design=draw(st.sampled_from(designs)),
        mutant=mutant,
        geometry=geometry,
        initial_size_cells=size,
        initial_dirty_tail=size % geometry.cells_per_block != 0 and draw(st.booleans()),
        timer=draw(st.sampled_from((Timer.FREE, Timer.NEVER, Timer.ONCE))),
        max_errors=errors,
        data_err_abort=errors > 0 and draw(st.booleans()),
        log_transactions=draw(st.sampled_from((0, 0, 0, 2, 3))),
        nodelalloc=draw(st.sampled_from((False, False, True))),
        flusher_passes=draw(st.sampled_from((1, 0, 2))),
        evictions=draw(st.sampled_from((0, 0, 1, 2))),
        syncs=special == OpCode.SYNC,
        unlinks=special == OpCode.UNLINK,
    )
