"""The end of a long ``check``, answers first: at most 40 lines, equal violations in one.

Why so: a reader wants to know what broke and whether it is new.  Rows of runs that hold, and the
same violation twenty times over, hide both; ``--verbose`` has them.
Rejected: leaving known findings out (a table that is green because of excuses).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from powercut.checkers.run.result import Violation
from powercut.documents.check import RunReport, explained_by, summary_of
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK
from powercut.properties.catalog import PROPERTIES

WORST_FIRST = ("durability", "stale-data", DEADLOCK, LIVELOCK, "structure", ASSERTION, "sizes")
"""The order of violations; the others follow as the catalogue has them."""
MOST_GROUPS = 15
_NEW = "NEW"


@dataclass(slots=True)
class Group:
    """Violations that say the same: one property and one finding, or one property and one text."""

    prop: str
    finding: str | None
    found: list[tuple[RunReport, Violation]] = field(default_factory=list)

    @property
    def shortest(self) -> tuple[RunReport, Violation]:
        """The run that shows it in the fewest steps."""
        return min(self.found, key=lambda entry: entry[1].steps)

    @property
    def rank(self) -> tuple[bool, int, int]:
        """New before known, then the worst property, then the shortest run."""
        order = [*WORST_FIRST, *(name for name in PROPERTIES if name not in WORST_FIRST)]
        return self.finding is not None, order.index(self.prop), self.shortest[1].steps


def grouped(runs: Sequence[RunReport]) -> list[Group]:
    """Return the violations of ``runs`` in groups, new ones first, then the worst."""
    groups: dict[tuple[str, str], Group] = {}
    for run in runs:
        for violation in run.result.violations:
            finding = explained_by(run, violation)
            key = violation.prop, finding or f"{_NEW} {summary_of(violation)}"
            group = groups.setdefault(key, Group(violation.prop, finding))
            group.found.append((run, violation))
    return sorted(groups.values(), key=lambda group: group.rank)


def group_lines(groups: Sequence[Group]) -> Iterator[str]:
    """Yield a line a group: what broke, the finding, how often and how soon, the shortest run."""
    shown = groups[:MOST_GROUPS]
    names = [group.finding or _NEW for group in shown]
    prop_width = max((len(group.prop) for group in shown), default=0)
    name_width = max(map(len, names), default=0)
    for group, name in zip(shown, names, strict=True):
        result = group.shortest[0].result
        yield (
            f"{group.prop:{prop_width}}  {name:{name_width}}  {_places(group):{_PLACES_WIDTH}}  "
            f"{result.design}, {result.scope}"
        )
        if group.finding is None:
            yield f"{'':{prop_width}}  {summary_of(group.shortest[1])}"
    if len(groups) > len(shown):
        known = "known " if all(group.finding for group in groups[MOST_GROUPS:]) else ""
        yield f"and {len(groups) - len(shown)} {known}ones more (--verbose shows them)"


_PLACES_WIDTH = 17


def _places(group: Group) -> str:
    """Say how many runs show it and how soon."""
    count = len(group.found)
    return f"{count} run{'s' * (count > 1)}, {group.shortest[1].steps} steps"
