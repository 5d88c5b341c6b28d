"""Which scopes a command line means: named ones, and workload files, which bring their own."""

from collections.abc import Sequence
from pathlib import Path

from powercut.checkers.workload.shipped import SCOPES
from powercut.errors import InputError
from powercut.inputs.names import pick_all
from powercut.model.scope import Scope


def read_workload(path: Path) -> Scope:
    """Return the scope in a workload file.  Raises :class:`InputError`."""
    from powercut.checkers.workload import LimitError, check_scope, load_workload

    scope = load_workload(path)
    try:
        check_scope(scope)
    except LimitError as error:
        raise InputError(error.message, place=path) from None
    return scope


def chosen_scopes(names: Sequence[str], workloads: Sequence[Path]) -> list[Scope]:
    """Return named scopes, then workloads; all named ones if nothing is given."""
    if not names and not workloads:
        return list(SCOPES.values())
    scopes = pick_all("--scope", names, SCOPES)
    origin = {scope.name: f"--scope {scope.name}" for scope in scopes}
    for path in dict.fromkeys(workloads):
        scope = read_workload(path)
        if scope.name in origin:
            raise InputError(
                f'{path}: its name "{scope.name}" is also that of {origin[scope.name]}',
                'give it another one with a "name" line',
            )
        origin[scope.name] = str(path)
        scopes.append(scope)
    return scopes
