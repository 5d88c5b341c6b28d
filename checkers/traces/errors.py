"""The errors of trace files: a file, a place in the document, and one line that says what to do.

Why so: bad input ends the program with one line, and the place of a JSON document is a path such as
``$.epochs[0].steps[3].label``, because that is what a person can follow in an editor.
Rejected: line and column (a decoder of typed documents no longer knows them).
"""

from powercut.errors import InputError, escaped


class TraceError(InputError):
    """A trace that cannot be used.

    ``name`` is the file, ``place`` the path in the document, ``message`` what is wrong and what
    would be right.  ``str()`` is always one line, ``file: place: message``.
    """

    def __init__(self, name: str, place: str, message: str) -> None:
        super().__init__(message, place=place)
        self.args = (name, place, message)
        self.name = name

    def __str__(self) -> str:
        return escaped(f"{self.name}: {self.place}: {self.message}")


class TraceMismatch(TraceError):
    """A well-formed trace that the model, as it is now, does not follow."""


class ModelFails(TraceMismatch):
    """A step or a wait of the model fails where the trace goes on.

    ``at`` is the file and line of the model, ``failure`` what is wrong there.
    """

    def __init__(self, mismatch: TraceMismatch, at: str, failure: str) -> None:
        super().__init__(*mismatch.args)
        self.at = at
        self.failure = failure
