"""Read a patch against the model and apply it to the model's text.

A patch file is a header of ``Key: value`` lines (:mod:`powercut.model.mutants` says which), an
empty line, and a unified diff whose paths begin with ``model/``.  A hunk is looked for at the line
that it names, then at the nearest place where its old lines stand exactly once more; anything else
is an error that names patch, hunk and line, because a change that slides to another place is
another change.

Rejected: ``patch(1)`` with its fuzz (it accepts half a context); searching by function name (two
branches of one function often read alike).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk as DiffHunk
from unidiff.patch import PatchSet

from powercut import model
from powercut.checkers.weave.errors import PatchError

FOLDER = "model/"


@dataclass(frozen=True, slots=True)
class Hunk:
    """``old`` lines, expected at line ``start`` (from 1) of the base, become ``new``.

    ``new`` has for every line its text and the old line (its index) whose place it has: an added
    one has that of the line that it replaces, or of the one that follows.
    """

    file: str
    number: int
    start: int
    old: tuple[str, ...]
    new: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ModelPatch:
    """A patch against the model: its ``name`` heads messages, ``text`` is the diff as given."""

    name: str
    text: str
    hunks: tuple[Hunk, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the patch changes, ``model/...``, each once, in order."""
        return tuple(dict.fromkeys(hunk.file for hunk in self.hunks))


@dataclass(frozen=True, slots=True)
class PatchedText:
    """A file after a patch; ``lines[n]`` is the line of the base that line ``n`` + 1 stands for."""

    text: str
    lines: tuple[int, ...]


def parse_patch(text: str, name: str) -> ModelPatch:
    """Return the patch in ``text``.  Raises :class:`PatchError`."""
    try:
        files = PatchSet(text)
    except UnidiffParseError as error:
        raise PatchError(name, "", f"no unified diff: {error}") from None
    hunks: list[Hunk] = []
    for file in files:
        path = file.path
        if file.is_added_file or file.is_removed_file or file.is_rename:
            raise PatchError(name, path, "a patch changes files of the model, it adds none")
        if not path.startswith(FOLDER) or not path.endswith(".py") or ".." in Path(path).parts:
            raise PatchError(name, path, f"outside the model: paths begin with {FOLDER}")
        hunks += [_hunk(path, number, hunk) for number, hunk in enumerate(file, 1)]
    if not hunks:
        raise PatchError(name, "", "no hunk found: expected a unified diff against model/")
    return ModelPatch(name, text, tuple(hunks))


def _hunk(path: str, number: int, hunk: DiffHunk) -> Hunk:
    old: list[str] = []
    new: list[tuple[str, int]] = []
    removed: list[int] = []
    for line in hunk:
        text = line.value.rstrip("\n")
        if line.is_context:
            removed.clear()
            new.append((text, len(old)))
        if line.is_added:
            stands_for = removed[0] if removed else len(old)
            removed[:1] = removed[1:] or removed
            new.append((text, stands_for))
        if line.is_removed:
            removed.append(len(old))
        if line.is_context or line.is_removed:
            old.append(text)
    return Hunk(path, number, hunk.source_start, tuple(old), tuple(new))


def apply_patch(patch: ModelPatch, sources: Mapping[str, str]) -> dict[str, PatchedText]:
    """Return the patched files by name.  ``sources`` has every file of the model by name.

    Raises :class:`PatchError` for a hunk that does not fit.
    """
    patched: dict[str, PatchedText] = {}
    for file in patch.files:
        if file not in sources:
            raise PatchError(patch.name, file, "no such file in the model")
        hunks = [hunk for hunk in patch.hunks if hunk.file == file]
        patched[file] = _apply_to_file(patch.name, hunks, sources[file])
    return patched


def _apply_to_file(name: str, hunks: Sequence[Hunk], text: str) -> PatchedText:
    base = text.split("\n")
    out: list[str] = []
    lines: list[int] = []
    at = 0
    for hunk in hunks:
        begin = _place(name, hunk, base, at)
        out += base[at:begin]
        lines += range(at + 1, begin + 1)
        for line, place in hunk.new:
            out.append(line)
            lines.append(min(begin + place + 1, len(base)))
        at = begin + len(hunk.old)
    out += base[at:]
    lines += range(at + 1, len(base) + 1)
    return PatchedText("\n".join(out), tuple(lines))


def _place(name: str, hunk: Hunk, base: Sequence[str], at: int) -> int:
    """Return the index in ``base`` where the old lines of ``hunk`` stand, not before ``at``."""
    size = len(hunk.old)
    fits = [n for n in range(at, len(base) - size + 1) if tuple(base[n : n + size]) == hunk.old]
    wanted = hunk.start - 1
    if wanted in fits:
        return wanted
    nearest = sorted(fits, key=lambda n: abs(n - wanted))
    where = f"{hunk.file}, hunk {hunk.number}, line {hunk.start}"
    if not nearest:
        message = f"does not apply: {_first_difference(hunk, base)}"
        raise PatchError(name, where, message)
    if len(nearest) > 1 and abs(nearest[0] - wanted) == abs(nearest[1] - wanted):
        raise PatchError(name, where, "fits at two places; give more lines of context")
    return nearest[0]


def _first_difference(hunk: Hunk, base: Sequence[str]) -> str:
    for offset, line in enumerate(hunk.old):
        number = hunk.start + offset
        there = base[number - 1] if 0 < number <= len(base) else None
        if there is None:
            return f"the file ends before line {number}"
        if there != line:
            return f'line {number} is "{there.strip()}", the patch expects "{line.strip()}"'
    return "an earlier hunk overlaps it"


@cache
def model_sources() -> dict[str, str]:
    """Return the text of every file of the model, by name (``model/...``)."""
    folder = Path(model.__file__).parent
    return {
        f"{FOLDER}{path.relative_to(folder).as_posix()}": path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.py"))
    }
