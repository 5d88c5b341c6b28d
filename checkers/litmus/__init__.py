"""Litmus tests: a small text file with a situation and the exact set of outcomes it may have.

What: :func:`parse_litmus` reads a file, :mod:`~powercut.checkers.litmus.outcome` is the notation of
what was seen, :func:`updated` writes new sets into a file.  Running them is
:mod:`~powercut.properties.litmus`.
"""

from .format import Allowed, Litmus, parse_litmus
from .outcome import Outcome, Pattern, compress, format_outcome
from .update import updated

__all__ = [
    "Allowed",
    "Litmus",
    "Outcome",
    "Pattern",
    "compress",
    "format_outcome",
    "parse_litmus",
    "updated",
]
