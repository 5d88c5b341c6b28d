"""The engine's errors: one class a mistake, each message says where and what to do."""


class EngineError(Exception):
    """Root of everything the engine raises on purpose."""


class DeclarationError(EngineError):
    """The declared state cannot be laid out; correct the declaration named in the message."""


class LanguageError(EngineError):
    """A path uses something outside the restricted language; rewrite the named line."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class RangeError(EngineError):
    """A write outside a declared range, or an index outside an array: a bug in the model."""


class NondeterminismError(EngineError):
    """The same step from the same state gave two results; the model reads something hidden."""


class ScheduleError(EngineError):
    """A schedule does not fit the model: the step names a thread that cannot run there."""


class ModelAssertionError(EngineError):
    """An ``assert`` of the model failed: what a kernel would WARN about."""


STEP_ERRORS = (
    ModelAssertionError,
    RangeError,
    ValueError,
    IndexError,
    ZeroDivisionError,
    RecursionError,
)
"""What a step or a guard of a wrong model can raise; explorers report it with its schedule.

``ValueError`` and ``IndexError`` are what a byte vector raises in a build without range checks.
"""
