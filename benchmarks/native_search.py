"""Exhaustive search over native generators: what exploration costs without compiling the paths.

A generator cannot be copied, so going back means running a prefix again.  A state is recognised by
its fingerprint: the variables, and where every generator stands with which locals.  The search goes
depth first, because then the run at hand continues into the first new successor for free.
"""

import time
from dataclasses import dataclass
from typing import Any

from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.system import System


@dataclass
class Measured:
    """What a search did in how long."""

    states: int
    transitions: int
    seconds: float


def start(system: System) -> NativeRun:
    """Start the native reference of ``system``, with all variables zero."""
    shared = bytes(system.build.layout.shared_size)
    return NativeRun(system.build, system.constants, shared)


def fingerprint(run: NativeRun) -> tuple[Any, ...]:
    """Everything that decides how the run can go on."""
    out: list[Any] = [bytes(run.variables)]
    for path in run._paths:
        inner: Any = path
        while inner is not None and inner.gi_frame is not None:
            values = inner.gi_frame.f_locals.items()
            out.append(inner.gi_frame.f_lineno)
            out.extend((name, value) for name, value in values if isinstance(value, int))
            inner = inner.gi_yieldfrom
        out.append(None)
    return tuple(out)


def search(system: System, time_limit_s: float) -> Measured:
    """Explore ``system`` with its native generators until done or out of time."""
    started = time.perf_counter()
    run: NativeRun | None = start(system)
    assert run is not None
    seen = {fingerprint(run)}
    schedule: list[int] = []
    left = [run.enabled()]
    transitions = 0
    while left and time.perf_counter() - started < time_limit_s:
        if not left[-1]:
            left.pop()
            if schedule:
                schedule.pop()
            run = None
            continue
        thread = left[-1].pop()
        if run is None:
            run = start(system)
            for done in schedule:
                run.step(done)
        run.step(thread)
        transitions += 1
        key = fingerprint(run)
        if key in seen:
            run = None
            continue
        seen.add(key)
        schedule.append(thread)
        left.append(run.enabled())
    return Measured(len(seen), transitions, time.perf_counter() - started)
