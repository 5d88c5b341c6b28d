"""A protocol made ready to run: compiled, with its first state, and with what a power cut leaves.

What: steps and properties run compiled, with every store and every index checked, because nobody
has proved the user's ranges.  Recovery has to be in the language, and runs as plain Python over a
view of the variables: it runs once for each different content that survives, not for each state.
Rejected: a second run that starts from what recovery leaves (whoever wants one writes recovery as a
thread, and the power cut as a step).
"""

from typing import Any

from powercut.checkers.engine.errors import STEP_ERRORS, DeclarationError, ModelAssertionError
from powercut.checkers.engine.graph import HelperSet
from powercut.checkers.engine.language import load
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.system import Build, Predicate, System
from powercut.model.language import ASSERTION, DEADLOCK, LIVELOCK, Protocol

RECOVERY = "recovery"
STATEMENTS = {
    DEADLOCK: "some thread can run until all but the daemons have finished",
    LIVELOCK: "from every state, some run finishes or comes to rest",
    ASSERTION: "no assertion fails, and every number and index is in its declared range",
    RECOVERY: "recovery succeeds on whatever a power cut leaves",
}
"""What is asked of every protocol; recovery only where there is one."""

FAILURES = (AssertionError, *STEP_ERRORS)
"""What a statement of the protocol can raise, compiled or run by Python itself."""


class StartError(DeclarationError):
    """A thread fails before its first ``yield``; put a ``yield`` before what fails."""

    remedy = "put a yield before what fails, so that it is a step"


class CheckFailed(DeclarationError):
    """A property or a situation cannot be evaluated in some state."""

    remedy = "let the helper look only at what exists in every state"


class Closed:
    """``protocol``, called ``name``, with everything that its declaration fixes.

    Raises :class:`LanguageError`, :class:`DeclarationError` and what ``protocol.setup`` raises.
    """

    def __init__(self, name: str, protocol: Protocol) -> None:
        self.name = name
        self.protocol = protocol
        self.everywhere = {p.name: p for p in protocol.properties}
        self.after_crash = {p.name: p for p in protocol.crash_properties}
        situations = protocol.situations
        checks = [p.check for p in (*protocol.properties, *protocol.crash_properties)]
        self.build = Build(
            protocol.program, protocol.dims, (*checks, *situations.values()), checked=True
        )
        self._check_recovery()
        layout = self.build.layout
        constants, variables = bytearray(layout.constant_size), bytearray(layout.shared_size)
        if protocol.setup is not None:
            protocol.setup(layout.view(variables, constants))
        self.variables = bytes(variables)
        self.system = self._started(bytes(constants))
        compiled = iter(self.system.predicates)
        self.invariants = {name: next(compiled) for name in self.everywhere}
        self._crash_checks = {name: next(compiled) for name in self.after_crash}
        self.situations: dict[str, Predicate] = {name: next(compiled) for name in situations}

    def _check_recovery(self) -> None:
        recover = self.protocol.recover
        if recover is None:
            return
        source = load(recover)
        if len(source.parameters) != 1:
            raise source.error(source.node, "recovery takes the state root and nothing else")
        HelperSet(self.build.layout, checked=True).name_of(recover)

    def _started(self, constants: bytes) -> System:
        try:
            return System(self.build, constants, self.variables)
        except FAILURES as error:
            raise StartError(f"a thread fails before its first yield: {said(error)}") from None

    @property
    def is_cut(self) -> bool:
        """Whether the power is cut: something is asked of what is left."""
        return bool(self.after_crash) or self.protocol.recover is not None

    @property
    def properties(self) -> dict[str, str]:
        """The statement of every property that is checked, by name."""
        own = [*self.everywhere.values(), *self.after_crash.values()]
        always = dict(STATEMENTS)
        if self.protocol.recover is None:
            del always[RECOVERY]
        return {p.name: p.statement for p in own} | always

    def native(self) -> NativeRun:
        """Return a run by the protocol itself, at its start."""
        return NativeRun(self.build, self.system.constants, self.variables)

    def view(self, variables: bytearray) -> Any:
        """View ``variables`` as the declared root object."""
        return self.build.layout.view(variables, self.system.constants)

    def values(self, variables: bytes) -> dict[str, int]:
        """Return every variable by name."""
        return dict(zip(self.build.layout.names(), variables, strict=True))

    # Power cuts

    def kept(self, projection: bytes) -> bytes:
        """Return the variables right after a power cut: what survives, and zeros."""
        variables = bytearray(self.build.layout.shared_size)
        variables[self.system.projected] = projection
        return bytes(variables)

    def recovered(self, projection: bytes) -> bytes:
        """Return the variables after recovery.  Raises what a wrong recovery raises."""
        variables = bytearray(self.kept(projection))
        if self.protocol.recover is not None:
            self.protocol.recover(self.view(variables))
        return bytes(variables)

    def violated_after(self, projection: bytes) -> list[str]:
        """Return the properties that what is left by a power cut violates."""
        try:
            variables = self.recovered(projection)
        except FAILURES:
            return [RECOVERY]
        state = variables + bytes(self.build.size - len(variables))
        return [name for name, check in self._crash_checks.items() if check(state)]


def said(error: Exception) -> str:
    """Say in one line what failed."""
    text = " ".join(str(error).split())
    if isinstance(error, AssertionError | ModelAssertionError):
        return f"assertion failed: {text}" if text else "assertion failed"
    return text or type(error).__name__
