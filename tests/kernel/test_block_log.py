"""Logs are read whole or refused with one line; damage is found before the first entry."""

from pathlib import Path

import pytest

from powercut.checkers.kernel.block_log import DISCARD, FLUSH, FUA, MARK, BlockLog
from powercut.checkers.kernel.errors import LabError
from tests.kernel.logs import SECTOR_BYTES, Logged, write_log

A, B = b"a" * 512, b"b" * 1024
ENTRIES = (
    Logged(0, A),
    Logged(4096, B, FUA),
    Logged(flags=MARK, data=b"half way"),
    Logged(flags=FLUSH),
    Logged(8192, flags=DISCARD, claims_sectors=4),
)


def test_every_entry_is_read(tmp_path: Path) -> None:
    log = BlockLog(write_log(tmp_path / "log", ENTRIES))
    seen = [(e.number, e.offset_bytes, e.length_bytes, e.flags, e.data) for e in log.entries()]
    assert seen == [
        (0, 0, 512, 0, A),
        (1, 4096, 1024, FUA, B),
        (2, 0, 0, MARK, b"half way"),
        (3, 0, 0, FLUSH, b""),
        (4, 8192, 2048, DISCARD, b""),
    ]
    assert log.end_bytes == 8192 + 2048
    assert list(log.entries()) == list(log.entries())


@pytest.mark.parametrize("missing_bytes", [1, 512, 513, 1024])
def test_a_log_cut_in_the_middle_is_one_line(tmp_path: Path, missing_bytes: int) -> None:
    path = write_log(tmp_path / "log", ENTRIES[:2])
    path.write_bytes(path.read_bytes()[:-missing_bytes])
    with pytest.raises(LabError) as caught:
        BlockLog(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: entry 1, byte 1536: the log is cut: entry 1 of 2 needs 1536")
    assert "copy the log again" in text
    assert len(text.splitlines()) == 1


def test_a_log_cut_between_entries_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="entry 1 of 2 needs 512 bytes, the file ends after 0"):
        BlockLog(write_log(tmp_path / "log", ENTRIES[:1], count=2))


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, b"\1", "no dm-log-writes log"),
        (8, b"\2", "version 2"),
        (16, b"\0", "it has no entry"),
        (24, b"\7", "sectors of 519 bytes"),
        (SECTOR_BYTES + 16, b"\x40", "unknown flags 0x40"),
        (SECTOR_BYTES + 8, b"\x99", "the log is cut"),
    ],
)
def test_damage_is_refused(tmp_path: Path, at: int, value: bytes, words: str) -> None:
    path = write_log(tmp_path / "log", ENTRIES[:1])
    content = bytearray(path.read_bytes())
    content[at : at + 1] = value
    path.write_bytes(content)
    with pytest.raises(LabError, match=words):
        BlockLog(path)


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(LabError, match="no dm-log-writes log"):
        BlockLog(empty)
    with pytest.raises(LabError, match="No such file"):
        BlockLog(tmp_path / "nothing")
    with pytest.raises(LabError, match="directory"):
        BlockLog(tmp_path)
