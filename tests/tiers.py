"""The tiers besides the fast one, as marks, and how a family of cases is parted among them.

``tests/README.md`` says what belongs where.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

EXHAUSTIVE = pytest.mark.exhaustive
QUALITY = pytest.mark.quality


def fast_only(
    cases: Iterable[Any], is_fast: Callable[[Any], bool], tier: pytest.MarkDecorator = EXHAUSTIVE
) -> list[Any]:
    """Return all ``cases`` as parameters of a test; those that are not fast belong to ``tier``."""
    return [case if is_fast(case) else _marked(case, tier) for case in cases]


def every(nth: int, cases: Iterable[Any], tier: pytest.MarkDecorator = EXHAUSTIVE) -> list[Any]:
    """Return all ``cases`` as parameters of a test; every ``nth``, from the first on, is fast."""
    return [case if number % nth == 0 else _marked(case, tier) for number, case in enumerate(cases)]


def _marked(case: Any, tier: pytest.MarkDecorator) -> Any:
    """Return ``case``, a value or a tuple with a value for each parameter, as one of ``tier``."""
    values = case if type(case) is tuple else (case,)
    return pytest.param(*values, marks=tier)
