"""Say how a run of a litmus test differs, with a drawn run that reaches what should not be there.

Why so: "one outcome too many" is only useful with the race that leads to it; the run is the
shortest one, and the native model takes every step of it again while it is drawn.
"""

from collections.abc import Sequence

from powercut.checkers.litmus.runs import DesignRun
from powercut.checkers.run.mount import Epoch
from powercut.checkers.run.observation import format_outcome
from powercut.checkers.run.replay import replay
from powercut.checkers.run.trace_of import make_trace, trace_of
from powercut.checkers.traces.ladder import render_ladder
from powercut.model.language import DEADLOCK
from powercut.properties.crash import STALE


def explain(run: DesignRun, *, ladder: bool = True) -> str:
    """Return what differs, one line each, then (with ``ladder``) the way to the first excess."""
    litmus, design = run.litmus, run.design
    block = litmus.block_of(design)
    lines = [f"{litmus.file}: {design}: {run.verdict}"]
    per_block = litmus.scope.geometry.cells_per_block
    where = block.outcomes() if block else {}
    shown = {o: format_outcome(o, per_block) for o in (*run.extra, *run.missing)}
    lines += [f"  not allowed, but shown:   {shown[o]}" for o in run.extra]
    lines += [f"  allowed, but never shown: {shown[o]}  (line {where[o]})" for o in run.missing]
    lines += [f"  violated, not expected:   {name}" for name in run.violated]
    lines += [f"  expected to be violated:  {name}" for name in run.holding]
    if not run.result.exhaustive:
        lines.append(f"  cut short: {run.result.stopped}; what was not shown may still be there")
    if ladder:
        lines += _ladder(run)
    return "\n".join(lines)


def _ladder(run: DesignRun) -> list[str]:
    scope = run.litmus.scope
    if run.extra:
        per_block = scope.geometry.cells_per_block
        text = format_outcome(run.extra[0], per_block)
        epochs = run.result.outcomes[run.extra[0]]
        title = f"a run that shows {text}"
        return ["", f"---- {title} ----", "", outcome_ladder(run, epochs, text)]
    if run.violated:
        violation = next(v for v in run.result.violations if v.prop == run.violated[0])
        trace = trace_of(violation, run.result)
        return ["", render_ladder(trace, replay(trace).epochs).rstrip()]
    return []


def outcome_ladder(run: DesignRun, epochs: Sequence[Epoch], summary: str) -> str:
    """Return the run ``epochs`` of a litmus test, replayed natively and drawn."""
    prop = DEADLOCK if epochs[-1].crash is None else STALE
    trace = make_trace(run.result.question, prop, epochs, summary, "holds")
    text = render_ladder(trace, replay(trace).epochs).rstrip()
    body = text.partition("\n\n")[2]  # the title speaks of a property, which is not the point here
    return body.replace("*** deadlock holds here ***", "*** all tasks have returned ***")
