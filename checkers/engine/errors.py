"""The engine's errors: one class a mistake, each message says where and what to do."""

from powercut.errors import PowercutError


class EngineError(PowercutError):
    """Root of everything the engine raises on purpose."""


class DeclarationError(EngineError):
    """The declared state cannot be laid out; correct the declaration named in the message."""

    remedy = "correct the declaration that the message names"


class LanguageError(EngineError):
    """A path uses something outside the restricted language; rewrite the named line."""

    remedy = "rewrite the line in the language of the paths"

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class RangeError(EngineError):
    """A write outside a declared range, or an index outside an array: a bug in the model."""

    remedy = "correct the model: declare a wider range, or check the index"


class NondeterminismError(EngineError):
    """The same step from the same state gave two results; the model reads something hidden."""

    remedy = "let the path read nothing but the declared state"


class ScheduleError(EngineError):
    """A schedule does not fit the model: the step names a thread that cannot run there."""

    remedy = "give a schedule that was made with this model"


class ModelAssertionError(EngineError):
    """An ``assert`` of the model failed: what a kernel would WARN about."""

    remedy = "correct the model, or the assertion"


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
