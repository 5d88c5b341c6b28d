"""Programs of patched sources: all mutants in one, or exactly one change applied to the text.

The kernel's paths find each other through their modules' names, so a patched file needs modules of
its own, and so does everything that imports it.  They are made here, beside the installed ones,
with an import statement that finds the patched module where there is one.  Declarations (state,
scopes, designs) stay the installed ones: nobody has patched them.

Every function made here carries its parsed text (:class:`~powercut.checkers.engine.language.Text`),
because the text on disk is not what runs.  Line numbers are those of the file with a user's
patches, which is the file that the user works on; of a mutant they are those of the model's file,
which everybody has.

Rejected: writing patched packages to a temporary folder (leftovers, and other line numbers).
"""

import ast
import builtins
import io
import tokenize
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from powercut.checkers.engine.language import Text
from powercut.checkers.weave.errors import PatchError
from powercut.checkers.weave.outline import check_outline
from powercut.checkers.weave.patch import (
    ModelPatch,
    PatchedText,
    apply_patch,
    model_sources,
    parse_patch,
)
from powercut.checkers.weave.weave import Variant, weave
from powercut.model.kernel.tasks import PROGRAM
from powercut.model.language import Program
from powercut.model.mutants import MUTANTS, Mutant

_ENTRY = "powercut.model.kernel.tasks"


def module_name(file: str) -> str:
    """Return the module of a file of the model: ``model/jbd2.py`` is ``powercut.model.jbd2``."""
    return "powercut." + file.removesuffix(".py").replace("/", ".")


def parse_text(text: str, name: str, file: str) -> ast.Module:
    """Return the tree of a patched file.

    A ``yield`` keeps the comment beside it as its attribute ``label``.  Raises
    :class:`PatchError` where the text is no Python.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        place = f"{file}:{error.lineno}"
        raise PatchError(name, place, f"the patched file is no Python: {error.msg}") from None
    comments = comments_of(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Yield):
            label = comments.get(node.lineno, "") or comments.get(node.end_lineno or 0, "")
            node.label = label  # type: ignore[attr-defined]
    return tree


def parse_mutated(patched: PatchedText, name: str, file: str) -> ast.Module:
    """Return the tree of a mutant's file, each node at its line of the base; see parse_text()."""
    tree = parse_text(patched.text, name, file)
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr):
            first, last = node.lineno, node.end_lineno or node.lineno
            node.lineno = patched.lines[first - 1]
            node.end_lineno = max(node.lineno, patched.lines[last - 1])
    return tree


def comments_of(text: str) -> dict[int, str]:
    """Return the comments of a source text by line."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT and "noqa" not in token.string
    }


def patched_program(patches: Sequence[ModelPatch]) -> Program:
    """Return the program whose text has ``patches``, one after the other.

    Raises :class:`PatchError` where one does not apply, or its module cannot be made.
    """
    sources = dict(model_sources())
    changed: set[str] = set()
    for patch in patches:
        for file, patched in apply_patch(patch, sources).items():
            sources[file] = patched.text
            changed.add(file)
    names = ", ".join(patch.name for patch in patches)
    trees = {file: parse_text(sources[file], names, file) for file in sorted(changed)}
    for file, tree in trees.items():
        check_outline(tree, ast.parse(model_sources()[file]), names, file)
    return _program(trees, names)


def mutated_program(patch: ModelPatch) -> Program:
    """Return the program that has the patch of one mutant.  Raises :class:`PatchError`."""
    found = apply_patch(patch, model_sources())
    trees = {file: parse_mutated(text, patch.name, file) for file, text in found.items()}
    return _program(trees, patch.name)


def woven_program(patches: Mapping[int, ModelPatch]) -> Program:
    """Return the program that has all ``patches``, each behind its number in ``conf.mutant``."""
    sources = model_sources()
    variants: dict[str, list[Variant]] = {}
    for number, patch in patches.items():
        for file, patched in apply_patch(patch, sources).items():
            tree = parse_mutated(patched, patch.name, file)
            variants.setdefault(file, []).append(Variant(number, patch.name, tree))
    trees = {file: weave(ast.parse(sources[file]), found) for file, found in variants.items()}
    return _program(trees, "the mutants")


def changed_program(trees: Mapping[str, ast.Module]) -> Program:
    """Return the program whose files (``model/...``) have these trees instead."""
    return _program(trees, "the changed model")


def _program(trees: Mapping[str, ast.Module], name: str) -> Program:
    modules = _Modules({module_name(file): (file, tree) for file, tree in trees.items()})
    try:
        program = modules.find(_ENTRY).PROGRAM
    except (NameError, ImportError, SyntaxError, TypeError) as error:
        raise PatchError(name, "", f"the patched model cannot be made: {error}") from None
    assert isinstance(program, Program)
    return program


class _Modules:
    """Patched modules, and new ones of everything that imports them."""

    def __init__(self, trees: Mapping[str, tuple[str, ast.Module]]) -> None:
        self.trees = trees
        self.made: dict[str, types.ModuleType] = {}
        self.renewed = self._importers()

    def _importers(self) -> set[str]:
        """Return the patched modules with all that reach them through imports."""
        imports = {
            module_name(file): _imported(ast.parse(text)) for file, text in model_sources().items()
        }
        for name, (_, tree) in self.trees.items():
            imports[name] = _imported(tree)
        renewed = set(self.trees)
        while more := {n for n, seen in imports.items() if seen & renewed} - renewed:
            renewed |= more
        return renewed

    def find(self, name: str) -> Any:
        """Return the module ``name``: patched, made anew, or the installed one."""
        if name not in self.renewed:
            __import__(name)
            return builtins.__import__(name, fromlist=["*"])
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def _make(self, name: str) -> types.ModuleType:
        installed = builtins.__import__(name, fromlist=["*"])
        path = str(installed.__file__)
        module = types.ModuleType(name)
        module.__file__ = path
        names = module.__dict__
        names["__builtins__"] = {**vars(builtins), "__import__": self._import}
        self.made[name] = module
        file, tree = self.trees.get(name) or _unpatched(name)
        exec(compile(tree, path, "exec"), names)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                names[node.name].__text__ = Text(node, file)
        return module

    def _import(
        self, name: str, of: Any = None, local: Any = None, wanted: Any = (), level: int = 0
    ) -> Any:
        """Stand in for ``__import__`` in the modules made here."""
        if wanted and name in self.renewed:
            return self.find(name)
        return builtins.__import__(name, of, local, wanted, level)


def _unpatched(name: str) -> tuple[str, ast.Module]:
    file = name.removeprefix("powercut.").replace(".", "/") + ".py"
    return file, ast.parse(model_sources()[file])


def _imported(tree: ast.Module) -> set[str]:
    return {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@dataclass(frozen=True, slots=True)
class Mutants:
    """The model's mutants as the variants of its program."""

    @property
    def key(self) -> str:
        """A digest of all their texts and of how they are woven."""
        return _mutants_key()

    def woven(self) -> Program:
        """Return the model with every mutant behind its number."""
        return woven_program({m.number: mutant_patch(m) for m in MUTANTS.values()})

    def native(self, root: Any) -> Program:
        """Return the model with the one mutant that ``root.conf.mutant`` names, or without."""
        number = root.conf.mutant
        mutant = next((m for m in MUTANTS.values() if m.number == number), None)
        if number and mutant is None:
            raise ValueError(f"there is no mutant number {number}")
        return _with_mutant(mutant) if mutant else PROGRAM


@dataclass(frozen=True, slots=True)
class Changed:
    """The model with the text of ``patches``, one after the other, whatever its constants say."""

    patches: tuple[ModelPatch, ...]

    @property
    def key(self) -> str:
        """A digest of the patches and of how they are applied."""
        return _digest([*_weaver(), *(patch.text for patch in self.patches)])

    def woven(self) -> Program:
        """Return the patched model."""
        return _with_patches(self.patches)

    def native(self, root: Any) -> Program:
        """Return the patched model."""
        return _with_patches(self.patches)


def mutant_patch(mutant: Mutant) -> ModelPatch:
    """Return the patch of a mutant of ours."""
    return parse_patch(mutant.patch, f"model/mutants/{mutant.slug}.patch")


@cache
def _weaver() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]


@cache
def _mutants_key() -> str:
    return _digest([*_weaver(), *(mutant.patch for mutant in MUTANTS.values())])


def _digest(texts: Sequence[str]) -> str:
    digest = blake2b(digest_size=16)
    for text in texts:
        digest.update(f"{len(text)}\0{text}".encode())
    return digest.hexdigest()


@lru_cache(maxsize=8)
def _with_mutant(mutant: Mutant) -> Program:
    return mutated_program(mutant_patch(mutant))


@lru_cache(maxsize=8)
def _with_patches(patches: tuple[ModelPatch, ...]) -> Program:
    return patched_program(patches)


MODEL: Final = replace(PROGRAM, variants=Mutants())
"""The model with its mutants: what every search builds."""


def model_with(patches: tuple[ModelPatch, ...]) -> Program:
    """Return the model that has ``patches`` and no mutants; without patches it is ``MODEL``."""
    return replace(PROGRAM, variants=Changed(patches)) if patches else MODEL
