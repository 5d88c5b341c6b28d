"""The C half of the C engine: text that is compiled together with the generated steps.

``prelude.h`` is what steps need, ``store.h`` keeps states, ``breadth.c``, ``cycles.c`` and
``depth.c`` search.  One translation unit, so that the compiler sees steps and search together.
"""

from functools import cache
from importlib.resources import files

_BEFORE = ("prelude.h",)
_AFTER = ("store.h", "breadth.c", "cycles.c", "depth.c")


def translation_unit(steps: str) -> str:
    """Return the C source of an engine around generated ``steps``."""
    return "\n".join([*map(_text, _BEFORE), steps, *map(_text, _AFTER)])


def prelude() -> str:
    """Return what generated steps need to be compiled elsewhere (inside another checker)."""
    return _text("prelude.h")


def store() -> str:
    """Return the hash tables, which need :func:`prelude` only."""
    return _text("store.h")


@cache
def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
