"""The files of the findings: a mistake in one is one line, and every name in them is there."""

import re
import runpy
from pathlib import Path

import pytest

from powercut.checkers.litmus import load_litmus
from powercut.checkers.machines.conditions import CONDITIONS
from powercut.checkers.machines.reference_machine import GEOMETRIES, ReferenceMachine
from powercut.checkers.machines.search import PROFILES, search
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.errors import BAD_INPUT, InputError
from powercut.model.designs import DESIGNS
from powercut.properties.findings.loader import FOLDER, load_finding, load_findings, shipped
from powercut.properties.findings.words import Word
from tests.machines.seeds import until_found
from tests.traces.corpus import ENDING
from tests.traces.corpus import FOLDER as TRACES

ROOT = Path(__file__).parents[2]
LITMUS = ROOT / "properties" / "litmus"
GOOD = (FOLDER / "ordered-log.toml").read_text(encoding="utf-8")


def seen(prop: str = "zeros-for-data", litmus: str = "ordered-log", design: str = "seed") -> str:
    """Return an observation, and the head of what follows it."""
    entry = f'designs = ["{design}"]\nlitmus = "{litmus}"\nproperty = "{prop}"\n'
    return f"[[observed]]\n{entry}\n[[known]]"


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
        ("[[known]]", seen("stale-data"), "observed.property: there is no 'stale-data'"),
        ("[[known]]", seen(litmus="log"), "observed.litmus: there is no 'log'"),
        ("[[known]]", seen(design="sead"), "observed.designs: there is no 'sead'"),
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
    """By exhaustive runs: ``test_designs`` has those of the scopes, the next test the others."""
    assert all(finding.reached or finding.observed for finding in shipped().values())


OBSERVED = {(entry.litmus, entry.prop) for f in shipped().values() for entry in f.observed}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(("name", "prop"), sorted(OBSERVED))
def test_an_advisory_property_is_violated_where_a_finding_says_so(
    name: str, prop: str, design: str
) -> None:
    scope = load_litmus(LITMUS / f"{name}.litmus").scope
    result = run_scope(Question(DESIGNS[design], scope, properties=(prop,)))
    explained = [
        finding.name
        for finding in shipped().values()
        for entry in finding.observed
        if (entry.litmus, entry.prop) == (name, prop) and design in entry.designs
    ]
    assert result.exhaustive
    assert len(explained) == len(result.violations)


AT_RANDOM = ("early-size",)
"""What the plain specification has to see too."""


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
        assert finding.example or not finding.reached
        for example in finding.example:
            assert (TRACES / f"{example.trace}{ENDING}").is_file()


def test_a_litmus_file_and_the_finding_that_it_mirrors_name_each_other() -> None:
    named = re.compile(r"^source finding ([a-z-]+): ", re.MULTILINE)
    pairs = {
        (finding, path.stem)
        for path in LITMUS.glob("*.litmus")
        for finding in named.findall(path.read_text(encoding="utf-8"))
    }
    assert len({finding for finding, _ in pairs}) > 10
    assert pairs <= {(f.name, litmus) for f in shipped().values() for litmus in f.litmus}


def test_every_finding_has_its_story_and_every_story_its_finding() -> None:
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    stories = re.findall(r"^### (.*)$", page, flags=re.MULTILINE)
    assert sorted(stories) == sorted(shipped())


def test_the_tables_are_made_from_the_files() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "tables.py"))
    for name, table in script["PAGES"].items():
        path = ROOT / name
        assert path.read_text(encoding="utf-8") == script["page"](path, table())
