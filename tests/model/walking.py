"""One random run, native and compiled side by side."""

import random

from powercut.checkers.engine.lockstep import compare
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.system import System


def walk_together(system: System, native: NativeRun, draw: random.Random, most_steps: int) -> None:
    """Step both along one random schedule, comparing variables and enabled threads each time."""
    state = system.initial
    for number in range(most_steps):
        compare(system, state, native, number)
        enabled = system.enabled(state)
        if not enabled:
            return
        thread = draw.choice(enabled)
        native.step(thread)
        state = system.step(state, thread)
