"""What is known of mistakes that nobody notices: those that are none, and what is missing.

Three files beside this one, each a list of entries with a reason:

- ``equivalent.toml``: the change alters nothing that a kernel, a disk or a caller could tell.
- ``survivors.toml``: what is missing (``workload``: none does what it takes; ``property``: none
  speaks about it; ``hidden``: a known violation comes first; ``step``: the model has no step where
  it would show).
- ``clauses.toml``: clauses of properties that no saved run needs (``test``: which one is missing).

An entry names the function, the kind, the lines as they were and as they are, without indentation,
and the ``nth`` that reads so in the function, if not the first.  So it survives edits elsewhere.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from powercut.checkers.mistakes.generate import Mistake
from powercut.errors import InputError

Class = Literal["equivalent", "workload", "property", "hidden", "step", "test"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One mistake that survives, and why a reviewer need not wonder."""

    function: str
    kind: str
    was: tuple[str, ...]
    now: tuple[str, ...]
    reason: str
    missing: Class = "equivalent"
    nth: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """As of the mistake that it is about."""
        return (self.function, self.kind, self.was, self.now, self.nth)


class _Entries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entry: tuple[Entry, ...] = ()


def parse_entries(text: str, name: str) -> tuple[Entry, ...]:
    """Return the entries in ``text``.

    Raises :class:`InputError` for a key that is missing or unknown, a reason of fewer than three
    words, and an entry that is there twice.
    """
    try:
        found = msgspec.convert(tomllib.loads(text), _Entries).entry
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(str(error).replace("`$.", "`"), place=name) from None
    seen: set[tuple[object, ...]] = set()
    for entry in found:
        if len(entry.reason.split()) < 3:
            raise InputError(f"{entry.function} {entry.kind}: no reason", place=name)
        if entry.key in seen:
            raise InputError(f"{entry.function} {entry.kind}: there twice", place=name)
        seen.add(entry.key)
    return found


@cache
def shipped_entries() -> tuple[Entry, ...]:
    """Return what is known of mistakes of the model."""
    return (*_in_file("equivalent.toml"), *_in_file("survivors.toml"))


@cache
def unneeded_clauses() -> tuple[Entry, ...]:
    """Return the clauses of properties that no saved run needs."""
    return _in_file("clauses.toml")


def _in_file(name: str) -> tuple[Entry, ...]:
    text = (files("powercut.checkers.mistakes") / name).read_text(encoding="utf-8")
    return parse_entries(text, name)


def triaged(mistakes: Iterable[Mistake], entries: Sequence[Entry]) -> Mapping[str, Entry]:
    """Return the entry of each mistake that has one, by the name of the mistake."""
    by_key = {entry.key: entry for entry in entries}
    return {m.name: by_key[m.key] for m in mistakes if m.key in by_key}


def unmatched(mistakes: Iterable[Mistake], entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that are about none of ``mistakes``: the text they speak of is gone."""
    keys = {mistake.key for mistake in mistakes}
    return [entry for entry in entries if entry.key not in keys]
