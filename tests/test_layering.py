"""Imports point downwards only, and the model needs nothing but the standard library."""

import ast
import os
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
    """Packages of all absolute imports in source: ours by folder, others by their first name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {package(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = str(node.module)
            full = [module] if module != "powercut" else [f"powercut.{a.name}" for a in node.names]
            names |= set(map(package, full))
    return names


def package(module: str) -> str:
    """The first name of a module, of ours the first two."""
    parts = module.split(".")
    return ".".join(parts[:2] if parts[0] == "powercut" else parts[:1])


def test_imports_point_downwards() -> None:
    run = lint(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("model", "properties"),
        ("properties", "checkers"),
        ("checkers", "verbs"),
        ("checkers.engine", "checkers.run"),
        ("checkers.run", "checkers.explain"),
    ],
)
def test_an_upward_import_is_noticed(tmp_path: Path, lower: str, upper: str) -> None:
    bare_copy(tmp_path)
    assert lint(tmp_path).returncode == 0
    folder, _, name = f"powercut.{upper}".rpartition(".")
    wrong = tmp_path / "powercut" / lower.replace(".", "/") / "wrong.py"
    wrong.write_text(f"from {folder} import {name}\n")
    run = lint(tmp_path)
    assert run.returncode == 1
    assert f"powercut.{lower} is not allowed to import powercut.{upper}" in run.stdout


def test_a_module_without_a_layer_is_noticed(tmp_path: Path) -> None:
    bare_copy(tmp_path)
    (tmp_path / "powercut" / "checkers" / "elsewhere.py").touch()
    run = lint(tmp_path)
    assert run.returncode == 1
    assert "elsewhere" in run.stdout


def bare_copy(target: Path) -> None:
    """Make the package's modules in target, all of them empty."""
    for folder, _, names in os.walk(ROOT / "powercut", followlinks=True):
        copy = target / Path(folder).relative_to(ROOT)
        copy.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name.endswith(".py"):
                (copy / name).touch()


def test_model_imports_standard_library_only() -> None:
    allowed = sys.stdlib_module_names | {"powercut.model"}
    foreign = {
        str(path.relative_to(ROOT)): sorted(names)
        for path in sorted((ROOT / "model").rglob("*.py"))
        if (names := imported(path.read_text(encoding="utf-8")) - allowed)
    }
    assert foreign == {}
