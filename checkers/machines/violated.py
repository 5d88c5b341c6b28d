"""The failure of a machine: a run, and what it violates that nothing known explains.

Why so: Hypothesis takes failures of different classes for different bugs, so there is a class for
each property and kind, and a failure never shrinks into another one.
"""

from powercut.checkers.machines.judge import Seen
from powercut.checkers.machines.live import LiveRun


class Violated(AssertionError):
    """A run violated a property it is not known to violate."""

    def __init__(self, run: LiveRun, seen: Seen) -> None:
        super().__init__(f"{seen.prop}: {seen.detail}")
        self.run = run
        self.seen = seen


_CLASSES: dict[tuple[str, str], type[Violated]] = {}


def violated(run: LiveRun, seen: Seen) -> Violated:
    """Return the exception for ``seen``, of the class of its property and kind."""
    key = (seen.prop, seen.kind)
    if key not in _CLASSES:
        name = "".join(word.capitalize() for word in f"{seen.prop}-{seen.kind}".split("-"))
        _CLASSES[key] = type(name, (Violated,), {})
    return _CLASSES[key](run, seen)
