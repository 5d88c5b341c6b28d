"""Variations of the kernel that are right: whoever reports one of them raises a false alarm.

A variation is a patch file in ``model/benign``: a header (``Title``, ``Why`` nothing can break),
an empty line, a unified diff.  They are judged as mistakes are, and must survive.
"""

from pathlib import Path

from powercut import model
from powercut.checkers.mistakes.generate import Mistake
from powercut.errors import InputError

FOLDER = Path(model.__file__).parent / "benign"
KIND = "benign"
_KEYS = ("Title", "Why")


def parse_variation(text: str, slug: str) -> Mistake:
    """Return the variation whose file has ``text``, as a mistake that is none.

    Raises :class:`InputError` for another header.
    """
    head, _, patch = text.partition("\n\n")
    keys = tuple(line.partition(": ")[0] for line in head.splitlines())
    if keys != _KEYS or not patch:
        raise InputError(f"expected a header of {' and '.join(_KEYS)}, then a patch", place=slug)
    return Mistake(slug, KIND, "", "", (), (), (), patch)


def variations(folder: Path = FOLDER) -> tuple[Mistake, ...]:
    """Return the variations in ``folder``, in the order of their names."""
    paths = sorted(folder.glob("*.patch"))
    return tuple(parse_variation(path.read_text(encoding="utf-8"), path.stem) for path in paths)
