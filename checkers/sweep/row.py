"""One workload of a sweep, explored: what is kept of it, and how it is made.

Why so: a row is small and plain, so that a hundred thousand fit into a cache and into memory; the
trace of a new violation is made again from its workload, which takes hundredths of a second.
"""

from collections.abc import Callable
from dataclasses import replace

from msgspec import Struct

from powercut.checkers.engine.search.outcome import Progress
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult
from powercut.checkers.run.runner import run_scope
from powercut.checkers.sweep.sighting import Sighting, sighting_of
from powercut.model.scope import Scope


class Shown(Struct, frozen=True):
    """A violation: property, kind, file, steps, and the finding that explains it (or nothing)."""

    prop: str
    kind: str
    inode: int | None
    steps: int
    finding: str


class Row(Struct, frozen=True):
    """A workload by name, its counts, why it was cut short (if it was), and what it violates."""

    name: str
    states: int
    transitions: int
    stopped: str
    shown: list[Shown]


def explored(
    question: Question, on_progress: Callable[[Progress], None] | None = None
) -> tuple[Row, list[Sighting]]:
    """Explore the workload of ``question``; return its row and each violation that differs."""
    result = run_scope(replace(question, splits=True), on_progress)
    sightings = _sightings(result)
    shown = [
        Shown(s.violation.prop, s.kind, s.inode, s.violation.steps, s.finding) for s in sightings
    ]
    row = Row(result.scope, result.states, result.transitions, result.stopped, shown)
    return row, sightings


def _sightings(result: RunResult) -> list[Sighting]:
    """Return the shortest violation of each kind, of each file, with each explanation."""
    found: dict[object, Sighting] = {}
    for violation in sorted(result.violations, key=lambda v: v.steps):
        sighting = sighting_of(result.question, violation)
        found.setdefault(sighting.key, sighting)
    return list(found.values())


def cut_short(scope: Scope, reason: str) -> Row:
    """Return the row of a workload of which nothing is known."""
    return Row(scope.name, 0, 0, reason, [])
