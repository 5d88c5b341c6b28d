"""Causes: what is needed, what carries the wrong value, which wait is missing."""

import re

import msgspec
import pytest

from powercut.checkers.engine.recorded import RecordedBytes, Sourced, sources_of
from powercut.checkers.explain.dependence import deciding_bytes, final_variables, record, slice_of
from powercut.checkers.explain.what_if import Course, EpochPlan, Plan, Walker, Wish, plan_of
from powercut.checkers.explain.why import annotated, explain
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.replay import replay
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces import Trace, load_trace, render_ladder, render_mermaid
from tests.traces.corpus import FOLDER
from tests.traces.walks import random_trace

NO_PREFLUSH = "seed-append-fsync-unstable-conversion-no-preflush"
TWO_MOUNTS = "seed-eof-two-mounts-stale-data"


def saved(name: str) -> Trace:
    return load_trace(FOLDER / f"{name}.trace.json")


def places(trace: Trace, mount: int) -> list[str]:
    """Return thread and function of the steps that carry what is wrong."""
    carrying = explain(trace, waits=False).mounts[mount].carrying
    steps = replay(trace).epochs[mount].steps
    return [f"{steps[n - 1].thread} {steps[n - 1].function}" for n in carrying]


# ---- numbers that know their sources ------------------------------------------------------------


def test_arithmetic_keeps_the_sources() -> None:
    one, two = Sourced(6, frozenset({1})), Sourced(3, frozenset({2}))
    for result, value in (
        (one + two, 9),
        (10 - one, 4),
        (one // two, 2),
        (7 % two, 1),
        (one | 1, 7),
        (~two, -4),
        (1 << two, 8),
        (one & two, 2),
        (one > two, 1),
        (one == 6, 1),
        (-one, -6),
    ):
        assert int(result) == value
        assert sources_of(result) <= {1, 2}
        assert sources_of(result)
    assert sources_of(one + two) == {1, 2}
    assert sources_of(min(one, two)) == {2}
    assert sources_of(3) == frozenset()
    assert hash(one) == hash(6)
    assert list(range(two)) == [0, 1, 2]


def test_a_vector_remembers_reads_and_writes() -> None:
    memory = RecordedBytes(bytes([5, 7, 0, 0]))
    first = memory.begin(1)
    memory[2] = memory[0] + 1
    memory[3] = 9
    second = memory.begin(2)
    memory[1] = memory[2]
    assert bytes(memory) == bytes([5, 6, 6, 9])
    assert (first.reads, first.writes) == ({0: 5}, {2: 6, 3: 9})
    assert (second.reads, second.writes) == ({2: 6}, {1: 6})
    assert [write.sources for write in memory.log] == [{-1}, set(), {0}]
    assert bytes(memory[1:3]) == b"\x06\x06"


def test_recording_changes_nothing() -> None:
    trace = saved(TWO_MOUNTS)
    course = Walker(trace.property).walk(plan_of(trace))
    for n, epoch in enumerate(course.epochs):
        mount = Mount.of(course.question, n, epoch.start)
        plain = mount.native()
        for thread in epoch.schedule:
            plain.step(thread)
        run = record(mount, epoch.schedule)
        assert run.after == bytes(plain.variables) == mount.system.shared(course.states[n][-1])
        assert final_variables(run, frozenset(range(len(run.steps)))) == run.after


# ---- slices -------------------------------------------------------------------------------------


def test_deciding_bytes() -> None:
    before, after = bytes([0, 0, 0]), bytes([1, 2, 3])
    assert deciding_bytes(before, after, range(3), lambda v: v[0] == 1 and v[2] > 0) == {0, 2}
    assert deciding_bytes(before, after, range(3), lambda v: v[0] == 1 or v[2] == 3) == {2}
    assert deciding_bytes(before, after, [1], lambda v: v[0] == 1) == set()


def test_a_slice_reads_what_the_run_read() -> None:
    """For any criterion: replaying only the writes of needed steps gives every needed read."""
    trace = random_trace("seed", "append-fsync", "unstable-conversion", "no-preflush")
    course = Walker(trace.property).walk(plan_of(trace))
    (epoch,) = course.epochs
    run = record(Mount.of(course.question, 0, epoch.start), epoch.schedule)
    sizes = set()
    for byte in range(len(run.after)):
        part = slice_of(run, [byte])
        values = bytearray(run.before)
        for number in sorted(part.needed):
            for at, value in run.steps[number].reads.items():
                assert values[at] == value
            for at, value in run.steps[number].writes.items():
                values[at] = value
        assert values[byte] == run.after[byte]
        assert part.carrying <= part.needed
        sizes.add(len(part.needed))
    assert 0 in sizes
    assert len(sizes) > 5


def padded(name: str) -> tuple[Trace, Course]:
    """Return a saved trace with a whole flusher pass and commits in between that do not matter."""
    trace = saved(name)
    plan = plan_of(trace)
    wishes = list(plan.mounts[0].wishes)
    extra = [Wish("flusher0")] * 30
    mount = EpochPlan((*wishes[:-1], *extra, wishes[-1]), plan.mounts[0].cells)
    walker = Walker(trace.property)
    course = walker.walk(Plan(plan.question, (mount,)))
    assert course.kind
    long = make_trace(course.question, trace.property, course.epochs, trace.summary)
    assert len(long.epochs[0].steps) > len(trace.epochs[0].steps)
    return long, course


def test_steps_that_do_not_matter_are_idle() -> None:
    trace, _ = padded(NO_PREFLUSH)
    why = explain(trace)
    idle = {trace.epochs[0].steps[n - 1].thread for n in why.mounts[0].idle}
    assert idle == {"flusher0"}
    assert why.confirmed
    assert not set(why.mounts[0].idle) & set(why.mounts[0].carrying)


def test_a_random_run_has_idle_steps_and_a_shortest_one_has_none() -> None:
    trace = random_trace("seed", "append-fsync", "unstable-conversion", "no-preflush")
    why = explain(trace, waits=False)
    assert why.confirmed
    assert why.mounts[0].idle
    assert not explain(saved(NO_PREFLUSH), waits=False).mounts[0].idle


def test_the_steps_that_carry_are_the_story() -> None:
    assert places(saved(TWO_MOUNTS), 0) == [
        "task0 iomap_file_buffered_write",
        "flusher0 iomap_writepages",
        "disk0 disk",
    ]
    assert places(saved(TWO_MOUNTS), 1)[-3:] == [
        "worker0 ext4_iomap_wb_update_disksize",
        "kjournald jbd2_journal_commit_transaction",
        "kjournald jbd2_journal_commit_transaction",
    ]
    assert places(saved("seed-punch-folio-late-write"), 0) == [
        "flusher0 iomap_writepages",
        "task0 ext4_punch_hole",
    ]


def test_a_mount_that_gave_nothing_is_idle() -> None:
    trace = saved("seed-eof-ordered-eof-two-mounts-structure")
    why = explain(trace, waits=False)
    assert why.mounts[0].carrying == []
    assert len(why.mounts[0].idle) == len(trace.epochs[0].steps)


def test_a_holding_trace_has_no_causes() -> None:
    trace = msgspec.structs.replace(saved(TWO_MOUNTS), epochs=saved(TWO_MOUNTS).epochs[:1])
    with pytest.raises(ValueError, match="does not replay as a violation"):
        explain(trace)


# ---- waits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "function", "threads"),
    [
        (TWO_MOUNTS, "ext4_iomap_wb_update_disksize", ("disk0",)),
        ("seed-punch-folio-late-write", "ext4_punch_hole", ("disk0",)),
        (
            "seed-append-fsync-durability-fsync-no-commit-wait",
            "ext4_sync_file",
            ("kjournald", "timer0"),
        ),
        (
            "seed-truncate-truncate-stale-data",
            "jbd2_journal_commit_transaction",
            ("flusher0", "disk0"),
        ),
    ],
    ids=[
        "the worker for the EOF block",
        "a punch for the bio",
        "fsync for the commit",
        "the commit for the zeroed tail",
    ],
)
def test_the_missing_wait(name: str, function: str, threads: tuple[str, ...]) -> None:
    trace = saved(name)
    steps = replay(trace).epochs[-1].steps
    found = [(steps[w.step - 1].function, w.threads) for w in explain(trace).waits]
    assert (function, threads) in found


def test_no_wait_replaces_a_flush() -> None:
    assert explain(saved(NO_PREFLUSH)).waits == ()


def test_a_device_is_not_told_to_wait() -> None:
    waits = explain(saved("seed-eof-mmap-stale-data")).waits
    assert waits
    assert not {wait.thread for wait in waits} & {"disk0", "disk1"}


# ---- shown --------------------------------------------------------------------------------------


def test_the_ladder_marks_steps() -> None:
    trace, _ = padded(NO_PREFLUSH)
    marked = annotated(trace)
    result = replay(marked)
    marks = [epoch.why for epoch in marked.epochs if epoch.why is not None]
    text = render_ladder(marked, result.epochs, marks)
    for mark, steps in (("*", marks[0].carrying), ("-", marks[0].idle)):
        shown = re.findall(rf"^ *(\d+){re.escape(mark)} ", text, re.MULTILINE)
        assert [int(number) for number in shown] == steps
    assert render_ladder(marked, result.epochs) == re.sub(
        r"\n\nmarks .*", "", re.sub(r"(?m)^( *\d+)[*-] ", r"\1  ", text)
    )
    brief = render_ladder(marked, result.epochs, marks, brief=True)
    assert len(brief.splitlines()) < len(text.splitlines())
    assert re.findall(r"^ *(\d+)(?=[* ] )", brief, re.MULTILINE) == [
        str(number) for number in marks[0].carrying
    ]
    left_out = sum(int(n) for n in re.findall(r"\.\.\. (\d+) steps? \.\.\.", brief))
    assert left_out + len(marks[0].carrying) == len(trace.epochs[0].steps)


def test_the_diagram_frames_steps() -> None:
    trace = saved(TWO_MOUNTS)
    result = replay(trace)
    marks = [epoch.why for epoch in trace.epochs if epoch.why is not None]
    text = render_mermaid(trace, result.epochs, marks)
    steps = sum(len(epoch.steps) for epoch in trace.epochs)
    carrying = sum(len(mark.carrying) for mark in marks)
    assert text.count("->>") == steps
    assert text.count("  rect ") == text.count("\n  end\n") == carrying
    assert text.count("mount 1\n") == text.count("mount 2\n") == 1
    brief = render_mermaid(trace, result.epochs, marks, brief=True)
    assert brief.count("->>") == carrying
    for line in text.splitlines()[2:]:
        assert re.match(r"  (participant|Note (over|right of)|rect|end|\w+->>\w+:)", line)
        content = line.partition(": ")[2].replace("<br/>", "")
        assert not re.search(r"[<>]|;(?<!#35;)(?<!#59;)(?<!#lt;)(?<!#gt;)(?<!#37;)", content)
