"""powercut: a model checker for lock order and crash consistency of ext4's writeback path.

The names in ``__all__`` are the library; docs/api.md describes them.  Each is imported when it is
first asked for, so that ``import powercut`` costs nothing.  Everything else may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from powercut.api import CheckResult as CheckResult
    from powercut.api import check as check
    from powercut.api import draw as draw
    from powercut.api import explain as explain
    from powercut.api import load_trace as load_trace
    from powercut.api import load_workload as load_workload
    from powercut.api import minimise as minimise
    from powercut.api import parse_workload as parse_workload
    from powercut.api import prove as prove
    from powercut.api import replay as replay
    from powercut.api import save_trace as save_trace
    from powercut.checkers.traces.format import Trace as Trace
    from powercut.checkers.workload.shipped import SCOPES as SCOPES
    from powercut.errors import InputError as InputError
    from powercut.errors import PowercutError as PowercutError
    from powercut.model.designs import DESIGNS as DESIGNS
    from powercut.model.designs import Design as Design
    from powercut.model.mutants import MUTANTS as MUTANTS
    from powercut.model.mutants import Mutant as Mutant
    from powercut.model.scope import Scope as Scope
    from powercut.properties.catalog import PROPERTIES as PROPERTIES

_HOMES = {
    "powercut.api": (
        "check",
        "CheckResult",
        "replay",
        "draw",
        "explain",
        "minimise",
        "prove",
        "load_trace",
        "save_trace",
        "load_workload",
        "parse_workload",
    ),
    "powercut.checkers.traces.format": ("Trace",),
    "powercut.model.designs": ("Design", "DESIGNS"),
    "powercut.model.scope": ("Scope",),
    "powercut.checkers.workload.shipped": ("SCOPES",),
    "powercut.model.mutants": ("Mutant", "MUTANTS"),
    "powercut.properties.catalog": ("PROPERTIES",),
    "powercut.errors": ("PowercutError", "InputError"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> object:
    """Import a public name from the module it lives in."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(_HOME_OF)
