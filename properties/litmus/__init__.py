"""Litmus tests against the designs: which files there are, running one, saying what differs.

The ``*.litmus`` files in this folder are data of the package; docs/litmus.md describes the format.
"""

from .files import SHIPPED, load_litmus, shipped_files
from .report import explain
from .runs import DIFFERENT, EXACT, NO_SET, DesignRun, judge, run_litmus

__all__ = [
    "DIFFERENT",
    "EXACT",
    "NO_SET",
    "SHIPPED",
    "DesignRun",
    "explain",
    "judge",
    "load_litmus",
    "run_litmus",
    "shipped_files",
]
