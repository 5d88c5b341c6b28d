"""The one error of the workload readers: a place in the input and one line that says what to do.

Why so: bad input ends the program with one line (what, where in the input, what would be right),
so the place and the remedy travel with the exception and the front door only prints ``str(error)``.
Rejected: a list of errors per file (after the first wrong line the rest is guesswork), and a
traceback of the parser (it says where the parser is, not where the input is wrong).
"""

from dataclasses import dataclass

SHOWN_CHARS = 24
"""How much of a wrong word a message quotes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in an input file; ``line`` and ``column`` count characters from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class WorkloadError(Exception):
    """A workload that cannot be used.

    ``place`` says where, ``message`` what is wrong and what would be right.  ``str()`` is always
    one line, ``file:line:column: message``, whatever the file or its name contains.
    """

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(place, message)
        self.place = place
        self.message = message

    def __str__(self) -> str:
        return one_line(f"{self.place}: {self.message}")


def one_line(text: str) -> str:
    """Return ``text`` with every character that does not print replaced by its escape."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def quote(text: str) -> str:
    """Return ``text`` in double quotes for a message, escaped, and cut when it is long."""
    if len(text) > SHOWN_CHARS:
        text = text[:SHOWN_CHARS] + "..."
    return f'"{one_line(text)}"'


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
