"""The graph and its cycles: merging, readers, order keys, shortest witnesses."""

from itertools import pairwise

import pytest

from powercut.checkers.locks.cycles import GUARDED, UNKNOWN, find_cycles
from powercut.checkers.locks.documented import (
    CONTRADICTS,
    OPPOSITE,
    TWO_ORDERS,
    compare_documented,
    documented_orders,
    find_contradictions,
)
from powercut.checkers.locks.graph import (
    READ,
    RECURSIVE_READ,
    WRITE,
    Edge,
    LockGraph,
    Mode,
    Where,
    base_of,
    known_classes,
    lock_class,
    merged,
    same_lock,
)


def graph(*edges: Edge) -> LockGraph:
    made = LockGraph("test")
    for edge in edges:
        made.add(edge)
    return made


def chain(*names: str) -> LockGraph:
    return graph(*(Edge(one, two) for one, two in pairwise(names)))


def two(first: tuple[Mode, Mode], second: tuple[Mode, Mode]) -> LockGraph:
    """a held in one mode → b taken in another, and back."""
    return graph(
        Edge("a", "b", held_mode=first[0], mode=first[1]),
        Edge("b", "a", held_mode=second[0], mode=second[1]),
    )


def test_names() -> None:
    assert base_of("folio_lock[bh]") == "folio_lock"
    assert lock_class("folio_lock[bh]").variant == "bh"
    assert lock_class("folio_lock[bh]").kind == "bit lock"
    assert lock_class("my_lock", "mutex").kind == "mutex"
    assert same_lock("folio_lock", "folio_lock[bh]")
    assert not same_lock("folio_lock[iomap]", "folio_lock[bh]")
    assert not same_lock("i_rwsem", "i_data_sem")


def test_what_lockdep_sees_and_the_model_has_is_written_down() -> None:
    known = known_classes()
    assert {name for name, lock in known.items() if lock.modelled and lock.lockdep} == {
        "i_rwsem",
        "invalidate_lock",
        "s_writepages_rwsem",
        "jbd2_handle",
        "i_data_sem",
    }
    assert not known["folio_lock"].lockdep
    assert not known["folio_writeback"].lockdep
    assert not known["worker_slot"].lockdep


def test_an_edge_seen_twice_is_one_edge_with_two_places() -> None:
    here, there = Where("f", "a.c", 1), Where("g", "a.c", 2)
    made = graph(Edge("a", "b", where=here), Edge("a", "b", where=there), Edge("a", "b"))
    (seen,) = made.seen()
    assert seen.where == [here, there]
    assert seen.count == 3
    assert len(made) == 1


def test_mode_context_and_kind_make_another_edge() -> None:
    made = graph(
        Edge("a", "b"),
        Edge("a", "b", mode=READ),
        Edge("a", "b", context="irq"),
        Edge("a", "b", kind="wait"),
        Edge("a", "b", trylock=True),
    )
    assert len(made) == 5
    assert made.pairs() == {("a", "b")}
    assert len(made.between("a", "b")) == 5


def test_merging() -> None:
    here, there = Where("f", "a.c", 1), Where("g", "a.c", 2)
    both = merged([graph(Edge("a", "b", where=here)), graph(Edge("a", "b", where=there))], "both")
    assert both.name == "both"
    (seen,) = both.seen()
    assert seen.where == [here, there]
    assert merged([both, both]).pairs() == both.pairs()


def test_a_chain_has_no_cycle() -> None:
    assert find_cycles(chain("a", "b", "c")) == []


def test_a_cycle_is_found_once_and_undecided() -> None:
    (cycle,) = find_cycles(chain("b", "c", "a", "b"))
    assert cycle.classes == ("a", "b", "c")
    assert cycle.verdict == UNKNOWN
    assert [edge.target for edge in cycle.edges] == ["b", "c", "a"]


def test_the_shortest_witness_of_every_edge() -> None:
    made = merged([chain("a", "b", "c", "d", "a"), chain("b", "a")])
    assert [cycle.classes for cycle in find_cycles(made)] == [("a", "b"), ("a", "b", "c", "d")]


def test_dense_graphs_end() -> None:
    names = [f"lock{n:02}" for n in range(30)]
    made = graph(*(Edge(one, two) for one in names for two in names if one != two))
    cycles = find_cycles(made)
    assert cycles
    assert all(len(cycle.steps) == 2 for cycle in cycles)


@pytest.mark.parametrize(
    ("first", "second", "blocks"),
    [
        ((WRITE, WRITE), (WRITE, WRITE), True),
        ((READ, WRITE), (READ, WRITE), True),
        ((READ, READ), (READ, READ), True),
        ((WRITE, READ), (WRITE, READ), True),
        ((READ, RECURSIVE_READ), (READ, RECURSIVE_READ), False),
        ((WRITE, RECURSIVE_READ), (WRITE, RECURSIVE_READ), True),
        ((WRITE, RECURSIVE_READ), (READ, WRITE), False),
        ((WRITE, RECURSIVE_READ), (WRITE, WRITE), True),
        ((READ, WRITE), (WRITE, RECURSIVE_READ), False),
        ((RECURSIVE_READ, WRITE), (WRITE, RECURSIVE_READ), False),
        ((RECURSIVE_READ, WRITE), (WRITE, READ), True),
    ],
)
def test_readers(first: tuple[Mode, Mode], second: tuple[Mode, Mode], blocks: bool) -> None:
    assert bool(find_cycles(two(first, second))) is blocks


def test_a_weak_edge_does_not_hide_a_strong_one_beside_it() -> None:
    made = two((WRITE, RECURSIVE_READ), (READ, WRITE))
    made.add(Edge("a", "b"))
    (cycle,) = find_cycles(made)
    assert not cycle.edges[0].recursive


def test_a_longer_strong_path_is_taken_where_the_short_one_is_broken() -> None:
    made = two((WRITE, RECURSIVE_READ), (READ, WRITE))
    made.merge(chain("a", "c", "b"))
    assert [cycle.classes for cycle in find_cycles(made)] == [("a", "c", "b")]


def test_a_trylock_closes_no_cycle() -> None:
    made = chain("a", "b")
    made.add(Edge("b", "a", trylock=True))
    assert find_cycles(made) == []


def test_what_is_held_by_a_trylock_does() -> None:
    made = graph(Edge("a", "b"), Edge("c", "a", trylock=True), Edge("b", "a"))
    assert [cycle.classes for cycle in find_cycles(made)] == [("a", "b")]


def test_a_class_inside_itself() -> None:
    assert [c.classes for c in find_cycles(graph(Edge("i_data_sem", "i_data_sem")))] == [
        ("i_data_sem",)
    ]
    assert find_cycles(graph(Edge("folio_lock[bh]", "folio_lock[bh]"))) == []
    twice = graph(Edge("rcu", "rcu", held_mode=RECURSIVE_READ, mode=RECURSIVE_READ))
    assert find_cycles(twice) == []


def test_classes_sorted_by_one_key_guard_each_other() -> None:
    made = chain("folio_lock[bh]", "folio_writeback[bh]", "folio_lock[bh]")
    (cycle,) = find_cycles(made)
    assert cycle.verdict == GUARDED
    assert "folio index" in cycle.guard
    made = chain("folio_lock[bh]", "folio_writeback[iomap]", "folio_lock[bh]")
    assert find_cycles(made)[0].verdict == UNKNOWN
    made = chain("folio_lock[bh]", "jbd2_handle", "folio_lock[bh]")
    assert find_cycles(made)[0].verdict == UNKNOWN


def test_inode_classes_are_apart() -> None:
    made = merged(
        [chain("folio_lock[iomap]", "jbd2_handle"), chain("jbd2_handle", "folio_lock[bh]")]
    )
    assert find_cycles(made) == []


def test_documented_orders_are_of_known_classes_and_without_cycle_for_each_inode_class() -> None:
    for inode in ("bh", "iomap"):
        orders = [order for order in documented_orders() if order.inode in ("", inode)]
        assert all(set(order.chain) <= set(known_classes()) for order in orders)
        assert find_cycles(merged([chain(*order.chain) for order in orders])) == []


def test_the_iomap_order_is_opposite_to_the_other_one() -> None:
    (found,) = find_contradictions(chain("folio_lock[iomap]", "jbd2_handle"))
    assert found.kind == OPPOSITE
    assert found.order is not None
    assert found.order.path == "writepages, buffer_head path"
    assert found.allowed_by is not None
    assert found.allowed_by.path == "writepages, iomap path"
    assert "handle open" in found.reason


def test_the_same_order_on_a_buffer_head_inode_contradicts() -> None:
    (found,) = find_contradictions(chain("folio_lock[bh]", "jbd2_handle"))
    assert found.kind == CONTRADICTS


def test_a_semaphore_before_the_handle_contradicts() -> None:
    (found,) = find_contradictions(chain("i_data_sem", "jbd2_handle"))
    assert found.kind == CONTRADICTS


def test_two_paths_with_two_orders() -> None:
    (found,) = find_contradictions(merged([chain("a", "b"), chain("b", "a")]))
    assert found.kind == TWO_ORDERS
    assert found.other is not None


def test_inode_classes_of_ext4_itself_are_not_documented() -> None:
    assert find_contradictions(chain("i_data_sem", "folio_lock[buddy]")) == []


def test_documented_against_observed() -> None:
    made = chain("i_rwsem", "invalidate_lock")
    by_path = {found.order.path: found for found in compare_documented(made)}
    assert ("i_rwsem", "invalidate_lock") in by_path["truncate, blocks"].seen
    assert ("jbd2_handle", "i_data_sem") in by_path["truncate, blocks"].unseen
    made = chain("invalidate_lock", "i_rwsem")
    by_path = {found.order.path: found for found in compare_documented(made)}
    assert ("i_rwsem", "invalidate_lock") in by_path["truncate, blocks"].reversed
