"""Names a user gives: look them up, or say which known name is close."""

import difflib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from powercut.errors import InputError, one_line

T = TypeVar("T")

_SHOWN_CHARS = 40
_FEW = 8


def pick(option: str, name: str, table: Mapping[str, T], what: str = "") -> T:
    """Return ``table[name]``; ``what`` is said for the option's own name.

    Raises :class:`InputError` with the closest name.
    """
    if name in table:
        return table[name]
    what = what or option.lstrip("-").split()[0]
    raise InputError(f"{option}: unknown {what} {quoted(name)}", f"{suggestion(name, table)}")


def pick_all(option: str, names: Sequence[str], table: Mapping[str, T]) -> list[T]:
    """Return the entries of ``names``, each once, in order."""
    return [pick(option, name, table) for name in dict.fromkeys(names)]


def suggestion(
    name: str,
    known: Mapping[str, object] | Sequence[str],
    otherwise: str = '"powercut list" shows the known ones',
) -> str:
    """Say what ``name`` should have been; ``otherwise`` if nothing is close among many."""
    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    if len(known) <= _FEW:
        return f"known: {', '.join(known)}"
    return otherwise


def quoted(text: str) -> str:
    """Return ``text`` in double quotes, on one line, not too long."""
    return f'"{one_line(text[:_SHOWN_CHARS])}{"..." if len(text) > _SHOWN_CHARS else ""}"'
