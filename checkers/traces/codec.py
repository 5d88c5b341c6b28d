"""Read, check and encode trace files.

Why so: a trace comes from a mail or an old checkout, so everything about it is doubted once, here,
and whatever is wrong is one line that names the place in the document.  Types, enumerations and
bounds are checked by the typed decoder; then the workload must parse and every disk must fit its
geometry, so that a loaded trace can be replayed without further care.
Rejected: ``json`` and checks by hand (the schema would be written twice), and a plain indented
document (25 steps become 180 lines; here a step is a line, which is what a diff should show).
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from powercut.checkers.traces.errors import TraceError
from powercut.checkers.traces.format import (
    COLOURS,
    LINE_PATTERN,
    NAME_PATTERN,
    OPTIONAL_NAME_PATTERN,
    SCHEMA,
    STEM_PATTERN,
    DiskImage,
    Finder,
    ImageError,
    Trace,
    TraceEpoch,
    disk_of,
)
from powercut.checkers.traces.migrate import MIGRATIONS, migrated
from powercut.checkers.workload import WorkloadError, parse_workload
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Scope
from powercut.reading import TooLarge, Unreadable, read_bytes

MAX_TRACE_BYTES = 4 * 1024 * 1024
PAGE_MARK = 'id="powercut-trace"'
"""What marks the element of a page (``trace convert --to html``) that holds the trace."""
_PAGE_START = b"<!doctype html"
_TOO_LARGE = f"larger than {MAX_TRACE_BYTES >> 20} MiB; a trace is smaller"
_WIDTH = 100

_PATTERNS = {
    NAME_PATTERN: "expected a name of 1..64 ASCII letters, digits, '-', '_' or '.'",
    OPTIONAL_NAME_PATTERN: "expected nothing or a name of ASCII letters, digits, '-', '_' or '.'",
    LINE_PATTERN: "expected one line of printable text",
    STEM_PATTERN: "expected nothing or a file name without a folder and without its ending",
}
_ENUMERATIONS = {
    "schema": SCHEMA,
    "verdict": "violated or holds",
    "finder": ", ".join(get_args(Finder)),
    "state": "hole, unwritten or written",
    "cells": ", ".join(COLOURS),
}
_PLACE = re.compile(r" - at `(?P<place>[^`]*)`$")
_INDEX = re.compile(r"\[[^]]*\]$")

_Kind = TypeVar("_Kind")


class _Head(msgspec.Struct):
    """Just enough of a document to tell its version, whatever else is in it."""

    schema: Any = None


def load_trace(path: Path) -> Trace:
    """Return the trace in the file at ``path``.  Raises :class:`TraceError`."""
    name = str(path)
    try:
        return decode_trace(read_bytes(path, MAX_TRACE_BYTES), name)
    except TooLarge:
        raise TraceError(name, "$", _TOO_LARGE) from None
    except Unreadable as error:
        raise TraceError(name, "$", f"cannot be read: {error}; give a readable file") from None


def decode_trace(data: bytes, name: str) -> Trace:
    """Return the trace in ``data``, a trace file or the page of a trace; ``name`` heads messages.

    Raises :class:`TraceError`.
    """
    if len(data) > MAX_TRACE_BYTES:
        raise TraceError(name, "$", _TOO_LARGE)
    if data[: len(_PAGE_START)].lower() == _PAGE_START:
        data = _in_page(data, name)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; a trace is JSON in UTF-8"
        raise TraceError(name, "$", message) from None
    version = _typed(data, name, _Head).schema
    if isinstance(version, str) and version in MIGRATIONS:
        document = migrated(_typed(data, name, dict[str, Any]), name)
        trace = _checked(lambda: msgspec.convert(document, Trace), data, name)
    else:
        _check_version(version, name)
        trace = _typed(data, name, Trace)
    _check_contents(trace, name)
    return trace


def _in_page(data: bytes, name: str) -> bytes:
    """Return the trace that a page carries."""
    _, mark, tail = data.partition(PAGE_MARK.encode())
    content, end, _ = tail.partition(b"</script>")
    if not mark or not end:
        message = "a page without a trace; give one that `powercut trace convert --to html` wrote"
        raise TraceError(name, "$", message)
    return content.partition(b">")[2]


def encode_trace(trace: Trace) -> bytes:
    """Return ``trace`` as JSON, one line a step, the same bytes every time."""
    return (_pretty(msgspec.to_builtins(trace), 0, 0) + "\n").encode()


def trace_file_name(trace: Trace) -> str:
    """Return the name a trace is saved under: design, scope, property and mutant.

    One that follows another's schedule is named after that, and after its own design.
    """
    if trace.origin.counterpart:
        return f"{trace.origin.counterpart}-{trace.verdict}-in-{trace.design}.trace.json"
    parts = [trace.design, trace.scope, trace.property, trace.mutant]
    return "-".join(part for part in parts if part) + ".trace.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a trace file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": SCHEMA,
        **msgspec.json.schema(Trace),
    }


def scope_of(trace: Trace, name: str = "trace") -> Scope:
    """Return the scope that the trace's workload describes.  Raises :class:`TraceError`."""
    try:
        scope = parse_workload(trace.workload, "workload")
    except WorkloadError as error:
        raise TraceError(name, "$.workload", str(error)) from None
    if scope.name != trace.scope:
        message = f'"{trace.scope}", but the workload has the name "{scope.name}"; write that'
        raise TraceError(name, "$.scope", message)
    return scope


def _check_version(found: Any, name: str) -> None:
    if found == SCHEMA:
        return
    if found is None:
        raise TraceError(name, "$.schema", f'missing; a trace file has "{SCHEMA}" there')
    shown = json.dumps(found, ensure_ascii=True)
    shown = shown if len(shown) <= 40 else shown[:40] + "..."
    message = f'{shown} is not a version this program reads; expected "{SCHEMA}"'
    raise TraceError(name, "$.schema", message)


def _typed(data: bytes, name: str, kind: type[_Kind]) -> _Kind:
    return _checked(lambda: msgspec.json.decode(data, type=kind), data, name)


def _checked(decode: Callable[[], _Kind], data: bytes, name: str) -> _Kind:
    """Return what ``decode`` makes of ``data``; turn its complaint into a :class:`TraceError`."""
    try:
        return decode()
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PLACE.search(text)
        place = found["place"] if found else "$"
        raise TraceError(name, place, _reworded(_PLACE.sub("", text), place)) from None
    except msgspec.DecodeError as error:
        message = f"{_malformed(data, str(error))}; a trace is one JSON object"
        raise TraceError(name, "$", message) from None
    except RecursionError:
        raise TraceError(name, "$", "nested too deeply; a trace is one JSON object") from None


def _malformed(data: bytes, text: str) -> str:
    """Say where the JSON breaks off; the typed decoder only counts bytes."""
    if not data.strip():
        return "the file is empty"
    try:
        json.loads(data)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Unterminated") or error.pos >= len(data.decode().rstrip()):
            return "the document ends too early"
        return f"not JSON at line {error.lineno} column {error.colno}: {error.msg}"
    except (ValueError, RecursionError):
        pass
    return f"not JSON: {text}"


def _reworded(text: str, place: str) -> str:
    """Turn the decoder's complaint into what is wrong and what would be right."""
    for pattern, right in _PATTERNS.items():
        if repr(pattern) in text:
            return right
    field = _INDEX.sub("", place).rpartition(".")[2]
    if text.startswith("Invalid enum value") and field in _ENUMERATIONS:
        return f"{text[:1].lower()}{text[1:]}; expected {_ENUMERATIONS[field]}"
    if "unknown field" in text:
        return f"{text[:1].lower()}{text[1:]}; remove it"
    if "missing required field" in text:
        return f"{text[:1].lower()}{text[1:]}; add it"
    return f"{text[:1].lower()}{text[1:]}"


def _check_contents(trace: Trace, name: str) -> None:
    if trace.design not in DESIGNS:
        known = ", ".join(DESIGNS)
        raise TraceError(name, "$.design", f'unknown design "{trace.design}"; expected {known}')
    if trace.mutant and trace.mutant not in MUTANTS:
        message = f'unknown mutant "{trace.mutant}"; `powercut list` shows the {len(MUTANTS)} known'
        raise TraceError(name, "$.mutant", message)
    scope = scope_of(trace, name)
    if len(trace.epochs) > len(scope.mounts):
        message = f"{len(trace.epochs)} epochs, but the workload has {len(scope.mounts)} mounts"
        raise TraceError(name, "$.epochs", f"{message}; expected at most one a mount")
    for n, epoch in enumerate(trace.epochs):
        place = f"$.epochs[{n}]"
        _check_why(epoch, name, f"{place}.why")
        _check_image(epoch.start, scope, name, f"{place}.start")
        if epoch.crash is not None:
            _check_image(epoch.crash, scope, name, f"{place}.crash")
        elif n + 1 < len(trace.epochs):
            message = "null, but another epoch follows; expected the disk it started from"
            raise TraceError(name, f"{place}.crash", message)


def _check_why(epoch: TraceEpoch, name: str, place: str) -> None:
    if epoch.why is None:
        return
    for field, steps in (("carrying", epoch.why.carrying), ("idle", epoch.why.idle)):
        known = range(1, len(epoch.steps) + 1)
        if any(step not in known for step in steps) or steps != sorted(set(steps)):
            message = f"expected rising step numbers, at most {len(epoch.steps)}"
            raise TraceError(name, f"{place}.{field}", message)


def _check_image(image: DiskImage, scope: Scope, name: str, place: str) -> None:
    try:
        disk_of(image, scope.geometry)
    except ImageError as error:
        raise TraceError(name, place + error.place, error.message) from None


def _pretty(value: Any, indent: int, column: int) -> str:
    """Return ``value`` as JSON: on one line where it fits, else one element a line."""
    flat = json.dumps(value, ensure_ascii=False)
    is_step = isinstance(value, dict) and "thread" in value
    if is_step or column + len(flat) < _WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    inner = indent + 2
    if isinstance(value, list):
        parts = [_pretty(each, inner, inner) for each in value]
        opening, closing = "[", "]"
    else:
        parts = []
        for key, each in value.items():
            head = f"{json.dumps(key)}: "
            parts.append(head + _pretty(each, inner, inner + len(head)))
        opening, closing = "{", "}"
    separator = ",\n" + " " * inner
    return f"{opening}\n{' ' * inner}{separator.join(parts)}\n{' ' * indent}{closing}"
