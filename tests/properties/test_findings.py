"""The files of the findings: a mistake in one is one line, and every name in them is there."""

import re
import runpy
from pathlib import Path

import pytest

from powercut.checkers.machines.conditions import CONDITIONS
from powercut.checkers.machines.reference_machine import GEOMETRIES, ReferenceMachine
from powercut.checkers.machines.search import PROFILES, search
from powercut.errors import BAD_INPUT, InputError
from powercut.model.designs import DESIGNS
from powercut.properties.findings.loader import FOLDER, load_finding, load_findings, shipped
from powercut.properties.findings.words import Word
from tests.machines.seeds import until_found
from tests.traces.corpus import ENDING
from tests.traces.corpus import FOLDER as TRACES

ROOT = Path(__file__).parents[2]
GOOD = (FOLDER / "ordered-log.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("basis = ", "bases = ", "unknown field `bases`"),
        ('basis = "code read"\n', "", "missing required field `basis`"),
        ('"code read"', '"rumour"', "'rumour' - at `basis`"),
        ('["commit-at-data"]', '["full-moon"]', "'full-moon' - at `known["),
        ('["seed-without-07"]', '["sead"]', "known.designs: there is no 'sead'"),
        ('"deadlock"\nneeds', '"dedlock"\nneeds', "known.property: there is no 'dedlock'"),
        ('"deadlock"\nneeds', '"deadlock"\nkind = "odd"\nneeds', "known.kind: there is no 'odd'"),
        ('scopes = ["ordered-log"]', 'scopes = ["log"]', "reached.scopes: there is no 'log'"),
        ('properties = ["deadlock"]', 'properties = ["dead"]', "reached.properties: there is no"),
        ('scope = "ordered-log"', 'scope = "sync"', "seed-without-07-sync-deadlock is not among"),
        ('prevented_by = ["seed"]', 'prevented_by = ["sod"]', "example.prevented_by: there is no"),
        ('litmus = ["ordered-log"]', 'litmus = ["log"]', "litmus: there is no 'log'"),
        ("steps = 27", 'steps = "27"', "`example["),
        ("basis", "[basis", "(at line"),
        ("title = ", 'name = "other"\ntitle = ', "name: the name of the file"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != GOOD
    with pytest.raises(InputError) as caught:
        load_finding(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert says in line
    assert "\n" not in line
    assert caught.value.exit_code == BAD_INPUT


def test_a_violation_has_one_finding(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(InputError, match="ordered-log, deadlock is explained by one already"):
        load_findings(tmp_path)


def test_every_word_is_a_condition_that_some_finding_needs() -> None:
    needs = [k.needs for finding in shipped().values() for k in finding.known]
    needs += [d.needs for finding in shipped().values() for d in finding.differs]
    used = {word for words in needs for word in words}
    assert set(CONDITIONS) == set(Word) == used


def test_every_finding_is_reached_by_a_run() -> None:
    """By exhaustive runs, which ``test_designs`` holds against them, or below at random."""
    rest = {name for name, finding in shipped().items() if not finding.reached}
    assert rest == {*AT_RANDOM, *NOT_REACHED}


AT_RANDOM = ("early-size",)
NOT_REACHED = ("ordered-size",)
"""The ``ci`` profile of the plain specification does not show it in any of its designs."""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "design"), [(name, d) for name in AT_RANDOM for d in shipped()[name].designs]
)
def test_what_only_the_plain_specification_sees_is_seen(name: str, design: str) -> None:
    def look(seed: int) -> bool | None:
        result = search(
            [DESIGNS[design]], PROFILES["ci"], seed, geometries=GEOMETRIES, base=ReferenceMachine
        )
        met = {finding for _, _, finding in result.tally.known}
        return shipped()[name].title in met or None

    assert until_found(look)


def test_an_example_is_a_saved_trace_and_every_litmus_file_is_there() -> None:
    for finding in shipped().values():
        for example in finding.example:
            assert (TRACES / f"{example.trace}{ENDING}").is_file()


def test_every_finding_has_its_story_and_every_story_its_finding() -> None:
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    stories = re.findall(r"^### (.*)$", page, flags=re.MULTILINE)
    assert sorted(stories) == sorted(shipped())


def test_the_tables_are_made_from_the_files() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "findings_tables.py"))
    for name, table in script["PAGES"].items():
        path = ROOT / name
        assert path.read_text(encoding="utf-8") == script["page"](path, table())
