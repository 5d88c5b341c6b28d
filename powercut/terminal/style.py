"""Colour on a terminal, and only there (https://no-color.org is respected)."""

import os
from dataclasses import dataclass
from typing import TextIO

_CODES = {
    "error": "31;1",
    "violated": "31;1",
    "holds": "32",
    "inconclusive": "33",
    "title": "1",
    "faint": "2",
}


@dataclass(frozen=True, slots=True)
class Style:
    """Paints words when ``enabled``."""

    enabled: bool = False

    @classmethod
    def of(cls, stream: TextIO) -> "Style":
        """Return the style for ``stream``."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return cls(stream.isatty() and not plain)

    def paint(self, kind: str, text: str) -> str:
        """Return ``text`` in the colour of ``kind``."""
        code = _CODES.get(kind)
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and code else text
