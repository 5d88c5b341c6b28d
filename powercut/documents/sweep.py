"""The document of ``powercut sweep``."""

from collections.abc import Mapping

from msgspec import Struct

from powercut.checkers.sweep.tally import Broken, Key, SweepTally
from powercut.checkers.workload import format_workload
from powercut.documents.document import Document, Seconds


class SweepViolation(Struct, frozen=True, kw_only=True):
    """Violations that say the same: in how many workloads, and the smallest of these.

    ``finding`` is ``None`` for what no finding explains; ``steps`` are those of its shortest
    schedule in ``workload``, and ``trace`` is where it was saved.
    """

    property: str
    kind: str
    finding: str | None
    workloads: int
    calls: int
    steps: int
    workload: str
    trace: str | None


class SweptDesign(Struct, frozen=True, kw_only=True):
    """A design in every workload of the level.

    ``from_cache`` workloads were explored by an earlier sweep of the same sources.  ``cut`` counts
    workloads by what cut them short, ``pairs`` those in which the second operation follows, or runs
    beside, the first.
    """

    design: str
    workloads: int
    expected: int
    from_cache: int
    states: int
    transitions: int
    longest_states: int
    longest_workload: str
    stopped: str | None
    cut: dict[str, int]
    new: list[SweepViolation]
    known: list[SweepViolation]
    pairs: dict[str, dict[str, int]]


class SweepDocument(Document, frozen=True, kw_only=True, tag="powercut.sweep/1"):
    """What every workload of a level shows."""

    level: int
    seconds: Seconds
    designs: list[SweptDesign]


def swept_design(
    design: str, tally: SweepTally, from_cache: int, stopped: str, traces: Mapping[Key, str]
) -> SweptDesign:
    """Return what ``tally`` says of ``design``; ``traces`` has the paths of what was saved."""
    pairs: dict[str, dict[str, int]] = {}
    for (first, second), count in sorted(tally.pairs.items()):
        pairs.setdefault(first, {})[second] = count
    return SweptDesign(
        design=design,
        workloads=tally.workloads,
        expected=tally.expected,
        from_cache=from_cache,
        states=tally.states,
        transitions=tally.transitions,
        longest_states=tally.longest[0],
        longest_workload=tally.longest[1],
        stopped=stopped or None,
        cut=dict(tally.cut),
        new=[_violation(key, broken, traces) for key, broken in tally.new.items()],
        known=[_violation(key, broken, traces) for key, broken in tally.known.items()],
        pairs=pairs,
    )


def _violation(key: Key, broken: Broken, traces: Mapping[Key, str]) -> SweepViolation:
    prop, kind, finding = key
    return SweepViolation(
        property=prop,
        kind=kind,
        finding=finding or None,
        workloads=broken.workloads,
        calls=broken.calls,
        steps=broken.steps,
        workload=format_workload(broken.scope),
        trace=traces.get(key),
    )
