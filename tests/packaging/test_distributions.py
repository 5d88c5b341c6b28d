"""The files of a wheel and of an sdist, and the verbs of an installed powercut."""

import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, TRACE, Built, Installed

pytestmark = pytest.mark.exhaustive

LINKED = ("checkers", "model", "properties")
PATCH = "docs/patches/punch-writes-eof-block.patch"
PROTOCOL = "examples/write_ahead_log.py"
DATA = {".c", ".css", ".h", ".html", ".js", ".litmus", ".patch", ".toml", ".typed", ".workload"}


def below(folder: Path) -> set[str]:
    """Files below ``folder``, links followed, by their names relative to its parent."""
    return {
        str((Path(place) / name).relative_to(folder.parent))
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
    }


def members(wheel: Path) -> dict[str, bytes]:
    """Name and content of every file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_the_package_and_nothing_else(built: Built) -> None:
    names = set(members(built.wheel))
    assert {name.split("/")[0] for name in names} == {"powercut", "powercut-0.1.0.dist-info"}
    assert {name for name in names if name.startswith("powercut/")} == below(
        built.tree / "powercut"
    )


def test_the_wheel_holds_code_data_and_types(built: Built) -> None:
    names = [Path(name) for name in members(built.wheel) if name.startswith("powercut/")]
    assert {path.suffix for path in names} == {".py", *DATA}
    assert {path.parts[1] for path in names if path.suffix in DATA} >= {*LINKED, "py.typed"}
    assert not [path for path in names if "tests" in path.parts]


def test_the_sdist_holds_what_a_build_needs(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        entries = archive.getmembers()
    assert not [entry.name for entry in entries if entry.issym() or entry.islnk()]
    names = {entry.name.partition("/")[2] for entry in entries if entry.isfile()}
    package = {name for name in names if name.startswith("powercut/")}
    described = {name for name in names if name.startswith("powercut.egg-info/")}
    made = {"PKG-INFO", "setup.cfg"}
    kept = {"LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}
    examples = {"examples/mutual_exclusion.py", "examples/write_ahead_log.py"}
    assert names - package - described == made | kept | examples
    assert package == below(built.tree / "powercut")


def test_the_sdist_builds_the_same_wheel(built: Built) -> None:
    assert members(built.wheel_of_sdist) == members(built.wheel)


def test_the_checkout_is_not_seen(installed: Installed) -> None:
    program = (
        "import importlib.util, powercut, powercut.model\n"
        "print(powercut.__file__, powercut.model.__file__, sep='\\n')\n"
        "print([importlib.util.find_spec(name) for name in ('checkers', 'benchmarks')])\n"
    )
    run = installed("python", "-P", "-c", program)
    *files, others = run.stdout.splitlines()
    venv = str(installed.bin.parent)
    assert all(file.startswith(venv) for file in files), run
    assert others == "[None, None]"


def test_check_then_replay(installed: Installed) -> None:
    argv = ("check", "--design", "seed", "--scope", "eof-truncate-up", "--jobs", "1")
    run = installed("powercut", *argv, "--save-traces", "found", "--json")
    assert run.returncode == 1, run
    (only,) = json.loads(run.stdout)["runs"]
    assert "stale-data" in [violation["property"] for violation in only["violations"]]
    traces = sorted((installed.project / "found").glob("*.trace.json"))
    again = installed("powercut", "replay", "--no-ladder", *traces)
    assert (again.returncode, again.stderr) == (0, ""), again
    assert "reproduced" in again.stdout


def test_locks(installed: Installed) -> None:
    run = installed("powercut", "locks", "order.c", "--json")
    assert run.returncode == 0, run
    assert "i_data_sem" in run.stdout


def test_a_patch_a_protocol_and_a_schema(installed: Installed) -> None:
    argv = ("--design", "bh-ordered", "--scope", "zero-range-tail", "--jobs", "1")
    run = installed("powercut", "check", *argv, "--patch", ROOT / PATCH)
    assert run.returncode == 0, run
    run = installed("powercut", "check", ROOT / PROTOCOL)
    assert (run.returncode, run.stderr) == (1, ""), run
    run = installed("powercut", "fuzz", "--schema")
    assert (run.returncode, run.stderr) == (0, ""), run
    assert json.loads(run.stdout)["title"] == "powercut fuzz --json"


def test_prove(installed: Installed) -> None:
    run = installed("powercut", "prove", "--wrong", "no-eof-ordering", "--json")
    assert run.returncode == 0, run
    (row,) = json.loads(run.stdout)["obligations"]
    assert row["result"] == "refuted"


def test_litmus(installed: Installed) -> None:
    run = installed("powercut", "litmus", "crashmonkey-append-fsync.litmus", "--jobs", "1")
    assert run.returncode == 0, run


@pytest.mark.parametrize("command", [("pytest",), ("python", "-m", "pytest")])
def test_pytest_beside_packages_of_the_same_names(
    installed: Installed, command: tuple[str, ...]
) -> None:
    run = installed(*command, "-v")
    assert run.returncode == 0, run.stdout + run.stderr
    for name in (
        "test_own.py::test_the_own",
        "crashmonkey-append-fsync.litmus::",
        f"{TRACE}::seed",
    ):
        assert name in run.stdout
    assert "FAILED" not in run.stdout
