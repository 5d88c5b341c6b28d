"""A compiled program and one closed instance of it: the seam every explorer stands on.

:class:`Build` is a :class:`Translation` of the source with the array sizes put in.  :class:`System`
adds the constants (design, mutant, programs) and the initial variables; making one from a build
costs milliseconds, so one build serves every design, mutant and scope of a geometry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from powercut.checkers.engine.errors import DeclarationError
from powercut.checkers.engine.frames import Frames, Place
from powercut.checkers.engine.kept import translate
from powercut.checkers.engine.layout import Dims, Layout
from powercut.checkers.engine.runtime import frame_of, runtime_names
from powercut.checkers.engine.sums import Sum
from powercut.model.language import Program

if TYPE_CHECKING:
    import ctypes

Step = Callable[[bytes, int, int], bytes | None]
GuardCheck = Callable[[bytes, int, int], object]
Predicate = Callable[[bytes], int]

MOST_THREADS = 255
_FINISHED = Place("finished", "", 0, "", ())


@dataclass(frozen=True, slots=True)
class ThreadInfo:
    """One thread of a system: its name (``task0``), kind, number in the kind, and frame."""

    name: str
    kind: str
    number: int
    daemon: bool
    frame: int


class Build:
    """Everything compiled from ``program`` for the array sizes ``dims``.

    ``predicates`` are helper functions of the state root (properties, crash-independent checks)
    that a system can evaluate on states.  ``checked`` adds a range check to every store and index;
    ``zero_dead=False`` leaves dead locals in the state.  ``hurried`` lets the C compiler make slow
    steps in little time: for a program that is explored little.  Raises :class:`LanguageError` and
    :class:`DeclarationError`.
    """

    def __init__(
        self,
        program: Program,
        dims: Dims,
        predicates: Sequence[Callable[..., int]] = (),
        *,
        checked: bool = False,
        zero_dead: bool = True,
        hurried: bool = False,
    ) -> None:
        self.program = program
        self.hurried = hurried
        self.layout = Layout(
            program.state, dims, constant=program.constant, projected=program.projected
        )
        self.library: ctypes.CDLL | None = None
        self.library_note = ""
        self.translation = translation = translate(
            program, predicates, self.layout, checked=checked, zero_dead=zero_dead
        )
        self.frames = translation.frames
        self.dispatch = {kind: _dispatch_of(frames) for kind, frames in self.frames.items()}
        self.predicate_names = translation.predicate_names
        structs = list(self.layout.structs.values())
        self.tables = {name: structs[number] for name, number in translation.tables.items()}
        self.threads = self._place_threads()
        self._frame_starts = {frame_of(t.kind): t.frame for t in reversed(self.threads)}
        self._code = translation.bind(self.value)
        self._names = runtime_names(self.tables)
        self._constant_bytes = {
            name: self.value(at) for name, at in translation.constant_bytes.items()
        }
        last = self.threads[-1] if self.threads else None
        self.size = self.layout.shared_size
        if last is not None:
            self.size = last.frame + self.frames[last.kind].size

    def _place_threads(self) -> tuple[ThreadInfo, ...]:
        out: list[ThreadInfo] = []
        offset = self.layout.shared_size
        for thread in self.program.threads:
            count = self.layout.number(thread.count, f"thread {thread.name}")
            if len(out) + count > MOST_THREADS:
                raise DeclarationError(f"{len(out) + count} threads; at most {MOST_THREADS}")
            for number in range(count):
                name = thread.name if thread.count == 1 else f"{thread.name}{number}"
                out.append(ThreadInfo(name, thread.name, number, thread.daemon, offset))
                offset += self.frames[thread.name].size
        return tuple(out)

    def value(self, text: str) -> int:
        """Return the number that a written sum (``sums.Sum.text``) stands for."""
        return Sum.parse(text).evaluate(self._measure)

    def _measure(self, name: str) -> int:
        if name.startswith("f:"):
            return self._frame_starts.get(name, 0)
        return self.layout.measure(name)

    def instance_names(self, constants: bytes) -> dict[str, Any]:
        """Run the generated module for the given constants and return its functions."""
        names = dict(self._names) | self.constant_names(constants)
        exec(self._code, names)
        return names

    def constant_names(self, constants: bytes) -> dict[str, Any]:
        """Return the globals through which the generated functions read the constants."""
        return {name: constants[at] for name, at in self._constant_bytes.items()} | {"C": constants}


Dispatch = list[list[tuple[str, str]]]
"""Names of guard and step by the program counter: by its first byte (from 1), then its second."""


def _dispatch_of(frames: Frames) -> Dispatch:
    """Return which functions run a kind of thread, by its program counter."""
    kind = frames.kind
    groups: dict[int, list[tuple[str, str]]] = {}
    for point in frames.places:
        names = (f"{kind}_guard{point}", f"{kind}_step{point}")
        groups.setdefault(frames.counter(point)[0], []).append(names)
    return [group for _, group in sorted(groups.items())]


def _by_counter(
    dispatch: Dispatch, names: dict[str, Any]
) -> tuple[list[GuardCheck | None], list[Step | None]]:
    """Return the guards and steps of a kind by the first byte of its program counter.

    Where several points share that byte, the entry looks at the second one.
    """
    guards: list[GuardCheck | None] = [None]
    steps: list[Step | None] = [None]
    for group in dispatch:
        if len(group) == 1:
            guard, step = group[0]
            guards.append(names.get(guard))
            steps.append(names[step])
            continue
        guards.append(_by_second_byte([names.get(guard, _always) for guard, _ in group]))
        steps.append(_by_second_byte([names[step] for _, step in group]))
    return guards, steps


def _always(_state: bytes, _frame: int, _number: int) -> int:
    return 1


def _by_second_byte(choices: list[Any]) -> Any:
    def chosen(state: bytes, frame: int, number: int) -> Any:
        return choices[state[frame + 1]](state, frame, number)

    return chosen


class System:
    """A build with its constants and initial variables: states are ``bytes``, steps are pure.

    ``shared`` holds the initial value of every declared variable (``build.layout.shared_size``
    bytes); ``constants`` those of the constant part.  Threads run up to their first preemption
    point, in order, when the initial state is made.
    """

    def __init__(self, build: Build, constants: bytes, shared: bytes) -> None:
        self.build = build
        self.constants = constants
        self.threads = build.threads
        self.projected = build.layout.projected
        self._names = names = build.instance_names(constants)
        self.predicates: list[Predicate] = [names[n] for n in build.predicate_names]
        self._guards: dict[str, list[GuardCheck | None]] = {}
        self._steps: dict[str, list[Step | None]] = {}
        for kind, dispatch in build.dispatch.items():
            self._guards[kind], self._steps[kind] = _by_counter(dispatch, names)
        self.table = tuple(
            (t.frame, t.number, self._guards[t.kind], self._steps[t.kind]) for t in self.threads
        )
        self._starts = {kind: names[f"{kind}_start"] for kind in build.frames}
        self.initial = self.start(shared)

    def reconfigure(self, constants: bytes) -> None:
        """Replace the constants: every function of this system reads the new ones from now on.

        ``initial`` stays what it was.  Far cheaper than a new system (microseconds).
        """
        self._names.update(self.build.constant_names(constants))
        self.constants = constants

    def start(self, shared: bytes) -> bytes:
        """Return the state in which every thread is parked at its first preemption point."""
        state = shared + bytes(self.build.size - len(shared))
        for thread in range(len(self.threads)):
            state = self.restart(state, thread)
        return state

    def restart(self, state: bytes, thread: int) -> bytes:
        """Return ``state`` with ``thread``, which must have finished, at its first point again."""
        info = self.threads[thread]
        started: bytes = self._starts[info.kind](bytearray(state), info.frame, info.number)
        return started

    def is_enabled(self, state: bytes, thread: int) -> bool:
        """Tell whether ``thread`` (its index) can take a step in ``state``."""
        frame, number, guards, steps = self.table[thread]
        counter = state[frame]
        if steps[counter] is None:
            return False
        guard = guards[counter]
        return guard is None or bool(guard(state, frame, number))

    def enabled(self, state: bytes) -> list[int]:
        """Return the indexes of the threads that can take a step in ``state``, in order."""
        return [t for t in range(len(self.table)) if self.is_enabled(state, t)]

    def step(self, state: bytes, thread: int) -> bytes:
        """Return the state after ``thread``, which must be enabled, ran to its next point."""
        frame, number, _, steps = self.table[thread]
        run = steps[state[frame]]
        assert run is not None, "a finished thread cannot step"
        new = run(state, frame, number)
        assert new is not None, "a waiting thread cannot step"
        return new

    def place(self, state: bytes, thread: int) -> Place:
        """Return where in the source ``thread`` is parked."""
        info = self.threads[thread]
        frames = self.build.frames[info.kind]
        point = frames.point(state, info.frame)
        return frames.places[point] if point else _FINISHED

    def is_finished(self, state: bytes, thread: int) -> bool:
        """Tell whether ``thread`` has returned."""
        return state[self.threads[thread].frame] == 0

    def unfinished(self, state: bytes) -> list[int]:
        """Return the non-daemon threads that have not returned."""
        return [i for i, t in enumerate(self.threads) if not t.daemon and state[t.frame] != 0]

    def shared(self, state: bytes) -> bytes:
        """Return the declared variables of ``state``."""
        return state[: self.build.layout.shared_size]

    def view(self, state: bytes) -> Any:
        """View the variables of ``state`` as the declared root object (a copy)."""
        return self.build.layout.view(bytearray(self.shared(state)), self.constants)
