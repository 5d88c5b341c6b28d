"""The error of the lock readers: a file (or a place in it) and one line that says what to do."""

from powercut.errors import InputError, one_line


class LocksError(InputError):
    """Input that cannot be used; ``str()`` is always one line, ``place: message``."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message, place=place)
        self.args = (place, message)

    def __str__(self) -> str:
        return one_line(f"{self.place}: {self.message}")
