"""Files of a real file system are judged by the specification that judges the model's."""

from pathlib import Path

import pytest

from powercut.checkers.kernel.block_log import MARK, BlockLog
from powercut.checkers.kernel.crash_states import Choice, CrashStates
from powercut.checkers.kernel.errors import LabError
from powercut.checkers.kernel.judge import Judge, Program, marks_of, structural_faults
from powercut.checkers.kernel.medium import BaseImage, Medium
from powercut.checkers.kernel.volume import Volume
from powercut.checkers.workload import parse_workload
from tests.kernel.commits import Change, change, disk, returned
from tests.kernel.images import needs_e2fsprogs
from tests.kernel.logs import Logged, write_log

pytestmark = needs_e2fsprogs

APPEND = "write 2 2; fsync"
EMPTY_BEHIND = disk(2, "OOFF", used=0b1, blocks=1)
APPENDED = disk(4, "OO11")
BEHIND = ("structure", "block 1 is written but wholly behind size 1024")
"""The disk before: its second block is there for the step only."""


def program(tasks: str) -> Program:
    lines = "".join(f"  task {task}\n" for task in tasks.split("|"))
    return Program.of_scope(parse_workload(f"file size=1\nmount\n{lines}", "test"))


def found(path: Path, step: Change, tasks: str, *entries: Logged) -> set[tuple[str, str]]:
    """Property and first words of everything that some crash state of the log shows."""
    base = BaseImage(step.base)
    log = BlockLog(write_log(path / "log", entries))
    judge = Judge(program(tasks), Volume(Medium(base)), marks_of(log))
    faults = set()
    for point in CrashStates(base, log, Choice(subsets=256)):
        volume = Volume(point.medium)
        for fault in (*structural_faults(volume), *judge.faults(volume, point.before)):
            faults.add((fault.prop, fault.text.partition(":")[0]))
    assert judge.judged_files > 1
    return faults


def test_an_ordered_commit_is_allowed(tmp_path: Path) -> None:
    step = change(EMPTY_BEHIND, APPENDED)
    assert found(tmp_path, step, APPEND, *step.in_order) == set()
    marked = (returned(1), *step.in_order, returned(2))
    assert found(tmp_path, step, APPEND, *marked) == set()


def test_a_sync_that_returns_too_early(tmp_path: Path) -> None:
    step = change(EMPTY_BEHIND, APPENDED)
    early = (returned(1), returned(2), *step.in_order)
    text = "the size was given up by a later call that a sync made durable"
    assert found(tmp_path, step, APPEND, *early) == {("durability", text)}
    assert found(tmp_path, step, APPEND, *step.in_order) == set(), "without marks no promise"


def test_data_after_its_commit(tmp_path: Path) -> None:
    """What a commit before its data shows is whatever was in the block."""
    step = change(EMPTY_BEHIND, APPENDED)
    late = (*step.journal, Logged(flags=1), step.commit, *step.data)
    faults = found(tmp_path, step, APPEND, *late)
    assert faults == {("stale-data", "from byte 1024 on data of a previous owner of the block")}


def half(content: bytes, letter: bytes) -> bytes:
    """A sector that a call copied into while the device read it."""
    return content[:100] + letter * 412 + content[512:]


def test_each_half_of_a_sector_is_judged(tmp_path: Path) -> None:
    step = change(disk(2, "OOFF", used=0b1, blocks=1), disk(2, "11FF", used=0b1, blocks=1))
    (data,) = step.data
    for letter, faults in (
        (b"O", set()),
        (b"F", {("stale-data", "from byte 0 on data of a previous owner of the block")}),
    ):
        torn = Logged(data.offset_bytes, half(data.data, letter))
        assert found(tmp_path, step, "write 0 2", torn) == faults


def test_data_that_was_cut_off(tmp_path: Path) -> None:
    before, zeroed, kept = (disk(n, cells) for n, cells in ((2, "OOFF"), (3, "O..."), (3, "OO..")))
    tasks = "truncate 1; truncate 3"
    right, wrong = change(before, zeroed), change(before, kept)
    assert found(tmp_path, right, tasks, *right.in_order) <= {BEHIND}
    text = "from byte 512 on data of its own that was never there, or cut off"
    assert found(tmp_path, wrong, tasks, *wrong.in_order) <= {BEHIND, ("stale-data", text)}
    assert ("stale-data", text) in found(tmp_path, wrong, tasks, *wrong.in_order)


def test_data_from_behind_the_size(tmp_path: Path) -> None:
    step = change(disk(1, "OPFF", used=0b1, blocks=1), disk(2, "OPFF", used=0b1, blocks=1))
    faults = found(tmp_path, step, "truncate 2", *step.in_order)
    assert faults == {("stale-data", "from byte 512 on data from behind EOF")}


def test_overwritten_data_that_a_sync_promised(tmp_path: Path) -> None:
    step = change(disk(2, "OO", used=0b1, blocks=1), disk(2, "O1", used=0b1, blocks=1))
    (write,) = step.data
    assert found(tmp_path, step, "write 1 1; fsync", write, Logged(flags=1), returned(2)) == set()
    faults = found(tmp_path, step, "write 1 1; fsync", write, returned(2))
    assert faults == {("durability", "from byte 512 on a sync had promised something else")}


def test_a_size_that_no_call_gave(tmp_path: Path) -> None:
    step = change(EMPTY_BEHIND, APPENDED)
    faults = found(tmp_path, step, "write 1 1; fsync", *step.in_order)
    assert ("sizes", "no call gave it this size") in faults


def test_a_file_is_not_judged_after_a_failed_call(tmp_path: Path) -> None:
    step = change(EMPTY_BEHIND, APPENDED)
    failed = (returned(1, errno=5), returned(2), *step.in_order)
    base = BaseImage(step.base)
    log = BlockLog(write_log(tmp_path / "log", failed))
    judge = Judge(program(APPEND), Volume(Medium(base)), marks_of(log))
    assert not any(list(judge.faults(Volume(p.medium), p.before)) for p in CrashStates(base, log))
    assert judge.judged_files == 0


def test_structure(tmp_path: Path) -> None:
    unmarked = change(EMPTY_BEHIND, disk(4, "OO11", used=0b1))
    faults = found(tmp_path, unmarked, APPEND, *unmarked.in_order)
    assert {prop for prop, _ in faults} == {"structure"}
    assert any("free by the bitmap" in text for _, text in faults)


def test_another_round_is_another_file(tmp_path: Path) -> None:
    """Marks of round 1 promise nothing about round 0."""
    step = change(EMPTY_BEHIND, APPENDED)
    early = (returned(1, round_=1), returned(2, round_=1), *step.in_order)
    assert found(tmp_path, step, APPEND, *early) == set()


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ("write 0 1|write 1 1", "file 0 is used by several tasks"),
        ("unlink", "unlink cannot be judged"),
    ],
)
def test_programs_that_cannot_be_judged(tasks: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        program(tasks)


def test_unknown_marks_are_refused(tmp_path: Path) -> None:
    mark = Logged(flags=MARK, data=b"powercut mark one two")
    log = BlockLog(write_log(tmp_path / "log", [mark]))
    with pytest.raises(LabError, match="entry 0: unknown mark 'powercut mark one two'"):
        marks_of(log)


def test_a_mark_may_be_a_write_behind_the_file_system(tmp_path: Path) -> None:
    sector = b"powercut mark 3 0 2 28".ljust(512, b"\0")
    log = BlockLog(write_log(tmp_path / "log", [Logged(1 << 20, sector)]))
    (mark,) = marks_of(log)
    assert (mark.round, mark.task, mark.call, mark.errno) == (3, 0, 2, 28)
