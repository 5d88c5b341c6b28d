"""The entry point: dispatch a verb, turn every ending into an exit code.

Why so: ``powercut --help`` must answer at once, and importing a command line library costs more
than that, so the overview is printed from a table here and the rest is imported when a verb runs.
Signatures and help of the verbs are in :mod:`powercut.verbs.signatures`.  Rejected: importing the
verbs' own modules for the overview (they pull in the whole checker).
"""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from powercut.errors import (
    INCONCLUSIVE,
    INTERNAL,
    TRACEBACK_VARIABLE,
    InputError,
    InternalError,
    PowercutError,
    one_line,
    system_limit,
)
from powercut.execute.interrupts import heard_alike
from powercut.terminal.streams import discard_output, usable_streams
from powercut.verbs import VERBS


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code."""
    raise SystemExit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        with heard_alike(), usable_streams():
            code = _dispatch(argv)
    except PowercutError as error:
        return _ended_by(error)
    except BrokenPipeError:
        discard_output(sys.stdout)
        return INCONCLUSIVE  # nobody read to the end what there is to say
    except KeyboardInterrupt:
        return _fail(INCONCLUSIVE, "interrupted before anything was known: inconclusive")
    except Exception as error:  # the last resort: what is no limit of the system is a bug of ours
        if limit := system_limit(error):
            return _fail(INCONCLUSIVE, f"{limit}: inconclusive")
        return _internal(error)
    return code


def overview() -> str:
    """Return what ``powercut --help`` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:{width}}  {summary}" for name, summary in VERBS.items())
    return f"""Usage: powercut VERB [OPTIONS]

Checks the design of ext4's writeback path: explores every interleaving of the kernel paths in a
bounded scope, cuts the power at every step, recovers, and says what can go wrong.

Verbs:
{verbs}

Every verb has --help, --json for one document on standard output, and --schema for its JSON Schema.
Exit codes: 0 holds, 1 violated, 2 bad usage or input, 3 inconclusive, 4 internal error.
"""


def _dispatch(argv: Sequence[str]) -> int:
    if len(argv) == 1 and argv[0] in ("--help", "-h", "help"):
        sys.stdout.write(overview())
        return 0
    if not argv:
        raise InputError("no verb given", f"give one of {', '.join(VERBS)}, or --help")
    from powercut.verbs import signatures

    return signatures.call(argv)


def _fail(code: int, message: str) -> int:
    try:
        sys.stdout.flush()
        print(f"powercut: {one_line(message)}", file=sys.stderr)
    except OSError:
        pass  # nobody is listening; the exit code still tells
    return code


def _ended_by(error: PowercutError) -> int:
    """The one place where an error of powercut's becomes a line and an exit code."""
    if error.exit_code == INTERNAL:
        return _internal(error)
    return _fail(error.exit_code, str(error))


def _internal(error: Exception) -> int:
    if os.environ.get(TRACEBACK_VARIABLE):
        sys.stderr.write(getattr(error, "origin", "") or "".join(traceback.format_exception(error)))
        return INTERNAL
    what = str(error) if isinstance(error, InternalError) else f"{type(error).__name__}: {error}"
    return _fail(
        INTERNAL, f"internal error: {what}; {TRACEBACK_VARIABLE}=1 in the environment shows where"
    )
