"""The pytest plugin in projects of its own: what it collects, how tests end, what JUnit says."""

import json
import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from importlib import metadata, resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import powercut.checkers.run.runner  # noqa: F401 - keeps the compiled models over the runs in this process
from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.litmus import shipped_files
from powercut.execute.job import Job, JobResult, execute
from powercut.pytest import items as pytest_items
from tests.litmus.support import APPEND

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
TRACES = ROOT / "traces"
SMALL_TRACE = "seed-eio-overwrite-data-err-abort.trace.json"
WRONG = APPEND.replace('=- size=2 "oo"', '=- size=2 "o."')


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose warnings are errors and whose markers are strict, on nobody's CI.

    There pytest prints whole messages a second time, in its summary.
    """
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini(
        "[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error\n"
    )
    return pytester


def add(project: pytest.Pytester, name: str, text: str) -> Path:
    path = project.path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_project_without_such_files_is_left_alone(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import sys

        def test_nothing_of_it_is_imported():
            heavy = {"powercut.checkers", "powercut.properties", "powercut.model", "z3",
                     "powercut.pytest.items"}
            assert not heavy & sys.modules.keys()
            assert "powercut.pytest.plugin" in sys.modules
    """)
    result = project.runpytest_subprocess("-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)


def test_litmus_files_and_traces_are_tests(project: pytest.Pytester) -> None:
    add(project, "append.litmus", APPEND)
    add(project, SMALL_TRACE, (TRACES / SMALL_TRACE).read_text(encoding="utf-8"))
    result = project.runpytest("-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(
        [
            "append.litmus::seed PASSED*",
            "append.litmus::seed-gap-ordered PASSED*",
            f"{SMALL_TRACE}::seed PASSED*",
        ]
    )


def test_designs_can_be_chosen(project: pytest.Pytester) -> None:
    add(project, "append.litmus", APPEND)
    add(project, SMALL_TRACE, (TRACES / SMALL_TRACE).read_text(encoding="utf-8"))
    found = project.runpytest("--collect-only", "-q", "--powercut-design", "seed-gap-ordered")
    assert [line for line in found.outlines if "::" in line] == ["append.litmus::seed-gap-ordered"]
    both = ("--powercut-design=seed", "--powercut-design=seed-gap-ordered")
    found = project.runpytest("--collect-only", "-q", *both)
    assert len([line for line in found.outlines if "::" in line]) == 3


def test_an_unknown_design_is_a_usage_error(project: pytest.Pytester) -> None:
    result = project.runpytest("--powercut-design", "sead")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(['*--powercut-design: unknown design "sead"; known: seed, *'])


@pytest.mark.parametrize("how", ["option", "ini"])
def test_it_can_be_switched_off(project: pytest.Pytester, how: str) -> None:
    add(project, "append.litmus", APPEND)
    if how == "ini":
        project.makeini("[pytest]\npowercut_collect = false\n")
    result = project.runpytest(*(["--no-powercut"] if how == "option" else []))
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_traces_of_other_programs_are_left_alone(project: pytest.Pytester) -> None:
    add(project, "chrome.trace.json", '{"traceEvents": [{"name": "a", "ph": "B"}]}')
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_trace_is_known_by_its_schema_wherever_it_stands(project: pytest.Pytester) -> None:
    two_mounts = TRACES / "seed-eof-two-mounts-stale-data.trace.json"
    text = json.dumps(json.loads(two_mounts.read_text(encoding="utf-8")), sort_keys=True)
    assert "powercut" not in text[:1024]
    add(project, "sorted.trace.json", text)
    add(project, "profile.trace.json", '{"traceEvents": [{"name": "powercut.cli", "ph": "B"}]}')
    result = project.runpytest("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["sorted.trace.json::seed PASSED*"])


def test_a_run_cut_short_fails_a_litmus_test(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(job: Job, *rest: Any) -> JobResult:
        return execute(Job(replace(job.question, limits=Limits(max_states=10))), *rest)

    monkeypatch.setattr(pytest_items, "execute", short)
    add(project, "append.litmus", APPEND)
    project.makepyfile(f"def test_inline(powercut):\n    powercut.litmus({APPEND!r}, 'seed')\n")
    result = project.runpytest("--powercut-design", "seed", "--junitxml=report.xml")
    result.assert_outcomes(failed=2)
    text = result.stdout.str()
    assert text.count("seed: inconclusive") == 2
    assert "cut short: mount 1: limit of 10 states reached" in text
    found = properties_of(project.path / "report.xml")
    assert [each["powercut_verdict"] for each in found.values()] == ["inconclusive"] * 2


def test_a_failure_says_what_differs_and_draws_the_run(project: pytest.Pytester) -> None:
    add(project, "append.litmus", WRONG)
    result = project.runpytest("--powercut-design", "seed")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*append.litmus: seed: different",
            '*not allowed, but shown:   1.2=- size=2 "oo"',
            '*allowed, but never shown: 1.2=- size=2 "o."  (line 13)',
            "*ext4_buffered_write_iter()*",
            "*power cut*",
            "FAILED append.litmus::seed*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_bad_files_are_errors_and_do_not_stop_the_others(project: pytest.Pytester) -> None:
    add(project, "a.litmus", "source x\nmount\n  task wirte 1\n")
    add(project, "b.litmus", APPEND.partition("allowed")[0])
    add(project, "c.litmus", APPEND)
    add(project, "d.trace.json", (TRACES / SMALL_TRACE).read_text(encoding="utf-8")[:900])
    add(project, "e.trace.json", "garbage")
    result = project.runpytest("--powercut-design", "seed")
    result.assert_outcomes(passed=1, errors=4)
    result.stdout.fnmatch_lines(
        [
            '*a.litmus:3:8: unknown operation "wirte"; expected write, *',
            '*b.litmus: no "allowed" set to compare with; `powercut litmus --update*',
            "*d.trace.json: *",
            "*e.trace.json: *",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_trace_that_lost_its_verdict_fails_with_its_ladder(project: pytest.Pytester) -> None:
    text = (TRACES / SMALL_TRACE).read_text(encoding="utf-8")
    add(project, "t.trace.json", text.replace('"verdict": "violated"', '"verdict": "holds"'))
    result = project.runpytest("--junitxml=report.xml")
    result.assert_outcomes(failed=1)
    (noted,) = properties_of(project.path / "report.xml").values()
    assert noted == {
        "powercut_design": "seed",
        "powercut_property": "data-err-abort",
        "powercut_steps": str(text.count('"thread"')),
        "powercut_verdict": "holds",
        "powercut_reproduced": "False",
    }
    result.stdout.fnmatch_lines(
        [
            "*t.trace.json: not reproduced: expected data-err-abort holds*",
            "*task0*",
            "*locks held after the step*",
        ]
    )


SCENARIOS = '''
    import pytest
    from powercut.errors import InputError

    DIRTY = """
    file size=1 dirty-tail
    timer once
    mount
      task write 2 1; fsync
    """

    def test_holds(powercut):
        result = powercut.run(DIRTY, design="seed-gap-ordered")
        assert not result.violations
        result.assert_holds()
        assert result.verdict == "holds"
        assert result.result.states > 100

    def test_fails(powercut):
        result = powercut.run(DIRTY)
        assert not result.violations

    def test_fails_with_the_helper(powercut):
        powercut.run(DIRTY).assert_holds("stale-data")

    def test_other_property(powercut):
        result = powercut.run(DIRTY)
        result.assert_holds("durability")
        result.assert_violated("stale-data")
        with pytest.raises(AssertionError, match="does not violate deadlock"):
            result.assert_violated("deadlock")
        with pytest.raises(InputError, match="did you mean"):
            result.assert_holds("durabilty")

    def test_cut_short(powercut):
        powercut.run(DIRTY, design="seed-gap-ordered", max_states=50)

    def test_mutant_and_file(powercut, tmp_path):
        path = tmp_path / "w.workload"
        path.write_text("file size=2\\nmount\\n task write 2 2; fsync\\n")
        run = powercut.run(path, mutant="no-preflush", properties=("unstable-conversion",))
        assert run.violations == ("unstable-conversion",)

    def test_litmus(powercut):
        powercut.litmus("source x\\nfile size=2\\nmount\\n task write 0 1\\nallowed seed\\n"
                        ' size=2 "oo"\\n')
'''


def test_the_fixture(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=SCENARIOS)
    result = project.runpytest("-v")
    result.assert_outcomes(passed=3, failed=4)
    text = result.stdout.str()
    assert "inconclusive: mount 1: limit of 50 states reached" in text
    assert "powercut: seed, stale-data" in text
    assert "seed violates stale-data" in text
    assert text.count("*** power cut ***") >= 3
    assert 'not allowed, but shown:   size=2 "Ao"' in text


def test_litmus_files_and_their_sets_in_the_fixture(project: pytest.Pytester) -> None:
    path = add(project, "append.litmus", APPEND)
    project.makepyfile(f"""
        from pathlib import Path
        import pytest
        from powercut.checkers.workload import WorkloadError
        from powercut.errors import InputError

        PATH = Path({str(path)!r})

        def test_a_path(powercut):
            powercut.litmus(PATH, "seed")

        def test_no_such_file(powercut):
            with pytest.raises(WorkloadError, match="nowhere.litmus:1:1: cannot be read"):
                powercut.litmus(Path("nowhere.litmus"))

        def test_no_such_set(powercut):
            with pytest.raises(InputError, match="no set for mixed; it has seed, seed-gap-ordered"):
                powercut.litmus(PATH.read_text(), "mixed")
    """)
    project.runpytest("--no-powercut").assert_outcomes(passed=3)


@pytest.mark.parametrize("how", ["result.assert_holds()", "assert not result.violations"])
def test_a_failure_draws_each_run_once(project: pytest.Pytester, how: str) -> None:
    text = "file size=1 dirty-tail\ntimer once\nmount\n  task write 2 1; fsync\n"
    project.makepyfile(f"def test_it(powercut):\n    result = powercut.run({text!r})\n    {how}\n")
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    shown = result.stdout.str()
    assert shown.count("*** power cut ***") == 1
    assert ("powercut: seed, stale-data" in shown) == how.startswith("assert")


def blocks(text: str) -> dict[str, str]:
    """Return the fenced blocks of a page that name a file in their first line."""
    found = {}
    for part in text.split("\n```")[1::2]:
        first, _, rest = part.partition("\n")[2].partition("\n")
        if first.startswith("# "):
            found[first.removeprefix("# ")] = rest + "\n"
    return found


def properties_of(report: Path) -> dict[str, dict[str | None, str | None]]:
    """Return the properties of each test in a JUnit report."""
    return {
        f"{case.get('classname')}::{case.get('name')}": {
            p.get("name"): p.get("value") for p in case.iter("property")
        }
        for case in ElementTree.parse(report).getroot().iter("testcase")
    }


@pytest.mark.exhaustive
def test_the_example_of_the_page_runs_in_two_processes(project: pytest.Pytester) -> None:
    page = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")
    for name, text in blocks(page).items():
        add(project, name, text)
    result = project.runpytest_subprocess("-n", "2", "--junitxml=report.xml")
    result.assert_outcomes(passed=5)
    cases = properties_of(project.path / "report.xml")
    assert len(cases) == 5
    for case in cases.values():
        assert case.keys() == {"powercut_design", "powercut_states", "powercut_verdict"}
    litmus = next(value for name, value in cases.items() if name.endswith("::bh-ordered"))
    assert litmus["powercut_design"] == "bh-ordered"
    assert litmus["powercut_verdict"] == "exact"
    assert int(litmus["powercut_states"] or 0) > 100
    seen = project.runpytest("--collect-only", "-q").outlines
    ids = [line for line in seen if "::" in line]
    assert ids == [
        line.removesuffix(" PASSED") for line in page.splitlines() if line.endswith(" PASSED")
    ]


def test_an_installation_contains_the_litmus_files() -> None:
    """What a wheel takes along: packages that are found, data files by pattern."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setup = config["tool"]["setuptools"]
    assert any(
        fnmatch("powercut.properties.litmus", name) for name in setup["packages"]["find"]["include"]
    )
    names = {path.name for path in shipped_files()}
    assert names
    for name in names:
        assert any(fnmatch(name, pattern) for pattern in setup["package-data"]["*"])
    listed = {entry.name for entry in resources.files("powercut.properties.litmus").iterdir()}
    assert names <= listed
    (point,) = (p for p in metadata.entry_points(group="pytest11") if p.name == "powercut")
    assert point.value == "powercut.pytest.plugin"
