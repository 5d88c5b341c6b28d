"""The text report of ``sweep``: what is new, what is known, what was covered.

Rejected: a line a workload (there are thousands, and nearly all say the same).
"""

from collections.abc import Iterator

from powercut.checkers.workload import parse_workload
from powercut.checkers.workload.text import format_op
from powercut.documents.sweep import SweepDocument, SweepViolation, SweptDesign
from powercut.model.scope import Scope


def sweep_lines(document: SweepDocument) -> Iterator[str]:
    """Yield the report, a line at a time, of at most 100 columns but for workloads."""
    for swept in document.designs:
        yield from _design_lines(swept, document.level)
        yield ""
    yield "workloads by operation and what follows it, or runs beside it"
    yield from _pair_lines(document.designs[0])
    yield ""
    new = sum(len(swept.new) for swept in document.designs)
    workloads = sum(swept.workloads for swept in document.designs)
    states = sum(swept.states for swept in document.designs)
    said = f"{new} new" if new else "nothing new"
    yield (
        f"level {document.level}: {workloads:,} workloads, {states:,} states, "
        f"{document.seconds:.1f} s, {said}: {document.verdict} (exit code {document.exit_code})"
    )


def _design_lines(swept: SweptDesign, level: int) -> Iterator[str]:
    yield (
        f"{swept.design}, level {level}: {swept.workloads:,} of {swept.expected:,} workloads, "
        f"{swept.states:,} states, longest {swept.longest_states:,}"
    )
    if swept.from_cache:
        yield f"  {swept.from_cache:,} workloads were explored by an earlier sweep (--fresh: again)"
    if swept.stopped:
        yield f"  not finished: {swept.stopped}; the same command goes on where this one ended"
    for reason, count in swept.cut.items():
        yield f"  {count:,} workloads cut short: {reason}"
    for title, found in (("NEW", swept.new), ("known", swept.known)):
        for violation in found:
            yield from _violation_lines(title, violation)


def _violation_lines(title: str, violation: SweepViolation) -> Iterator[str]:
    what = f"{violation.property} {violation.kind}".strip()
    name = f" ({violation.finding})" if violation.finding else ""
    yield (
        f"  {title}: {what}{name}: {violation.workloads:,} workloads, "
        f"smallest {violation.calls} calls, {violation.steps} steps"
    )
    yield f"      {short(parse_workload(violation.workload, 'sweep'))}"
    if violation.trace:
        yield f"      {violation.trace}"


def short(scope: Scope) -> str:
    """Return a workload of a sweep in one line, in the words of patterns."""
    mounts = " / ".join(
        " | ".join("; ".join(map(format_op, task)) for task in mount.tasks)
        for mount in scope.mounts
    )
    return f"{mounts}  [{scope.summary}]"


def _pair_lines(swept: SweptDesign) -> Iterator[str]:
    """Yield operations × operations: in how many workloads the second follows or is beside."""
    firsts = list(swept.pairs)
    seconds = sorted({second for row in swept.pairs.values() for second in row if second})
    if not seconds:
        yield "operations: " + ", ".join(
            f"{name} {sum(swept.pairs[name].values()):,}" for name in firsts
        )
        return
    width = max(len(name) for name in firsts) + 2
    yield " " * width + " ".join(f"{name[:7]:>7}" for name in seconds)
    for first in firsts:
        counts = (swept.pairs[first].get(second, 0) for second in seconds)
        yield f"{first:{width}}" + " ".join(f"{count:>7,}" for count in counts)
