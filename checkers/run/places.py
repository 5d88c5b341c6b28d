"""Where the steps of a trace stand in the source of this model, without running them.

Why so: a trace names the function and the label of a step and no line, because lines move with
every edit.  A function has a label once, so the program points of a thread tell the line, for a
trace that the model no longer follows too.
Rejected: places only for what was replayed (a trace that does not replay is the one to look at).
"""

from collections.abc import Sequence

from powercut.checkers.engine.frames import Place
from powercut.checkers.run.mount import Mount
from powercut.checkers.traces.format import TraceStep
from powercut.checkers.traces.views import PlacedStep


def place_of(mount: Mount, step: TraceStep) -> Place | None:
    """Return the program point of ``step``, ``None`` if no thread of its name has such a point."""
    kinds = {info.kind for info in mount.threads if info.name == step.thread}
    for kind in kinds:
        for place in mount.system.build.frames[kind].places.values():
            if (place.function, place.label) == (step.function, step.label):
                return place
    return None


def placed_steps(mount: Mount, steps: Sequence[TraceStep]) -> list[PlacedStep]:
    """Return ``steps`` with their places in the model of ``mount``."""
    placed = []
    for step in steps:
        place = place_of(mount, step)
        file, line = (place.file, place.line) if place else (None, None)
        placed.append(PlacedStep(step.thread, step.function, file, line, step.label))
    return placed
