"""The progress line on standard error: states, rate, frontier, depth.  Silent off a terminal."""

import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from powercut.checkers.engine.search.outcome import Progress

_EVERY_S = 0.2


@dataclass(slots=True)
class ProgressLine:
    """One line that is rewritten in place, over all runs in progress; ``total`` runs in all."""

    total: int
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    active: dict[int, tuple[str, Progress]] = field(default_factory=dict)
    finished: int = 0
    states: int = 0
    _started: float = field(default_factory=time.perf_counter)
    _drawn: float = 0.0
    _visible: bool = False

    @property
    def enabled(self) -> bool:
        """Whether anybody sees it."""
        return self.stream.isatty() and os.environ.get("TERM") != "dumb"

    def update(self, number: int, title: str, progress: Progress) -> None:
        """Note how far run ``number`` is, and draw if it is time."""
        self.active[number] = (title, progress)
        now = time.perf_counter()
        if self.enabled and now - self._drawn >= _EVERY_S:
            self._drawn = now
            columns = shutil.get_terminal_size().columns
            self.stream.write(f"\r\x1b[K{self.text(now - self._started)[: columns - 1]}")
            self.stream.flush()
            self._visible = True

    def done(self, number: int, states: int) -> None:
        """Note that run ``number`` has ended after ``states`` states."""
        self.active.pop(number, None)
        self.finished += 1
        self.states += states

    def text(self, seconds: float) -> str:
        """Return the line."""
        states = self.states + sum(p.states for _, p in self.active.values())
        frontier = sum(p.frontier for _, p in self.active.values())
        depth = max((p.depth for _, p in self.active.values()), default=0)
        names = ", ".join(title for title, _ in self.active.values())
        rate = states / seconds if seconds else 0.0
        return (
            f"{self.finished}/{self.total} runs  {states:,} states  {rate:,.0f}/s  "
            f"frontier {frontier:,}  depth {depth}  {names}"
        )

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._visible:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
            self._visible = False
