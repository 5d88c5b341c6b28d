"""What ``check FILE`` says of protocols of the user's own, as JSON and as text.

Why so: the JSON keys are a contract with other programs.  The text shows every violation whole,
because no file keeps it: a step is a thread, a place and what it changed.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from msgspec import Struct

from powercut.checkers.protocol.replay import Change, CutShown, Shown, StepShown
from powercut.checkers.protocol.run import HOLDS, INCONCLUSIVE, VIOLATED, ProtocolResult
from powercut.documents.document import Document, Seconds, Verdict
from powercut.errors import exit_code_of
from powercut.terminal.style import Style

_WIDTH = 100
_LABEL = 10


def overall(results: Sequence[ProtocolResult]) -> str:
    """Return the worst verdict: violated, then inconclusive, then holds."""
    verdicts = [result.verdict for result in results]
    return next((v for v in (VIOLATED, INCONCLUSIVE) if v in verdicts), HOLDS)


# ---- JSON ---------------------------------------------------------------------------------------


class VariableChange(Struct, frozen=True, kw_only=True):
    """A variable that a step, or recovery, changed."""

    variable: str
    before: int
    after: int


class ProtocolStep(Struct, frozen=True, kw_only=True):
    """A step: the thread, the place it was parked at, and what it changed."""

    thread: str
    function: str
    file: str
    line: int
    label: str
    changes: list[VariableChange]


class PowerCut(Struct, frozen=True, kw_only=True):
    """What a power cut kept, and what recovery changed of that."""

    kept: dict[str, int]
    recovery: list[VariableChange]


class ProtocolViolation(Struct, frozen=True, kw_only=True):
    """A violated property, with the run that shows it."""

    property: str
    statement: str
    detail: str
    steps: list[ProtocolStep]
    power_cut: PowerCut | None


class CheckedProtocol(Struct, frozen=True, kw_only=True):
    """A protocol of the file; ``dims`` are the sizes it is checked with."""

    name: str
    summary: str
    dims: dict[str, int]
    verdict: Verdict
    exhaustive: bool
    stopped: str | None
    bound: str
    engine: str
    states: int
    transitions: int
    crash_projections: int
    seconds: Seconds
    properties: dict[str, Verdict]
    reached: dict[str, bool]
    violations: list[ProtocolViolation]


class ProtocolDocument(Document, frozen=True, kw_only=True, tag="powercut.check-protocol/1"):
    """What the protocols of a file were found to do."""

    file: str
    seconds: Seconds
    protocols: list[CheckedProtocol]


def protocol_document(
    file: str, results: Sequence[ProtocolResult], seconds: float
) -> ProtocolDocument:
    """Return the document of ``powercut check FILE --json``."""
    verdict = overall(results)
    return ProtocolDocument(
        file=file,
        verdict=verdict,
        exit_code=exit_code_of(verdict),
        seconds=round(seconds, 3),
        protocols=[_protocol(result) for result in results],
    )


def _protocol(result: ProtocolResult) -> CheckedProtocol:
    outcome, closed = result.outcome, result.closed
    return CheckedProtocol(
        name=closed.name,
        summary=closed.protocol.summary,
        dims=dict(closed.protocol.dims),
        verdict=result.verdict,
        exhaustive=outcome.exhaustive,
        stopped=outcome.stopped or None,
        bound=bound_of(result),
        engine=result.engine,
        states=outcome.states,
        transitions=outcome.transitions,
        crash_projections=outcome.projections,
        seconds=round(outcome.seconds, 3),
        properties={name: result.verdict_of(name) for name in closed.properties},
        reached={name: name in outcome.reached for name in closed.situations},
        violations=[_violation(result, shown) for shown in result.violations.values()],
    )


def _violation(result: ProtocolResult, shown: Shown) -> ProtocolViolation:
    return ProtocolViolation(
        property=shown.prop,
        statement=result.closed.properties[shown.prop],
        detail=shown.detail,
        steps=[_step(step) for step in shown.steps],
        power_cut=None if shown.cut is None else _cut(shown.cut),
    )


def _step(step: StepShown) -> ProtocolStep:
    return ProtocolStep(
        thread=step.thread,
        function=step.function,
        file=step.file,
        line=step.line,
        label=step.label,
        changes=_changes(step.changes),
    )


def _cut(cut: CutShown) -> PowerCut:
    return PowerCut(kept=dict(cut.kept), recovery=_changes(cut.recovery))


def _changes(changes: Iterable[Change]) -> list[VariableChange]:
    return [VariableChange(variable=name, before=old, after=new) for name, old, new in changes]


# ---- text ---------------------------------------------------------------------------------------


def bound_of(result: ProtocolResult) -> str:
    """Say in one line how far the verdicts reach."""
    outcome, closed = result.outcome, result.closed
    dims = ", ".join(f"{name} = {size}" for name, size in closed.protocol.dims.items())
    parts = [dims] if dims else []
    parts.append(f"{outcome.states:,} states")
    parts.append(f"cut short: {outcome.stopped}" if outcome.stopped else "exhausted")
    if closed.is_cut:
        parts.append(f"one power cut, after any step: {outcome.projections:,} different remains")
    return ", ".join(parts)


def print_protocol(result: ProtocolResult, out: TextIO) -> None:
    """Print the verdicts of one protocol with their bound, and every violation step by step."""
    closed, style = result.closed, Style.of(out)
    summary = f": {closed.protocol.summary}" if closed.protocol.summary else ""
    _print(out, *(style.paint("title", line) for line in _wrapped(f"{closed.name}{summary}", 0, 2)))
    width = max(map(len, closed.properties)) + 2
    for name, statement in closed.properties.items():
        verdict = result.verdict_of(name)
        word = "VIOLATED" if verdict == VIOLATED else verdict
        first, *more = _wrapped(statement, width + 16, width + 16)
        cell = style.paint(verdict, f"{word:12}")
        _print(out, f"  {name:{width}}{cell}  {first.lstrip()}", *more)
    missing = [name for name in closed.situations if name not in result.outcome.reached]
    if missing:
        _print(out, *_entry("never seen", f"{', '.join(missing)}: what needs it says little"))
    _print(out, *_entry("bound", bound_of(result)))
    for shown in result.violations.values():
        _print(out, "", *_told(result, shown))
    _print(out, "")


def _told(result: ProtocolResult, shown: Shown) -> list[str]:
    """Return a violation: its steps, the power cut, what does not hold."""
    count = len(shown.steps)
    steps = "1 step" if count == 1 else f"{count} steps"
    lines = [f"  {result.closed.name}, {shown.prop}: {steps}, replayed natively"]
    threads = max((len(step.thread) for step in shown.steps), default=0)
    places = max((len(_place(step)) for step in shown.steps), default=0)
    for number, step in enumerate(shown.steps, 1):
        lines += _row(number, step, threads, places)
    if shown.cut is not None:
        lines.append("    *** power cut ***")
        lines += _entry("kept", _set_values(shown.cut.kept) or "nothing but zeros")
        if result.closed.protocol.recover is not None:
            lines += _entry("recovery", _told_changes(shown.cut.recovery) or "changes nothing")
    return [*lines, *_entry(shown.prop, shown.detail)]


def _row(number: int, step: StepShown, threads: int, places: int) -> list[str]:
    """Return one step: what it did, and below or beside what that changed."""
    head = f"  {number:>3} {step.thread:{threads}}  {_place(step):{places}}"
    changes = _told_changes(step.changes)
    line = f"{head}  {changes}".rstrip()
    if len(line) <= _WIDTH:
        return [line]
    return [*_wrapped(head.rstrip(), 0, 8), *_wrapped(changes, 8, 10)]


def _place(step: StepShown) -> str:
    return f"{step.function}() line {step.line}" + (f": {step.label}" if step.label else "")


def _told_changes(changes: Iterable[Change]) -> str:
    return ", ".join(f"{name} {old}→{new}" for name, old, new in changes)


def _set_values(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items() if value)


def _entry(label: str, text: str) -> list[str]:
    width = max(_LABEL, len(label)) + 2
    return _wrapped(f"{label:{width}}{text}", 4, 4 + width)


def _wrapped(text: str, indent: int, more: int) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * more,
        break_on_hyphens=False,
    )


def _print(out: TextIO, *lines: str) -> None:
    for line in lines:
        print(line, file=out)
