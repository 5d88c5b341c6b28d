"""Where a thread of the native model stands, in kernel words."""

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.run.mount import Mount
from powercut.checkers.traces.describe import context_of, locks_held, operand_name, values_of

_SERVICES = ("ext4_journal_start", "jbd2_complete_transaction")
_BEFORE_THE_SLOT = "worker slot"


def is_service(file: str, function: str) -> bool:
    """Tell whether a function waits on behalf of its caller, as locks and handle starts do."""
    return file.endswith("/primitives.py") or function in _SERVICES


def call_of(mount: Mount, native: NativeRun, state: bytes, thread: int) -> tuple[str, str]:
    """Return the function a parked thread is in, and what it stands at there.

    Where the innermost function waits for something it was given, its caller says more.
    """
    stack = native.stack(thread)
    place = mount.place(state, thread)
    function = stack[-1][0]
    if len(stack) < 3 or not is_service(place.file, function):
        return function, place.label or "preemption point"
    named = (operand_name(path) for path in native.operands(thread).values())
    operand = ", ".join(name for name in named if name)
    holding = " taken" if place.label == "holding" else ""
    return stack[-2][0], f"{function}({operand}){holding}"


def locks_of(mount: Mount, state: bytes, thread: int) -> list[str]:
    """Return what a thread holds in ``state``, outermost class first.

    Workers take locks under one context; one that is parked before the queue's slot has none.
    """
    if mount.system.is_finished(state, thread):
        return []
    if mount.place(state, thread).label == _BEFORE_THE_SLOT:
        return []
    values = values_of(mount.system.build.layout, mount.system.shared(state))
    info = mount.threads[thread]
    return locks_held(values, context_of(info.kind, info.number))


def is_blocked(native: NativeRun, thread: int) -> bool:
    """Tell whether a thread waits in the middle of its work; an idle daemon does not."""
    depth = len(native.stack(thread))
    try:
        return depth > native.threads[thread].daemon and not native.is_enabled(thread)
    except (AssertionError, *STEP_ERRORS):
        return False
