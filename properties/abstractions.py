"""What the model leaves out, read from ``abstractions.toml``, and which of it a run touches.

Why so: a "holds" is read for more than it says unless the run itself says what it could not see.
Rejected: a list in the documentation alone (nobody reads a list beside a green line).
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

from powercut.errors import InputError
from powercut.model.designs import Design
from powercut.model.scope import OpCode, Scope
from powercut.properties.catalog import SITUATIONS

FILE = files("powercut.properties") / "abstractions.toml"
OPTIONS = ("full-pool", "nodelalloc", "eviction", "small-log")
PATHS = ("buffer_head", "iomap")
_OPERATIONS = tuple(code.name.lower() for code in OpCode if code != OpCode.NONE)


class Abstraction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that a kernel does and the model does not."""

    left_out: str
    operations: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    situations: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    name: str = ""

    @property
    def is_everywhere(self) -> bool:
        """Whether it is a bound of every run."""
        return not (self.operations or self.options or self.situations)


@cache
def abstractions() -> Mapping[str, Abstraction]:
    """Return every abstraction by name; the file is read once."""
    return parse_abstractions(FILE.read_text(encoding="utf-8"), "abstractions.toml")


def parse_abstractions(text: str, name: str) -> Mapping[str, Abstraction]:
    """Read abstractions; ``name`` heads messages.

    Raises :class:`InputError` for a key that is unknown or missing and for a name nobody knows.
    """
    try:
        found = msgspec.convert(tomllib.loads(text), dict[str, Abstraction])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(str(error), place=name) from None
    known = {
        "operations": _OPERATIONS,
        "options": OPTIONS,
        "situations": tuple(SITUATIONS),
        "paths": PATHS,
    }
    for key, entry in found.items():
        for field, words in known.items():
            for word in getattr(entry, field):
                if word not in words:
                    raise InputError(f"{key}.{field}: there is no {word!r}", place=name)
    return {key: msgspec.structs.replace(entry, name=key) for key, entry in found.items()}


def touched(scope: Scope, design: Design, reached: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the names of the abstractions that a run of ``design`` in ``scope`` touches."""
    ops = {
        OpCode(op.code).name.lower()
        for mount in scope.mounts
        for task in mount.tasks
        for op in task
    }
    options = _options_of(scope)
    situations = {name for name, seen in reached.items() if seen}
    paths = _paths_of(design, scope.geometry.nr_inodes)
    return tuple(
        entry.name
        for entry in abstractions().values()
        if (not entry.paths or paths & {*entry.paths})
        and (
            ops & {*entry.operations}
            or options & {*entry.options}
            or situations & {*entry.situations}
        )
    )


def _options_of(scope: Scope) -> set[str]:
    geometry = scope.geometry
    chosen = {
        "full-pool": geometry.nr_phys <= geometry.nr_blocks * geometry.nr_inodes,
        "nodelalloc": scope.nodelalloc,
        "eviction": any(mount.evictions for mount in scope.mounts),
        "small-log": scope.log_transactions > 0,
    }
    return {name for name, is_set in chosen.items() if is_set}


def _paths_of(design: Design, nr_inodes: int) -> set[str]:
    """Return the paths that some file of ``design`` takes."""
    return {PATHS[design.iomap_inodes >> i & 1] for i in range(nr_inodes)}
