"""The C engine's searches: the ``Search`` protocol over the loops of ``cengine/``.

C explores and reports what happened, in the order of ``breadth``: a watched predicate became true,
a new projection, a deadlock, a step it does not want to judge.  Python decides what that means: the
crash checker sees every new projection, a step that faulted is run again by the Python engine,
whose error (or state, if it has none) counts.  So a verdict can differ only if the steps do, and a
sample of the states is stepped in both engines during every search to notice that.
"""

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from powercut.checkers.engine.c_library import load_library
from powercut.checkers.engine.errors import STEP_ERRORS, EngineError, NondeterminismError
from powercut.checkers.engine.search.depth import omission_probability
from powercut.checkers.engine.search.outcome import (
    FIRST_VIOLATION,
    INTERRUPTED,
    Budget,
    Found,
    Limits,
    Outcome,
    Progress,
    Watch,
    memory_mib,
)
from powercut.checkers.engine.system import Predicate, System
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK

_DONE, _TURN, _EVENTS, _LIMIT, _MEMORY, _FAULT, _FAULTY_PREDICATE = range(7)
_WATCH, _PROJECTION, _DEADLOCK = range(3)
_ERROR, _WAITS, _STATE = range(3)

_TURNS = 1 << 15
_NO_PARENT = 0xFFFFFFFF
_MIB = 1024 * 1024


class NotCompiled(EngineError):
    """Something to watch is plain Python, so C cannot evaluate it; use the Python engine."""

    remedy = "use the Python engine"


class _Event(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("which", ctypes.c_uint32),
        ("number", ctypes.c_uint32),
    )


_COUNTS = ("states", "transitions", "projections", "depth", "memory")


class _Shared(ctypes.Structure):
    """The head of ``struct pc_search``."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in (*_COUNTS, "edges", "cursor")),
        ("thread", ctypes.c_uint32),
        ("faulty", ctypes.c_uint32),
        ("number", ctypes.c_uint64),
        ("nr_events", ctypes.c_uint64),
        ("events", ctypes.POINTER(_Event)),
        ("nr_cycle", ctypes.c_uint64),
        ("cycle", ctypes.POINTER(ctypes.c_uint32)),
    )


class _DepthShared(ctypes.Structure):
    """The head of ``struct pc_depth``."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in (*_COUNTS, "height")),
        ("thread", ctypes.c_uint32),
        ("faulty", ctypes.c_uint32),
        ("nr_events", ctypes.c_uint64),
        ("events", ctypes.POINTER(_Event)),
    )


_P, _U64, _U32, _I = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_int
_BYTES = ctypes.c_char_p
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "pc_new": (_P, (_BYTES, _U64, _P, _U32, _I, _I)),
    "pc_add": (_I, (_P, _BYTES)),
    "pc_run": (_I, (_P, _U64, _U64)),
    "pc_decide_step": (_I, (_P, _I, _BYTES)),
    "pc_decide_watch": (None, (_P, _I)),
    "pc_state": (None, (_P, _U64, _P)),
    "pc_parent": (_U32, (_P, _U64, _P)),
    "pc_pieces": (_U64, (_P,)),
    "pc_find_cycle": (_I, (_P,)),
    "pc_delete": (None, (_P,)),
    "pc_one_step": (_I, (_BYTES, _U32, _P)),
    "pc_one_predicate": (_I, (_BYTES, _U32, _P)),
    "pc_depth_new": (_P, (_BYTES, _U64, _P, _U32, _I, _U64, _BYTES)),
    "pc_depth_restart": (None, (_P, _BYTES)),
    "pc_depth_run": (_I, (_P, _U64, _U64)),
    "pc_depth_decide_step": (_I, (_P, _I, _BYTES)),
    "pc_depth_decide_watch": (None, (_P, _I)),
    "pc_depth_delete": (None, (_P,)),
    "pc_depth_path": (None, (_P, _P, _P)),
    "pc_depth_sample": (_U64, (_P, _U32, _P, _U64)),
}


def bound_library(system: System) -> ctypes.CDLL:
    """Return the engine of ``system`` with its signatures.  Raises as ``load_library`` does."""
    library = load_library(system.build)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def c_step(system: System, state: bytes, thread: int) -> bytes | None:
    """Return the state after a step in C, ``None`` if the thread waits.

    Raises :class:`EngineError` where C leaves the step to Python.
    """
    room = ctypes.create_string_buffer(state, len(state))
    status = bound_library(system).pc_one_step(system.constants, thread, room)
    if status == 2:
        raise EngineError("left to Python")
    return room.raw if status else None


def compare_steps(system: System, state: bytes) -> None:
    """Step every thread in both engines.  Raises :class:`NondeterminismError` if they differ."""
    for thread, info in enumerate(system.threads):
        try:
            ours = c_step(system, state, thread)
        except EngineError:
            continue
        try:
            theirs = system.step(state, thread) if system.is_enabled(state, thread) else None
        except STEP_ERRORS as error:
            raise NondeterminismError(f"{info.name}: only Python rejects a step: {error}") from None
        if ours != theirs:
            raise NondeterminismError(f"{info.name}: a step in C differs from the one in Python")


class _Search(ABC):
    """What both searches share: watches, events, the clock."""

    def __init__(self, system: System, watch: Watch, limits: Limits) -> None:
        self.system = system
        self.watch = watch
        self.limits = limits
        self.outcome = Outcome()
        self.library = bound_library(system)
        self.memory = 0
        self.handle: int | None = None
        self._names = [*watch.invariants, *watch.situations]
        compiled: dict[int, int] = {id(p): i for i, p in enumerate(system.predicates)}
        self._predicates: list[Predicate] = [
            *watch.invariants.values(),
            *watch.situations.values(),
        ]
        if watch.on_state is not None or any(id(p) not in compiled for p in self._predicates):
            raise NotCompiled("a watched predicate is not part of the build")
        numbers = [compiled[id(p)] for p in self._predicates]
        self._watched = (ctypes.c_uint32 * (len(numbers) + 1))(*numbers)

    @property
    def _room(self) -> int:
        """Bytes the search may use: the limit is on the whole process."""
        return max(8, self.limits.max_memory_mib - memory_mib()) * _MIB

    def _out_of_memory(self) -> str:
        return f"memory limit of {self.limits.max_memory_mib} MiB reached"

    def _is_answered(self) -> bool:
        return self.watch.is_answered(self.outcome.found)

    def _copy_counts(self, shared: Any) -> None:
        outcome = self.outcome
        outcome.states, outcome.transitions = shared.states, shared.transitions
        outcome.projections, outcome.depth = shared.projections, shared.depth
        self.memory = max(self.memory, shared.memory)

    def _watch_hit(self, which: int, number: int) -> None:
        name = self._names[which]
        if which < len(self.watch.invariants):
            self._record(name, number, "")
        else:
            self.outcome.reached.add(name)

    def _decide(self, state: bytes, thread: int, number: int) -> tuple[int, bytes]:
        """Run the step that faulted in Python; record what is wrong with it, if anything is."""
        try:
            if not self.system.is_enabled(state, thread):
                return _WAITS, b""
            return _STATE, self.system.step(state, thread)
        except STEP_ERRORS as error:
            self._record(ASSERTION, number, str(error), thread)
            return _ERROR, b""

    def _record(self, name: str, number: int, detail: str, thread: int | None = None) -> None:
        if name in self.outcome.found:
            return
        start, schedule = self.schedule_to(number)
        if thread is not None:
            schedule = (*schedule, thread)
        self.outcome.found[name] = Found(name, start, schedule, detail)

    @abstractmethod
    def schedule_to(self, number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the initial state and the thread indexes that lead to state ``number``."""


class CBreadthFirst(_Search):
    """``breadth.BreadthFirst`` in C: same numbers, same traces; :meth:`run` may be called once.

    ``memory`` is what the search used, in bytes.
    """

    def __init__(
        self, system: System, watch: Watch, limits: Limits, initial: Iterable[bytes] | None = None
    ) -> None:
        super().__init__(system, watch, limits)
        self.handle = self.library.pc_new(
            system.constants,
            self._room,
            self._watched,
            len(self._names),
            int(watch.find_stuck),
            int(watch.on_projection is not None),
        )
        self._full = self.handle is None
        for state in initial if initial is not None else [system.initial]:
            self._full = self._full or not self.library.pc_add(self.handle, state)
        if self.handle is not None:
            self._shared = _Shared.from_address(self.handle)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back; schedules cannot be asked for any more."""
        handle, self.handle = getattr(self, "handle", None), None
        if handle is not None:  # forgotten first: an interrupt must not leave it to be freed again
            self.library.pc_delete(handle)

    def run(self) -> Outcome:
        """Search until the frontier is empty, a limit is reached or the user interrupts."""
        budget = Budget(self.limits)
        if self._full:
            self.outcome.stopped = self._out_of_memory()
            return self.outcome
        try:
            self._search(budget)
        except KeyboardInterrupt:
            self.outcome.stopped = INTERRUPTED
        self._copy_counts(self._shared)
        if self.watch.find_stuck and self.outcome.exhaustive:
            self._look_for_stuck()
            self.memory = max(self.memory, self._shared.memory)
        self.outcome.seconds = budget.seconds
        return self.outcome

    def _search(self, budget: Budget) -> None:
        shared = self._shared
        status = _TURN
        while status != _DONE:
            if status in (_TURN, _LIMIT) and shared.cursor < max(1, shared.states):
                compare_steps(self.system, self.state(shared.cursor))
                self.outcome.stopped = self._tick(budget)
            elif status == _MEMORY:
                self.outcome.stopped = self._out_of_memory()
            elif status in (_FAULT, _FAULTY_PREDICATE):
                status = self._settle(status)
                self._drain()
                continue
            if self._is_answered():
                self.outcome.stopped = FIRST_VIOLATION
            if self.outcome.stopped:
                return
            status = self.library.pc_run(self.handle, _TURNS, self.limits.max_states)
            self._drain()
        if self._is_answered():
            self.outcome.stopped = FIRST_VIOLATION

    def _settle(self, status: int) -> int:
        """Decide in Python what C left open; return how to go on."""
        shared = self._shared
        state = self.state(shared.number)
        if status == _FAULTY_PREDICATE:
            which = shared.faulty
            hit = bool(self._predicates[which](state))
            self.library.pc_decide_watch(self.handle, int(hit))
            if hit:
                self._watch_hit(which, shared.number)
            return _EVENTS
        decision, new = self._decide(state, shared.thread, shared.number)
        after: int = self.library.pc_decide_step(self.handle, decision, new or None)
        return _EVENTS if after == _TURN else after

    def _drain(self) -> None:
        """Act on what happened since the last call, in order."""
        shared = self._shared
        happened = [(e.kind, e.which, e.number) for e in shared.events[: shared.nr_events]]
        for kind, which, number in happened:
            if kind == _WATCH:
                self._watch_hit(which, number)
            elif kind == _PROJECTION:
                assert self.watch.on_projection is not None
                projection = self.state(number)[self.system.projected]
                for name in self.watch.on_projection(projection, number):
                    self._record(name, number, "")
            else:
                unfinished = self.system.unfinished(self.state(number))
                blocked = ", ".join(self.system.threads[t].name for t in unfinished)
                self._record(DEADLOCK, number, f"nobody can run; waiting for ever: {blocked}")

    def _tick(self, budget: Budget) -> str:
        self._copy_counts(self._shared)
        outcome = self.outcome
        if self.watch.on_progress is not None:
            frontier = outcome.states - self._shared.cursor
            self.watch.on_progress(
                Progress(
                    outcome.states, outcome.transitions, frontier, outcome.depth, budget.seconds
                )
            )
        return budget.exceeded(outcome.states)

    def state(self, number: int) -> bytes:
        """Return state ``number`` whole."""
        room = ctypes.create_string_buffer(self.system.build.size)
        self.library.pc_state(self.handle, number, room)
        return room.raw

    def schedule_to(self, number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the initial state and the thread indexes that lead to state ``number``."""
        schedule: list[int] = []
        thread = ctypes.c_uint8()
        while (parent := self.library.pc_parent(self.handle, number, ctypes.byref(thread))) != (
            _NO_PARENT
        ):
            schedule.append(thread.value)
            number = parent
        return self.state(number), tuple(reversed(schedule))

    def _look_for_stuck(self) -> None:
        if self.library.pc_find_cycle(self.handle) == _MEMORY:
            self.outcome.stopped = self._out_of_memory()
            return
        cycle = self._shared.cycle[: self._shared.nr_cycle]
        if not cycle or LIVELOCK in self.outcome.found:
            return
        start, schedule = self.schedule_to(cycle[0])
        around = tuple(self._thread_between(source, target) for source, target in pairwise(cycle))
        detail = f"the last {len(around)} steps repeat for ever; no run leaves them to finish"
        self.outcome.found[LIVELOCK] = Found(LIVELOCK, start, (*schedule, *around), detail)

    def _thread_between(self, source: int, target: int) -> int:
        state, wanted = self.state(source), self.state(target)
        return next(t for t in self.system.enabled(state) if self.system.step(state, t) == wanted)


class CDepthFirst(_Search):
    """``depth.DepthFirst`` in C; :meth:`sample` tells afterwards which states it saw."""

    def __init__(
        self,
        system: System,
        watch: Watch,
        limits: Limits,
        initial: Iterable[bytes] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__(system, watch, limits)
        self._starts = [system.initial] if initial is None else list(initial)
        self._start = self._starts[0]
        self.handle = self.library.pc_depth_new(
            system.constants,
            self._room,
            self._watched,
            len(self._names),
            int(watch.on_projection is not None),
            seed,
            self._start,
        )
        if self.handle is not None:
            self._shared = _DepthShared.from_address(self.handle)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back; there are no schedules and no sample any more."""
        handle, self.handle = getattr(self, "handle", None), None
        if handle is not None:  # forgotten first: an interrupt must not leave it to be freed again
            self.library.pc_depth_delete(handle)

    def run(self) -> Outcome:
        """Search until done, a limit is reached or the user interrupts."""
        budget = Budget(self.limits)
        if self.handle is None:
            self.outcome.stopped = self._out_of_memory()
            return self.outcome
        try:
            for start in self._starts:
                if start is not self._starts[0]:
                    self._start = start
                    self.library.pc_depth_restart(self.handle, start)
                self._search(budget)
                if self.outcome.stopped:
                    break
        except KeyboardInterrupt:
            self.outcome.stopped = INTERRUPTED
        self._copy_counts(self._shared)
        self.outcome.omission_probability = omission_probability(self.outcome.states)
        self.outcome.seconds = budget.seconds
        return self.outcome

    def _search(self, budget: Budget) -> None:
        shared = self._shared
        self._drain()
        status = _TURN
        while status != _DONE:
            if status in (_TURN, _LIMIT):
                self._copy_counts(shared)
                compare_steps(self.system, self.schedule_and_state()[1])
                self._report(budget)
                self.outcome.stopped = budget.exceeded(shared.states)
            elif status == _MEMORY:
                self.outcome.stopped = self._out_of_memory()
            elif status == _FAULT:
                decision, new = self._decide(self.schedule_and_state()[1], shared.thread, 0)
                status = self.library.pc_depth_decide_step(self.handle, decision, new or None)
                self._drain()
                continue
            elif status == _FAULTY_PREDICATE:
                hit = bool(self._predicates[shared.faulty](self.schedule_and_state()[1]))
                which = shared.faulty
                self.library.pc_depth_decide_watch(self.handle, int(hit))
                if hit:
                    self._watch_hit(which, 0)
            if self._is_answered():
                self.outcome.stopped = FIRST_VIOLATION
            if self.outcome.stopped:
                return
            status = self.library.pc_depth_run(self.handle, _TURNS, self.limits.max_states)
            self._drain()

    def _report(self, budget: Budget) -> None:
        if self.watch.on_progress is None:
            return
        outcome, height = self.outcome, self._shared.height
        self.watch.on_progress(
            Progress(outcome.states, outcome.transitions, height, height, budget.seconds)
        )

    def _drain(self) -> None:
        shared = self._shared
        happened = [(e.kind, e.which) for e in shared.events[: shared.nr_events]]
        for kind, which in happened:
            if kind == _WATCH:
                self._watch_hit(which, 0)
            elif kind == _PROJECTION:
                assert self.watch.on_projection is not None
                projection = self.schedule_and_state()[1][self.system.projected]
                for name in self.watch.on_projection(projection, shared.states):
                    self._record(name, 0, "")
            else:
                self._record(DEADLOCK, 0, "nobody can run")

    def schedule_and_state(self) -> tuple[tuple[int, ...], bytes]:
        """Return where the search stands: the way there, and the state."""
        state = ctypes.create_string_buffer(self.system.build.size)
        height = self._shared.height
        if not height:
            return (), self._start
        threads = ctypes.create_string_buffer(height)
        self.library.pc_depth_path(self.handle, state, threads)
        return tuple(threads.raw[: height - 1]), state.raw

    def schedule_to(self, number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the way to where the search stands (it knows no other states)."""
        return self._start, self.schedule_and_state()[0]

    def sample(self, bits: int) -> set[int]:
        """Return the digests of one state in ``2**bits``, always of the same ones."""
        room = (ctypes.c_uint64 * self._shared.states)()
        count = self.library.pc_depth_sample(self.handle, bits, room, len(room))
        return set(room[:count])
