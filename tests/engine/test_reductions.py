"""The measurement behind the reductions that powercut does not have."""

import pytest

from benchmarks.reductions import (
    Oracle,
    equal_inodes,
    equal_tasks,
    explored,
    reduced,
    without_block_numbers,
)


@pytest.mark.exhaustive
def test_an_oracle_leaves_out_little_and_nothing_that_is_watched() -> None:
    graph = explored("eof-truncate-up")
    kept, transitions = reduced(graph)
    assert {graph.visible[n] for n in kept} == set(graph.visible)
    assert len(graph.states) * 0.7 < len(kept) < len(graph.states)
    assert transitions < sum(map(len, graph.next))
    assert without_block_numbers(graph) <= len(graph.states)


def test_a_step_that_matters_to_others_is_not_taken_alone() -> None:
    graph = explored("append-fsync")
    oracle = Oracle(graph)
    alone = [(state, t) for state in range(len(graph.states)) for t in oracle.enough(state)]
    assert alone
    for state, thread in alone:
        after = graph.next[state][thread]
        assert graph.visible[state] == graph.visible[after]
        for other in graph.next[state].keys() - {thread}:
            assert graph.next[after][other] == graph.next[graph.next[state][other]][thread]


def test_the_scopes_have_no_symmetric_parts() -> None:
    """If one has some day, the decision in docs/cluster.md is to be measured again."""
    assert equal_tasks() == []
    assert equal_inodes() == []
