"""Clean folios that leave the page cache: what they come back as."""

from dataclasses import replace

import pytest

from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.system import Build, System
from powercut.checkers.run.mount import Mount as Mounted
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.weave.program import MODEL
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.ops import punch, write
from powercut.model.scope import Mount, Scope, Timer
from powercut.model.setup import dimensions
from powercut.model.state import FIRST_OP_COLOUR, OLD, UNWRITTEN, ZERO, Kernel


def old_read_back(k: Kernel) -> int:
    """After the failed overwrite the old content was read back."""
    return k.evictions and k.inode[0].folio[0].absent == 0 and k.inode[0].page[1] == OLD


def new_read_back(k: Kernel) -> int:
    """After the failed overwrite the new content was read back."""
    return k.evictions and k.inode[0].folio[0].absent == 0 and k.inode[0].page[1] == FIRST_OP_COLOUR


def zeros_read_back(k: Kernel) -> int:
    """The block is unwritten, its folio was reclaimed, and it reads as zeros."""
    unwritten = k.inode[0].raw.extent[0].state == UNWRITTEN
    return k.evictions and unwritten and k.inode[0].page[1] == ZERO and k.inode[0].i_size == 2


def bio_under_an_absent_folio(k: Kernel) -> int:
    """A folio that is not in the cache is under writeback, dirty or locked with a bio."""
    for f in range(k.conf.nr_folios):
        folio = k.inode[0].folio[f]
        if folio.absent and (folio.writeback or folio.dirty):
            return 1
    return 0


def reached(scope_name: str, design: str) -> set[str]:
    """Explore a scope and return which of the predicates above hold somewhere."""
    scope = SCOPES[scope_name]
    wanted = (old_read_back, new_read_back, zeros_read_back, bio_under_an_absent_folio)
    build = Build(MODEL, dimensions(scope, scope.mounts[0]), wanted)
    reference = Mounted.of(Question(DESIGNS[design], scope))
    system = System(build, reference.system.constants, reference.variables)
    checks = dict(zip((p.__name__ for p in wanted), system.predicates, strict=True))
    search = BreadthFirst(system, Watch({}, checks), Limits())
    outcome = search.run()
    assert not outcome.stopped
    return set(outcome.reached)


@pytest.mark.parametrize("design", ["seed", "bh-ordered"])
def test_a_failed_overwrite_reads_back_as_old_or_new(design: str) -> None:
    assert reached("evict-eio-overwrite", design) == {"old_read_back", "new_read_back"}


def test_a_failed_write_of_a_new_block_reads_back_as_zeros() -> None:
    assert "zeros_read_back" in reached("evict-eio", "seed")


def test_a_mount_with_evictions_starts_with_nothing_cached() -> None:
    scope = SCOPES["evict-overwrite"]
    system = Mounted.of(Question(DESIGNS["seed"], scope)).system
    folio = system.view(system.initial).inode[0].folio
    assert (folio[0].absent, folio[1].absent) == (1, 1)
    cached = replace(scope, mounts=(replace(scope.mounts[0], evictions=0),))
    system = Mounted.of(Question(DESIGNS["seed"], cached)).system
    folio = system.view(system.initial).inode[0].folio
    assert (folio[0].absent, folio[1].absent) == (0, 0)


def test_reclaim_alone_finds_writeback_that_ends_too_early() -> None:
    """The property sees it in any scope: what could be reclaimed would read back as zeros."""
    mutant = MUTANTS["writeback-ends-early"]
    for scope in ("append-fsync", "evict-append"):
        result = run_scope(Question(DESIGNS["seed"], SCOPES[scope], mutant, stop_at="read-back"))
        assert "read-back" in {v.prop for v in result.violations}


def test_a_punch_that_an_abort_cuts_short_is_no_misread() -> None:
    """Its pages are dropped, its extents stay: nothing is promised on an aborted journal."""
    scope = Scope(
        "punch-abort",
        "a punch beside an append whose bio fails, data_err=abort",
        (Mount(((write(2),), (punch(0, 2),))),),
        initial_size_cells=2,
        max_errors=1,
        data_err_abort=True,
        timer=Timer.NEVER,
    )
    result = run_scope(Question(DESIGNS["seed"], scope))
    assert result.exhaustive
    assert result.reached["journal-aborted"]
    assert result.verdict_of("read-back") == "holds"
