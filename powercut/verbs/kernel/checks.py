"""What the verbs that boot a kernel refuse before they boot it."""

from pathlib import Path

from powercut.errors import InputError
from powercut.inputs.files import make_writable
from powercut.inputs.limits import at_least_one, some_seconds

_MOST_SUBSETS = 1 << 20


def check_conditions(
    verb: str,
    *,
    kernel: Path | None,
    rounds: int,
    most_rounds: int,
    subsets: int,
    time_limit: float,
    save: Path | None,
) -> Path:
    """Return the kernel's place; make the folder ``save``.  Raises :class:`InputError`."""
    if kernel is None:
        raise InputError(f"{verb}: no kernel given; name a bzImage, a folder or a .deb (--kernel)")
    if at_least_one("--rounds", rounds) > most_rounds:
        raise InputError(f"--rounds {rounds}: give at most {most_rounds}, or several seeds")
    if not 0 <= subsets <= _MOST_SUBSETS:
        raise InputError(f"--subsets {subsets}: give 0 to {_MOST_SUBSETS}")
    some_seconds("--time-limit", time_limit)
    if save is not None:
        make_writable("--save", save)
    return kernel
