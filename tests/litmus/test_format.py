"""The litmus format: what is read, and how bad files are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powercut.checkers.run.observation import CrashPoint
from powercut.checkers.workload import WorkloadError
from tests.litmus.support import APPEND, parse, refusal


def test_what_is_read() -> None:
    litmus = parse(APPEND)
    assert litmus.name == "append"
    assert litmus.source == "written for this test"
    assert litmus.scope.initial_size_cells == 2
    assert litmus.observation.points == (CrashPoint((1,)),)
    assert litmus.observation.syncs == ((0, 1),)
    assert litmus.designs == ("seed", "seed-gap-ordered")
    (block,) = litmus.blocks
    assert (block.first, block.last, block.violates) == (11, 15, ())
    assert sorted(block.outcomes().values()) == [13, 14, 15]


def test_what_is_left_out_has_a_default() -> None:
    litmus = parse(
        "source x\nmount\n task write 0 1\nallowed seed\n size=1 [.A]".replace("[", '"[').replace(
            "]", ']"'
        )
    )
    assert litmus.name == "t"
    assert litmus.observation.points == (CrashPoint((0,)),)
    assert litmus.judges_properties
    assert len(litmus.blocks[0].outcomes()) == 2


@pytest.mark.parametrize(
    ("words", "needs"),
    [("anywhere", (0, 0)), ("after all", (2, 1)), ("after 1.1 2.1", (1, 1)), ("after 2.1", (0, 1))],
)
def test_when_the_power_may_fail(words: str, needs: tuple[int, ...]) -> None:
    text = f"source x\nmount\n task store 0; fsync\n task fsync\n crash {words}\n"
    assert parse(text).observation.points == (CrashPoint(needs),)


def test_the_power_may_not_fail_at_all() -> None:
    text = "source x\nmount\n task store 0\n crash after all\nmount\n task fsync\n crash none\n"
    assert [point.live for point in parse(text).observation.points] == [False, True]


def test_two_files_and_properties_alone() -> None:
    head = "source x\ngeometry inodes=2\nmount\n task write@1 0 1\n"
    both = parse(head + 'allowed seed\n size=1 "o" @1 size=0\n violates structure deadlock\n')
    assert len(both.blocks[0].lines[0].pattern.files) == 2
    assert both.blocks[0].violates == ("deadlock", "structure")
    alone = parse(head + "observe properties\nallowed seed\nallowed mixed\n violates deadlock\n")
    assert not alone.looks_at_outcomes
    assert [block.violates for block in alone.blocks] == [(), ("deadlock",)]


HEAD = "source x\nmount\n task write 2 1; fsync\n"
SET = HEAD + "allowed seed\n"
SYNC = HEAD + "observe fsync\nallowed seed\n"
BAD = [
    ("", "1:1: empty workload"),
    ("mount\n task fsync\n", '1:1: no source; add a "source" line'),
    ("source\nmount\n task fsync\n", "1:7: text missing"),
    (HEAD + "sauce y\n", '4:1: unknown directive "sauce"; expected one of name,'),
    ("source x\nmount\n task wirte 1\n", '3:7: unknown operation "wirte"'),
    ("source x\nsource y\nmount\n task fsync\n", '2:1: second "source"'),
    ("source x\ncrash none\nmount\n task fsync\n", '2:1: "crash" outside a mount'),
    (HEAD + " crash\n", "4:7: when is missing"),
    (HEAD + " crash sometimes\n", "4:8: unknown crash point; expected"),
    (HEAD + " crash after 3.1\n", "4:14: there is no task 3; tasks are 1..1"),
    (HEAD + " crash after 1.3\n", "4:14: task 1 has no operation 3; its operations are 1..2"),
    (HEAD + " crash after fsync\n", '4:14: "fsync" names no operation; write TASK.OPERATION'),
    (HEAD + " crash none now\n", '4:13: unexpected "now"'),
    (HEAD + " crash none\n crash none\n", '5:2: second "crash" in this mount'),
    (HEAD + " crash none\nmount\n task fsync\n", "4:8: only the last mount can end without"),
    (HEAD + "observe\n", "4:8: what is missing"),
    (HEAD + "observe fish\n", '4:9: unknown observation "fish"'),
    ("source x\nmount\n task store 0\nobserve fsync\n", "4:1: no fsync in the last mount"),
    (HEAD + 'size=1 "o"\n', '4:1: outcome outside a set; put an "allowed DESIGN ..."'),
    (HEAD + "allowed\n", "4:8: designs missing; expected some of seed,"),
    (HEAD + "allowed sead\n", '4:9: unknown design "sead"'),
    (SET + "allowed seed\n", '5:9: second set for "seed" (line 4)'),
    (SET + "timer once\n", '5:1: "timer" belongs above the first "allowed"'),
    (SET + "size\n", '5:1: unexpected "size"; expected an outcome, as size=3 "oA|B"'),
    (SET + "size=9\n", "5:1: size must be 0..4"),
    (SET + "size=1\n", "5:7: content missing; write 1 cells in double quotes"),
    (SET + 'size=1 "o\n', "5:8: content without an end"),
    (SET + 'size=2 "o"\n', "5:8: 1 cells, and size=2 needs 2"),
    (SET + 'size=1 "B"\n', '5:9: unknown content "B"; expected one of . x p o A'),
    (SET + 'size=1 "[oA"\n', "5:9: class of letters without an end"),
    (SET + 'size=1 "[oo]"\n', "5:9: a letter twice in one class"),
    (SET + 'size=3 "o|oA"\n', "5:8: bars stand between blocks, after every 2 cells"),
    (SET + 'size=1 "o" "o"\n', '5:12: unexpected ""o""; end the outcome before it'),
    (SET + 'size=1 "[oA]"\nsize=1 "o"\n', "6:1: part of it is already allowed in line 5"),
    (SET + "violates\n", "5:9: properties missing"),
    (SET + "violates gravity\n", '5:10: unknown property "gravity"'),
    (SET + "violates deadlock\nviolates deadlock\n", '6:1: second "violates"'),
    (
        SET.replace("mount", "geometry cells=4 blocks=4 phys=4\nmount")
        + f'size=16 "{"[.o]" * 16}"',
        "6:1: more than 4096 outcomes in one line",
    ),
    (HEAD + f" crash after {'9' * 5000}.1\n", "4:14: "),
    (SYNC + "1.2=EPERM\n", "6:1: expected 1.2= and one of 0, EIO, ENOSPC, EROFS, -"),
    (SYNC + "violates deadlock\n", "6:1: properties are not observed"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_file_is_refused_with_place_and_remedy(text: str, message: str) -> None:
    found = refusal(text)
    assert found.startswith(f"t.litmus:{message}")
    assert len(found.splitlines()) == 1


WORDS = st.sampled_from(
    [
        "mount",
        "task",
        "fsync",
        ";",
        "crash",
        "after",
        "all",
        "1.1",
        "9.9",
        "none",
        "observe",
        "file",
        "allowed",
        "seed",
        "mixed",
        "violates",
        "deadlock",
        "size=1",
        "size=99",
        "size=-1",
        "size=",
        '"',
        '"o"',
        '"[o"',
        '"[]"',
        '"|"',
        '""',
        "@1",
        "1.1=0",
        "1.1=",
        "#",
        "source",
        "x",
        "write",
        "0",
        "\t",
        "geometry",
        "inodes=2",
        "=",
        "é",
        "\u2028",
    ]
)
LINES = st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=10)


@given(LINES.map("\n".join) | LINES.map(lambda lines: SET + "\n".join(lines)) | st.text())
def test_whatever_the_text_the_answer_is_a_test_or_one_line(text: str) -> None:
    try:
        litmus = parse(text)
    except WorkloadError as error:
        message = str(error)
    else:
        assert parse(litmus.text) == litmus
        return
    assert message.startswith("t.litmus:")
    assert len(message.splitlines()) == 1
