"""Dumps of lockdep: read, named, and refused in one line when they are not what they should be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from powercut.checkers.locks.cycles import find_cycles
from powercut.checkers.locks.documented import find_contradictions
from powercut.checkers.locks.errors import LocksError
from powercut.checkers.locks.lockdep import name_map, read_lockdep
from tests.cli.support import Runner, assert_refused
from tests.locks.conftest import CHAINS, CLASSES, write_dump


def test_edges_are_between_all_that_was_held_at_once(dump: Path) -> None:
    real = read_lockdep(dump)
    assert real.graph.pairs() == {
        ("i_rwsem", "invalidate_lock"),
        ("i_rwsem", "jbd2_handle"),
        ("i_rwsem", "i_data_sem"),
        ("invalidate_lock", "jbd2_handle"),
        ("invalidate_lock", "i_data_sem"),
        ("jbd2_handle", "i_data_sem"),
        ("s_writepages_rwsem", "jbd2_handle"),
        ("s_writepages_rwsem", "i_data_sem"),
    }


def test_of_classes_with_one_name_the_one_of_ext4_is_taken(dump: Path) -> None:
    real = read_lockdep(dump)
    assert real.names["i_rwsem"] == "&sb->s_type->i_mutex_key#8"
    assert real.foreign == 1


def test_what_lockdep_cannot_see_is_listed(dump: Path) -> None:
    invisible = {lock.name for lock in read_lockdep(dump).invisible}
    assert {"folio_lock", "folio_writeback", "worker_slot", "log_space"} <= invisible
    assert "i_data_sem" not in invisible


def test_a_class_that_was_only_read_is_a_reader(dump: Path) -> None:
    modes = {
        (edge.source, edge.held_mode)
        for edge in read_lockdep(dump).graph
        if edge.source in ("s_writepages_rwsem", "i_rwsem")
    }
    assert modes == {("s_writepages_rwsem", "read"), ("i_rwsem", "write")}


def test_chains_in_interrupts_have_their_context(tmp_path: Path) -> None:
    chains = CHAINS.replace("irq_context: 0", "irq_context: hardirq")
    real = read_lockdep(write_dump(tmp_path / "dump", chains=chains))
    assert "irq" in {edge.context for edge in real.graph}


def test_every_entry_of_the_name_map_can_match() -> None:
    names = [rule.lock for rule in name_map()]
    assert len(names) == len(set(names))
    for rule in name_map():
        assert not rule.pattern.fullmatch("")


BAD = {
    "empty classes": ("", CHAINS),
    "empty chains": (CLASSES, ""),
    "another file": ("hello\n", CHAINS),
    "swapped": (CHAINS, CLASSES),
    "cut off in a line": (CLASSES[: len(CLASSES) // 2], CHAINS),
    "cut off at a line": (CLASSES[: CLASSES.index("0000000000000a03 OPS")], CHAINS),
    "chains cut off in a line": (CLASSES, CHAINS[:100]),
    "chains cut off in a chain": (CLASSES, CHAINS[: CHAINS.index("[")]),
    "no class": ("all lock classes:\n", CHAINS),
    "no chain": (CLASSES, "all lock chains:\n"),
    "an arrow first": ("all lock classes:\n -> [0000000000000a01] x\n", CHAINS),
    "not text": ("all lock classes:\n\xff\n", CHAINS),
    "of two boots": (CLASSES.replace("0a0", "0d0"), CHAINS),
    "a stray line": (CLASSES + "hello\n", CHAINS),
    "a stray line in chains": (CLASSES, CHAINS + "hello\n"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_dumps(powercut: Runner, tmp_path: Path, name: str) -> None:
    folder = write_dump(tmp_path / "dump", *BAD[name])
    with pytest.raises(LocksError):
        read_lockdep(folder)
    assert_refused(powercut("locks", "--lockdep", folder), "dump")


def test_what_is_not_a_dump(powercut: Runner, tmp_path: Path) -> None:
    assert_refused(powercut("locks", "--lockdep", tmp_path / "missing"), "missing")
    assert_refused(powercut("locks", "--lockdep", tmp_path), "lockdep")
    write_dump(tmp_path / "dump")
    (tmp_path / "dump" / "lockdep_chains").unlink()
    assert_refused(powercut("locks", "--lockdep", tmp_path / "dump"), "lockdep_chains")
    assert_refused(powercut("locks", "--lockdep", tmp_path / "dump" / "lockdep"), "directory")


@pytest.mark.parametrize("share", [0.1, 0.37, 0.5, 0.8, 0.99])
def test_a_truncated_real_dump(shared: Callable[[str], Path], tmp_path: Path, share: float) -> None:
    real = shared("data/lockdep/ext4-6.1-ordered")
    for name in ("lockdep", "lockdep_chains"):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("lockdep", "lockdep_chains"):
            content = (real / file).read_bytes()
            (folder / file).write_bytes(
                content[: int(len(content) * share)] if file == name else content
            )
        with pytest.raises(LocksError):
            read_lockdep(folder)


def test_the_real_dump(shared: Callable[[str], Path]) -> None:
    real = read_lockdep(shared("data/lockdep/ext4-6.1-ordered"))
    assert {
        ("jbd2_handle", "i_data_sem"),
        ("jbd2_handle", "s_orphan_lock"),
        ("s_writepages_rwsem", "j_state_lock"),
        ("i_data_sem", "lg_mutex"),
        ("invalidate_lock", "j_state_lock"),
        ("b_state_lock", "j_list_lock"),
        ("j_state_lock", "j_list_lock"),
        ("i_rwsem", "invalidate_lock"),
    } <= real.graph.pairs()
    assert find_cycles(real.graph) == []
    assert find_contradictions(real.graph) == []
    assert "folio_lock" not in real.graph
