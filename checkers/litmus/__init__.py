"""Litmus tests: a small text file with a situation and the exact set of outcomes it may have.

What: :func:`parse_litmus` reads a file, :mod:`~powercut.checkers.run.observation` is the notation
of what was seen, :func:`updated` writes new sets into a file.  Then running one under a design, and
saying what differs.  The files themselves are in ``properties/litmus``.
"""

from powercut.checkers.litmus.format import Allowed, Litmus, parse_litmus
from powercut.checkers.litmus.report import explain
from powercut.checkers.litmus.runs import DIFFERENT, EXACT, NO_SET, DesignRun, judge, run_litmus
from powercut.checkers.litmus.shipped import SHIPPED, load_litmus, shipped_files
from powercut.checkers.litmus.update import updated
from powercut.checkers.run.observation import Outcome, Pattern, compress, format_outcome

__all__ = [
    "DIFFERENT",
    "EXACT",
    "NO_SET",
    "SHIPPED",
    "Allowed",
    "DesignRun",
    "Litmus",
    "Outcome",
    "Pattern",
    "compress",
    "explain",
    "format_outcome",
    "judge",
    "load_litmus",
    "parse_litmus",
    "run_litmus",
    "shipped_files",
    "updated",
]
