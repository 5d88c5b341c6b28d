"""How a command ends: exit codes, and the two errors that end one early.

Why so: a verb raises, and only :mod:`powercut.cli` prints and picks the code, so that every mistake
in the input ends in one line, whoever noticed it.  Rejected: printing where the error is found (two
lines for one mistake, sooner or later).
"""

HOLDS = 0
VIOLATED = 1
BAD_INPUT = 2
INCONCLUSIVE = 3
INTERNAL = 4

ERROR = "error"
"""The verdict of a run that powercut itself failed to do."""

TRACEBACK_VARIABLE = "POWERCUT_TRACEBACK"


class InputError(Exception):
    """Bad usage or bad input; the message says what, where, and what would be right."""


class InternalError(Exception):
    """A bug of powercut itself; ``origin`` is the traceback of another process, if there is one."""

    def __init__(self, message: str, origin: str = "") -> None:
        super().__init__(message)
        self.origin = origin


def one_line(text: str) -> str:
    """Return ``text`` on one line: runs of blanks are one blank, what does not print is escaped."""
    joined = " ".join(text.split())
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii")
        for c in joined
    )


def exit_code_of(verdict: str) -> int:
    """Return the exit code of a verdict."""
    return {
        "holds": HOLDS,
        "violated": VIOLATED,
        "inconclusive": INCONCLUSIVE,
        ERROR: INTERNAL,
    }[verdict]
