"""What people judge powercut by is what it was, to the letter."""

import pytest

from tests.snapshots import FOLDER, SNAPSHOTS, UPDATE, current, masked


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_the_text_is_as_saved(name: str) -> None:
    assert current(name) == (FOLDER / name).read_text(encoding="utf-8"), f"meant so? {UPDATE}"


def test_no_snapshot_is_left_over() -> None:
    saved = {path.name for path in FOLDER.iterdir() if path.suffix in (".txt", ".mmd")}
    assert saved == SNAPSHOTS.keys()


def test_seconds_are_masked_and_nothing_else() -> None:
    row = "seed    append-fsync     holds      667     0.03  all"
    assert masked(row) == "seed    append-fsync     holds      667 #.##  all"
    last = "1,726 states, 3,938 transitions, 50.0 s, all runs exhausted: holds (exit code 0)"
    assert masked(last) == last.replace("50.0", "#.##")
    version = "the patch as posted (v3 09/22), version 1.2 of 3"
    assert masked(version) == version
