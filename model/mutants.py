"""Mutants: one wrong guard each, with where it comes from and which property must catch it.

A checker that finds nothing must first show that it finds these.  A mutant is a patch file in
``mutants/``, named after it: a header, an empty line, a unified diff against the model.  The
kernel's text knows nothing of them; ``conf.mutant`` is the number of the one that runs.

Header, every line once: ``Title`` (what is wrong), ``Source`` (the place in the kernel that it
stands for), ``Caught-by`` (a property), ``Scope``, ``Design`` (which is clean of that property in
that scope without the mutant).

Rejected: switches in the kernel's text (the reader came for that text, not for 54 conditions in
it); copies of changed functions (they stay behind when the function moves on).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_suffix("")
_KEYS = ("Title", "Source", "Caught-by", "Scope", "Design")


@dataclass(frozen=True, slots=True)
class Mutant:
    """``number`` is its ``conf.mutant``, ``patch`` the text of the diff."""

    slug: str
    number: int
    summary: str
    source: str
    caught_by: str
    scope: str
    design: str
    patch: str


def parse_mutant(text: str, slug: str, number: int) -> Mutant:
    """Return the mutant whose file has ``text``.  Raises :class:`ValueError` with the place."""
    head, _, patch = text.partition("\n\n")
    found: dict[str, str] = {}
    for line_number, line in enumerate(head.splitlines(), 1):
        key, colon, value = line.partition(": ")
        place = f"{slug}.patch:{line_number}"
        if not colon or not value.strip():
            raise ValueError(f'{place}: expected "Key: value", not "{line}"')
        if key not in _KEYS or key in found:
            raise ValueError(f"{place}: unknown or repeated key {key}; keys: {', '.join(_KEYS)}")
        found[key] = value.strip()
    missing = [key for key in _KEYS if key not in found]
    if missing:
        raise ValueError(f"{slug}.patch:1: no {', '.join(missing)} in the header")
    title, source, caught_by, scope, design = (found[key] for key in _KEYS)
    return Mutant(slug, number, title, source, caught_by, scope, design, patch)


def load_mutants(folder: Path = FOLDER) -> Mapping[str, Mutant]:
    """Return the mutants in ``folder`` by slug, numbered from 1 in the order of their names."""
    files = sorted(folder.glob("*.patch"))
    found = (
        parse_mutant(path.read_text(encoding="utf-8"), path.stem, number)
        for number, path in enumerate(files, 1)
    )
    return {mutant.slug: mutant for mutant in found}


MUTANTS = load_mutants()
