"""Reading workload files: which format, what a file that is none ends in, and the manual."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from powercut.checkers.workload import WorkloadError, load_workload
from powercut.checkers.workload.limits import MAX_FILE_BYTES
from powercut.model.scope import Geometry, Op, OpCode

MANUAL = Path(__file__).parents[2] / "docs" / "workloads.md"
TEXT = "mount\ntask write 2 1\n"
OPS = "write 0x1000 0x800 0x800\n"


def saved(folder: Path, name: str, content: bytes) -> Path:
    """Write content to a file and return its path."""
    path = folder / name
    path.write_bytes(content)
    return path


def message_of(path: Path) -> str:
    """Load a file, which must fail, and return the message without the path."""
    with pytest.raises(WorkloadError) as caught:
        load_workload(path)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize("name", ["gap.workload", "gap.txt", "gap"])
def test_text(tmp_path: Path, name: str) -> None:
    scope = load_workload(saved(tmp_path, name, TEXT.encode()), Geometry(nr_blocks=4))
    assert (scope.name, scope.geometry) == ("gap", Geometry())


@pytest.mark.parametrize("name", ["gap.fsxops", "gap.fsx", "gap.fsxops.0"])
def test_fsx(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, name, OPS.encode())
    assert load_workload(path).mounts[0].tasks == ((Op(OpCode.WRITE, 2, 1),),)
    wide = load_workload(path, Geometry(nr_blocks=4))
    assert wide.mounts[0].tasks == ((Op(OpCode.WRITE, 4, 2),),)


def test_examples_of_the_manual(tmp_path: Path) -> None:
    examples = list(manual_examples())
    assert [name for name, _ in examples] == ["gap-append.workload", "tail.fsxops"]
    for name, text in examples:
        scope = load_workload(saved(tmp_path, name, text.encode()))
        assert scope.name == Path(name).stem


def manual_examples() -> Iterator[tuple[str, str]]:
    """The fenced blocks of the manual whose first line is a comment with a file name."""
    for block in MANUAL.read_text(encoding="utf-8").split("```")[1::2]:
        first, *lines = block.strip("\n").split("\n")
        if first.startswith("# "):
            yield first.removeprefix("# "), "\n".join([first, *lines])


def test_missing_file(tmp_path: Path) -> None:
    assert message_of(tmp_path / "none") == (
        f":1:1: cannot be read: {os.strerror(2)}; give a readable file"
    )


def test_directory(tmp_path: Path) -> None:
    assert message_of(tmp_path) == (
        f":1:1: cannot be read: {os.strerror(21)}; give a readable file"
    )


def test_no_file_name() -> None:
    with pytest.raises(WorkloadError) as caught:
        load_workload(Path("a\0b"))
    assert str(caught.value) == (
        "a\\x00b:1:1: cannot be read: not a file name; give a readable file"
    )


def test_too_large(tmp_path: Path) -> None:
    fits = saved(tmp_path, "fits", (TEXT + "#").encode().ljust(MAX_FILE_BYTES, b"x"))
    load_workload(fits)
    large = saved(tmp_path, "large", fits.read_bytes() + b"x")
    assert message_of(large) == ":1:1: larger than 65536 bytes; a workload is some lines of text"


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"\x7fELF\x02\x01\x01\0", "1:1", "character U+007F is not text"),
        (b"\x80", "1:1", "byte 0x80 is not UTF-8"),
        (b"mount\n# \xc3\xa9\xff", "2:4", "byte 0xff is not UTF-8"),
        (b"mount\n# \xe2\x82", "2:3", "byte 0xe2 is not UTF-8"),
        (TEXT.encode("utf-16"), "1:1", "byte 0xff is not UTF-8"),
        (b"#\n\0", "2:1", "character U+0000 is not text"),
    ],
)
def test_binary(tmp_path: Path, content: bytes, place: str, message: str) -> None:
    for name in ("bad.workload", "bad.fsxops"):
        path = saved(tmp_path, name, content)
        assert message_of(path) == f":{place}: {message}; a workload is plain UTF-8 text"


def test_empty(tmp_path: Path) -> None:
    assert message_of(saved(tmp_path, "none.workload", b"")).startswith(":1:1: empty workload")
    assert message_of(saved(tmp_path, "none.fsxops", b"")).startswith(":1:1: no operation to run")
