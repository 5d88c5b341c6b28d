"""Signals that ask a command to end: what the first one does, and the second.

What: SIGTERM, and SIGHUP unless it is ignored, are heard as Ctrl-C is, and Ctrl-C is heard where a
shell has it ignored, as a script's shell does for what runs in the background: whoever sends it to
a command means that command.  The first one is a request:
the command says what it knows and ends with "inconclusive".  The second one ends it at once.
Why so: a service manager, a batch system and a closed terminal want what a person at the keyboard
wants, and two ways to end would be two sets of mistakes.
Rejected: the default action of SIGTERM (children and temporary files stay, findings are lost), an
exception at any moment (the foreign-function layer turns it into an error of its own, and a
destructor swallows it).
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_AS_CTRL_C = ("SIGTERM", "SIGHUP")


_MAKING = {
    ("powercut.checkers.run.mount", "build_for"),
    ("powercut.checkers.engine.c_library", "load_library"),
}
"""Functions that translate and compile: they take seconds, and ending them loses nothing."""


_SEARCHING = {
    ("powercut.checkers.engine.search.breadth", "_search"),
    ("powercut.checkers.engine.search.c", "_search"),
    ("powercut.checkers.engine.search.depth", "_search"),
    ("powercut.checkers.engine.search.walk", "_one_walk"),
}
"""Functions whose callers take an interrupt for the end of the search, and keep what was found."""


def is_making(frame: FrameType | None) -> bool:
    """Whether ``frame`` was called from where a model is translated or compiled."""
    return _is_below(frame, _MAKING)


def is_searching(frame: FrameType | None) -> bool:
    """Whether ``frame`` was called from the loop of a search."""
    return _is_below(frame, _SEARCHING)


def _is_below(frame: FrameType | None, functions: set[tuple[str, str]]) -> bool:
    while frame is not None:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) in functions:
            return True
        frame = frame.f_back
    return False


def on_main_thread() -> bool:
    """Whether this thread is the one that signals are delivered to."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def heard_alike() -> Iterator[None]:
    """Within the block, every signal that asks to end is what SIGINT is at that moment."""
    if not on_main_thread():
        yield
        return
    names = [name for name in _AS_CTRL_C if hasattr(signal, name)]
    before: dict[int, Any] = {}
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in names:
        number = getattr(signal, name)
        if signal.getsignal(number) == signal.SIG_DFL:
            before[number] = signal.signal(number, _pass_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pass_on(_number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
    else:  # somebody ignores SIGINT meanwhile; this one was meant
        raise KeyboardInterrupt


@contextmanager
def first_interrupt(
    act: Callable[[], None], *, raising: Callable[[FrameType | None], bool] = is_making
) -> Iterator[None]:
    """Within the block, the first SIGINT calls ``act`` and the second one interrupts.

    ``raising`` says whether the first one interrupts too, in the frame where it arrives.
    """
    if not on_main_thread():
        yield
        return
    seen = 0

    def handle(_number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            raise KeyboardInterrupt
        if sys.stderr.isatty():
            with suppress(OSError):
                os.write(2, b"\nstopping; Ctrl-C again to stop at once\n")
        act()
        if raising(frame):
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    except Exception:
        if seen > 1:  # an interrupt that something turned into an error of its own
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
