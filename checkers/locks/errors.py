"""The error of the lock readers: a file (or a place in it) and one line that says what to do."""


class LocksError(Exception):
    """Input that cannot be used; ``str()`` is always one line, ``place: message``."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(place, message)
        self.place = place
        self.message = message

    def __str__(self) -> str:
        return " ".join(f"{self.place}: {self.message}".split())
