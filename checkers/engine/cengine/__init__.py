"""The C half of the C engine: text that is compiled together with the generated steps.

``prelude.h`` is what steps need, ``store.h`` has the tables, ``states.h`` keeps the states of the
breadth-first search; ``breadth.c``, ``cycles.c`` and ``depth.c`` search.  Steps and searches are
one translation unit if the steps are few, so that the compiler sees both together; else two, so
that many geometries share the compiled steps.
"""

from functools import cache
from importlib.resources import files

_SEARCHES = ("store.h", "states.h", "breadth.c", "cycles.c", "depth.c")
_APART = "#define PC_APART\n"
_OWN_ENV = "PC_SHARED _Thread_local jmp_buf pc_env;\n"


def translation_unit(steps: str) -> str:
    """Return the C source of an engine around generated ``steps`` and all they need."""
    return "\n".join([prelude(), steps, *map(_text, _SEARCHES)])


def steps_unit(steps: str) -> str:
    """Return the C source of ``steps`` that are compiled apart."""
    return _APART + prelude() + steps


def searches_unit(around: str) -> str:
    """Return the C source of an engine whose steps are compiled apart."""
    return _APART + translation_unit(_OWN_ENV + around)


def prelude() -> str:
    """Return what generated steps need to be compiled elsewhere (inside another checker)."""
    return _text("prelude.h")


def store() -> str:
    """Return the hash tables, which need :func:`prelude` only."""
    return _text("store.h")


@cache
def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
