"""``powercut exam --generate``: the report, its document, and what it refuses.

All judgements are in the file of results already, so nothing is explored here.
"""

from pathlib import Path

import msgspec
import pytest

from powercut.checkers.mistakes.campaign import Results
from powercut.checkers.mistakes.generate import Mistake, all_mistakes, sample
from powercut.checkers.mistakes.judge import Judgement
from powercut.cli import run
from powercut.documents.exam import ExamGeneratedDocument

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def campaign(tmp_path: Path) -> tuple[Path, list[Mistake]]:
    """Results of ten mistakes: one survives, no run executes another one, one is no model."""
    mistakes = sample(all_mistakes(), 10, 3)
    results = Results(tmp_path / "results.jsonl")
    names = [mistake.name for mistake in mistakes]
    results.add(Judgement(names[0], "survived", runs=4, states=99, hidden=("stale-data",)))
    results.add(Judgement(names[1], "not executed"))
    results.add(Judgement(names[2], "not translated", detail="no such name"))
    for name in names[3:]:
        results.add(Judgement(name, "caught", "sizes", "seed", "eof-mmap", 12, 1, 40))
    assert results.path is not None
    return results.path, mistakes


def _call(results: Path, *more: str) -> int:
    size = ("--sample", "10", "--seed", "3")
    return run(["exam", "--generate", *size, "--results", str(results), *more])


def test_the_report_counts_and_shows_each_survivor_with_its_patch(
    campaign: tuple[Path, list[Mistake]], capsys: Capture
) -> None:
    results, mistakes = campaign
    assert _call(results) == 1
    out = capsys.readouterr().out
    assert "10 of 10 mistakes judged" in out
    assert f"{mistakes[0].name}: missing: not looked at; 4 runs, 99 states" in out
    assert "hidden: stale-data" in out
    assert mistakes[0].patch in out
    assert f"{mistakes[1].name}: missing: workload" in out
    assert mistakes[3].patch not in out
    total = next(line for line in out.splitlines() if line.startswith("all "))
    assert total.split()[1:5] == ["10", "9", "7", "77.8%"]


def test_the_document_says_the_same(campaign: tuple[Path, list[Mistake]], capsys: Capture) -> None:
    results, mistakes = campaign
    assert _call(results, "--json") == 1
    document = msgspec.json.decode(capsys.readouterr().out, type=ExamGeneratedDocument)
    assert (document.verdict, document.chosen, document.max_states) == ("violated", 10, None)
    assert (document.total.made, document.total.mistakes, document.total.caught) == (10, 9, 7)
    assert sum(each.made for each in document.files) == 10
    assert sum(each.made for each in document.kinds) == 10
    assert sum(each.made for each in document.pairs) == 10
    assert {each.name for each in document.survivors} == {m.name for m in mistakes[:2]}
    assert [each.why for each in document.not_translated] == ["no such name"]


def test_all_noticed_holds(tmp_path: Path, capsys: Capture) -> None:
    results = Results(tmp_path / "results.jsonl")
    for mistake in sample(all_mistakes(), 10, 3):
        results.add(Judgement(mistake.name, "caught", "sizes", "seed", "eof-mmap", 12, 1, 40))
    assert results.path is not None
    assert _call(results.path) == 0
    assert "100.0%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sample", "3"), "--sample: only generated mistakes have it"),
        (
            ("--generate", "--mutant", "no-orphan"),
            "--mutant: generated mistakes have no use for it",
        ),
        (("--generate", "--sample", "0"), "--sample"),
        (("--generate", "--max-states", "0"), "--max-states"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: tuple[str, ...], message: str, capsys: Capture
) -> None:
    assert run(["exam", *arguments]) == 2
    assert message in capsys.readouterr().err
