"""Run the paths as what they are, Python generators: the reference the compiler is held to.

A native run cannot be copied or hashed, so it only ever replays or walks; every write is checked
against its declared range, and every guard and statement is executed by Python itself.
"""

from typing import TYPE_CHECKING, Any

from powercut.checkers.engine.errors import ScheduleError
from powercut.checkers.engine.layout import path_of
from powercut.checkers.engine.system import Build

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from powercut.model.language import Guard


class NativeRun:
    """One run over the variables ``shared``; ``root`` is the live view of them.

    ``memory`` makes the vector they live in.
    """

    def __init__(
        self,
        build: Build,
        constants: bytes,
        shared: bytes,
        memory: "Callable[[bytes], bytearray]" = bytearray,
    ) -> None:
        self.build = build
        self.threads = build.threads
        self.variables = memory(shared)
        self.root: Any = build.layout.view(self.variables, constants)
        self._paths: list[Generator[Guard | None, None, None]] = []
        self._waits: list[Guard | None] = []
        self._done: list[bool] = []
        variants = build.program.variants
        program = variants.native(self.root) if variants else build.program
        paths = {thread.name: thread.path for thread in program.threads}
        for info in self.threads:
            self._paths.append(paths[info.kind](self.root, info.number))
            self._waits.append(None)
            self._done.append(False)
            self._advance(len(self._paths) - 1)

    def _advance(self, thread: int) -> None:
        try:
            self._waits[thread] = next(self._paths[thread])
        except StopIteration:
            self._done[thread] = True
            self._waits[thread] = None

    def is_enabled(self, thread: int) -> bool:
        """Tell whether ``thread`` can take a step now."""
        if self._done[thread]:
            return False
        guard = self._waits[thread]
        return guard is None or bool(guard())

    def enabled(self) -> list[int]:
        """Return the threads that can take a step now, in order."""
        return [t for t in range(len(self.threads)) if self.is_enabled(t)]

    def step(self, thread: int) -> None:
        """Run ``thread`` to its next preemption point.  Raises :class:`ScheduleError`."""
        if not 0 <= thread < len(self.threads):
            raise ScheduleError(f"there is no thread {thread}")
        if not self.is_enabled(thread):
            raise ScheduleError(f"{self.threads[thread].name} cannot run here")
        self._advance(thread)

    def is_finished(self, thread: int) -> bool:
        """Tell whether ``thread`` has returned."""
        return self._done[thread]

    def unfinished(self) -> list[int]:
        """Return the non-daemon threads that have not returned."""
        return [i for i, t in enumerate(self.threads) if not t.daemon and not self._done[i]]

    def stack(self, thread: int) -> list[tuple[str, int]]:
        """Return (function, line) from the thread's entry to where it is parked."""
        out: list[tuple[str, int]] = []
        path: Any = self._paths[thread]
        while path is not None and getattr(path, "gi_frame", None) is not None:
            out.append((path.gi_code.co_name, path.gi_frame.f_lineno))
            path = path.gi_yieldfrom
        return out

    def entry_local(self, thread: int, name: str) -> int:
        """Return a local number of the thread's own path, not of what it calls."""
        path: Any = self._paths[thread]
        return int(path.gi_frame.f_locals[name])

    def operands(self, thread: int) -> dict[str, str]:
        """Return the declared structs the innermost call of a parked thread works on, by name.

        For example ``{"sem": "inode[0].i_data_sem"}``.
        """
        path: Any = self._paths[thread]
        while getattr(path.gi_yieldfrom, "gi_frame", None) is not None:
            path = path.gi_yieldfrom
        names = path.gi_frame.f_locals if path.gi_frame is not None else {}
        places = {name: path_of(value) for name, value in names.items()}
        return {name: place for name, place in places.items() if place}
