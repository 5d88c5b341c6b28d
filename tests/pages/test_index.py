"""``check --html``: an index of what breaks, with a page for the shortest of each kind."""

import re
from pathlib import Path

import pytest

from tests.cli.support import Runner


def test_check_writes_an_index_and_a_page_for_each_kind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    powercut = Runner(capsys)
    scopes = ("eio-overwrite", "punch-folio", "overwrite-fsync")
    command = ("check", "--design", "seed", "--scope", *scopes, "--jobs", "1", "--html", tmp_path)
    ended = powercut(*command)
    assert ended.code == 1
    assert f"{tmp_path / 'index.html'}: " in ended.out
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    pages = re.findall(r"href='([^']+)'", index)
    assert pages == ["seed-punch-folio-late-write.html", "seed-eio-overwrite-data-err-abort.html"]
    assert "punch-late-bio" in index
    assert "6 steps" in index
    for page in pages:
        assert powercut("replay", tmp_path / page).code == 0


def test_a_folder_that_cannot_be_written_is_said_before_the_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ended = Runner(capsys)("check", "--scope", "overwrite-fsync", "--html", tmp_path / "file")
    assert ended.code == 2
    assert "--html" in ended.err
