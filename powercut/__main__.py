"""Where ``powercut`` and ``python -m powercut`` begin: interrupts are heard before the imports.

Why so: importing the front door takes long enough for a person to press Ctrl-C, and nothing is
known or begun by then, so that the process may end in the handler.  What ends before this module
runs, while Python itself starts, is Python's affair.
Rejected: an exception (an import turns it into a traceback, or into another error).
"""

import os
import signal
from types import FrameType
from typing import NoReturn

_INCONCLUSIVE = 3
_ENDED = b"powercut: interrupted before anything was known: inconclusive\n"


def main() -> NoReturn:
    """Run the command of this process and leave with its exit code."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if number == signal.SIGINT or handler == signal.SIG_DFL:
            signal.signal(number, _end)
    from powercut import cli

    for number, handler in before.items():
        signal.signal(number, handler)
    cli.main()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, _ENDED)
    os._exit(_INCONCLUSIVE)


if __name__ == "__main__":
    main()
