"""The one error of the workload readers: a place in the input and one line that says what to do.

Why so: bad input ends the program with one line (what, where in the input, what would be right),
so the place and the remedy travel with the exception and the front door only prints ``str(error)``.
Rejected: a list of errors per file (after the first wrong line the rest is guesswork), and a
traceback of the parser (it says where the parser is, not where the input is wrong).
"""

from dataclasses import dataclass

from powercut.errors import InputError, escaped

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


class WorkloadError(InputError):
    """A workload that cannot be used.

    ``place`` says where, ``message`` what is wrong and what would be right.  ``str()`` is always
    one line, ``file:line:column: message``, whatever the file or its name contains.
    """

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.args = (place, message)
        self.place: Place = place

    def __str__(self) -> str:
        return escaped(f"{self.place}: {self.message}")


def quote(text: str) -> str:
    """Return ``text`` in double quotes for a message, escaped, and cut when it is long."""
    if len(text) > SHOWN_CHARS:
        text = text[:SHOWN_CHARS] + "..."
    return f'"{escaped(text)}"'
