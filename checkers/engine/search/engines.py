"""Which engine explores: Python always can, C is faster where it can be compiled.

``auto`` takes C when the library for the program is there already.  If it is not, Python tries
first: most scopes are done before a compiler would be, and the others lose a fraction of a second.
Both engines number the same states in the same order, so nothing else depends on the choice.
"""

from collections.abc import Sequence

from powercut.checkers.engine.c_library import (
    CannotCompile,
    NoCompiler,
    compiler,
    is_ready,
    load_library,
)
from powercut.checkers.engine.system import Build

AUTO = "auto"
PYTHON = "python"
C = "c"
ENGINES = (AUTO, PYTHON, C)

SMALL_STATES = 8_000
"""What Python explores in less time than a compiler needs to start."""


def needs_compiling(builds: Sequence[Build]) -> bool:
    """Tell whether a compiler is there and would have to run before C can explore."""
    try:
        compiler()
        return not all(is_ready(build) for build in builds)
    except (NoCompiler, CannotCompile):
        return False


def best_engine(builds: Sequence[Build]) -> tuple[str, str]:
    """Return the engine to use, and one line for the user if it is not the fast one."""
    try:
        for build in builds:
            load_library(build)
    except (NoCompiler, CannotCompile) as error:
        return PYTHON, f"the Python engine runs: {error}"
    return C, next((b.library_note for b in builds if b.library_note), "")
