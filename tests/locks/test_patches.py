"""Patches: hunks become parseable, both sides are compared, places are those of the file."""

import email.message
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from powercut.checkers.locks.csource.analyse import SourceReport, analyse_path
from powercut.checkers.locks.csource.patch import read_patch
from powercut.checkers.locks.cycles import find_cycles
from powercut.checkers.locks.documented import OPPOSITE, find_contradictions
from powercut.checkers.locks.errors import LocksError
from tests.locks.synthetic import write_tree

PATCH = Path(__file__).with_name("demo.patch").read_text(encoding="utf-8")

ADDED = {("a_sem", "b_mutex"), ("b_mutex", "c_lock")}
"""The second is taken in a part of a function that gives the mutex back: it was held above."""


def report_of(tmp_path: Path, text: str) -> SourceReport:
    path = tmp_path / "demo.patch"
    path.write_text(text)
    return analyse_path(path)


def pairs(edges: list[object]) -> set[tuple[str, str]]:
    return {(seen.edge.source, seen.edge.target) for seen in edges}  # type: ignore[attr-defined]


def test_what_a_patch_adds_and_removes(tmp_path: Path) -> None:
    report = report_of(tmp_path, PATCH)
    assert pairs([*report.added]) == ADDED
    assert pairs([*report.removed]) == {("b_mutex", "a_sem")}
    (seen,) = (seen for seen in report.added if seen.edge.source == "a_sem")
    (where,) = seen.where
    assert (where.function, where.file, where.line) == ("demo_first", "fs/demo/file.c", 14)


def test_what_a_patch_does_not_show_is_said(tmp_path: Path) -> None:
    report = report_of(tmp_path, PATCH)
    text = "\n".join(report.not_seen)
    assert "demo_first: its beginning is outside the hunk" in text
    assert "demo_fourth: its beginning and its end are outside the hunk" in text
    assert "work" in report.unknown_calls
    assert "demo_third" in report.unknown_calls


def test_parts_of_functions_are_not_accused(tmp_path: Path) -> None:
    assert report_of(tmp_path, PATCH).mistakes == []


def test_blank_context_lines_may_have_lost_their_blank(tmp_path: Path) -> None:
    stripped = "\n".join(line.rstrip(" ") for line in PATCH.split("\n"))
    assert stripped != PATCH
    assert pairs([*report_of(tmp_path, stripped).added]) == ADDED


def test_windows_line_ends(tmp_path: Path) -> None:
    assert pairs([*report_of(tmp_path, PATCH.replace("\n", "\r\n")).added]) == ADDED


def test_a_mail_in_quoted_printable(tmp_path: Path) -> None:
    message = email.message.EmailMessage()
    message["Subject"] = "[PATCH] demo"
    message.set_content(PATCH, cte="quoted-printable")
    path = tmp_path / "demo.eml"
    path.write_bytes(bytes(message))
    assert pairs([*analyse_path(path).added]) == ADDED


def test_a_mistake_that_was_there_before_is_not_new(tmp_path: Path) -> None:
    body = "int f(struct x *x)\n{\n\tmutex_lock(&x->a_mutex);\n\tif (x->b)\n\t\treturn -EIO;\n"
    body += "\tmutex_unlock(&x->a_mutex);\n\treturn 0;\n}\n"
    context = "".join(f" {line}\n" for line in body.splitlines())
    patch = f"--- a/f.c\n+++ b/f.c\n@@ -1,8 +1,9 @@\n+int unrelated;\n{context}"
    report = report_of(tmp_path, patch)
    assert len(report.mistakes) == 1
    assert report.new_mistakes == []
    added = "".join(f"+{line}\n" for line in body.splitlines())
    report = report_of(tmp_path, f"--- /dev/null\n+++ b/f.c\n@@ -0,0 +1,8 @@\n{added}")
    assert len(report.new_mistakes) == 1
    removed = "".join(f"-{line}\n" for line in body.splitlines())
    report = report_of(tmp_path, f"--- a/f.c\n+++ /dev/null\n@@ -1,8 +0,0 @@\n{removed}")
    assert (report.mistakes, len(report.fixed)) == ([], 1)


def test_pieces_keep_their_line_numbers() -> None:
    patch = read_patch("demo", PATCH.encode())
    assert patch.hunks == 3
    for chunk in patch.new:
        for row, line in enumerate(chunk.text.split("\n")):
            if "mutex_lock" in line:
                assert chunk.line(row) == 14


def test_the_seed(shared: Callable[[str], Path]) -> None:
    started = time.monotonic()
    report = analyse_path(shared("seed/v3-09-22.patch"))
    assert time.monotonic() - started < 2
    found = {
        (s.edge.source, s.edge.target, s.edge.context, w.function, w.line)
        for s in report.added
        for w in s.where
    }
    map_one, worker = "ext4_iomap_map_one_extent", "ext4_iomap_finish_ioend"
    assert {
        ("s_writepages_rwsem", "folio_lock[iomap]", "task", "ext4_iomap_writepages", 4321),
        ("folio_lock[iomap]", "jbd2_handle", "task", map_one, 4132),
        ("folio_lock[iomap]", "i_data_sem", "task", map_one, 4143),
        ("jbd2_handle", "i_data_sem", "task", map_one, 4143),
        ("worker_slot", "jbd2_handle", "worker", worker, 662),
        ("folio_writeback[iomap]", "jbd2_handle", "worker", worker, 662),
        ("jbd2_handle", "i_data_sem", "worker", "ext4_iomap_wb_update_disksize", 630),
        ("folio_lock[iomap]", "jbd2_commit", "task", "ext4_iomap_map_writeback_range", 4242),
    } <= found
    assert report.removed == []


def test_the_seed_is_opposite_to_the_buffer_head_path(shared: Callable[[str], Path]) -> None:
    graph = analyse_path(shared("seed/v3-09-22.patch")).graph
    (found,) = find_contradictions(graph)
    assert (found.kind, found.edge.source, found.edge.target) == (
        OPPOSITE,
        "folio_lock[iomap]",
        "jbd2_handle",
    )
    assert found.order is not None
    assert found.order.path == "writepages, buffer_head path"
    assert all(cycle.verdict == "guarded" for cycle in find_cycles(graph))


def test_the_seed_may_sleep_in_an_interrupt(shared: Callable[[str], Path]) -> None:
    (mistake,) = analyse_path(shared("seed/v3-09-22.patch")).mistakes
    assert mistake.where.function == "ext4_iomap_end_bio"
    assert "iomap_finish_ioends may sleep" in mistake.message


def test_a_tree_is_read_in_reasonable_time(tmp_path: Path) -> None:
    lines = write_tree(tmp_path, 10_000)
    started = time.monotonic()
    report = analyse_path(tmp_path)
    assert time.monotonic() - started < 6
    assert report.lines >= lines
    assert report.mistakes == []
    assert {
        ("i_rwsem", "jbd2_handle"),
        ("jbd2_handle", "i_data_sem"),
        ("i_data_sem", "d_list_lock"),
    } <= report.graph.pairs()


@pytest.mark.exhaustive
def test_a_tree_of_100000_lines(tmp_path: Path) -> None:
    write_tree(tmp_path, 100_000)
    started = time.monotonic()
    report = analyse_path(tmp_path)
    assert time.monotonic() - started < 60
    assert report.lines >= 100_000


def test_deep_nesting_is_reported_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "deep.c"
    path.write_text("int f(int a) {" + "if (a) {" * 3000 + "mutex_lock(&m);" + "}" * 3001)
    with pytest.raises(LocksError, match=r"deep\.c:1: .* nested more than 300 deep"):
        analyse_path(path)


@pytest.mark.parametrize("depth", [20, 60, 90, 400])
def test_nesting_that_is_followed_or_named(tmp_path: Path, depth: int) -> None:
    (tmp_path / "flat.c").write_text("int g(int a) { mutex_lock(&m); return 0; }")
    body = "if (a) " * depth + "mutex_lock(&m);"
    (tmp_path / "deep.c").write_text(f"int f(int a) {{ {body} return 0; }}")
    report = analyse_path(tmp_path)
    named = "\n".join(report.not_seen)
    assert report.functions == (2 if depth < 400 else 1)
    assert ("deep.c:1: not understood here" in named) == (depth >= 400)


@pytest.mark.parametrize(
    "body",
    ["(" * 100_000, "x = " + "!" * 100_000 + "a;", "if (a) b(); " + "else if (c) d(); " * 6_000],
)
def test_nesting_without_end_is_refused_at_once(tmp_path: Path, body: str) -> None:
    path = tmp_path / "deep.c"
    path.write_text(f"int f(int a) {{ {body} }}")
    with pytest.raises(LocksError, match=r"deep\.c:1: "):
        analyse_path(path)


def test_a_number_of_thousands_of_digits(tmp_path: Path) -> None:
    path = tmp_path / "long.patch"
    path.write_text(PATCH.replace("@@ -", f"@@ -{'9' * 5000}", 1))
    with pytest.raises(LocksError, match="a hunk with a number of more than 9 digits"):
        analyse_path(path)


def test_what_is_no_regular_file_in_a_folder_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int g(int a) { mutex_lock(&m); return 0; }")
    (tmp_path / "zero.c").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.c")
    report = analyse_path(tmp_path)
    assert report.files == 1
    assert [place.rpartition("/")[2] for place in report.not_seen] == [
        "pipe.c: not a regular file",
        "zero.c: not a regular file",
    ]


def test_any_piece_of_a_patch_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    chooser = random.Random(1)
    path = tmp_path / "piece.patch"
    read, lines = 0, set[int]()
    for _ in range(150):
        text = PATCH
        for _ in range(chooser.randrange(1, 4)):
            place = chooser.randrange(len(text))
            text = (
                text[:place] + chooser.choice(["{", "}", "(", "/*", "\n", ""]) + text[place + 1 :]
            )
        path.write_text(text[: chooser.randrange(1, len(text))])
        try:
            analyse_path(path)
            read += 1
        except LocksError as error:
            lines.add(len(str(error).splitlines()))
    assert read
    assert lines == {1}
