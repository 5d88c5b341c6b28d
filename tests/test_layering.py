"""Imports point downwards only, and the model needs nothing but the standard library."""

import ast
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import grimp
import networkx
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


@pytest.mark.parametrize("folder", ["engine", "protocol"])
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("from powercut.model import language", 0),
        ("from powercut.model import state", 1),
        ("from powercut.model.fs.ext4 import inode", 1),
        ("from powercut.properties import catalog", 1),
    ],
)
def test_the_engine_knows_the_language_and_no_ext4(
    tmp_path: Path, folder: str, line: str, code: int
) -> None:
    bare_copy(tmp_path)
    (tmp_path / "powercut" / "checkers" / folder / "own.py").write_text(f"{line}\n")
    run = lint(tmp_path)
    assert run.returncode == code, run.stdout
    assert ("the engine knows no ext4: of the model, the language alone BROKEN" in run.stdout) == (
        code == 1
    )


def test_a_module_without_a_layer_is_noticed(tmp_path: Path) -> None:
    bare_copy(tmp_path)
    (tmp_path / "powercut" / "checkers" / "elsewhere.py").touch()
    run = lint(tmp_path)
    assert run.returncode == 1
    assert "elsewhere" in run.stdout


def test_no_module_imports_from_the_package_it_is_in() -> None:
    """Whichever is imported first, a package is whole before one of its modules needs it."""
    circles = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("model", "properties", "checkers", "powercut")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and any(map(partial(is_circle, path, node), node.names))
    ]
    assert circles == []


def is_circle(path: Path, node: ast.ImportFrom, alias: ast.alias) -> bool:
    """Tell whether the module at path needs alias from a package that needs the module."""
    parts = path.relative_to(ROOT).parent.parts
    own = ".".join(parts if parts[0] == "powercut" else ("powercut", *parts))
    is_module = any((path.parent / (alias.name + end)).exists() for end in (".py", ""))
    if node.module != own or path.name == "__init__.py" or is_module:
        return False
    return f"{own}." in (path.parent / "__init__.py").read_text(encoding="utf-8")


def test_a_circle_through_a_package_is_noticed() -> None:
    node = ast.parse("from powercut.checkers.traces import load_trace, codec").body[0]
    assert isinstance(node, ast.ImportFrom)
    path = ROOT / "checkers" / "traces" / "ladder.py"
    assert [is_circle(path, node, alias) for alias in node.names] == [True, False]


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


def circles(package: str) -> list[list[str]]:
    """Return the circles of modules that import each other, deferred imports included."""
    graph = grimp.build_graph(package, cache_dir=None)
    arrows: networkx.DiGraph[str] = networkx.DiGraph(
        (module, other)
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    )
    found = networkx.strongly_connected_components(arrows)
    return [sorted(circle) for circle in found if len(circle) > 1]


def test_no_circle_of_modules() -> None:
    assert circles("powercut") == []


def test_a_circle_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = tmp_path / "ring"
    ring.mkdir()
    (ring / "__init__.py").touch()
    (ring / "one.py").write_text("from ring import two\n")
    (ring / "two.py").write_text("def late() -> None:\n    from ring import one\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert circles("ring") == [["ring.one", "ring.two"]]
