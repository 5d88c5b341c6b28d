"""Rules for the tree of sources: each looks at texts and returns its complaints, one a line.

Why so: a rule that takes its text as an argument can be shown to fail.  Rejected: linters for prose
and for dead code (several tools and their settings for a page of rules that know this project).
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

MAX_MODULE_LINES = 600
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100
MAX_SUBJECT = 72

Texts = Mapping[Path, str]
"""Files with their content, by their path from the project's folder."""

# Put together from pieces, so that this file does not contain what it looks for.
LEFT_OVER = re.compile(rf"\b({'TO' + 'DO'}|{'FIX' + 'ME'}|{'XX' + 'X'})\b")
MACHINE_PATH = re.compile(rf"(?<![\w./~-])/({'wo' + 'rk'}|{'ro' + 'ot'})/")
UNFORMATTED = re.compile(rf"#\s*fmt:\s*{'(sk' + 'ip|o' + 'ff)'}")

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE_SPAN = re.compile(r"`([^`\n]+)`")
_FILE_NAME = re.compile(
    r"[\w.-]+(?:/[\w.-]+)*\.(?:py|c|h|md|toml|litmus|workload|mmd)"
    r"|(?:model|checkers|properties|powercut|tests|traces|docs|benchmarks|scripts)/[\w./-]*"
)
_DOTTED = re.compile(r"\w+(\.\w+)*")


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def parse(texts: Texts) -> None:
    """Parse modules once, for every rule that walks their trees."""
    for text in texts.values():
        _parsed(text)


def matches(pattern: re.Pattern[str], texts: Texts) -> list[str]:
    """Where ``pattern`` occurs, as file:line: text."""
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def long_modules(texts: Texts) -> list[str]:
    """Files with too many lines."""
    lengths = {path: len(text.splitlines()) for path, text in texts.items()}
    return [f"{path}: {n} lines" for path, n in lengths.items() if n > MAX_MODULE_LINES]


def long_functions(texts: Texts) -> list[str]:
    """Python functions with too many lines."""
    return [
        f"{path}: {node.name} has {length} lines"
        for path, text in texts.items()
        for node in ast.walk(_parsed(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]


def silent_modules(texts: Texts) -> list[str]:
    """Python modules without a docstring."""
    return [str(path) for path, text in texts.items() if not ast.get_docstring(_parsed(text))]


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a Markdown text outside code and tables, with their numbers."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith(("    ", "|")):
            yield number, line


def wide_lines(texts: Texts) -> list[str]:
    """Lines of prose that are too wide."""
    return [
        f"{path}:{number}: {len(line)} columns"
        for path, text in texts.items()
        for number, line in prose(text)
        if len(line) > MAX_COLUMNS
    ]


def anchors(text: str) -> set[str]:
    """The anchors of a Markdown text's headings."""
    titles = [line.lstrip("#").strip() for _, line in prose(text) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(texts: Texts, root: Path) -> list[str]:
    """Links of Markdown texts to files or headings that are not there."""
    dead = []
    for path, text in texts.items():
        for link in _LINK.findall("\n".join(line for _, line in _outside_code(text))):
            if "://" in link or link.startswith("mailto:"):
                continue
            name, _, anchor = link.partition("#")
            target = root / path.parent / name if name else root / path
            if not target.exists():
                dead.append(f"{path}: {link}")
            elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
                dead.append(f"{path}: {link}: no such heading")
    return dead


def _outside_code(text: str) -> Iterator[tuple[int, str]]:
    """As :func:`prose`, with the tables."""
    return prose(text.replace("\n|", "\n |"))


def dead_file_names(texts: Texts, known: Iterable[Path], foreign: Iterable[str]) -> list[str]:
    """Names of files and folders in code spans of Markdown texts that end no path of ``known``.

    ``foreign`` are beginnings of names that are not this project's.
    """
    ends = {
        "/".join(part.parts[n:])
        for path in known
        for part in (path, *path.parents)
        for n in range(len(part.parts))
    }
    return [
        f"{path}:{number}: {name}"
        for path, text in texts.items()
        for number, line in _outside_code(text)
        for span in _CODE_SPAN.findall(line)
        for name in span.split()
        if _FILE_NAME.fullmatch(name)
        if name.rstrip("/") not in ends and not name.startswith(tuple(foreign))
    ]


def dead_names(defining: Texts, using: Texts) -> list[str]:
    """Functions, classes and constants of modules that nothing names but their definition.

    A name counts as used where it is read or imported, and in a string that is nothing but a name;
    not in ``__all__``, and not where a package only hands it on.
    """
    used: Counter[str] = Counter()
    for path, text in using.items():
        used.update(_used_names(_parsed(text), hands_on=path.name == "__init__.py"))
    return [
        f"{path}:{node.lineno}: {name}"
        for path, text in defining.items()
        for node in _parsed(text).body
        for name in _defined_names(node)
        if not used[name] and not name.startswith("__")
    ]


def _defined_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _used_names(tree: ast.Module, *, hands_on: bool) -> Iterator[str]:
    passed_over = {id(part) for node in tree.body for part in _no_use(node)}
    for node in ast.walk(tree):
        if id(node) in passed_over:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and not hands_on:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and _DOTTED.fullmatch(str(node.value)):
            yield from str(node.value).split(".")


def _no_use(node: ast.stmt) -> Iterator[ast.AST]:
    """The parts of a statement of a module that use nothing: docstrings and ``__all__``."""
    if "__all__" in _defined_names(node):
        yield from ast.walk(node)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant):
            yield inner.value


def long_subjects(log: str) -> list[str]:
    """Subjects of commits that are too long; ``log`` has a hash and a subject on each line."""
    return [line for line in log.splitlines() if len(line.partition(" ")[2]) > MAX_SUBJECT]
