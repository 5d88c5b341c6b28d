"""Imports point downwards only, and the model needs nothing but the standard library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(sys.argv[1], no_cache=True, no_logo=True))
"""


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Apply the project's import contracts to the packages in tree."""
    command = [sys.executable, "-c", LINT, str(ROOT / "pyproject.toml")]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def imported(source: str) -> set[str]:
    """Top-level names of all absolute imports in source."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
    return names


def test_imports_point_downwards() -> None:
    run = lint(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("lower", "upper"),
    [("model", "checkers"), ("checkers", "properties"), ("properties", "powercut")],
)
def test_an_upward_import_is_noticed(tmp_path: Path, lower: str, upper: str) -> None:
    for package in ("model", "checkers", "properties", "powercut"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    assert lint(tmp_path).returncode == 0
    (tmp_path / lower / "wrong.py").write_text(f"import {upper}\n")
    run = lint(tmp_path)
    assert run.returncode == 1
    assert f"{lower} is not allowed to import {upper}" in run.stdout


def test_model_imports_standard_library_only() -> None:
    allowed = sys.stdlib_module_names | {"model"}
    foreign = {
        str(path.relative_to(ROOT)): sorted(names)
        for path in sorted((ROOT / "model").rglob("*.py"))
        if (names := imported(path.read_text(encoding="utf-8")) - allowed)
    }
    assert foreign == {}
