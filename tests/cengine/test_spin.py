"""SPIN with the same C steps sees the same states, transitions, projections and predicates."""

from pathlib import Path

import pytest

from benchmarks.spin import Unavailable
from benchmarks.spin_steps import Shell
from powercut.checkers.crash.image import decode
from powercut.checkers.engine.search.c import CBreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.system import Build
from powercut.checkers.run.mount import Mount, predicates_of
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.properties.crash import factored

SMALL = [
    ("seed", "append-fsync"),
    ("seed", "eof-truncate-up"),
    ("seed-gap-ordered", "append-fsync"),
    ("seed", "punch-append"),
    ("seed", "eof-in-block"),
    ("seed", "folio-tail"),
    ("seed-eof-ordered", "folio-tail"),
    ("seed-eof-ordered", "punch-folio"),
    ("seed", "enospc"),
]
"""Small enough for the native model, too."""

VIOLATED = {
    ("seed", "eof-truncate-up"),
    ("seed-eof-ordered", "folio-tail"),
    ("seed-eof-ordered", "punch-folio"),
}

QUICK = [("seed", "append-fsync"), ("seed", "eof-truncate-up"), ("seed-eof-ordered", "folio-tail")]
CASES = [
    *SMALL,
    ("seed", "truncate-truncate"),
    ("seed-eof-ordered", "behind-eof"),
    ("seed", "two-mounts-truncate"),
    ("seed", "cookie-race"),
    ("seed", "eof-mmap"),
    ("seed-gap-ordered", "eof-truncate-up"),
]


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Build, Shell]]:
    """The verifiers made so far; one serves all scopes of a geometry."""
    return {}


def shell_of(build: Build, shells: dict[int, tuple[Build, Shell]], folder: Path) -> Shell:
    """Return the verifier for a build, or skip."""
    if id(build) not in shells:
        try:
            shells[id(build)] = build, Shell(build, folder, look=True, optimise="-O0")
        except Unavailable as reason:
            pytest.skip(str(reason))
    return shells[id(build)][1]


@pytest.mark.parametrize(
    ("design", "scope"),
    [
        case if case in QUICK else pytest.param(*case, marks=pytest.mark.exhaustive)
        for case in CASES
    ],
)
def test_spin_agrees(
    design: str, scope: str, shells: dict[int, tuple[Build, Shell]], tmp_path: Path
) -> None:
    system = Mount.of(Question(DESIGNS[design], SCOPES[scope])).system
    theirs = shell_of(system.build, shells, tmp_path).explore(system)
    invariants, situations = predicates_of(system)
    projections: set[bytes] = set()

    def judge(projection: bytes, _: int) -> list[str]:
        projections.add(projection)
        state = decode(system.build.layout, projection, SCOPES[scope].geometry)
        return [finding.prop for finding in factored(state)]

    ours = CBreadthFirst(system, Watch(invariants, situations, judge), Limits()).run()
    assert (theirs.states, theirs.transitions) == (ours.states, ours.transitions)
    assert theirs.projections == projections
    names = [*invariants, *situations]
    assert {names[p] for p in theirs.predicates} == {
        *ours.reached,
        *(ours.found.keys() & invariants.keys()),
    }
    # What a power cut can show depends on the projection only, so its verdicts agree as well.
    verdicts = {name for p in theirs.projections for name in judge(p, 0)}
    assert verdicts == ours.found.keys() - invariants.keys() - {"deadlock"}
    if (design, scope) in VIOLATED:
        assert ours.found
