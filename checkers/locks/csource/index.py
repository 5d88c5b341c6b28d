"""The functions of a tree that matter to a patch, followed once and kept.

Why so: following a file system takes seconds, a patch changes a few functions of it.  What was
followed is kept under a name made from everything that it depends on: the files and this program.
It is kept as Python objects; the cache of the user's own files decides what is read back (see
:mod:`powercut.checkers.engine.cache`: whoever can write there decides what is executed anyway).
Rejected: keeping it by file (a function depends on those it calls), and times of files (a checkout
changes them, an edit may not).
"""

import pickle
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.resources import files as resources

from powercut.checkers.engine.cache import user_cache
from powercut.checkers.locks.csource.analyse import (
    SourceReport,
    differing,
    tell_patches,
)
from powercut.checkers.locks.csource.apply import applied, line_map
from powercut.checkers.locks.csource.chunk import C_SUFFIXES, Chunk
from powercut.checkers.locks.csource.patch import Patch, all_files
from powercut.checkers.locks.csource.program import Program, Progress
from powercut.checkers.locks.csource.tree import Tree
from powercut.checkers.locks.errors import LocksError
from powercut.checkers.locks.graph import LockGraph

_PARTS_OF_PROGRAM = (
    "powercut.checkers.locks",
    "powercut.checkers.locks.csource",
    "powercut.checkers.locks.csource.primitives",
)


def report_in_tree(
    name: str, patches: Sequence[Patch], tree: Tree, progress: Progress | None = None
) -> SourceReport:
    """Return what patches do to a tree.  Raises :class:`LocksError`."""
    touched = [file for file in all_files(patches) if file.endswith(C_SUFFIXES)]
    before_names = {hunk.old_file for patch in patches for hunk in patch.parts}
    texts = _texts(tree, {*touched, *before_names})
    after_texts = applied(texts, patches)
    before = _program(texts, progress)
    chunks = [chunk for chunk in before.chunks if after_texts.get(chunk.file) == texts[chunk.file]]
    changed_files = [file for file in after_texts if after_texts[file] != texts.get(file)]
    chunks += [Chunk(file, after_texts[file]) for file in changed_files]
    moved = {file: line_map(texts.get(file, ""), after_texts[file]) for file in changed_files}
    after = Program(chunks, before=before, moved=moved)
    functions = _changed_functions(before, after, set(changed_files) | (texts.keys() - after_texts))
    report = differing(name, before, after, chunks, all_files(patches), frozenset(functions))
    report.tree = tree.name
    report.whole, report.whole_before = after.graph, before.graph
    report.graph, report.before = _through(after, functions), _through(before, functions)
    report.functions = len(functions)
    report.mistakes = report.new_mistakes
    report.not_seen = [one for one in report.not_seen if one.partition(":")[0] in changed_files]
    report.unknown_calls = []
    cut = [place for patch in patches for place in patch.lost if "lacks" in place]
    for patch in patches:
        patch.lost = []  # the tree has what the heading of a hunk may not say
    tell_patches(report, list(patches))
    report.not_seen += cut
    report.open_places = [
        *cut,
        *(one for one in report.not_seen if _is_open(one, functions)),
    ]
    return report


def _is_open(place: str, functions: set[str]) -> bool:
    """Whether a place that was not followed is in a changed function."""
    followed_in_part = "not every path was followed" in place or "not understood" in place
    return followed_in_part and bool(functions & set(re.findall(r"\w+", place)))


def _texts(tree: Tree, touched: Iterable[str]) -> dict[str, str]:
    """Return the files of the tree that are read together with the touched ones."""
    places = sorted({place for file in touched for place in _together(file)})
    data = tree.files(places)
    if not data:
        raise LocksError(
            tree.name, f"has none of {', '.join(places[:3])}; give the root of a kernel"
        )
    return {name: content.decode("utf-8", "replace") for name, content in sorted(data.items())}


def _together(file: str) -> tuple[str, ...]:
    for entry in _groups():
        if any(file.startswith(place) for place in entry["touched"]):
            return (*entry["read"], file)
    folder = file.rpartition("/")[0]
    return (f"{folder}/", file) if folder.count("/") > 0 else (file,)


@cache
def _groups() -> list[dict[str, list[str]]]:
    text = resources(__package__).joinpath("together.toml").read_text(encoding="utf-8")
    found: list[dict[str, list[str]]] = tomllib.loads(text)["group"]
    return found


def _program(texts: Mapping[str, str], progress: Progress | None) -> Program:
    """Return the program of some files, from the cache if it is there."""
    key = _name_of(texts)
    kept = user_cache().read(key)
    if kept is not None:
        return Program.from_kept(pickle.loads(kept))
    program = Program([Chunk(file, text) for file, text in texts.items()], progress=progress)
    user_cache().keep(key, pickle.dumps(program.kept(), protocol=pickle.HIGHEST_PROTOCOL))
    return program


def _name_of(texts: Mapping[str, str]) -> str:
    digest = blake2b(_own_digest(), digest_size=16)
    for file, text in texts.items():
        digest.update(f"{file}\0{len(text)}\0".encode())
        digest.update(text.encode("utf-8", "surrogatepass"))
    return f"locks-{digest.hexdigest()}"


@cache
def _own_digest() -> bytes:
    """Return a digest of this program: what it keeps is for the same program only."""
    digest = blake2b(digest_size=16)
    for package in _PARTS_OF_PROGRAM:
        folder, _, inner = package.rpartition(".")
        place = resources(folder).joinpath(inner)
        for file in sorted(place.iterdir(), key=lambda one: one.name):
            if file.name.endswith((".py", ".toml")):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.digest()


def _changed_functions(before: Program, after: Program, files: set[str]) -> set[str]:
    """Return the functions whose text differs, and those that are new or gone."""
    old, new = (
        {(one.name, one.digest) for one in program.functions if one.file in files}
        for program in (before, after)
    )
    return {name for name, _ in old ^ new}


def _through(program: Program, functions: set[str]) -> LockGraph:
    """Return the part of a graph whose paths lead through some functions."""
    graph = LockGraph("C source")
    graph.functions = program.graph.functions
    for edge in program.edges:
        if functions.intersection(edge.chain):
            graph.add(edge)
    return graph
