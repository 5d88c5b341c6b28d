"""What plugin, items and fixture have in common: the option's name, and where runs are kept."""

from typing import Protocol

import pytest

DESIGNS = "powercut_design"
"""Where pytest keeps the value of ``--powercut-design``."""


class Reported(Protocol):
    """A run that can say what a report of a failed test shows of it."""

    def sections(self) -> list[tuple[str, str]]:
        """Return title and text, one or more of them."""


SCENARIOS: pytest.StashKey[list[Reported]] = pytest.StashKey()
"""What a test ran through the fixture, for the report if it fails."""
