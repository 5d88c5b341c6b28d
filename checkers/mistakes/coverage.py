"""Which statements of the kernel's paths each run executes, found once from the unmutated model.

A mistake can be noticed only by a run that executes its statement, so this decides where it is
judged, and a statement that no run executes says what no workload does.

How: a program that calls :func:`~powercut.checkers.mistakes.marks.covered` before every statement
is translated and compiled as any other; in the C text that function, which does nothing, gets a
body that notes its number.  States and verdicts stay what they are.

Rejected: tracing Python (a hundred times slower); looking at the steps of saved runs (they show
where threads stop, not what they pass).
"""

import ast
import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from powercut.checkers.engine.c_library import load_library
from powercut.checkers.engine.system import Build
from powercut.checkers.engine.translation import Steps
from powercut.checkers.mistakes.source import SourceFile, is_docstring, kernel_files
from powercut.checkers.run.mount import build_asked
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.weave.program import changed_program
from powercut.model.kernel.tasks import PROGRAM
from powercut.model.language import Program

Line = tuple[str, int]
"""A file of the model and the line in which a statement begins."""

_MARKS = "powercut.checkers.mistakes.marks"
_BODY = re.compile(r"(static int64_t h_covered\([^)]*int64_t (\w+)\)\n\{\n).*?\n\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run of the unmutated model showed: its cost, its violations, what it executed."""

    design: str
    scope: str
    states: int
    seconds: float
    violated: tuple[str, ...]
    exhaustive: bool
    lines: frozenset[Line]


@dataclass(frozen=True, eq=False)
class Marked:
    """The model with a mark before every statement of ``files``, as a variant of itself."""

    files: tuple[SourceFile, ...]

    @property
    def key(self) -> str:
        """The model's own text is in the key of a translation anyway."""
        return "marked"

    def lines(self) -> list[Line]:
        """Return the lines of the marks, in the order of their numbers."""
        return [(file.name, node.lineno) for file in self.files for node in _marked(file.tree)]

    def woven(self) -> Program:
        """Return the program with the marks."""
        numbers = iter(range(1_000_000))
        return changed_program({file.name: _with_marks(file, numbers) for file in self.files})

    def native(self, root: Any) -> Program:
        """Return the model as it is: marks do nothing."""
        del root
        return PROGRAM


def _marked(tree: ast.Module) -> Iterator[ast.stmt]:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            yield from _in_order(function)


def _in_order(node: ast.stmt) -> Iterator[ast.stmt]:
    for name in ("body", "orelse"):
        for inner in getattr(node, name, []):
            if not is_docstring(inner):
                yield inner
                yield from _in_order(inner)


def _with_marks(file: SourceFile, numbers: Iterator[int]) -> ast.Module:
    tree = ast.parse(file.text)
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            root = function.args.args[0].arg
            _mark(function, root, numbers)
    tree.body.insert(1, ast.ImportFrom(_MARKS, [ast.alias("covered")], 0))
    return ast.fix_missing_locations(tree)


def _mark(node: ast.stmt, root: str, numbers: Iterator[int]) -> None:
    for name in ("body", "orelse"):
        out: list[ast.stmt] = []
        for inner in getattr(node, name, []):
            if not is_docstring(inner):
                call = ast.Call(
                    ast.Name("covered", ast.Load()),
                    [ast.Name(root, ast.Load()), ast.Constant(next(numbers))],
                    [],
                )
                out.append(ast.copy_location(ast.Expr(call), inner))
                _mark(inner, root, numbers)
            out.append(inner)
        if out:
            setattr(node, name, out)


class Observer:
    """Runs questions about the unmutated model and notes what they execute."""

    def __init__(self) -> None:
        self.marked = Marked(tuple(kernel_files()))
        self._lines = self.marked.lines()

    def run(self, question: Question) -> Seen:
        """Return what an exhaustive run of ``question`` executes.

        Raises :class:`NoCompiler` and :class:`CannotCompile`.
        """
        question = replace(question, variants=self.marked, engine="c")
        builds = [build_asked(question, n) for n in range(len(question.scope.mounts))]
        notes = [self._notes(build) for build in builds]
        for note in notes:
            ctypes.memset(note, 0, len(self._lines))
        result = run_scope(question)
        numbers = {n for note in notes for n, hit in enumerate(bytes(note)) if hit}
        found = (*result.violations, *result.observations)
        return Seen(
            result.design,
            result.scope,
            result.states,
            result.seconds,
            tuple(sorted(v.prop for v in found)),
            result.exhaustive,
            frozenset(self._lines[n] for n in numbers),
        )

    def _notes(self, build: Build) -> Any:
        """Compile ``build`` with its notes, unless it is; return where it notes."""
        size = len(self._lines)
        if build.library is None:
            steps = build.translation.steps()
            text, count = _BODY.subn(r"\1    pc_covered[\2] = 1;\n    return 0;\n}", steps.text)
            assert count == 1
            noting = Steps(f"uint8_t pc_covered[{size}];\n{text}", steps.sums)
            build.translation = replace(build.translation, c_steps=noting)
        return (ctypes.c_uint8 * size).in_dll(load_library(build), "pc_covered")


def observe(questions: Sequence[Question]) -> Iterator[Seen]:
    """Yield what each question executes, in order."""
    observer = Observer()
    for question in questions:
        yield observer.run(question)
