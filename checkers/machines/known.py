"""What each design is known to violate, each with the finding that explains it.

Why so: no design here is free of violations, and a search that stops at the first known one finds
nothing new.  An entry of a finding excuses one kind of one property in its designs, where its
conditions hold in the mount: they say what that violation cannot do without, asked of the file that
it is about.  The run goes on, and everything else fails.
Rejected: excusing a property as a whole (a design with a stale tail could then hide a stale block).
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from powercut.checkers.machines.conditions import Around, Watched, all_hold
from powercut.checkers.machines.judge import Seen
from powercut.properties.findings.loader import shipped
from powercut.properties.findings.words import Word


@dataclass(frozen=True, slots=True)
class Known:
    """One known violation: ``finding`` is the title of the finding that explains it.

    ``name`` is that of its file.
    """

    designs: tuple[str, ...]
    prop: str
    kind: str
    finding: str
    needs: tuple[Word, ...] = ()
    name: str = ""

    def when(self, around: Around) -> bool:
        """Tell whether what the violation cannot do without is there."""
        return all_hold(self.needs, around)


KNOWN: tuple[Known, ...] = tuple(
    Known(entry.designs, entry.prop, entry.kind, finding.title, entry.needs, finding.name)
    for finding in shipped().values()
    for entry in finding.known
)


def known(run: Watched, seen: Seen, before: AbstractSet[str] = frozenset()) -> Known | None:
    """Return the entry that explains ``seen``, if ``before`` was seen in this mount before it."""
    around = Around(run, seen.inode, before)
    for entry in KNOWN:
        same = (seen.prop, seen.kind) == (entry.prop, entry.kind)
        if same and run.setup.design.name in entry.designs and entry.when(around):
            return entry
    return None
