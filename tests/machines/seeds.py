"""A random search of a few examples, repeated under other seeds until it finds what is planted.

What Hypothesis draws under a seed depends on the modules that are loaded, so that no test may rely
on one seed.  A search stops at the first seed that finds: the usual cost is that of one seed.
"""

from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

MOST_SEEDS = 24


def until_found(
    look: Callable[[int], Found | None], first: int = 1, most: int = MOST_SEEDS
) -> Found:
    """Return what ``look`` finds under the first seed that finds anything; fail without one."""
    for seed in range(first, first + most):
        found = look(seed)
        if found is not None:
            return found
    raise AssertionError(f"nothing found under {most} seeds")
