"""Machine classes: one for each choice of designs, geometries and amounts of search.

Why so: Hypothesis runs classes, and what a class draws is part of it; counts are kept beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from powercut.checkers.machines.crash_machine import ORDERS, CrashMachine
from powercut.checkers.machines.setups import Setup
from powercut.checkers.machines.tally import Tally
from powercut.checkers.weave.patch import ModelPatch
from powercut.model.designs import Design
from powercut.model.mutants import Mutant
from powercut.model.scope import Geometry


def crash_machine(
    designs: Sequence[Design],
    geometries: Sequence[Geometry],
    mutant: Mutant | None = None,
    *,
    patches: tuple[ModelPatch, ...] = (),
    tally: Tally | None = None,
    wanted: str = "",
    schedules: int = 20,
    searches: int = CrashMachine.searches,
    states: int = CrashMachine.states,
    states_by_chance: int = CrashMachine.states_by_chance,
    passed_over: set[tuple[str, str, str]] | None = None,
    base: type[CrashMachine] = CrashMachine,
    check: Callable[[], None] = CrashMachine.check,
) -> type[CrashMachine]:
    """Return the machine class that draws from these designs and geometries.

    The model is changed by ``patches``.  ``tally`` receives the counts; the others are as in
    :class:`CrashMachine`, whose rules ``base`` has, or fewer.
    """

    @initialize(
        setup=base.setups(tuple(designs), mutant, tuple(geometries)),
        order=st.integers(0, ORDERS - 1),
        seed=st.integers(0, 2**16 - 1),
    )
    def mount(self: Any, setup: Setup, order: int, seed: int) -> None:
        self.begin(replace(setup, patches=patches), order, seed)

    members = {
        "mount": mount,
        "tally": tally or Tally(),
        "wanted": wanted,
        "schedules": schedules,
        "searches": searches if base.explores else 0,
        "states": states,
        "states_by_chance": states_by_chance if base.explores else 0,
        "passed_over": set() if passed_over is None else passed_over,
        "first_failure": 0,
        "shortest": None,
        "check": staticmethod(check),
    }
    return type(base.__name__, (base,), members)
