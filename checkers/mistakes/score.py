"""What the judgements add up to: caught of all that are no equivalents, by file and by kind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from powercut.checkers.mistakes.generate import Mistake
from powercut.checkers.mistakes.judge import Judgement
from powercut.checkers.mistakes.triage import Entry

UNKNOWN = "not looked at"
NO_WORKLOAD = "workload"


@dataclass(frozen=True, slots=True)
class Case:
    """A mistake that was judged, and what is known of it."""

    mistake: Mistake
    judgement: Judgement
    entry: Entry | None

    @property
    def counts(self) -> bool:
        """Whether it is a mistake at all: it translates, and is no equivalent."""
        return self.judgement.status != "not translated" and not self.is_equivalent

    @property
    def is_equivalent(self) -> bool:
        """Whether it survives and may."""
        known = self.entry is not None and self.entry.missing == "equivalent"
        return known and self.judgement.status != "caught"

    @property
    def caught(self) -> bool:
        """Whether somebody noticed."""
        return self.judgement.status == "caught"

    @property
    def missing(self) -> str:
        """What would be needed to notice a survivor."""
        if self.entry is not None:
            return self.entry.missing
        return NO_WORKLOAD if self.judgement.status == "not executed" else UNKNOWN


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: how many were made, judged as mistakes, caught, and set apart."""

    name: str
    made: int
    mistakes: int
    caught: int
    equivalent: int
    not_executed: int
    not_translated: int

    @property
    def score(self) -> float:
        """Caught of the mistakes, in percent; 100 where there are none."""
        return 100 * self.caught / self.mistakes if self.mistakes else 100.0


def cases(
    mistakes: Iterable[Mistake],
    judgements: Mapping[str, Judgement],
    entries: Mapping[str, Entry],
) -> list[Case]:
    """Return the mistakes that were judged."""
    return [
        Case(mistake, judgements[mistake.name], entries.get(mistake.name))
        for mistake in mistakes
        if mistake.name in judgements
    ]


def line(name: str, group: Sequence[Case]) -> Line:
    """Add up one group."""
    status = [case.judgement.status for case in group]
    return Line(
        name,
        len(group),
        sum(case.counts for case in group),
        sum(case.caught for case in group),
        sum(case.is_equivalent for case in group),
        sum(s == "not executed" and c.counts for s, c in zip(status, group, strict=True)),
        status.count("not translated"),
    )


def lines(group: Sequence[Case], key: Callable[[Mistake], str]) -> list[Line]:
    """Return a line for each value of ``key``, in order."""
    names = sorted({key(case.mistake) for case in group})
    return [line(n, [case for case in group if key(case.mistake) == n]) for n in names]


def survivors(group: Sequence[Case]) -> list[Case]:
    """Return the mistakes that nobody noticed, the ones not looked at first."""
    left = [case for case in group if case.counts and not case.caught]
    return sorted(left, key=lambda case: (case.missing != UNKNOWN, case.missing))
