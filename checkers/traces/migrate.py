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
3         no source file and line in a step, no model digest: the model of the day has the lines
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


def _from_2(document: Document, _name: str) -> Document:
    """Version 2 says where in the source of its model a step stood, and which model that was."""
    migrated = {key: value for key, value in document.items() if key != "model_digest"}
    epochs = document.get("epochs")
    if isinstance(epochs, list):
        migrated["epochs"] = [_without_lines(epoch) for epoch in epochs]
    return {**migrated, "schema": "powercut.trace/3"}


def _without_lines(epoch: Any) -> Any:
    if not isinstance(epoch, dict) or not isinstance(epoch.get("steps"), list):
        return epoch  # which the reader of the newest version refuses
    steps = [
        {key: value for key, value in step.items() if key not in ("file", "line")}
        if isinstance(step, dict)
        else step
        for step in epoch["steps"]
    ]
    return {**epoch, "steps": steps}


MIGRATIONS: dict[str, Callable[[Document, str], Document]] = {
    "powercut.trace/1": _from_1,
    "powercut.trace/2": _from_2,
}
"""From the version in a file to the step that makes the next one of it."""


def migrated(document: Document, name: str) -> Document:
    """Return ``document`` in the newest version.  Raises :class:`TraceError`."""
    while document.get("schema") in MIGRATIONS:
        document = MIGRATIONS[document["schema"]](document, name)
    return document
