"""Asking z3: an answer is yes, no, or unknown with its reason, and an interrupt is no answer.

What: ``ask`` checks one solver; ``demand`` is for callers to whom "unknown" is an exception.
Why so: z3 takes SIGINT for itself while it works, and Python's own interrupt is lost or garbled
where it falls into the foreign-function layer.  So z3's handling is switched off, the solver works
in a thread of its own, and the thread that waits stops it.  Whoever runs proofs installs a handler
that only notes the interrupt (``stoppable``); it is raised here, between the calls into z3.
Rejected: a plain ``solver.check()`` (an interrupted query is "unknown", which read as "no
counterexample"), a time limit on each query (verdicts would depend on the machine).
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from powercut.errors import PowercutError

SAT = "sat"
UNSAT = "unsat"
UNKNOWN = "unknown"

_LOOK_EVERY_S = 0.05

_stopped: ContextVar[Callable[[], bool]] = ContextVar("stopped", default=lambda: False)
_in_model: ContextVar[bool] = ContextVar("in_model", default=False)


class Interrupted(KeyboardInterrupt):
    """The proof was told to stop; what was being decided is not known."""


class Undecided(PowercutError):
    """z3 gave no answer where one was needed; the message says which query, and z3's reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``sat``, ``unsat`` or ``unknown``; ``reason`` is z3's own for the last."""

    kind: str
    reason: str = ""


@contextmanager
def stoppable(stopped: Callable[[], bool]) -> Iterator[None]:
    """Within the block, proofs raise :class:`Interrupted` soon after ``stopped`` says so."""
    token = _stopped.set(stopped)
    try:
        yield
    finally:
        _stopped.reset(token)


def look() -> None:
    """Raise :class:`Interrupted` if the proof was told to stop."""
    if _stopped.get()():
        raise Interrupted


@contextmanager
def model_work() -> Iterator[None]:
    """Mark work that z3 has no part in: an exception may end it anywhere.

    Raises :class:`Interrupted` at its end if the search inside took the interrupt for itself.
    """
    token = _in_model.set(True)
    try:
        yield
    finally:
        _in_model.reset(token)
    look()


def in_model_work() -> bool:
    """Whether an interrupt may be raised now."""
    return _in_model.get()


def ask(solver: Any) -> Answer:
    """Check a z3 solver or optimizer.  Raises :class:`Interrupted`."""
    look()
    with _own_ctrl_c(solver):
        answer = str(_checked(solver))
    look()
    if answer in (SAT, UNSAT):
        return Answer(answer)
    return Answer(UNKNOWN, str(solver.reason_unknown()) or "no reason given")


def demand(solver: Any, query: str) -> bool:
    """Return whether ``solver`` is satisfiable.  Raises :class:`Undecided`, and as :func:`ask`."""
    answer = ask(solver)
    if answer.kind == UNKNOWN:
        raise Undecided(f"{query}: {answer.reason}")
    return answer.kind == SAT


def _checked(solver: Any) -> Any:
    """Check in a thread, so that this one can hear of an interrupt."""
    stopped = _stopped.get()
    found: list[Any] = []
    done = threading.Event()

    def check() -> None:
        try:
            found.append(solver.check())
        except BaseException as error:  # raised again by whoever waits
            found.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=check, name="z3", daemon=True)
    thread.start()
    try:
        while not done.wait(_LOOK_EVERY_S):
            if stopped():
                solver.ctx.interrupt()
    except BaseException:
        while not done.wait(_LOOK_EVERY_S):
            solver.ctx.interrupt()
        raise
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


@contextmanager
def _own_ctrl_c(solver: Any) -> Iterator[None]:
    """Keep z3 from taking SIGINT: a solver has a switch; from an optimizer the signal is held back.

    Optimizers are for queries of a moment only.
    """
    if type(solver).__name__ == "Solver":
        solver.set("ctrl_c", False)
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
