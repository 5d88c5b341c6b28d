"""Exactly the contents that a power cut may leave, each once, within a budget that is said."""

from itertools import combinations
from pathlib import Path

import pytest

from powercut.checkers.kernel.block_log import DISCARD, FLUSH, FUA, MARK, BlockLog
from powercut.checkers.kernel.crash_states import Choice, CrashStates
from powercut.checkers.kernel.errors import LabError
from powercut.checkers.kernel.medium import PAGE_BYTES, BaseImage, Medium
from tests.kernel.logs import Logged, write_log

SIZE = 4 * PAGE_BYTES


def sector(letter: str) -> bytes:
    return letter.encode() * 512


def states(
    path: Path, *entries: Logged, choice: Choice | None = None
) -> tuple[CrashStates, list[str]]:
    """The contents of the first sector of each page, one letter each, in the order they come."""
    log = BlockLog(write_log(path / "log", entries))
    found = CrashStates(BaseImage(b"." * SIZE), log, choice or Choice())
    shown = []
    for point in found:
        content = point.medium.whole()
        shown.append("".join(chr(content[at]) for at in range(0, SIZE, PAGE_BYTES)))
    return found, shown


def at(page: int, letter: str, flags: int = 0) -> Logged:
    return Logged(page * PAGE_BYTES, sector(letter), flags)


def test_any_subset_of_unflushed_writes_survives(tmp_path: Path) -> None:
    _, shown = states(tmp_path, at(0, "a"), at(1, "b"), at(2, "c"))
    wanted = {
        "".join(letter if n in kept else "." for n, letter in enumerate("abc")) + "."
        for size in range(4)
        for kept in combinations(range(3), size)
    }
    assert set(shown) == wanted
    assert len(shown) == len(wanted)
    assert shown[:4] == ["....", "a...", "ab..", "abc."]


def test_a_flush_makes_durable_what_came_before(tmp_path: Path) -> None:
    _, shown = states(tmp_path, at(0, "a"), Logged(flags=FLUSH), at(1, "b"))
    assert shown == ["....", "a...", "ab.."]


def test_data_of_a_flush_comes_after_it(tmp_path: Path) -> None:
    _, shown = states(tmp_path, at(0, "a"), at(1, "b", FLUSH))
    assert set(shown) == {"....", "a...", "ab.."}


def test_a_fua_write_survives_alone(tmp_path: Path) -> None:
    """It says nothing about the write before it."""
    _, shown = states(tmp_path, at(0, "a"), at(1, "b", FUA), at(2, "c"))
    assert shown == ["....", "a...", ".b..", "ab..", "abc.", ".bc."]


def test_a_later_write_to_the_same_place_wins(tmp_path: Path) -> None:
    _, shown = states(tmp_path, at(0, "a"), at(0, "b"))
    assert shown == ["....", "a...", "b..."]
    _, shown = states(tmp_path, at(0, "a"), at(0, "b", FUA), at(0, "c"))
    assert shown == ["....", "a...", "b...", "c..."]


def test_equal_contents_are_yielded_once(tmp_path: Path) -> None:
    found, shown = states(tmp_path, at(0, "a"), at(0, "."), at(0, "a"), at(1, "."))
    assert shown == ["....", "a..."]
    assert found.coverage.drawn == 16
    assert found.coverage.distinct == 2


def test_a_discard_leaves_zeros(tmp_path: Path) -> None:
    gone = Logged(PAGE_BYTES, flags=DISCARD, claims_sectors=16)
    _, shown = states(tmp_path, at(2, "c"), Logged(flags=FLUSH), gone)
    assert shown == ["....", "..c.", ".\0\0."]


def test_marks_change_nothing(tmp_path: Path) -> None:
    _, shown = states(tmp_path, at(0, "a"), Logged(flags=MARK, data=b"here"))
    assert shown == ["....", "a..."]


def test_a_large_set_is_sampled_and_said_so(tmp_path: Path) -> None:
    writes = [Logged(n * 512, sector("x")) for n in range(20)]
    found, shown = states(tmp_path, *writes, choice=Choice(subsets=10))
    assert found.coverage.sampled_places == 1
    assert len(shown) <= found.coverage.distinct == found.coverage.drawn == 31
    again, same = states(tmp_path, *writes, choice=Choice(subsets=10))
    assert same == shown
    assert again.coverage == found.coverage


def test_another_seed_draws_others(tmp_path: Path) -> None:
    log = BlockLog(write_log(tmp_path / "log", [Logged(n * 512, sector("x")) for n in range(20)]))
    base = BaseImage(b"." * SIZE)
    prints = [
        {p.medium.fingerprint for p in CrashStates(base, log, Choice(10, seed))} for seed in (1, 2)
    ]
    assert prints[0] != prints[1]


def test_a_torn_write_survives_in_sectors(tmp_path: Path) -> None:
    write = Logged(0, sector("a") + sector("b"))
    log = BlockLog(write_log(tmp_path / "log", [write]))

    def heads(choice: Choice) -> set[str]:
        found = CrashStates(BaseImage(b"." * SIZE), log, choice)
        return {"".join(chr(p.medium.read(n, 1)[0]) for n in (0, 512)) for p in found}

    assert heads(Choice()) == {"..", "ab"}
    assert heads(Choice(torn=True)) == {"..", "a.", ".b", "ab"}


def test_survivors_are_named(tmp_path: Path) -> None:
    log = BlockLog(write_log(tmp_path / "log", [at(0, "a"), at(1, "b")]))
    points = list(CrashStates(BaseImage(b"." * SIZE), log))
    assert [(p.before, p.pending, p.survivors, p.is_prefix) for p in points] == [
        (2, 2, (), True),
        (2, 2, (0,), True),
        (2, 2, (0, 1), True),
        (2, 2, (1,), False),
    ]


def test_a_log_of_a_larger_device_is_refused(tmp_path: Path) -> None:
    log = BlockLog(write_log(tmp_path / "log", [at(4, "a")]))
    with pytest.raises(LabError, match="entry 0 ends at byte 16896, the image has 16384"):
        list(CrashStates(BaseImage(b"." * SIZE), log))


def test_a_fingerprint_tells_contents_apart() -> None:
    """Written in any order, over any history: equal exactly where the contents are."""
    base = BaseImage(bytes(SIZE))
    media = [Medium(base) for _ in range(4)]
    media[0].write(100, b"x" * 5000)
    media[1].write(3000, b"x" * 2100)
    media[1].write(100, b"x" * 3000)
    media[2].write(100, b"x" * 5000)
    media[2].write(0, b"y")
    media[3].write(100, b"x" * 5000)
    media[3].erase(100, 5000)
    assert media[0].whole() == media[1].whole()
    assert media[0].fingerprint == media[1].fingerprint
    assert media[2].fingerprint != media[0].fingerprint
    assert media[3].fingerprint == 0
    assert media[3].whole() == bytes(SIZE)
    assert media[0].read(4090, 12) == media[0].whole()[4090:4102]
