"""``powercut image``: written whole when everybody agrees, refused with one line otherwise."""

from pathlib import Path

import pytest

from powercut.checkers.kernel import e2fsprogs, ext4_writer
from tests.cli.support import Runner, assert_refused, files_below
from tests.kernel.images import needs_e2fsprogs, volume_of
from tests.traces.corpus import FOLDER

TRACE = FOLDER / "bh-ordered-cut-twice-stale-data.trace.json"
NO_CRASH = FOLDER / "mixed-two-files-deadlock.trace.json"


@needs_e2fsprogs
@pytest.mark.parametrize("journal", ["clean", "committed"])
def test_the_image_holds_what_the_trace_recovers(
    powercut: Runner, tmp_path: Path, journal: str
) -> None:
    out = tmp_path / "crash.img"
    done = powercut("image", TRACE, "-o", out, "--journal", journal, "--json")
    assert (done.code, done.err) == (0, "")
    (file,) = done.document["files"]
    volume = volume_of(out.read_bytes())
    assert volume.transactions == (journal == "committed")
    found = volume.file(volume.root["file0"])
    assert found.size_bytes == file["size"]
    assert file["content"] == "O*8192"  # what the first truncate had cut off is back
    assert done.document["agreed"] == ["model", "powercut", "e2fsck", "debugfs"]


@needs_e2fsprogs
def test_the_text_says_what_is_there(powercut: Runner, tmp_path: Path) -> None:
    done = powercut("image", TRACE, "-o", tmp_path / "crash.img", "--block-size", "1024")
    assert done.code == 0
    assert "file0: " in done.out
    assert "the model, our reader, e2fsck and debugfs agree on that" in done.out


@needs_e2fsprogs
def test_a_disagreement_is_an_error_of_ours(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ext4_writer.ImageWriter, "use_block", lambda *_: None)
    done = powercut("image", TRACE, "-o", tmp_path / "crash.img")
    assert done.code == 4
    assert "e2fsck says" in done.err
    assert files_below(tmp_path) == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([TRACE], ["no output given"]),
        ([NO_CRASH, "-o", "x"], ["ends without a power cut"]),
        (["missing", "-o", "x"], ["missing", "No such file"]),
        ([TRACE, "-o", "x", "--mount", "9"], ["--mount 9", "mounts 1 to"]),
        ([TRACE, "-o", "x", "--block-size", "512"], ["--block-size 512", "1024"]),
        ([TRACE, "-o", "x", "--journal", "full"], ["--journal", "full"]),
        ([TRACE, "-o", "."], ["a folder"]),
    ],
)
def test_bad_input(
    powercut: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str | Path],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(powercut("image", *arguments), *words)
    assert files_below(tmp_path) == {}


def test_a_missing_tool_is_named(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(e2fsprogs, "find_tool", lambda _: None)
    ended = powercut("image", TRACE, "-o", tmp_path / "x", "--block-size", "2048")
    assert_refused(ended, "not installed", "e2fsprogs")
