"""A user's own changes of the model: read, applied and translated before anything else runs."""

from collections.abc import Sequence
from pathlib import Path

from powercut.checkers.run.mount import build_of, changes_of
from powercut.checkers.run.question import Question
from powercut.checkers.weave.patch import ModelPatch, parse_patch
from powercut.checkers.weave.program import patched_program
from powercut.errors import InputError
from powercut.reading import Unreadable, read_bytes

MAX_BYTES = 1 << 20


def read_patches(paths: Sequence[Path]) -> tuple[ModelPatch, ...]:
    """Return the patches in the files, which apply one after the other.

    Raises :class:`InputError` for a file that cannot be read, is no patch of the model, or does not
    apply: with hunk and line.
    """
    patches = tuple(parse_patch(_text(path), str(path)) for path in paths)
    if patches:
        patched_program(patches)
    return patches


def _text(path: Path) -> str:
    try:
        data = read_bytes(path, MAX_BYTES)
    except Unreadable as error:
        raise InputError(f"cannot be read: {error}", "give a patch file", place=path) from None
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InputError("not UTF-8", "give a unified diff as text", place=path) from None


def check_language(question: Question) -> None:
    """Translate the patched model.  Raises :class:`InputError` for what is outside the language."""
    build_of(question.scope, 0, patches=changes_of(question))
