"""Every case of the corpus: the edges and mistakes that were written down, and no others."""

import pytest

from powercut.checkers.locks.csource.checks import find_mistakes
from powercut.checkers.locks.csource.chunk import Chunk
from powercut.checkers.locks.csource.program import Program
from tests.locks.case import Case
from tests.locks.corpus import CASES


def pairs_of(program: Program) -> set[tuple[str, str]]:
    """Return the edges as pairs, marked where they are no plain acquisition."""
    found = set()
    for edge in program.graph:
        mark = " (try)" if edge.trylock else " (wait)" if edge.kind == "wait" else ""
        if (edge.source, edge.target) == ("log_space", "jbd2_commit"):
            mark = ""
        found.add((edge.source, edge.target + mark))
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    program = Program([Chunk("case.c", case.code)])
    assert program.errors == []
    assert pairs_of(program) == set(case.edges)
    assert {(m.what, m.lock) for m in find_mistakes(program)} == set(case.mistakes)


def test_there_are_enough_cases() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_edge_has_a_place_in_the_source(case: Case) -> None:
    lines = case.code.split("\n")
    for seen in Program([Chunk("case.c", case.code)]).graph.seen():
        assert seen.where
        for where in seen.where:
            assert where.file == "case.c"
            assert 1 <= where.line <= len(lines)


def test_a_place_is_the_acquisition() -> None:
    code = next(case.code for case in CASES if case.name == "through a call")
    (edge,) = Program([Chunk("case.c", code)]).graph
    assert edge.where is not None
    assert (edge.where.function, edge.where.line) == ("inner", 4)
    assert edge.chain == ("f", "middle", "inner")
    assert edge.held == ("a_mutex",)


def test_contexts_spread_to_callees() -> None:
    code = next(case.code for case in CASES if case.name == "a work item that ends writeback")
    graph = Program([Chunk("case.c", code)]).graph
    assert {edge.context for edge in graph} == {"worker"}
