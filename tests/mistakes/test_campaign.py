"""Judging: who notices, what is written down, and how a campaign goes on after its end."""

import errno
import os
from pathlib import Path

import pytest

from powercut.checkers.mistakes import campaign
from powercut.checkers.mistakes.campaign import SCHEMA, Results, digest, judged
from powercut.checkers.mistakes.coverage import Observer, Seen
from powercut.checkers.mistakes.generate import Mistake, all_mistakes
from powercut.checkers.mistakes.judge import Judgement, order
from powercut.checkers.mistakes.source import kernel_files, statements
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.errors import InputError
from powercut.model.designs import DESIGNS
from powercut.writing import System
from tests.tiers import EXHAUSTIVE

EVERYWHERE = frozenset(
    (file.name, node.lineno)
    for file in kernel_files()
    for function in file.functions()
    for node in statements(function)
)


def _run(scope: str, states: int, lines: frozenset[tuple[str, int]] = EVERYWHERE) -> Seen:
    return Seen("seed", scope, states, 0.1, ("zeros-for-data",), True, lines)


def _mistakes(*names: str) -> list[Mistake]:
    by_name = {mistake.name: mistake for mistake in all_mistakes()}
    return [by_name[name] for name in names]


FEW = 1_000
"""States up to which nothing is compiled."""


NOTICED = Judgement("submit.left-out.1", "caught", "sizes", "seed", "eof-mmap", 12, 2, 99, 0.5)
MISSED = Judgement("submit.guard.1", "survived", runs=3, states=7, hidden=("stale-data",))


def test_judgements_are_read_back_as_they_were(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    assert results.read() == {}
    results.add(NOTICED)
    results.add(MISSED)
    assert results.read() == {NOTICED.name: NOTICED, MISSED.name: MISSED}


def test_a_line_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    results.add(NOTICED)
    results.add(MISSED)
    assert results.path is not None
    whole = results.path.read_text(encoding="utf-8")
    results.path.write_text(whole[:-20], encoding="utf-8")
    assert list(results.read()) == [NOTICED.name]
    results.add(MISSED)
    assert results.read() == {NOTICED.name: NOTICED, MISSED.name: MISSED}


def test_a_disk_that_fails_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(System, "write", staticmethod(fails))
    with pytest.raises(InputError, match="No space left"):
        Results(tmp_path / "results.jsonl").add(NOTICED)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("a note", "no results"),
        (f'{{"schema": "{SCHEMA}", "digest": "00"}}', "another model"),
    ],
)
def test_what_is_of_something_else_is_refused(tmp_path: Path, head: str, message: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(f"{head}\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        Results(path).read()


def test_the_digest_is_of_the_model_the_properties_and_the_scopes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = digest()
    monkeypatch.setattr(campaign, "model_sources", lambda: {"model/x.py": "1\n"})
    digest.cache_clear()
    assert digest() != before
    monkeypatch.undo()
    digest.cache_clear()
    assert digest() == before


def test_the_first_designs_are_asked_first_and_cut_runs_never() -> None:
    runs = [
        Seen("mixed", "a", 1, 0.1, (), True, frozenset()),
        Seen("bh-ordered", "b", 9, 0.1, (), True, frozenset()),
        Seen("seed", "c", 5, 0.1, (), True, frozenset()),
        Seen("seed", "d", 2, 0.1, (), False, frozenset()),
    ]
    asked = order(runs, ("seed", "bh-ordered", "mixed"))
    assert [run.scope for run in asked] == ["c", "b", "a"]


def test_a_survivor_of_small_runs_is_asked_again_in_larger_ones() -> None:
    few = Judgement("submit.guard.1", "survived", runs=3, most_states=1_000)
    assert few.is_enough(1_000)
    assert few.is_enough(500)
    assert not few.is_enough(5_000)
    assert not few.is_enough(0)
    assert MISSED.is_enough(0)
    assert NOTICED.is_enough(0)


@EXHAUSTIVE
def test_a_mistake_is_caught_a_planted_survivor_survives_and_what_is_known_is_not_asked() -> None:
    lost_handle, harmless, sense = _mistakes(
        "ext4_journal_stop.left-out.1", "clear_ioend.left-out.8", "ext4_sync_file.guard.1"
    )
    runs = [_run("append-fsync", 983)]
    two = [lost_handle, harmless]
    found = {j.name: j for j in judged(two, runs, {}, 2, most_states=FEW)}
    assert found[lost_handle.name].status == "caught"
    assert found[lost_handle.name].prop in ("assertion", "deadlock", "livelock")
    assert found[harmless.name].status == "survived"
    assert found[harmless.name].runs == 1
    assert list(judged(two, runs, found, 1, most_states=FEW)) == []
    elsewhere = [_run("append-fsync", 983, frozenset())]
    (unseen,) = judged([sense], elsewhere, {}, 1, most_states=FEW)
    assert unseen.status == "not executed"


@EXHAUSTIVE
def test_coverage_says_what_a_run_executes_and_changes_nothing() -> None:
    question = Question(DESIGNS["bh-ordered"], SCOPES["append-fsync"])
    seen = Observer().run(question)
    plain = run_scope(question)
    assert seen.states == plain.states
    files = {file for file, _ in seen.lines}
    assert "model/fs/ext4/inode/write.py" in files
    assert "model/fs/ext4/inode/writepages.py" in files
    assert "model/fs/ext4/inode/punch.py" not in files
    assert "model/fs/iomap/buffered_io/writeback.py" not in files
