"""What generated Python code calls, and the names it finds; nothing here emits code."""

from typing import Any

from powercut.checkers.engine.errors import LanguageError, ModelAssertionError, RangeError
from powercut.checkers.engine.layout import StructType


def frame_of(kind: str) -> str:
    """Return the written number that says where the frame of the only thread of ``kind`` starts."""
    return f"f:{kind}"


def assertion_failed(where: str) -> None:
    """Called by generated code when an ``assert`` of the model fails."""
    raise ModelAssertionError(where)


def check_range(value: int, bound: int, where: str) -> int:
    """Called by a checked build on every store."""
    if not 0 <= value <= bound:
        raise RangeError(f"{where} = {value}: outside 0..{bound}")
    return value


def check_index(value: int, length: int, where: str) -> int:
    """Called by a checked build on every index."""
    if not 0 <= value < length:
        raise RangeError(f"{where}: index {value} outside 0..{length - 1}")
    return value


class _Numbers(dict[int, int]):
    """From the address of an instance to its number."""

    def __missing__(self, address: int) -> int:
        raise RangeError(f"a pointer to {address}, where no such struct is")


def runtime_names(pointer_tables: dict[str, StructType]) -> dict[str, Any]:
    """Return the globals every generated module needs.  Raises :class:`LanguageError`."""
    names: dict[str, Any] = {
        "assertion_failed": assertion_failed,
        "check_range": check_range,
        "check_index": check_index,
    }
    for name, kind in pointer_tables.items():
        if len(kind.offsets) > 256:
            raise LanguageError(name, 0, "more than 256 instances: no pointer to it can live")
        names[f"A_{name}"] = tuple(kind.offsets)
        names[f"N_{name}"] = _Numbers((offset, i) for i, offset in enumerate(kind.offsets))
    return names
