"""The public names: each exported once, documented, typed, and free until it is used."""

import ast
import inspect
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import powercut
from tests.cli.support import environment

ROOT = Path(__file__).parents[2]
STDLIB = sys.stdlib_module_names
NAMES = """
    check CheckResult replay draw explain minimise prove load_trace save_trace load_workload
    parse_workload Trace Design DESIGNS Scope SCOPES Mutant MUTANTS PROPERTIES PowercutError
    InputError
"""


def test_the_public_names_are_these() -> None:
    assert powercut.__all__ == NAMES.split()
    assert dir(powercut) == sorted(powercut.__all__)


def test_type_checkers_see_every_name_once() -> None:
    tree = ast.parse(Path(powercut.__file__).read_text(encoding="utf-8"))
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = [
        (alias.asname, str(node.module))
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    ]
    assert len(seen) == len(guarded.body)
    assert dict(seen) == powercut._HOME_OF
    assert sorted(name for name, _ in seen) == sorted(powercut.__all__)


@pytest.mark.parametrize("name", powercut.__all__)
def test_a_name_is_what_its_home_has_and_is_documented(name: str) -> None:
    value = getattr(powercut, name)
    assert value is getattr(import_module(powercut._HOME_OF[name]), name)
    if inspect.isfunction(value) or inspect.isclass(value):
        assert value.__module__ == powercut._HOME_OF[name]
        assert inspect.getdoc(value)
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(p.annotation is not p.empty for p in signature.parameters.values())


def test_the_functions_of_the_library_are_all_exported() -> None:
    api = import_module("powercut.api")
    public = {
        name
        for name, value in vars(api).items()
        if getattr(value, "__module__", "") == "powercut.api" and not name.startswith("_")
    }
    assert public - {"T"} == set(powercut._HOMES["powercut.api"])


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'chek'"):
        powercut.chek  # noqa: B018


def test_importing_it_costs_nothing() -> None:
    program = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import powercut\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    command = [sys.executable, "-S", "-c", program]
    run = subprocess.run(command, env=environment(), text=True, capture_output=True, check=True)
    foreign = {name for name in run.stdout.split() if name.split(".")[0] not in STDLIB}
    assert foreign == {"powercut"}


def test_the_page_is_made_from_the_docstrings() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "api_page.py"))["page"]
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == page()
