"""The progress of a guest on standard error: silent off a terminal."""

import os
import sys
import time

from powercut.errors import one_line

_EVERY_S = 0.2


class GuestLine:
    """One line that is rewritten in place while a guest runs ``total`` rounds or files."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._rounds: set[str] = set()
        self._drawn = 0.0
        self._is_visible = False

    def line(self, said: str) -> None:
        """Take a line of the console."""
        words = said.split()
        if words[1:2] == ["file"] and len(words) > 4:
            self._rounds.add(words[4])
        self.show(f"{len(self._rounds)}/{self._total} {self._what}  {one_line(said)}")

    def show(self, text: str) -> None:
        """Draw a text, if it is time and anybody sees it."""
        now = time.monotonic()
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            return
        if now - self._drawn < _EVERY_S:
            return
        self._drawn, self._is_visible = now, True
        columns = int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size(2).columns
        sys.stderr.write(f"\r\x1b[K{text[: columns - 1]}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._is_visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._is_visible = False
