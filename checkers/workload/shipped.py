"""The scopes that come with the package, by name: workload files like anybody's own.

Why so: a scope of ours and a user's workload are the same thing, and a file is read only by who
asks for it.  Rejected: scopes as Python (two notations for one thing, one of them for us alone).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from powercut.checkers.workload.loader import load_workload
from powercut.model.scope import Scope

FOLDER = Path(str(files("powercut.properties.scopes")))
SUFFIX = ".workload"


class ShippedScopes(Mapping[str, Scope]):
    """The scopes in ``folder`` by name, sorted; each is read when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}
        self._read = cache(self._load)

    def _load(self, name: str) -> Scope:
        return load_workload(self._paths[name])

    def __getitem__(self, name: str) -> Scope:
        if name not in self._paths:
            raise KeyError(name)
        return self._read(name)

    def __contains__(self, name: object) -> bool:
        return name in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


SCOPES = ShippedScopes(FOLDER)
