"""The model against another source: what is missing, what is extra, and why."""

from pathlib import Path

from powercut.checkers.locks.compare import Explanation, compare, explanations
from powercut.checkers.locks.graph import Edge, LockGraph, Where
from powercut.checkers.locks.lockdep import name_map, read_lockdep

FULL = (
    ("i_rwsem", "invalidate_lock"),
    ("i_rwsem", "jbd2_handle"),
    ("i_rwsem", "i_data_sem"),
    ("invalidate_lock", "jbd2_handle"),
    ("invalidate_lock", "i_data_sem"),
    ("jbd2_handle", "i_data_sem"),
    ("s_writepages_rwsem", "jbd2_handle"),
    ("s_writepages_rwsem", "i_data_sem"),
)


def graph(*pairs: tuple[str, str], function: str = "") -> LockGraph:
    made = LockGraph("test")
    for one, two in pairs:
        made.add(Edge(one, two, where=Where(function, "a.c", 1) if function else None))
    return made


def test_the_same_on_both_sides(dump: Path) -> None:
    found = compare(graph(*FULL), read_lockdep(dump).graph, name_map())
    assert (found.missing, found.extra, found.agreed) == ([], [], 8)
    assert found.unexplained == []


def test_every_acquisition_that_the_model_loses_is_noticed(dump: Path) -> None:
    real = read_lockdep(dump).graph
    for pair in FULL:
        found = compare(graph(*(p for p in FULL if p != pair)), real, name_map())
        assert [(d.source, d.target) for d in found.unexplained] == [pair]
        assert found.missing[0].side == "missing"


def test_a_class_that_vanished_from_the_model_is_noticed(dump: Path) -> None:
    rest = (p for p in FULL if "s_writepages_rwsem" not in p)
    found = compare(graph(*rest), read_lockdep(dump).graph, name_map())
    assert {d.source for d in found.unexplained} == {"s_writepages_rwsem"}


def test_an_order_that_only_the_model_has(dump: Path) -> None:
    real = read_lockdep(dump).graph
    found = compare(graph(*FULL, ("i_data_sem", "jbd2_handle")), real, name_map())
    assert [(d.source, d.target, d.side) for d in found.unexplained] == [
        ("i_data_sem", "jbd2_handle", "extra")
    ]


def test_what_lockdep_cannot_see_is_not_compared(dump: Path) -> None:
    found = compare(
        graph(*FULL, ("folio_lock[bh]", "i_data_sem"), ("jbd2_handle", "folio_lock[bh]")),
        read_lockdep(dump).graph,
        name_map(),
    )
    assert found.unexplained == []
    assert "folio_lock" in found.not_compared
    assert "folio_lock" not in found.compared


def test_a_difference_with_a_reason_is_explained(dump: Path) -> None:
    known = [Explanation("extra", "i_data_sem", "jbd2_handle", "because")]
    real = read_lockdep(dump).graph
    found = compare(graph(*FULL, ("i_data_sem", "jbd2_handle")), real, name_map(), known)
    assert found.unexplained == []
    assert [d.reason for d in found.extra] == ["because"]


def test_every_explanation_has_a_reason() -> None:
    assert explanations()
    assert all(len(entry.reason) > 20 for entry in explanations())


def test_trylocks_of_the_model_are_not_compared(dump: Path) -> None:
    model = graph(*FULL)
    model.add(Edge("i_data_sem", "jbd2_handle", trylock=True))
    assert compare(model, read_lockdep(dump).graph, name_map()).extra == []


def test_source_that_has_more_than_the_model() -> None:
    found = compare(graph(), graph(("folio_lock[iomap]", "jbd2_handle")))
    assert [(d.source, d.target) for d in found.unexplained] == [
        ("folio_lock[iomap]", "jbd2_handle")
    ]


def test_names_without_inode_class_mean_any() -> None:
    model = graph(("folio_lock[iomap]", "jbd2_handle"))
    found = compare(model, graph(("folio_lock", "jbd2_handle")))
    assert (found.missing, found.extra) == ([], [])
    found = compare(model, graph(("folio_lock[bh]", "jbd2_handle")))
    assert len(found.missing) == 1


def test_paths_that_are_not_in_the_source_are_no_difference() -> None:
    model = graph(("i_rwsem", "i_data_sem"), function="ext4_punch_hole")
    source = graph(("jbd2_handle", "i_data_sem"), function="ext4_other")
    source.functions = frozenset({"ext4_other"})
    (extra,) = compare(model, source).extra
    assert extra.explained
    source.functions = frozenset({"ext4_other", "ext4_punch_hole"})
    (extra,) = compare(model, source).extra
    assert not extra.explained


def test_locks_that_the_model_does_not_have_are_no_difference() -> None:
    found = compare(graph(), graph(("i_data_sem", "i_es_lock"), ("a", "b")))
    assert found.missing == []
    assert {"a", "b", "i_es_lock"} <= set(found.not_compared)
