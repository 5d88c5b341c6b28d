"""A replayed trace as a Mermaid sequence diagram, for pages that draw one.

Why so: every step is a message of a context to itself, and what it changed is a note beside it, so
the diagram says what the text ladder says; steps that carry what is wrong are framed.
Rejected: arrows between contexts (nobody calls anybody here; an arrow would claim a wake-up).
"""

from collections.abc import Sequence

from powercut.checkers.traces.codec import scope_of
from powercut.checkers.traces.format import StepsWhy, Trace
from powercut.checkers.traces.ladder import column_of, titles_of
from powercut.checkers.traces.views import EpochReplay, StepView

_ENTITIES = str.maketrans({"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "%": "#37;"})
_FRAME = "rgb(255, 228, 196)"


def render_mermaid(
    trace: Trace, epochs: list[EpochReplay], why: Sequence[StepsWhy] = (), *, brief: bool = False
) -> str:
    """Return the replayed ``trace`` as a Mermaid diagram; arguments as for the ladder."""
    scope = scope_of(trace)
    steps = [step for epoch in epochs for step in epoch.steps]
    titles: dict[str, tuple[str, str]] = {}
    for n, epoch in enumerate(epochs):
        titles |= titles_of(scope.mounts[n], epoch.steps)
    if not steps:
        titles = {"mount": ("mount", "")}
    lines = ["sequenceDiagram", f"  title {_text(f'{trace.property} {trace.verdict}')}"]
    lines += [f"  participant {name} as {_text(' '.join(t))}" for name, t in titles.items()]
    everybody = ",".join(dict.fromkeys((next(iter(titles)), list(titles)[-1])))
    for n, epoch in enumerate(epochs):
        if len(epochs) > 1:
            lines.append(f"  Note over {everybody}: mount {n + 1}")
        marks = why[n] if n < len(why) else None
        for number, step in enumerate(epoch.steps, 1):
            carries = marks is not None and number in marks.carrying
            if carries or not brief or marks is None:
                lines += _step(number, step, carries)
        end = "power cut" if trace.epochs[n].crash is not None else "end"
        lines.append(f"  Note over {everybody}: {end}")
    lines.append(f"  Note over {everybody}: {_text(trace.summary)}")
    return "\n".join(lines) + "\n"


def _step(number: int, step: StepView, carries: bool) -> list[str]:
    column = column_of(step.thread)
    lines = [f"  {column}->>{column}: {number} {_text(step.place)}"]
    if step.changes:
        changes = "<br/>".join(_text(change) for change in step.changes)
        lines.append(f"  Note right of {column}: {changes}")
    return [f"  rect {_FRAME}", *lines, "  end"] if carries else lines


def _text(text: str) -> str:
    """Return ``text`` with entities for what Mermaid takes for its own."""
    return text.translate(_ENTITIES).strip()
