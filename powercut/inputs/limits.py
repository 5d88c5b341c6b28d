"""Engines, counts and seconds that a user gives: refused in one line where they make no sense.

Why so: whoever runs a search asks for the same, whatever is searched.  Rejected: types of the
command line library (their messages name neither the option nor the remedy in our words).
"""

import math
import os

from powercut.checkers.engine.c_library import CannotCompile, NoCompiler, try_compiler
from powercut.checkers.engine.search.engines import ENGINES, C
from powercut.checkers.engine.search.outcome import Limits
from powercut.errors import InputError
from powercut.inputs.names import quoted, suggestion


def check_engine(engine: str) -> None:
    """Raise :class:`InputError` unless ``engine`` is one that exists and can run here."""
    if engine not in ENGINES:
        raise InputError(
            f"--engine: unknown engine {quoted(engine)}", f"{suggestion(engine, ENGINES)}"
        )
    if engine == C:
        try:
            try_compiler()
        except (NoCompiler, CannotCompile) as error:
            raise InputError(f"--engine c: {error}", "or give --engine python") from None


def at_least_one(option: str, value: int) -> int:
    """Return ``value``.  Raises :class:`InputError` if it is below 1."""
    if value < 1:
        raise InputError(f"{option}: must be a whole number from 1 up, not {value}")
    return value


def some_seconds(option: str, value: float) -> float:
    """Return ``value``.  Raises :class:`InputError` unless it is a number of seconds above 0."""
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{option}: must be a number of seconds above 0, not {value:g}")
    return value


def fair_share_mib(processes: int) -> int:
    """Return how much memory each of ``processes`` may use, leaving a fifth to others."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
    except (ValueError, OSError):
        return Limits().max_memory_mib
    return max(256, total * 4 // 5 // processes)
