"""The cache on disk: what is read is what was written, by this user, or nothing is."""

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from powercut.checkers.engine import cache as module
from powercut.checkers.engine.cache import Cache, folder_name, sweep, user_cache
from powercut.writing import System

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def kept(base: Path) -> Cache:
    """Give the test a cache with one file."""
    cache = user_cache()
    assert cache.keep("entry", CONTENT)
    return cache


def folder_of(cache: Cache) -> Path:
    """Return the folder of a cache that has one."""
    assert cache.folder is not None, cache.note
    return cache.folder


def test_what_is_kept_can_be_read(kept: Cache) -> None:
    assert kept.read("entry") == CONTENT
    path = kept.path("entry")
    assert path is not None
    assert path.read_bytes().startswith(CONTENT)
    assert os.listdir(folder_of(kept)) == ["entry"]
    assert kept.read("other") is None
    assert kept.path("other") is None


def test_folder_and_files_are_closed_to_others(base: Path) -> None:
    old = os.umask(0)
    try:
        cache = user_cache()
        assert cache.keep("entry", CONTENT)
    finally:
        os.umask(old)
    assert stat.S_IMODE((base / "powercut").stat().st_mode) == 0o700
    assert stat.S_IMODE((base / "powercut" / "entry").stat().st_mode) == 0o600


@pytest.mark.parametrize("left", [0, 1, 39, 40, len(CONTENT), len(CONTENT) + 39])
def test_a_file_cut_short_does_not_exist(kept: Cache, left: int) -> None:
    path = folder_of(kept) / "entry"
    os.truncate(path, left)
    assert kept.read("entry") is None
    assert kept.path("entry") is None
    assert kept.keep("entry", CONTENT)
    assert kept.read("entry") == CONTENT


@pytest.mark.parametrize("at", [0, 5_000, -1, -33, -40])
def test_a_damaged_file_does_not_exist(kept: Cache, at: int) -> None:
    path = folder_of(kept) / "entry"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert kept.read("entry") is None


def test_a_good_file_under_another_name_does_not_count(kept: Cache) -> None:
    shutil.copy(folder_of(kept) / "entry", folder_of(kept) / "other")
    assert kept.read("other") is None


def test_a_file_that_others_can_write_does_not_count(kept: Cache) -> None:
    for mode in (0o620, 0o602):
        (folder_of(kept) / "entry").chmod(mode)
        assert kept.read("entry") is None
    (folder_of(kept) / "entry").chmod(0o644)
    assert kept.read("entry") == CONTENT


def test_a_link_or_a_pipe_does_not_count(kept: Cache) -> None:
    folder = folder_of(kept)
    (folder / "entry").rename(folder / "real")
    (folder / "entry").symlink_to(folder / "real")
    assert kept.read("entry") is None
    os.mkfifo(folder / "pipe")
    assert kept.read("pipe") is None


def test_what_another_user_owns_is_not_used(kept: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: os.stat(folder_of(kept)).st_uid + 1)
    assert kept.read("entry") is None
    assert user_cache().folder is None
    assert "belongs to another user" in user_cache().note
    assert not user_cache().keep("entry", b"")


def test_a_folder_that_others_can_write_is_not_used(kept: Cache) -> None:
    for mode in (0o770, 0o707):
        folder_of(kept).chmod(mode)
        assert user_cache().folder is None
        assert "others can write" in user_cache().note
    folder_of(kept).chmod(0o755)
    assert user_cache().read("entry") == CONTENT
    assert stat.S_IMODE(folder_of(kept).stat().st_mode) == 0o700


def test_a_folder_that_everybody_can_replace_is_not_used(kept: Cache, base: Path) -> None:
    base.chmod(0o777)
    assert "can replace" in user_cache().note
    base.chmod(0o1777)
    assert user_cache().read("entry") == CONTENT


def test_a_link_as_folder_is_not_used(base: Path) -> None:
    (base / "elsewhere").mkdir(mode=0o700)
    (base / "powercut").symlink_to(base / "elsewhere")
    assert "is not a folder" in user_cache().note


def test_a_relative_path_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("here", "./here", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert folder_name() == tmp_path / "home" / ".cache" / "powercut"
    assert user_cache().keep("entry", CONTENT)
    assert os.listdir(tmp_path) == ["home"]


def test_a_home_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert user_cache().folder is None
    assert str(tmp_path) in user_cache().note


@pytest.mark.parametrize("call", ["open", "write", "fsync", "link"])
@pytest.mark.parametrize("number", [28, 5])
def test_a_full_or_failing_disk_keeps_nothing(
    kept: Cache, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(System, call, staticmethod(fails))
    assert not kept.keep("second", CONTENT)
    assert os.listdir(folder_of(kept)) == ["entry"]
    assert kept.read("entry") == CONTENT


def test_a_kill_while_writing_leaves_what_a_later_run_removes(
    kept: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(kept)
    names = ("tmpabc.part", "entry.lock")
    for name in names:
        (folder / name).write_bytes(b"half")
    sweep(folder)
    assert {p.name for p in folder.iterdir()} == {"entry", *names}
    for name in names:
        os.utime(folder / name, (0, time.time() - module.ABANDONED_S - 1))
    assert kept.keep("second", CONTENT)
    assert {p.name for p in folder.iterdir()} == {"entry", "second"}


def test_what_nobody_uses_is_removed_and_what_is_used_stays(kept: Cache) -> None:
    folder = folder_of(kept)
    assert kept.keep("used", CONTENT)
    for name in ("entry", "used"):
        os.utime(folder / name, (0, time.time() - module.UNUSED_S - 1))
    assert kept.read("used") == CONTENT
    sweep(folder)
    assert os.listdir(folder) == ["used"]


def test_above_the_total_size_the_oldest_go(kept: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(kept)
    monkeypatch.setattr(module, "MOST_BYTES", 3 * len(CONTENT))
    os.utime(folder / "entry", (0, time.time() - 200))
    for number in range(4):
        assert kept.keep(f"e{number}", CONTENT)
        os.utime(folder / f"e{number}", (0, time.time() - 100 + number))
    assert kept.keep("last", CONTENT)
    assert {p.name for p in folder.iterdir()} == {"e3", "last"}


WRITE = """
import sys
from powercut.checkers.engine.cache import user_cache
for turn in range(60):
    assert user_cache().keep("entry", bytes([int(sys.argv[1])]) * 50_000)
    content = user_cache().read("entry")
    assert content is not None and len(set(content)) == 1 and len(content) == 50_000
"""


def test_two_processes_write_the_same_file(base: Path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", WRITE, str(n)]) for n in (1, 2)]
    assert [child.wait() for child in children] == [0, 0]
    assert os.listdir(base / "powercut") == ["entry"]


def test_a_lock_that_cannot_be_had_stops_nobody(
    kept: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "full")

    with kept.only_one("entry"):
        assert (folder_of(kept) / "entry.lock").exists()
    assert not (folder_of(kept) / "entry.lock").exists()
    monkeypatch.setattr(System, "open", staticmethod(full))
    with kept.only_one("entry"):
        assert not (folder_of(kept) / "entry.lock").exists()
