"""How a command ends: exit codes, and the errors that end one early.

What: one root, :class:`PowercutError`.  Every error that powercut raises on purpose is of that kind
and says what is wrong, where, what to do, and with which exit code a command ends.
Why so: a library user catches one class, and only :mod:`powercut.cli` prints and picks the code, so
that every mistake in the input ends in one line, whoever noticed it.  The module is the lowest of
all, so that each layer can raise what it means.
Rejected: a root for each layer (the front door has to translate every one), printing where the
error is found (two lines for one mistake, sooner or later).
"""

import copyreg
import errno
from typing import Any

HOLDS = 0
VIOLATED = 1
BAD_INPUT = 2
INCONCLUSIVE = 3
INTERNAL = 4

ERROR = "error"
"""The verdict of a run that powercut itself failed to do."""

_SYSTEM_LIMITS = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)

TRACEBACK_VARIABLE = "POWERCUT_TRACEBACK"


class PowercutError(Exception):
    """Root of the errors that powercut raises on purpose.

    ``message`` says what is wrong, ``place`` where in the input (empty: the message says it),
    ``remedy`` what to do about it, and ``exit_code`` how a command ends.  ``str()`` joins them.
    """

    exit_code = INTERNAL
    remedy = ""

    def __init__(self, message: str, remedy: str = "", *, place: object = "") -> None:
        super().__init__(message)
        self.message = message
        self.place: Any = place
        if remedy:
            self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.place}: " if str(self.place) else ""
        remedy = f"; {self.remedy}" if "remedy" in vars(self) else ""
        return f"{place}{self.message}{remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy what the error says, whatever its constructor takes."""
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]

    def to_json(self) -> dict[str, Any]:
        """Return the error as JSON values: ``error`` names the class, what is empty is null."""
        return {
            "error": type(self).__name__,
            "place": str(self.place) or None,
            "message": self.message,
            "remedy": self.remedy or None,
            "exit_code": self.exit_code,
        }


class InputError(PowercutError):
    """Bad usage or bad input: correct what the message names."""

    exit_code = BAD_INPUT

    def __str__(self) -> str:
        return escaped(super().__str__())


class MissingExtraError(InputError):
    """A package that only some commands need is not installed: install the extra."""

    def __init__(self, asked: str, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed", f'pip install "powercut[{extra}]"', place=asked
        )


class InternalError(PowercutError):
    """A bug of powercut itself; ``origin`` is the traceback of another process, if there is one."""

    def __init__(self, message: str, origin: str = "") -> None:
        super().__init__(message)
        self.origin = origin


def system_limit(error: Exception) -> str:
    """Say which limit of the system ``error`` is about: files, processes or memory; else empty."""
    if isinstance(error, OSError) and error.errno in _SYSTEM_LIMITS:
        return f"the system allows no more: {error.strerror}"
    return ""


def one_line(text: str) -> str:
    """Return ``text`` on one line: runs of blanks are one blank, what does not print is escaped."""
    return escaped(" ".join(text.split()))


def escaped(text: str) -> str:
    """Return ``text`` with every character that does not print replaced by its escape."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii")
        for c in text
    )


def exit_code_of(verdict: str) -> int:
    """Return the exit code of a verdict."""
    return {
        "holds": HOLDS,
        "violated": VIOLATED,
        "inconclusive": INCONCLUSIVE,
        ERROR: INTERNAL,
    }[verdict]
