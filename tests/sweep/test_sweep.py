"""The verb: finds what is planted, keeps rows, goes on, and never says more than it has seen."""

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from powercut.checkers.engine.cache import Cache
from powercut.checkers.run.question import Question
from powercut.checkers.sweep import levels
from powercut.checkers.sweep.levels import LEVELS, Shape, workloads
from powercut.checkers.sweep.row import explored
from powercut.checkers.workload import parse_workload
from powercut.documents.sweep import SweepDocument
from powercut.execute import sweep as sweep_work
from powercut.execute.sweep import Chunk, chunks
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.cli.support import Runner, assert_refused
from tests.cli.test_schema import assert_kept

SOME = 18
QUESTION = Question(DESIGNS["seed"], next(workloads(1)), splits=True)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cache:
    """Make level 1 a few calls on one file with one background, and keep rows apart."""
    some = levels.calls()[::3]
    assert len(some) == SOME
    monkeypatch.setattr(levels, "calls", lambda *, reads=False: some)
    monkeypatch.setattr(levels, "LEVELS", {**LEVELS, 1: (Shape("A; fsync", ("dirty-tail",)),)})
    monkeypatch.setattr(sweep_work, "CHUNK", 7)
    cache = Cache(tmp_path)
    monkeypatch.setattr(sweep_work, "user_cache", lambda: cache)
    return cache


@pytest.fixture
def powercut(capsys: pytest.CaptureFixture[str], tiny: Cache) -> Runner:
    return Runner(capsys)


SWEEP = ("sweep", "--design", "seed", "--jobs", "1")


def test_a_sweep_lists_what_is_known_and_finds_nothing_new(powercut: Runner) -> None:
    ended = powercut(*SWEEP, "--json", "--fresh")
    (swept,) = ended.document["designs"]
    assert (ended.code, ended.document["verdict"]) == (0, "nothing new")
    assert swept["workloads"] == swept["expected"] == SOME
    assert swept["new"] == []
    (known,) = swept["known"]
    assert (known["property"], known["finding"]) == ("stale-data", "eof-tail")
    row, _ = explored(replace(QUESTION, scope=parse_workload(known["workload"], "a")))
    assert [shown.steps for shown in row.shown] == [known["steps"]]


def test_the_document_is_what_its_schema_says(powercut: Runner) -> None:
    assert_kept(powercut, SweepDocument, *SWEEP)


def test_a_planted_mistake_is_new_and_its_trace_replays(powercut: Runner, tmp_path: Path) -> None:
    argv = (*SWEEP, "--mutant", "fsync-no-commit-wait", "--save-traces", tmp_path / "found")
    ended = powercut(*argv, "--fresh")
    assert ended.code == 1
    lines = ended.out.splitlines()
    first = next(line for line in lines if line.startswith("  "))
    assert first.startswith("  NEW: durability")
    traces = list((tmp_path / "found").iterdir())
    assert traces
    assert powercut("replay", *traces).code == 0


def test_rows_are_kept_and_say_the_same(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    first = powercut(*SWEEP, "--json").document

    def again(*_: object) -> None:
        raise AssertionError("explored again")

    monkeypatch.setattr(sweep_work, "explored", again)
    second = powercut(*SWEEP, "--json").document
    assert second["designs"][0].pop("from_cache") == SOME
    assert first["designs"][0].pop("from_cache") == 0
    assert first["designs"] == second["designs"]


def test_a_sweep_goes_on_where_it_ended(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def fails_later(question: Question, report: object) -> object:
        nonlocal calls
        calls += 1
        if calls > 10:
            raise KeyboardInterrupt
        return explored(question)

    monkeypatch.setattr(sweep_work, "explored", fails_later)
    ended = powercut(*SWEEP, "--json")
    (swept,) = ended.document["designs"]
    assert (ended.code, ended.document["verdict"]) == (3, "inconclusive")
    assert (swept["workloads"], swept["stopped"]) == (10, "interrupted")
    monkeypatch.setattr(sweep_work, "explored", explored)
    (swept,) = powercut(*SWEEP, "--json").document["designs"]
    assert (swept["workloads"], swept["from_cache"]) == (SOME, 7)


@pytest.mark.parametrize("content", [b"", b"[]", b"not JSON", b'[{"name": 1}]'])
def test_a_damaged_piece_is_made_again(content: bytes, tiny: Cache) -> None:
    (chunk,) = chunks(QUESTION, iter(list(workloads(1))[:1]))
    assert chunk.known() is None
    chunk.do(lambda _progress: None, lambda: False)
    assert chunk.known() is not None
    assert tiny.keep(chunk.file_name, content)
    assert chunk.known() is None


def test_a_piece_leaves_the_garbage_collector_as_it_was(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def looks(question: Question, report: object) -> object:
        seen.append(gc.get_threshold()[0])
        return explored(question)

    monkeypatch.setattr(sweep_work, "explored", looks)
    before = gc.get_threshold()
    (chunk,) = chunks(QUESTION, iter(list(workloads(1))[:1]), keeps=False)
    chunk.do(lambda _progress: None, lambda: False)
    assert seen[0] > before[0]
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_a_piece_is_known_by_everything_it_follows_from() -> None:
    scopes = tuple(workloads(1))[:2]
    names = {
        Chunk(QUESTION, scopes).file_name,
        Chunk(QUESTION, scopes[:1]).file_name,
        Chunk(replace(QUESTION, design=DESIGNS["bh-ordered"]), scopes).file_name,
        Chunk(replace(QUESTION, mutant=next(iter(MUTANTS.values()))), scopes).file_name,
        Chunk(replace(QUESTION, limits=replace(QUESTION.limits, max_states=7)), scopes).file_name,
    }
    assert len(names) == 5


def test_a_workload_that_is_cut_short_makes_it_inconclusive(powercut: Runner) -> None:
    ended = powercut(*SWEEP, "--json", "--fresh", "--max-states", "100")
    (swept,) = ended.document["designs"]
    assert ended.code in (1, 3)
    assert sum(swept["cut"].values()) > 0
    assert ended.document["verdict"] != "nothing new"


def test_a_level_that_is_not_there_is_refused(powercut: Runner) -> None:
    assert_refused(powercut("sweep", "--level", "9"), "--level 9: there is no such level", "1, 2")
