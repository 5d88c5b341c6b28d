"""Litmus files on disk: those that come with the package, and any other."""

from importlib.resources import files
from pathlib import Path

from powercut.checkers.litmus.format import SUFFIX, Litmus, parse_litmus
from powercut.checkers.workload.loader import read_text
from powercut.properties.catalog import PROPERTIES

SHIPPED = Path(str(files("powercut.properties.litmus")))
"""The folder of the litmus files that come with powercut."""


def shipped_files() -> list[Path]:
    """Return the litmus files that come with powercut, sorted by name."""
    return sorted(SHIPPED.glob(f"*{SUFFIX}"))


def load_litmus(path: Path) -> Litmus:
    """Return the litmus test in the file at ``path``.

    Raises :class:`~powercut.checkers.workload.WorkloadError` for a file that cannot be read or
    used.
    """
    return parse_litmus(read_text(path), str(path), tuple(PROPERTIES))
