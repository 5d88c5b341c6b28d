"""The source tree stays readable: small modules and functions, documented, nothing left over."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "checkers", "properties", "powercut")
FOLDERS = (*PACKAGES, "tests", "traces", "docs", "benchmarks", "scripts", ".ci")
MAX_MODULE_LINES = 600
MAX_FUNCTION_LINES = 70

# Put together from pieces, so that this file does not contain what it looks for.
LEFT_OVER = re.compile(rf"\b({'TO' + 'DO'}|{'FIX' + 'ME'}|{'XX' + 'X'})\b")
MACHINE_PATH = re.compile(rf"(?<![\w./~-])/({'wo' + 'rk'}|{'ro' + 'ot'})/")


def files(*folders: str) -> list[Path]:
    """All files below the folders, without what tools leave there."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def text_files() -> Iterator[tuple[Path, str]]:
    """Every file of the project that is not binary, with its text."""
    top = [
        path
        for path in ROOT.iterdir()
        if path.is_file() and path.suffix != ".log" and path.name != ".git"
    ]
    for path in (*top, *files(*FOLDERS)):
        content = path.read_bytes()
        if b"\0" not in content:
            yield path.relative_to(ROOT), content.decode(errors="replace")


def modules(*folders: str) -> Iterator[tuple[Path, str]]:
    """Every Python module below the folders with its text."""
    for path in files(*folders):
        if path.suffix == ".py":
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Name and length of every function in source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def matches(pattern: re.Pattern[str]) -> list[str]:
    """Where pattern occurs, as file:line: text."""
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_modules_are_short() -> None:
    lengths = {str(path): len(text.splitlines()) for path, text in modules(*FOLDERS)}
    assert lengths, "no module found"
    assert {path: n for path, n in lengths.items() if n > MAX_MODULE_LINES} == {}


def test_functions_are_short() -> None:
    long = [
        f"{path}: {name} has {length} lines"
        for path, text in modules(*FOLDERS)
        for name, length in functions(text)
        if length > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_modules_say_what_they_are_for() -> None:
    silent = [
        str(path) for path, text in modules(*PACKAGES) if not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_nothing_is_left_over() -> None:
    assert matches(LEFT_OVER) == []


def test_no_path_of_one_machine() -> None:
    assert matches(MACHINE_PATH) == []


def test_the_searches_find_what_they_should() -> None:
    assert LEFT_OVER.search("# TO" + "DO: later")
    assert MACHINE_PATH.search('open("/ro' + 'ot/x")')
    assert not MACHINE_PATH.search("docs/wo" + "rk/notes")
