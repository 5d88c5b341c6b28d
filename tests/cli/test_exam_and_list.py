"""``exam`` and ``list``."""

from dataclasses import replace
from pathlib import Path

import pytest

from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult, Violation
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.properties.catalog import PROPERTIES, SITUATIONS
from powercut.properties.findings.loader import shipped
from powercut.verbs.exam import Grade
from tests.cli.support import ROOT, Runner

SLUGS = ("no-preflush", "disksize-at-map", "fsync-no-commit-wait")


def test_mutants_are_caught(powercut: Runner, tmp_path: Path) -> None:
    ended = powercut("exam", "--mutant", *SLUGS, "--save-traces", tmp_path, "--jobs", "1", "--json")
    document = ended.document
    assert (ended.code, document["exit_code"], document["verdict"]) == (0, 0, "holds")
    assert document["schema"] == "powercut.exam/1"
    assert [mutant["slug"] for mutant in document["mutants"]] == list(SLUGS)
    for mutant in document["mutants"]:
        assert mutant["caught"] is True
        assert MUTANTS[mutant["slug"]].caught_by in mutant["by"]
        assert mutant["states"] > mutant["steps"] > 0
        assert isinstance(mutant["seconds"], float)
    traces = [mutant["trace"] for mutant in document["mutants"]]
    assert sorted(traces) == sorted(str(path) for path in tmp_path.iterdir())
    assert powercut("replay", *traces, "--no-ladder").code == 0


@pytest.mark.quality
def test_the_table(powercut: Runner) -> None:
    ended = powercut("exam", "--mutant", "no-preflush", "--jobs", "2")
    assert ended.code == 0
    assert "[unstable-conversion]" in ended.out
    assert "1 of 1 mutants caught by the property they name" in ended.out


def test_a_missed_mutant(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(MUTANTS["no-preflush"], caught_by="deadlock")
    monkeypatch.setitem(MUTANTS, "no-preflush", wrong)
    ended = powercut("exam", "--mutant", "no-preflush", "--jobs", "1", "--json")
    (mutant,) = ended.document["mutants"]
    assert (ended.code, mutant["caught"], mutant["steps"]) == (1, False, None)
    assert "MISSED" in powercut("exam", "--mutant", "no-preflush", "--jobs", "1").out


def result(*violated: str, stopped: str = "") -> RunResult:
    question = Question(DESIGNS["seed"], SCOPES["append-fsync"], properties=tuple(PROPERTIES))
    found = tuple(Violation(prop, "", ()) for prop in violated)
    return RunResult(question, stopped=stopped, violations=found)


def test_a_failure_is_no_grade() -> None:
    mutant = MUTANTS["no-preflush"]
    grade = Grade(mutant, result(), result(mutant.caught_by), {}, "it broke")
    assert grade.verdict == "error"


def test_a_dirty_baseline_catches_nothing() -> None:
    mutant = MUTANTS["no-preflush"]
    prop = mutant.caught_by
    assert Grade(mutant, result(), result(prop), {}).verdict == "holds"
    assert Grade(mutant, result(prop), result(prop), {}).verdict == "violated"
    assert Grade(mutant, result(), result(), {}).verdict == "violated"
    assert Grade(mutant, result(), result(stopped="interrupted"), {}).verdict == "inconclusive"
    assert Grade(mutant, result(stopped="interrupted"), result(prop), {}).verdict == "inconclusive"
    assert Grade(mutant, result("sizes"), result("sizes", prop), {}).by == [prop]


def test_the_list_is_complete(powercut: Runner) -> None:
    ended = powercut("list", "--json")
    document = ended.document
    assert (ended.code, document["exit_code"], document["schema"]) == (0, 0, "powercut.list/1")
    assert [d["name"] for d in document["designs"]] == list(DESIGNS)
    assert [s["name"] for s in document["scopes"]] == list(SCOPES)
    assert [m["slug"] for m in document["mutants"]] == list(MUTANTS)
    assert [p["name"] for p in document["properties"]] == list(PROPERTIES)
    assert [s["name"] for s in document["situations"]] == list(SITUATIONS)
    assert [f["name"] for f in document["findings"]] == list(shipped())
    assert all(s["summary"] for s in document["situations"])
    text = powercut("list").out
    for name in (*DESIGNS, *SCOPES, *MUTANTS, *PROPERTIES, *SITUATIONS):
        assert name in text


def test_paths_are_where_the_list_says(powercut: Runner) -> None:
    paths = powercut("list", "--json").document["paths"]
    assert "ext4_iomap_map_one_extent" in {path["function"] for path in paths}
    for path in paths:
        line = (ROOT / path["file"]).read_text().splitlines()[path["line"] - 1]
        assert line.startswith(f"def {path['function']}(")
