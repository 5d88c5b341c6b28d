"""A piece of C as the parser gets it, with the lines of the file that it came from.

Why so: pieces come from files, from hunks and from trees, and all of them have to name the places
of the file in the end.
"""

from dataclasses import dataclass, field

C_SUFFIXES = (".c", ".h")
UNSEEN = "powercut_unseen"
"""The question of a condition that is outside the piece."""

UNNAMED = "hunk_at_"
"""What a function is called whose name is not in the piece; the number of its line follows."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A line of one side of a hunk; ``changed`` if the other side has not got it."""

    number: int
    text: str
    changed: bool = False


@dataclass(slots=True)
class Chunk:
    """A piece of C that can be parsed; ``lines[n]`` is the line of the file it came from.

    ``partial`` says what is missing of its first or last function (by name), if anything is.
    """

    file: str
    text: str
    lines: list[int] | None = None
    partial: dict[str, str] = field(default_factory=dict)

    def line(self, row: int) -> int:
        """Return the line number in the file for a row (from 0) of the text."""
        if self.lines is None:
            return row + 1
        return self.lines[min(row, len(self.lines) - 1)] if self.lines else 0
