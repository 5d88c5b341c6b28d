"""Translations by what they are made from: from this process, from the cache on disk, or made now.

Processes that need the same one at the same time all make it, and the last one's file stays; they
are the same.  Rejected: a lock (who waits for seconds and then loads has gained no time).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from powercut.checkers.engine import cache
from powercut.checkers.engine.fingerprint import fingerprint
from powercut.checkers.engine.layout import Layout
from powercut.checkers.engine.translation import Translation, packed, unpacked
from powercut.model.language import Program


def translate(
    program: Program,
    predicates: Sequence[Callable[..., int]],
    layout: Layout,
    *,
    checked: bool,
    zero_dead: bool,
) -> Translation:
    """Return the translation of ``program`` with its ``predicates``, the same for every layout.

    The cache on disk has it, or gets it.  Raises :class:`LanguageError` and
    :class:`DeclarationError`; the former also where a constant index is outside its array in
    ``layout``.
    """
    translation = _shared(program, tuple(predicates), checked, zero_dead, _Layout(layout))
    for check in translation.index_checks:
        check.against(layout)
    return translation


class _Layout:
    """Hands a layout through a cache that must not tell layouts apart."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Layout)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=16)
def _shared(
    program: Program,
    predicates: tuple[Callable[..., int], ...],
    checked: bool,
    zero_dead: bool,
    first: _Layout,
) -> Translation:
    layout = first.layout
    variants = program.variants
    options = (checked, zero_dead, variants.key if variants else "")
    key = fingerprint(program, predicates, layout, options)
    name = f"{key}.translation"
    kept = cache.user_cache().read(name) if key else None
    if kept is not None:
        return unpacked(kept)
    from powercut.checkers.engine.translator import translate_anew

    woven = variants.woven() if variants else program
    made = translate_anew(woven, predicates, layout, checked=checked, zero_dead=zero_dead)
    if key:
        cache.user_cache().keep(name, packed(made))
    return made
