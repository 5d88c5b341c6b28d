"""Reading and writing trace files: round trip, every kind of damage, no half files."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercut.checkers.run.replay import replay
from powercut.checkers.traces import (
    MAX_TRACE_BYTES,
    SCHEMA,
    Trace,
    TraceError,
    TraceMismatch,
    TraceStep,
    decode_trace,
    encode_trace,
    json_schema,
    load_trace,
)
from powercut.checkers.traces.format import (
    COLOURS,
    DiskImage,
    ImageExtent,
    ImageInode,
    TraceEpoch,
    colour_name,
    colour_set,
    disk_of,
    image_of,
)
from powercut.checkers.traces.migrate import MIGRATIONS
from powercut.checkers.workload import format_workload
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.recovery import Disk, mkfs
from powercut.model.scope import Geometry, Scope
from tests.traces.corpus import FOLDER
from tests.workload.strategies import scopes

FOLDER_OF_OLD = Path(__file__).parent / "old"
OLD = FOLDER_OF_OLD / "seed-eof-two-mounts-stale-data.v1.trace.json"
OLD_2 = FOLDER_OF_OLD / "seed-eio-overwrite-data-err-abort.v2.trace.json"
SAMPLE = (FOLDER / "seed-eof-two-mounts-stale-data.trace.json").read_bytes()
WORDS = st.text("abcXYZ_019", min_size=1, max_size=20)
LABELS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60)


@st.composite
def images(draw: st.DrawFn, geometry: Geometry) -> DiskImage:
    """Any image of a disk of this geometry."""
    blocks = st.integers(0, geometry.nr_phys - 1)
    extent = st.one_of(
        st.just(ImageExtent("hole")),
        st.builds(ImageExtent, st.sampled_from(["unwritten", "written"]), blocks),
    )
    size = st.integers(0, geometry.nr_blocks * geometry.cells_per_block)
    extents = st.lists(extent, min_size=geometry.nr_blocks, max_size=geometry.nr_blocks)
    cells = geometry.nr_phys * geometry.cells_per_block
    return DiskImage(
        inodes=[
            ImageInode(draw(size), draw(st.booleans()), draw(extents))
            for _ in range(geometry.nr_inodes)
        ],
        used_blocks=sorted(draw(st.sets(blocks))),
        cells=draw(st.lists(st.sampled_from(COLOURS), min_size=cells, max_size=cells)),
    )


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Any well-formed trace."""
    scope: Scope = draw(scopes())
    image = images(scope.geometry)
    step = st.builds(TraceStep, WORDS, WORDS, LABELS)
    count = draw(st.integers(1, len(scope.mounts)))
    epochs = [
        TraceEpoch(
            draw(image),
            draw(st.lists(step, max_size=4)),
            draw(image if n + 1 < count else st.none() | image),
        )
        for n in range(count)
    ]
    return Trace(
        schema_version=SCHEMA,
        design=draw(st.sampled_from(sorted(DESIGNS))),
        mutant=draw(st.sampled_from(["", *MUTANTS])),
        scope=scope.name,
        workload=format_workload(scope),
        property=draw(WORDS),
        verdict=draw(st.sampled_from(["violated", "holds"])),
        summary=draw(LABELS),
        epochs=epochs,
    )


@settings(max_examples=60)
@given(trace=traces())
def test_round_trip(trace: Trace) -> None:
    data = encode_trace(trace)
    assert decode_trace(data, "t") == trace
    assert encode_trace(decode_trace(data, "t")) == data
    assert data.endswith(b"}\n")
    VALIDATOR.validate(json.loads(data))


def test_a_step_is_a_line() -> None:
    trace = decode_trace(SAMPLE, "t")
    steps = sum(len(epoch.steps) for epoch in trace.epochs)
    assert sum('{"thread"' in line for line in SAMPLE.decode().splitlines()) == steps > 10


@pytest.mark.parametrize("scope", SCOPES.values(), ids=lambda scope: str(scope.name))
def test_disks_round_trip(scope: Scope) -> None:
    disk = mkfs(scope)
    assert disk_of(image_of(disk), scope.geometry) == disk


def test_colours_have_names() -> None:
    assert [colour_name(1 << n) for n in range(8)] == list(COLOURS)
    assert colour_set(1 | 16) == "zero|write1"
    for wrong in (0, 3, 256):
        with pytest.raises(ValueError, match="not one colour"):
            colour_name(wrong)
    with pytest.raises(ValueError, match="not one colour"):
        image_of(Disk((), 0, (3,)))


# ---- damage -------------------------------------------------------------------------------------


def put(*path: Any) -> Callable[[Any], None]:
    """Set the last of ``path`` at the place the others lead to."""
    *way, key, value = path

    def change(document: Any) -> None:
        for step in way:
            document = document[step]
        document[key] = value

    return change


def drop(*path: Any) -> Callable[[Any], None]:
    """Delete what ``path`` leads to."""
    *way, key = path

    def change(document: Any) -> None:
        for step in way:
            document = document[step]
        del document[key]

    return change


STEP = ("epochs", 0, "steps", 3)
CRASH = ("epochs", 0, "crash")
INODE = (*CRASH, "inodes", 0)
DAMAGE: dict[str, tuple[Callable[[Any], None], str, str]] = {
    "label is a number": (put(*STEP, "label", 1), "$.epochs[0].steps[3].label", "expected `str`"),
    "source line": (put(*STEP, "line", 1), "$.epochs[0].steps[3]", "unknown field `line`; remove"),
    "digest of a model": (put("model_digest", "0" * 32), "$", "field `model_digest`; remove it"),
    "thread with a line end": (put(*STEP, "thread", "a\n"), "$.epochs[0].steps[3].thread", "name"),
    "label with an escape": (put(*STEP, "label", "\x1b[2J"), "$.epochs[0].steps[3].label", "text"),
    "label too long": (put(*STEP, "label", "x" * 401), "$.epochs[0].steps[3].label", "<= 400"),
    "step without label": (drop(*STEP, "label"), "$.epochs[0].steps[3]", "add it"),
    "unknown field": (put(*STEP, "extra", 1), "$.epochs[0].steps[3]", "remove it"),
    "steps are an object": (put("epochs", 0, "steps", {}), "$.epochs[0].steps", "array"),
    "no epochs": (put("epochs", []), "$.epochs", "length >= 1"),
    "too many epochs": (put("epochs", json.loads(SAMPLE)["epochs"] * 2), "$.epochs", "length <= 3"),
    "unknown colour": (put(*CRASH, "cells", 0, "red"), "$.epochs[0].crash.cells[0]", "foreign"),
    "unknown verdict": (put("verdict", "maybe"), "$.verdict", "violated or holds"),
    "unknown extent": (
        put(*INODE, "extents", 0, "state", "x"),
        "$.epochs[0].crash.inodes[0].extents[0].state",
        "unwritten",
    ),
    "wrong version": (
        put("schema", "powercut.trace/4"),
        "$.schema",
        f'expected "{SCHEMA}"',
    ),
    "version of another type": (put("schema", [1]), "$.schema", f'expected "{SCHEMA}"'),
    "no version": (drop("schema"), "$.schema", "missing"),
    "unknown design": (put("design", "xfs"), "$.design", "seed"),
    "unknown mutant": (put("mutant", "xfs"), "$.mutant", "powercut list"),
    "design is a number": (put("design", 3), "$.design", "expected `str`"),
    "bad workload": (put("workload", "mount\n  task frob 1\n"), "$.workload", "workload:2:8"),
    "empty workload": (put("workload", ""), "$.workload", "empty workload"),
    "other scope": (put("scope", "other"), "$.scope", "eof-two-mounts"),
    "orphan is a number": (put(*INODE, "orphan", 0), "inodes[0].orphan", "expected `bool`"),
    "size beyond the file": (put(*INODE, "size_cells", 9), "inodes[0].size_cells", "larger"),
    "extent missing": (drop(*INODE, "extents", 0), "inodes[0].extents", "needs 2"),
    "block outside the disk": (
        put(*INODE, "extents", 0, "block", 5),
        "$.epochs[0].crash.inodes[0].extents[0].block",
        "0..2",
    ),
    "hole with a block": (put(*INODE, "extents", 1, "block", 0), "extents[1]", "a hole has no"),
    "extent without block": (drop(*INODE, "extents", 0, "block"), "extents[0]", "needs one"),
    "used block outside": (put(*CRASH, "used_blocks", [7]), "used_blocks[0]", "outside"),
    "used blocks unsorted": (put(*CRASH, "used_blocks", [1, 0]), "used_blocks[1]", "sort"),
    "cell missing": (drop(*CRASH, "cells", 0), "$.epochs[0].crash.cells", "needs 6 cells"),
    "inode missing": (drop(*CRASH, "inodes", 0), "$.epochs[0].crash.inodes", "needs 1 inode"),
    "unknown finder": (put("origin", "finder", "x"), "$.origin.finder", "search, random"),
    "a cause that is no step": (
        put("epochs", 0, "why", {"carrying": [7], "idle": []}),
        "$.epochs[0].why.carrying",
        "at most 6",
    ),
    "idle steps unsorted": (
        put("epochs", 0, "why", {"carrying": [], "idle": [2, 1]}),
        "$.epochs[0].why.idle",
        "rising",
    ),
    "counterpart in a folder": (put("origin", "counterpart", "a/b"), "counterpart", "a file name"),
    "no crash before an epoch": (put(*CRASH, None), "$.epochs[0].crash", "another epoch follows"),
}


@pytest.mark.parametrize("case", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_one_line(case: tuple[Callable[[Any], None], str, str], tmp_path: Path) -> None:
    change, place, words = case
    document = json.loads(SAMPLE)
    change(document)
    message = refused(json.dumps(document).encode(), tmp_path)
    assert place in message
    assert words in message


RAW = {
    "empty": (b"", "the file is empty"),
    "truncated": (SAMPLE[:1000], "ends too early"),
    "binary": (bytes(range(256)), "byte 128 is not UTF-8"),
    "not JSON": (b"hello\n", "not JSON at line 1 column 1"),
    "an array": (b"[1, 2]", "$: expected `object`, got `array`"),
    "trailing garbage": (SAMPLE + b"x", "not JSON at line"),
    "deeply nested": (b"[" * 200_000, "$: "),
    "nested in an unknown field": (b'{"q": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "$"),
    "half a surrogate pair": (SAMPLE.replace(b"violated", b"\\ud800"), "$"),
    "too large": (SAMPLE + b" " * MAX_TRACE_BYTES, "larger than 4 MiB"),
}


@pytest.mark.parametrize("case", RAW.values(), ids=RAW.keys())
def test_other_bytes_are_one_line(case: tuple[bytes, str], tmp_path: Path) -> None:
    data, words = case
    assert words in refused(data, tmp_path)


def refused(data: bytes, folder: Path) -> str:
    """Return the one line that refuses ``data``; nothing else may appear in ``folder``."""
    path = folder / "bad.trace.json"
    path.write_bytes(data)
    with pytest.raises(TraceError) as caught:
        load_trace(path)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"{path}: $")
    assert len(message) < 600
    assert os.listdir(folder) == ["bad.trace.json"]
    return message


@pytest.mark.parametrize("name", ["missing.trace.json", ".", "nul\0", "x" * 300])
def test_unreadable_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(TraceError) as caught:
        load_trace(tmp_path / name)
    assert str(caught.value).isprintable()
    assert "cannot be read" in str(caught.value)


# ---- the JSON Schema ----------------------------------------------------------------------------

VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json_schema()["title"] == SCHEMA


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: str(path.stem))
def test_saved_traces_fit_the_schema(path: Path) -> None:
    VALIDATOR.validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize(
    "name", ["unknown field", "source line", "label is a number", "no version"]
)
def test_the_schema_refuses_damage(name: str) -> None:
    document = json.loads(SAMPLE)
    DAMAGE[name][0](document)
    assert not VALIDATOR.is_valid(document)


# ---- older versions -----------------------------------------------------------------------------


def old_document() -> Any:
    return json.loads(OLD.read_bytes())


def test_version_1_is_read_as_if_it_were_new() -> None:
    trace = load_trace(OLD)
    document = old_document()
    assert document["schema"] == "powercut.trace/1"
    assert trace.schema_version == SCHEMA == "powercut.trace/3"
    assert trace.origin.finder == "unknown"
    assert [epoch.why for epoch in trace.epochs] == [None, None]
    written = json.loads(encode_trace(trace))
    VALIDATOR.validate(written)
    assert {**written, "origin": None} == {**without_lines(document), "origin": None}


def test_version_2_keeps_all_but_lines_and_digest() -> None:
    document = json.loads(OLD_2.read_bytes())
    assert document["schema"] == "powercut.trace/2"
    assert document["origin"]["minimised"]
    assert document["epochs"][0]["why"]["carrying"]
    written = json.loads(encode_trace(load_trace(OLD_2)))
    VALIDATOR.validate(written)
    assert written == without_lines(document)


def without_lines(document: Any) -> Any:
    """Return a document of an older version in the newest one's words."""
    assert document.pop("model_digest")
    for epoch in document["epochs"]:
        for step in epoch["steps"]:
            assert step.pop("file")
            assert step.pop("line")
    return {**document, "schema": SCHEMA}


@pytest.mark.parametrize("path", [OLD, OLD_2], ids=["1", "2"])
def test_an_old_trace_replays_or_names_the_step_that_is_gone(path: Path) -> None:
    """Made with an older model: the verdict, or one line with the first step that does not fit."""
    trace = load_trace(path)
    try:
        said = replay(trace, "old").expected
    except TraceMismatch as error:
        said = str(error)
    place = r"old: \$\.epochs\[\d\]\.(steps\[\d+\]: (mount \d, )?step|start|crash)"
    assert re.match(f"{trace.property} violated$|{place}", said)


def test_every_version_but_the_newest_can_be_migrated() -> None:
    newest = int(SCHEMA.rpartition("/")[2])
    assert list(MIGRATIONS) == [f"powercut.trace/{n}" for n in range(1, newest)]


OLD_DAMAGE = (
    "label is a number",
    "unknown field",
    "unknown colour",
    "steps are an object",
    "no epochs",
    "bad workload",
    "step without label",
)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", OLD_DAMAGE)
def test_damage_of_an_old_version_is_one_line(name: str, version: int, tmp_path: Path) -> None:
    change, place, words = DAMAGE[name]
    document = {**old_document(), "schema": f"powercut.trace/{version}"}
    change(document)
    message = refused(json.dumps(document).encode(), tmp_path)
    assert place in message
    assert words in message


def test_version_1_has_no_fields_of_version_2(tmp_path: Path) -> None:
    for changed in (
        {**old_document(), "origin": {"finder": "search"}},
        {
            **old_document(),
            "epochs": [{**epoch, "why": None} for epoch in old_document()["epochs"]],
        },
    ):
        assert "unknown field" in refused(json.dumps(changed).encode(), tmp_path)
