"""Malformed traces and workloads: one line that names the file, exit code 2, nothing written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from powercut.checkers.workload import format_workload
from powercut.checkers.workload.shipped import SCOPES
from tests.cli.support import Runner, assert_refused, files_below

Edit = Callable[[dict[str, Any]], object]


def _set(*path: Any) -> Edit:
    """Return an edit that sets the place ``path[:-1]`` of a document to ``path[-1]``."""
    *where, last, value = path

    def edit(document: dict[str, Any]) -> None:
        target: Any = document
        for key in where:
            target = target[key]
        target[last] = value

    return edit


def _drop(*path: Any) -> Edit:
    *where, last = path

    def edit(document: dict[str, Any]) -> None:
        target: Any = document
        for key in where:
            target = target[key]
        del target[last]

    return edit


EDITS: dict[str, Edit] = {
    "no schema": _drop("schema"),
    "another version": _set("schema", "powercut.trace/99"),
    "schema of another kind": _set("schema", ["powercut.trace/1"]),
    "no epochs": _set("epochs", []),
    "a thousand epochs": lambda d: d["epochs"].extend(d["epochs"] * 999),
    "epochs of another kind": _set("epochs", {"0": 1}),
    "unknown field": _set("comment", "hello"),
    "unknown design": _set("design", "sede"),
    "unknown mutant": _set("mutant", "no-such-mutant"),
    "unknown property": _set("property", "honesty"),
    "unknown verdict": _set("verdict", "fine"),
    "design of another kind": _set("design", 7),
    "scope is not the workload's": _set("scope", "append-fsync"),
    "workload does not parse": _set("workload", "name x\nmount\n  task wirte 1 1\n"),
    "workload is huge": _set("workload", "#" * 100_000),
    "name with a line end": _set("design", "seed\nseed"),
    "digest of a model": _set("model_digest", "0" * 32),
    "source line": _set("epochs", 0, "steps", 0, "line", 12),
    "label of another kind": _set("epochs", 0, "steps", 0, "label", 12),
    "step without a label": _drop("epochs", 0, "steps", 0, "label"),
    "unknown colour": _set("epochs", 0, "start", "cells", 0, "green"),
    "too many cells": lambda d: d["epochs"][0]["start"]["cells"].append("zero"),
    "a block outside the disk": _set("epochs", 0, "start", "used_blocks", [6]),
    "huge size": _set("epochs", 0, "start", "inodes", 0, "size_cells", 10**12),
    "no crash": _set("epochs", 0, "crash", None),
    "crash of another kind": _set("epochs", 0, "crash", "yes"),
}

CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"hello\n",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "binary": bytes(range(256)) * 8,
    "UTF-16": '{"schema": "powercut.trace/1"}'.encode("utf-16"),
    "nested deeply": b"[" * 200_000,
    "a huge number": b'{"schema": ' + b"9" * 100_000 + b"}",
    "larger than any trace": b" " * (5 << 20),
}


def assert_bad_trace(powercut: Runner, path: Path) -> None:
    before = files_below(path.parent)
    assert_refused(powercut("replay", path), path.name)
    assert files_below(path.parent) == before


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_trace(powercut: Runner, one_mount: Path, tmp_path: Path, name: str) -> None:
    document = json.loads(one_mount.read_text())
    EDITS[name](document)
    path = tmp_path / "bad.trace.json"
    path.write_text(json.dumps(document))
    assert_bad_trace(powercut, path)


@pytest.mark.parametrize("name", CONTENTS)
def test_no_trace_at_all(powercut: Runner, tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.trace.json"
    path.write_bytes(CONTENTS[name])
    assert_bad_trace(powercut, path)
    assert_refused(powercut("explore", path), "bad.trace.json")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_trace(powercut: Runner, one_mount: Path, tmp_path: Path, share: float) -> None:
    content = one_mount.read_bytes().rstrip()
    path = tmp_path / "bad.trace.json"
    path.write_bytes(content[: int(len(content) * share)])
    assert_bad_trace(powercut, path)


def test_what_is_not_a_file(powercut: Runner, tmp_path: Path) -> None:
    assert_refused(powercut("replay", tmp_path), tmp_path.name)
    assert_refused(powercut("replay", tmp_path / "missing.trace.json"), "missing.trace.json")
    assert_refused(powercut("replay", "nul\0byte"), "nul")
    assert_refused(powercut("replay", tmp_path / "two\nlines"), "lines")


HEAD = "geometry blocks=2 cells=2 folio=1 phys=3\nfile size=1\n"

WORKLOADS: dict[str, bytes] = {
    "empty": b"",
    "binary": bytes(range(256)),
    "not UTF-8": b"name caf\xe9\nmount\n  task fsync\n",
    "too large": b"# padding\n" * 10_000,
    "one endless line": b"task " + b"write 1 1; " * 9_000,
    "no mount": HEAD.encode(),
    "a mount without tasks": (HEAD + "mount\n").encode(),
    "an unknown directive": (HEAD + "mont\n").encode(),
    "an unknown operation": (HEAD + "mount\n  task wirte 1 1\n").encode(),
    "no length": (HEAD + "mount\n  task write 1\n").encode(),
    "a word for a number": (HEAD + "mount\n  task write one 1\n").encode(),
    "a negative number": (HEAD + "mount\n  task write -1 1\n").encode(),
    "a huge number": (HEAD + f"mount\n  task write {10**40} 1\n").encode(),
    "beyond the file": (HEAD + "mount\n  task write 3 2\n").encode(),
    "too many operations": (HEAD + "mount\n  task fsync; fsync; fsync; fsync; fsync\n").encode(),
    "too many tasks": (HEAD + "mount\n" + "  task fsync\n" * 9).encode(),
    "too many mounts": (HEAD + "mount\n  task fsync\n" * 9).encode(),
    "a directive twice": (HEAD + HEAD + "mount\n  task fsync\n").encode(),
    "a geometry too large": b"geometry blocks=99 cells=2 folio=1 phys=3\nmount\n  task fsync\n",
    "a folio that does not fit": b"geometry blocks=4 folio=9\nmount\n  task fsync\n",
    "an unknown timer": (HEAD + "timer sometimes\nmount\n  task fsync\n").encode(),
    "a bad name": b"name two words\nmount\n  task fsync\n",
    "control characters": b"name \x1b[31m\nmount\n  task fsync\n",
}

FSX: dict[str, bytes] = {
    "what cannot be expressed": b"write 0x0 0x1000 0x0\ncollapse_range 0x0 0x100 0x1000\n",
    "an unknown operation": b"wirte 0x0 0x1000 0x0\n",
    "a missing number": b"write 0x0\n",
    "nothing to do": b"# nothing\n",
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_bad_workload(powercut: Runner, tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.workload"
    path.write_bytes(WORKLOADS[name])
    assert_bad_workload(powercut, path)


@pytest.mark.parametrize("name", FSX)
def test_a_bad_op_file(powercut: Runner, tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.fsxops"
    path.write_bytes(FSX[name])
    assert_bad_workload(powercut, path)


def assert_bad_workload(powercut: Runner, path: Path) -> None:
    before = files_below(path.parent)
    folder = path.parent / "traces"
    assert_refused(powercut("check", "--workload", path, "--save-traces", folder), path.name)
    assert_refused(powercut("explore", "--workload", path), path.name)
    assert files_below(path.parent) == before
    assert not folder.exists()


def test_a_workload_that_is_not_a_file(powercut: Runner, tmp_path: Path) -> None:
    assert_refused(powercut("check", "--workload", tmp_path), tmp_path.name)
    assert_refused(powercut("check", "--workload", tmp_path / "missing"), "missing")


def test_two_workloads_of_one_name(powercut: Runner, tmp_path: Path) -> None:
    text = format_workload(SCOPES["append-fsync"])
    for name in ("one.workload", "two.workload"):
        (tmp_path / name).write_text(text)
    ended = powercut("check", "--workload", tmp_path / "one.workload", tmp_path / "two.workload")
    assert_refused(ended, "one.workload", "two.workload")
