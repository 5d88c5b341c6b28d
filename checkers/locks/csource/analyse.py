"""From a path to a graph: a patch, a series of them, a C file or a folder.

Why so: of a patch both sides are read, so that what it adds to and removes from the order is known,
and a mistake that was there before is told from a new one.  What could not be read is listed with
the place, because an edge that is missing for that reason must not pass for one that is not there;
and with such a place open nothing is said to hold.
"""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from powercut.checkers.locks.csource.checks import Finding, find_mistakes
from powercut.checkers.locks.csource.chunk import C_SUFFIXES, Chunk
from powercut.checkers.locks.csource.difference import Change, changes_of
from powercut.checkers.locks.csource.patch import (
    Patch,
    all_files,
    looks_like_patch,
    read_patches,
)
from powercut.checkers.locks.csource.program import Program
from powercut.checkers.locks.csource.source import MAX_NESTING
from powercut.checkers.locks.errors import LocksError
from powercut.checkers.locks.graph import LockGraph, Seen
from powercut.reading import TooLarge, Unreadable, read_bytes

PATCH, FILE, TREE = "patch", "file", "tree"
MAX_FILE_BYTES = 16 << 20
MAX_TREE_BYTES = 512 << 20
_PATCH_SUFFIXES = (".patch", ".diff", ".mbox", ".eml", ".mail", ".gz")
_GIVE = "give a patch, a C file or a folder"
MAX_NOT_SEEN = 200
_KEYWORDS = {"if", "while", "for", "switch", "return", "sizeof", "defined"}


@dataclass(slots=True)
class SourceReport:
    """What was found in C source."""

    kind: str
    name: str
    graph: LockGraph
    mistakes: list[Finding]
    files: int
    functions: int
    lines: int
    before: LockGraph | None = None
    fixed: list[Finding] = field(default_factory=list)
    old_mistakes: set[Finding] = field(default_factory=set)
    not_seen: list[str] = field(default_factory=list)
    unknown_calls: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    open_places: list[str] = field(default_factory=list)
    """Why nothing can be said to hold: what was not read, or only in part, where locks matter."""
    subjects: list[str] = field(default_factory=list)
    tree: str = ""
    whole: LockGraph | None = None
    """With a tree: the graph of all files; ``graph`` is that of the changed functions."""
    whole_before: LockGraph | None = None

    @property
    def added(self) -> list[Seen]:
        """The edges that a patch adds."""
        added = _difference(self.graph, self.before) if self.before is not None else []
        return [seen for seen in added if not self._is_open(seen)]

    @property
    def removed(self) -> list[Seen]:
        """The edges that a patch removes."""
        removed = _difference(self.before, self.graph) if self.before is not None else []
        return [seen for seen in removed if not self._is_open(seen)]

    def _is_open(self, seen: Seen) -> bool:
        """Whether the edge may be on the other side too, behind a function that is not given."""
        pair = (seen.edge.source, seen.edge.target)
        return any(change.pair == pair for change in self.changes if change.helpers)

    @property
    def new_mistakes(self) -> list[Finding]:
        """The mistakes, of a patch those that were not there before."""
        return [mistake for mistake in self.mistakes if mistake not in self.old_mistakes]


def analyse_path(path: Path) -> SourceReport:
    """Read a patch, a C file or a folder; ``-`` is standard input.  Raises :class:`LocksError`."""
    if str(path) == "-":
        return _patches("standard input", _piped())
    if os.path.isdir(path):
        return _folder(path)
    data = _content(path)
    if data.startswith(b"\x1f\x8b"):
        return _patches(str(path), data)
    if b"\0" in data:
        raise LocksError(str(path), f"a binary file; {_GIVE}")
    if not data.strip():
        raise LocksError(str(path), f"empty; {_GIVE}")
    if path.suffix in C_SUFFIXES:
        return _file(path, data)
    if is_patch(path, data):
        return _patches(str(path), data)
    raise LocksError(
        str(path), "neither a patch (no hunk in it) nor a C file (named .c or .h) nor a folder"
    )


def is_patch(path: Path, data: bytes) -> bool:
    """Whether a file is a patch, by its name or by what is in it."""
    return path.suffix in _PATCH_SUFFIXES or looks_like_patch(data.decode("utf-8", "replace"))


def given_patches(path: Path) -> tuple[str, list[Patch]]:
    """Return the name of what is given and the patches in it.  Raises :class:`LocksError`."""
    if str(path) == "-":
        return "standard input", read_patches("standard input", _piped())
    if os.path.isdir(path):
        return str(path), _patches_in(path)
    data = _content(path)
    if not data.startswith(b"\x1f\x8b") and (b"\0" in data or not is_patch(path, data)):
        raise LocksError(str(path), "no patch; --tree shows what a patch does to the tree")
    return str(path), read_patches(str(path), data)


def _piped() -> bytes:
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise LocksError("standard input", f"larger than {MAX_FILE_BYTES >> 20} MiB")
    if not data.strip():
        raise LocksError("standard input", "empty; give a patch")
    return data


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, MAX_FILE_BYTES)
    except TooLarge:
        raise LocksError(str(path), f"larger than {MAX_FILE_BYTES >> 20} MiB") from None
    except Unreadable as error:
        raise LocksError(str(path), f"{error}; {_GIVE}") from None


def _folder(path: Path) -> SourceReport:
    if any(True for _ in _c_files(path)):
        return _tree(path)
    patches = _patches_in(path)
    if not patches:
        raise LocksError(str(path), "no C file below it; give a folder with .c files or patches")
    return report_of_patches(str(path), patches)


def _patches_in(path: Path) -> list[Patch]:
    """Return the patches in a folder, by the names of their files."""
    found: list[Patch] = []
    for name in sorted(os.listdir(path)):
        file = path / name
        if file.is_file() and file.suffix in _PATCH_SUFFIXES:
            found += read_patches(str(file), _content(file))
    return found


def _patches(name: str, data: bytes) -> SourceReport:
    return report_of_patches(name, read_patches(name, data))


def report_of_patches(name: str, patches: list[Patch]) -> SourceReport:
    """Return the report on patches that are given without their tree."""
    new_chunks = [chunk for patch in patches for chunk in patch.new]
    new, old = Program(new_chunks), Program([chunk for patch in patches for chunk in patch.old])
    report = differing(name, old, new, new_chunks, all_files(patches))
    lost = [place for patch in patches for place in patch.lost]
    report.open_places = [*dict.fromkeys(lost), *_parts_with_locks(new)]
    if not new.functions and not old.functions:
        report.not_seen.append(f"{name}: no hunk touches the body of a function")
    tell_patches(report, patches)
    return report


def tell_patches(report: SourceReport, patches: list[Patch]) -> None:
    """Add to a report what is known of its patches."""
    report.subjects = [patch.subject for patch in patches if patch.subject]
    skipped = dict.fromkeys(file for patch in patches for file in patch.skipped)
    report.not_seen += [f"{file}: not C" for file in skipped]
    report.not_seen += [place for patch in patches for place in (*patch.lost, *patch.ignored)]


def differing(
    name: str,
    old: Program,
    new: Program,
    chunks: list[Chunk],
    touched: Iterable[str],
    changed: frozenset[str] | None = None,
) -> SourceReport:
    """Return the report on source that was ``old`` before and is ``new``.

    ``touched`` are the files of the patch; of a tree, ``changed`` are the functions that differ.
    """
    only = None
    if changed is not None:
        only = changed | {one.name for one in new.functions if one.calls & changed}
    old_mistakes, mistakes = find_mistakes(old, only), find_mistakes(new, only)
    before = {_identity(mistake) for mistake in old_mistakes}
    now = {_identity(mistake) for mistake in mistakes}
    report = _report(PATCH, Path(name), new, chunks, mistakes, len(list(touched)))
    report.before = old.graph
    report.old_mistakes = {m for m in mistakes if _identity(m) in before}
    report.fixed = [m for m in old_mistakes if _identity(m) not in now]
    report.changes = changes_of(old, new, changed or ())
    return report


def _parts_with_locks(program: Program) -> list[str]:
    """Name the functions that are given without their beginning and in which locks are taken."""
    return [
        f"{done.function.file}:{done.function.line}: {done.function.name}: locks are taken or "
        "waits entered, and what is held above the hunk is not known"
        for done in program.followed.values()
        if "beginning" in done.function.partial
        and any(event.verb != "sleep" for event in done.summary.events)
    ]


def _identity(mistake: Finding) -> tuple[str, str, str]:
    """What makes a mistake the same one on both sides of a patch (lines move)."""
    return mistake.what, mistake.where.function, mistake.lock


def _file(path: Path, data: bytes) -> SourceReport:
    chunk = Chunk(str(path), data.decode("utf-8", "replace"))
    program = Program([chunk])
    if not program.functions:
        line = program.errors[0][1] if program.errors else 1
        unread = f"not C that can be read, or nested more than {MAX_NESTING} deep"
        what = unread if program.errors else "no function in it"
        raise LocksError(f"{path}:{line}", f"{what}; give a file with whole functions")
    return _report(FILE, path, program, [chunk], find_mistakes(program), 1)


def _tree(path: Path) -> SourceReport:
    chunks: list[Chunk] = []
    skipped: list[str] = []
    size = 0
    for file in _c_files(path):
        name = file.relative_to(path.parent if path.name else path).as_posix()
        try:
            data = read_bytes(file, MAX_FILE_BYTES, pipes=False)
        except Unreadable as error:
            skipped.append(f"{name}: {error}")
            continue
        size += len(data)
        if size > MAX_TREE_BYTES:
            raise LocksError(str(path), f"more than {MAX_TREE_BYTES >> 20} MiB of C")
        if b"\0" in data:
            skipped.append(f"{name}: not C")
            continue
        chunks.append(Chunk(name, data.decode("utf-8", "replace")))
    if not chunks:
        raise LocksError(str(path), "no C file below it; give a folder with .c files")
    program = Program(chunks)
    if not program.functions:
        raise LocksError(str(path), "no C function below it")
    report = _report(TREE, path, program, chunks, find_mistakes(program), len(chunks))
    report.not_seen += skipped
    return report


def _c_files(path: Path) -> Iterable[Path]:
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(C_SUFFIXES):
                yield Path(folder) / name


def _report(
    kind: str,
    path: Path,
    program: Program,
    chunks: list[Chunk],
    mistakes: list[Finding],
    files: int,
) -> SourceReport:
    unknown = {name for done in program.followed.values() for name in done.unseen}
    for function in program.functions:
        if id(function) not in program.followed:
            unknown |= function.calls - set(program.by_name) - _KEYWORDS
    calls = sorted(name for name in unknown if name.islower())
    return SourceReport(
        kind,
        str(path),
        program.graph,
        mistakes,
        files,
        len(program.functions),
        program.lines,
        not_seen=_not_seen(program, chunks),
        unknown_calls=calls,
    )


def _not_seen(program: Program, chunks: list[Chunk]) -> list[str]:
    """List the places that were not followed, or not in full."""
    found = [f"{file}:{line}: not understood here" for file, line in program.errors]
    found += [
        f"{function.file}:{function.line}: {function.name}: {function.partial}"
        for function in program.functions
        if function.partial
    ]
    for chunk in chunks:
        for name, missing in chunk.partial.items():
            if name and not any(f.name == name and f.chunk is chunk for f in program.functions):
                found.append(f"{chunk.file}:{chunk.line(0)}: {name}: {missing}, and no code of it")
    for done in program.followed.values():
        name = done.function.name
        found += [
            f"{done.function.file}:{line}: not understood here, in {name}" for line in done.errors
        ]
        if not done.summary.complete:
            found.append(
                f"{done.function.file}:{done.function.line}: {name}: not every path was followed"
            )
    return sorted(dict.fromkeys(found))[:MAX_NOT_SEEN]


def _difference(one: LockGraph | None, other: LockGraph | None) -> list[Seen]:
    if one is None:
        return []
    known = {seen.edge.key for seen in other.seen()} if other is not None else set()
    return [seen for seen in one.seen() if seen.edge.key not in known]
