"""The errors of the kernel lab: what was given cannot be used, or two of its judges disagree."""

from powercut.errors import InputError, PowercutError, one_line


class LabError(InputError):
    """Input that cannot be used; ``str()`` is always one line, ``place: message``."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message, place=place)
        self.args = (place, message)

    def __str__(self) -> str:
        return one_line(f"{self.place}: {self.message}")


class DamagedError(PowercutError):
    """A file system (or its journal) that no mount would accept; the message says where."""


class DisagreementError(PowercutError):
    """Two independent readers of one image see different files: one of them is wrong."""
