"""Older trace files: how each version becomes the next one.

Why so: a trace outlives the program that wrote it.  Each step works on the plain document, knows
its own two versions only and never changes, so a file of any age goes through all of them and is
then read like a new one.
Rejected: reading several versions with one set of types (every reader would have to know them all).

========  =======================================================================================
version   what it brought
========  =======================================================================================
1         design, mutant, scope, workload, property, verdict, summary, model digest, mounts
2         ``origin``: who found it, with which seed, whether it was minimised, which trace's
          schedule it follows; ``why`` in each mount: the steps that carry what is wrong
========  =======================================================================================
"""

from collections.abc import Callable
from typing import Any

from powercut.checkers.traces.errors import TraceError

Document = dict[str, Any]


def _from_1(document: Document, name: str) -> Document:
    """Version 1 does not say who found a trace; nothing else changes its meaning."""
    epochs = document.get("epochs")
    places = {"$": document}
    if isinstance(epochs, list):
        places |= {f"$.epochs[{n}]": epoch for n, epoch in enumerate(epochs)}
    for place, found in places.items():
        for field in ("origin", "why"):
            if isinstance(found, dict) and field in found:
                message = f"object contains unknown field `{field}`; version 1 has none, remove it"
                raise TraceError(name, place, message)
    return {
        **document,
        "schema": "powercut.trace/2",
        "origin": {"finder": "unknown"},
    }


MIGRATIONS: dict[str, Callable[[Document, str], Document]] = {"powercut.trace/1": _from_1}
"""From the version in a file to the step that makes the next one of it."""


def migrated(document: Document, name: str) -> Document:
    """Return ``document`` in the newest version.  Raises :class:`TraceError`."""
    while document.get("schema") in MIGRATIONS:
        document = MIGRATIONS[document["schema"]](document, name)
    return document
