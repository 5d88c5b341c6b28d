"""The ladder and the words in it."""

import re

import pytest

from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import placed, replay
from powercut.checkers.traces import TraceStep, load_trace, render_ladder, render_list
from powercut.checkers.traces.describe import (
    context_of,
    describe_changes,
    journal_at_crash,
    locks_held,
    operand_name,
    values_of,
)
from powercut.checkers.traces.views import EpochReplay, StepView
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.state import (
    FLUSHER,
    IOEND_COMPLETED,
    IOEND_NONE,
    IOEND_WORKER,
    KJOURNALD,
    T_COMMIT_RECORD,
    T_FLUSH,
    T_RUNNING,
    WORKER,
)
from tests.traces.corpus import FOLDER


@pytest.fixture(scope="module")
def two_mounts() -> str:
    trace = load_trace(FOLDER / "seed-eof-two-mounts-stale-data.trace.json")
    return render_ladder(trace, replay(trace).epochs)


def test_the_ladder_tells_the_story(two_mounts: str) -> None:
    lines = [line.strip() for line in two_mounts.splitlines()]
    story = (
        r"stale-data violated: inode 0: cell 1 shows data from behind EOF",
        r"design +seed: .*",
        r"-+ mount 1 -+",
        r"task0 +write\(cell 1\) = write1",
        r"task0 +flusher +disk",
        r"\(writer\) .*\[locks held after the step\]",
        r"1  ext4_buffered_write_iter\(\)",
        r"down_write\(i_rwsem\) +\[i_rwsem\]",
        r"i_size 1 > 2",
        r"disk p0: cell 1 may be zero\|write1",
        r"\*\*\* power cut \*\*\*",
        r"chance +p0 cell 1 may also show zero",
        r"-+ mount 2 -+",
        r"p0: old pollution",
        r"block 1: delayed > unwritten p1",
        r"i_disksize 1 > 3",
        r"journal: T_COMMIT_RECORD",
        r"\*\*\* power cut \*\*\*",
        r"recovery +size 3, no orphan to process",
        r"file +\| 0: old \| 1: pollution \| 2: write1 \| EOF \| 3: zero \|",
        r"\^{12}",
        r"stale-data: cell 1 \(bytes 2048-4095\) shows pollution, .*",
    )
    at = 0
    for wanted in story:
        found = [n for n in range(at, len(lines)) if re.fullmatch(wanted, lines[n])]
        assert found, f"{wanted} does not follow line {at}"
        at = found[0] + 1


def test_the_marks_stand_below_the_wrong_cell(two_mounts: str) -> None:
    lines = two_mounts.splitlines()
    (mark,) = (n for n, line in enumerate(lines) if set(line.strip()) == {"^"})
    start = lines[mark].index("^")
    assert lines[mark - 1][start : len(lines[mark])] == "1: pollution"


def test_steps_are_numbered_in_their_column(two_mounts: str) -> None:
    second = two_mounts.partition("mount 2 ")[2]
    numbers = [int(found) for found in re.findall(r"^ {1,2}(\d+)  ", second, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    header = next(line for line in second.splitlines() if "ioend  " in line)
    worker = next(line for line in second.splitlines() if "ext4_iomap_end_io()" in line)
    assert worker.index("ext4_iomap_end_io()") == header.index("ioend")


def test_long_words_stay_on_the_page() -> None:
    trace = load_trace(FOLDER / "seed-eof-mmap-stale-data.trace.json")
    step = StepView("disk0", "", "f" * 150, "g " * 90, "", 0, ["folio_lock 0"] * 20, ["x" * 250])
    acting = [
        StepView(thread, "", "f", "call()", "", 0, [], [])
        for thread in ("task0", "task1", "flusher0", "worker0", "kjournald", "unheard-of7")
    ]
    text = render_ladder(trace, [EpochReplay(steps=[*acting, step] * 60)])
    assert max(map(len, text.splitlines())) <= 100
    assert "unheard-of" in text
    assert text.count("x") > 250


def test_the_list_is_compact() -> None:
    trace = load_trace(FOLDER / "seed-eof-two-mounts-stale-data.trace.json")
    trace.epochs[1].steps[1:2] = [TraceStep("task0", "folio_trylock", "folio lock")]
    lines = render_list(trace, placed(trace)).splitlines()
    assert max(map(len, lines)) <= 100
    assert re.match(r"   1  task0 +model/[\w/]+\.py:\d+ +down_write +\S", lines[2])
    assert any(re.match(r"   2  task0 +-  +folio_trylock +folio", line) for line in lines)
    assert lines[-1].strip() == "power cut"


def test_a_live_violation_ends_with_the_state() -> None:
    trace = load_trace(FOLDER / "seed-eio-overwrite-data-err-abort.trace.json")
    text = render_ladder(trace, replay(trace).epochs)
    assert "*** data-err-abort violated here ***" in text
    assert re.search(r"^options +data_err=abort$", text, re.MULTILINE)
    assert re.search(r"^state +i_size 2, i_disksize 2, ", text, re.MULTILINE)
    assert "bio fails\n" in text


# ---- words --------------------------------------------------------------------------------------


@pytest.fixture
def values() -> dict[str, int]:
    system = Mount.of(Question(DESIGNS["seed"], SCOPES["two-block-folio"])).system
    return values_of(system.build.layout, system.shared(system.initial))


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, []),
        ({"inode[0].i_size": 3}, ["i_size 1 > 3"]),
        ({"inode[0].folio[0].dirty": 3}, ["folio 0: dirty (block 0, 1)"]),
        ({"inode[0].page[2]": 16, "inode[0].page[3]": 16}, ["page cache: cells 2-3 write1"]),
        (
            {"inode[0].delayed[1]": 1, "inode[0].i_reserved_data_blocks": 1},
            ["block 1: hole > delayed"],
        ),
        ({"inode[0].i_reserved_data_blocks": 1}, ["i_reserved_data_blocks 0 > 1"]),
        ({"block[2]": 1}, ["p2 allocated"]),
        ({"block[0]": 2}, ["p0 freed, not to be reused before the commit"]),
        ({"block[0]": 0}, ["p0 freed, allocatable at once"]),
        ({"journal.running": 2}, ["journal: T_LOCKED"]),
        ({"journal.committing": 1}, ["journal: T_FLUSH"]),
        ({"stable.may[1]": 17, "device.cached[1]": 16}, ["disk p0: cell 1 may be zero|write1"]),
        ({"device.cached[0]": 16}, ["disk p0: cell 0 may be old, write1 after a flush"]),
        ({"stable.inode[0].committed.size": 3}, ["durable: size 3"]),
        ({"stable.oracle.inode[0].promise_size": 3}, ["fsync promises size 3 and its content"]),
        ({"caller[0].tid": 2}, ["task0 waits for the running transaction"]),
        ({"inode[0].i_ordered_lblk": 1}, ["i_ordered_lblk: block 0"]),
        (
            {"inode[0].eof_in_flight[0]": 1},
            ["EOF block 0: marked at EOF 1, its write is in flight"],
        ),
        ({"inode[0].raw.orphan": 1}, ["on the orphan list"]),
        ({"journal.t_updates": 1, "inode[0].i_rwsem.writer": 1}, []),
    ],
    ids=str,
)
def test_changes_in_words(
    values: dict[str, int], changes: dict[str, int], lines: list[str]
) -> None:
    assert changes.keys() <= values.keys()
    assert describe_changes(values, values | changes) == lines


def test_a_new_variable_cannot_go_unnoticed(values: dict[str, int]) -> None:
    before = values | {"inode[0].novelty": 0}
    assert describe_changes(before, before | {"inode[0].novelty": 7}) == ["inode[0].novelty 0 > 7"]


def test_a_merge_is_told(values: dict[str, int]) -> None:
    one = {"inode[0].ioend[0].nr_blocks": 1, "inode[0].ioend[1].nr_blocks": 1}
    queued = {f"inode[0].ioend[{b}].state": IOEND_COMPLETED for b in (0, 1)}
    merged = {
        "inode[0].ioend[0].nr_blocks": 2,
        "inode[0].ioend[0].state": IOEND_WORKER,
        "inode[0].ioend[1].nr_blocks": 0,
        "inode[0].ioend[1].state": IOEND_NONE,
    }
    before = values | one | queued
    assert describe_changes(before, before | merged) == [
        "ioend 0 taken by the worker: blocks 0-1 at p0-p1",
        "ioend 1 merged into ioend 0",
    ]


def test_locks_have_their_kernel_names(values: dict[str, int]) -> None:
    held = values | {
        "inode[0].i_rwsem.writer": 2,
        "inode[0].invalidate_lock.readers": 0b10,
        "inode[0].folio[0].locked": 2,
        "inode[0].i_data_sem.writer": 2,
        "journal.t_updates": 0b10,
        "rsv_conversion_wq": WORKER + 1,
        "journal.j_checkpoint_mutex": FLUSHER + 1,
    }
    assert locks_held(held, context_of("task", 1)) == [
        "i_rwsem",
        "invalidate_lock (r)",
        "folio_lock 0",
        "handle",
        "i_data_sem",
    ]
    assert locks_held(held, context_of("worker", 0)) == ["worker_slot"]
    assert locks_held(held, context_of("flusher", 0)) == ["j_checkpoint_mutex"]
    assert locks_held(held, context_of("disk", 1)) == []
    assert context_of("kjournald", 0) == KJOURNALD


def test_operands_have_their_kernel_names() -> None:
    assert operand_name("inode[0].i_data_sem") == "i_data_sem"
    assert operand_name("inode[0].folio[1]") == "folio 1"
    assert operand_name("inode[0]") == ""


def test_what_a_crash_finds_of_the_journal(values: dict[str, int]) -> None:
    assert journal_at_crash(values) == ["nothing in flight in the journal"]
    busy = values | {"journal.running": T_RUNNING, "journal.committing": T_FLUSH}
    assert [line.rpartition(": ")[2] for line in journal_at_crash(busy)] == ["lost", "lost"]
    done = values | {"journal.committing": T_COMMIT_RECORD}
    assert journal_at_crash(done)[0].endswith("replayed")
    assert "aborted" in journal_at_crash(values | {"journal.aborted": 1})[0]
