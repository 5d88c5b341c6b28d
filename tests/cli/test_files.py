"""Files that are written: links, modes, pipes, standard output; nothing made before bad input."""

import fcntl
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from powercut.checkers.explain.minimise import Minimiser
from powercut.checkers.run.replay import replay
from powercut.checkers.traces import load_trace
from powercut.checkers.traces.format import Trace
from powercut.errors import InputError
from powercut.inputs.files import make_writable_file, write_whole
from powercut.verbs.trace import minimise as minimise_verb
from powercut.writing import System, scratch_folder, try_folder
from tests.cli.support import LIMIT_S, Ended, Runner, assert_refused, files_below, run_apart
from tests.cli.test_trace import EIO, HOLDS, NO_PREFLUSH


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o640)
    assert list(files_below(tmp_path)) == [str(path)]


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a", b"new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o640


@pytest.mark.parametrize("broken", ["open", "write", "fsync", "link", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_changes_nothing(
    broken: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise error

    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(System, broken, staticmethod(fail))
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_whole(path, b"new")
    if expected is InputError:
        assert "cannot be written: No space left" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(files_below(tmp_path)) == [str(path)]


def test_what_a_killed_run_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is locked is in the making, what is young may become so, and another's stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    parts = [tmp_path / f".a.{n * 16}.part" for n in "0123"]
    for path in (*parts, tmp_path / ".a.other"):
        path.write_bytes(b"half")
    for name in ("powercut-abcdefgh", "powercut-12345678", "powercut-mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image").write_bytes(b"")
    young, locked, *left = parts
    for path in (locked, *left, *tmp_path.glob("powercut-*")):
        os.utime(path, (0, 0))
    with locked.open() as file, locked_folder(tmp_path / "powercut-12345678"):
        fcntl.flock(file, fcntl.LOCK_EX)
        try_folder(tmp_path)
        with scratch_folder() as folder:
            assert folder.parent == tmp_path
    assert {path.name for path in tmp_path.iterdir()} == {
        *(young.name, locked.name, ".a.other", "powercut-12345678", "powercut-mine")
    }


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock a folder as its process does."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("over", [True, False])
def test_without_unnamed_files_the_result_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, over: bool
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    path = tmp_path / "a"
    if there:
        path.write_bytes(b"old")
    if there and not over:
        with pytest.raises(InputError, match="there is a file of that name"):
            write_whole(path, b"new", over=over)
    else:
        write_whole(path, b"new", over=over)
    assert path.read_bytes() == (b"old" if there and not over else b"new")
    assert list(files_below(tmp_path)) == [str(path)]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(tmp_path: Path, there: bool) -> None:
    (tmp_path / "below").mkdir()
    target, link = tmp_path / "below" / "target", tmp_path / "link"
    if there:
        target.write_bytes(b"old")
    link.symlink_to("below/target")
    make_writable_file("--output", link)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (link.read_bytes(), target.read_bytes()) == (b"new", b"new")


def test_a_pipe_is_written_to(powercut: Runner, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    link = tmp_path / "link"
    link.symlink_to("pipe")
    make_writable_file("--output", link)
    assert powercut("trace", "convert", EIO, "--output", link).code == 0
    assert link.is_symlink()
    assert pipe.is_fifo()
    reader.join(LIMIT_S)
    assert read == [EIO.read_bytes()]


def test_standard_output_as_a_file_keeps_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file:
        file.write(b"before\n")
        file.flush()
        argv = ("trace", "convert", EIO, "--output", "/proc/self/fd/1")
        assert run_apart(*argv, stdout=file) == Ended(0, "", "")
        assert os.path.samestat(os.fstat(file.fileno()), path.stat())
    assert path.read_bytes() == b"before\n" + EIO.read_bytes()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path()):
        with pytest.raises(InputError, match="a folder, not a file"):
            write_whole(path, b"")
        with pytest.raises(InputError, match=r"--output .*: a folder, not a file"):
            make_writable_file("--output", path)


@pytest.mark.parametrize("argv", [("convert",), ("minimise",), ("diff", "--under", "seed")])
def test_a_missing_input_and_an_existing_output(
    powercut: Runner, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    output = tmp_path / "existing.json"
    output.write_text("old")
    verb, *options = argv
    missing = tmp_path / "missing.trace.json"
    ended = powercut("trace", verb, missing, *options, "--output", output)
    assert_refused(ended, "missing.trace.json", "cannot be read")
    assert output.read_text() == "old"


@pytest.mark.parametrize(
    "argv",
    [
        ("minimise", HOLDS),
        ("minimise", "missing"),
        ("diff", "missing", "--under", "seed"),
        ("diff", EIO, "--under", "sede"),
        ("convert", "missing"),
    ],
)
def test_a_refused_input_leaves_no_folder(
    powercut: Runner, tmp_path: Path, argv: tuple[str | Path, ...]
) -> None:
    assert_refused(powercut("trace", *argv, "--output", tmp_path / "new" / "a.trace.json"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", [("minimise",), ("diff", "--mutant", "no-preflush")])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    def too_late(*_: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(Minimiser, "run", too_late)
    monkeypatch.setattr("powercut.verbs.trace.diff.follow", too_late)
    verb, *options = argv
    ended = powercut("trace", verb, NO_PREFLUSH, *options, "--output", tmp_path)
    assert_refused(ended, "--output", str(tmp_path), "a folder, not a file")


def test_an_interrupt_while_causes_are_sought_keeps_the_trace(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_trace: Trace) -> Trace:
        raise KeyboardInterrupt

    monkeypatch.setattr(minimise_verb, "annotated", interrupted)
    output = tmp_path / "small.trace.json"
    ended = powercut("trace", "minimise", NO_PREFLUSH, "--output", output, "--json")
    assert (ended.code, ended.document["stopped"]) == (3, "interrupted")
    small = load_trace(output)
    assert small.origin.minimised
    assert replay(small).reproduced
