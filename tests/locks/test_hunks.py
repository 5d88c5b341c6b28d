"""Hunks and mails as they arrive: whose a hunk is, what is said when nobody can tell."""

import gzip
from pathlib import Path

import pytest

from powercut.checkers.locks.csource.analyse import SourceReport, analyse_path
from powercut.checkers.locks.errors import LocksError
from powercut.checkers.locks.report import report_on

BODY = """ \tmutex_lock(&x->a_mutex);
+\tspin_lock(&x->b_lock);
+\tspin_unlock(&x->b_lock);
 \tmutex_unlock(&x->a_mutex);
"""
PAIR = ("a_mutex", "b_lock")


def patch(heading: str, body: str = BODY, old: int = 2, new: int = 4) -> str:
    return f"--- a/fs/x.c\n+++ b/fs/x.c\n@@ -70,{old} +70,{new} @@{heading}\n{body}"


def read(folder: Path, text: str, name: str = "one.patch") -> SourceReport:
    path = folder / name
    path.write_text(text)
    return analyse_path(path)


def added(report: SourceReport) -> set[tuple[str, str]]:
    return {change.pair for change in report.changes if change.kind == "added"}


def functions(report: SourceReport) -> set[str]:
    return {seen.where[0].function for seen in report.graph.seen()}


@pytest.mark.parametrize("heading", ["work_on(", "work_on(struct x *x)", "static int *work_on("])
def test_a_heading_that_names_the_function(tmp_path: Path, heading: str) -> None:
    report = read(tmp_path, patch(f" {heading}"))
    assert (added(report), functions(report)) == ({PAIR}, {"work_on"})


@pytest.mark.parametrize(
    "heading",
    [
        "",
        " ",
        " out_free:",
        " __acquires(x->lock)",
        " static const struct x_ops ops = {",
        " struct x {",
        " enum y {",
    ],
)
def test_a_heading_that_names_none(tmp_path: Path, heading: str) -> None:
    report = read(tmp_path, patch(heading))
    assert added(report) == {PAIR}
    assert any("fs/x.c:70: " in place and "not known" in place for place in report.open_places)
    assert report.open_places[0] in "\n".join(report.not_seen)


@pytest.mark.parametrize(
    ("first", "lines"),
    [
        (" \telse\n \t\tx->c = 1;\n", 2),
        (" \t} else {\n \t\tx->c = 1;\n \t}\n", 3),
        (" \t\t  x->c, 2);\n", 1),
        (" \t    x->c && x->d)) {\n \t\tgo(x);\n \t}\n", 3),
        (" \tcase 3:\n", 1),
        (" out_unlock:\n", 1),
    ],
)
def test_a_hunk_that_starts_inside_a_statement(tmp_path: Path, first: str, lines: int) -> None:
    report = read(tmp_path, patch(" work_on(struct x *x)", first + BODY, 2 + lines, 4 + lines))
    assert added(report) == {PAIR}
    assert not any("not understood" in place for place in report.not_seen)


@pytest.mark.parametrize("last", [" \tif (x->c &&\n", " \tgo(x,\n", " \tif (x->c)\n", " \telse\n"])
def test_a_hunk_that_ends_inside_a_statement(tmp_path: Path, last: str) -> None:
    if "else" in last:
        last = f" \tif (x->c)\n \t\tgo(x);\n{last}"
    lines = last.count("\n")
    report = read(tmp_path, patch(" work_on(struct x *x)", BODY + last, 2 + lines, 4 + lines))
    assert added(report) == {PAIR}
    assert not any("not understood" in place for place in report.not_seen)


def test_a_hunk_that_starts_among_the_parameters(tmp_path: Path) -> None:
    report = read(tmp_path, patch(" work_on(", f" \tstruct x *x)\n {{\n{BODY} }}\n", 5, 7))
    assert (added(report), functions(report)) == ({PAIR}, {"work_on"})
    assert report.open_places == []


def test_what_is_given_back_was_held_above(tmp_path: Path) -> None:
    body = "+\tdown_read(&x->c_sem);\n+\tup_read(&x->c_sem);\n \tup_write(&x->b_sem);\n"
    body += " \tmutex_unlock(&x->a_mutex);\n"
    report = read(tmp_path, patch(" work_on(struct x *x)", body, 2, 4))
    assert added(report) == {("b_sem", "c_sem"), ("a_mutex", "c_sem")}


def test_what_is_taken_first_was_not_held_above(tmp_path: Path) -> None:
    body = f"{BODY} \tmutex_lock(&x->c_mutex);\n \tmutex_unlock(&x->c_mutex);\n"
    report = read(tmp_path, patch(" work_on(struct x *x)", body, 4, 6))
    assert report.graph.pairs() == {PAIR}


HIDDEN = """ \tmutex_lock(&x->a_mutex);
-\tspin_lock(&x->b_lock);
+\tx_take(x);
 \tx->n++;
-\tspin_unlock(&x->b_lock);
+\tx_give(x);
 \tmutex_unlock(&x->a_mutex);
"""


def test_behind_a_helper_that_is_not_given_is_unknown(tmp_path: Path) -> None:
    report = read(tmp_path, patch(" work_on(struct x *x)", HIDDEN, 5, 5))
    (change,) = report.changes
    assert (change.pair, change.helpers) == (PAIR, ("x_give", "x_take"))
    assert report.removed == []


def test_behind_a_helper_that_is_given(tmp_path: Path) -> None:
    helpers = "".join(
        f"+void x_{name}(struct x *x)\n+{{\n+\tspin_{verb}(&x->b_lock);\n+}}\n"
        for name, verb in (("take", "lock"), ("give", "unlock"))
    )
    text = patch(" work_on(struct x *x)", HIDDEN, 5, 5)
    report = read(tmp_path, f"{text}@@ -90,0 +90,8 @@\n{helpers}")
    assert [change for change in report.changes if change.pair == PAIR] == []


def test_a_part_in_which_locks_are_taken_is_never_said_to_hold(tmp_path: Path) -> None:
    report = read(tmp_path, patch(" work_on(struct x *x)"))
    whole = report_on("", report.graph)
    whole.source = report
    assert whole.verdict == "inconclusive"
    report.open_places = []
    assert whole.verdict == "holds"


MAIL = f"""From: A Developer <dev@example.org>
Subject: [PATCH 1/2] x: take the lock
 inside the mutex

For a test, this was changed:

@@ -3,1 +3,1 @@ static int other(struct x *x)
-\told(x);
+\tmutex_lock(&x->never);

---
 fs/x.c | 2 ++

{patch(" work_on(struct x *x)")}--
2.50
"""


def test_a_hunk_in_the_message_is_no_part_of_the_patch(tmp_path: Path) -> None:
    report = read(tmp_path, MAIL, "a.eml")
    assert added(report) == {PAIR}
    assert report.subjects == ["[PATCH 1/2] x: take the lock inside the mutex"]
    assert any(
        place.endswith("a.eml:7: a hunk of the message, not applied") for place in report.not_seen
    )


def test_a_reply_that_quotes_the_patch(tmp_path: Path) -> None:
    quoted = "\n".join(
        f"> {line}" if line else ">" for line in patch(" work_on(", BODY).split("\n")
    )
    remark = quoted.replace(">  \tmutex_unlock", "Why not earlier?\n\n>  \tmutex_unlock")
    assert remark != quoted
    assert added(read(tmp_path, f"Subject: Re: x\n\nHello,\n{remark}\n", "a.mail")) == {PAIR}


def test_what_a_reply_leaves_out_is_said(tmp_path: Path) -> None:
    text = patch(" work_on(") + patch(" cut(", BODY[:30], 9, 9)
    quoted = "\n".join(f"> {line}" for line in text.rstrip("\n").split("\n"))
    report = read(tmp_path, f"Subject: Re: x\n\n{quoted}\n", "a.mail")
    assert added(report) == {PAIR}
    assert any("lacks" in place for place in report.open_places)


def test_lines_that_a_mail_program_wrapped(tmp_path: Path) -> None:
    text = patch(" work_on(struct x *x, struct y\n*y)").replace("spin_lock(&x", "spin_lock(\n&x")
    report = read(tmp_path, text)
    assert (added(report), functions(report)) == ({PAIR}, {"work_on"})


def series() -> str:
    second = MAIL.replace("1/2", "2/2").replace("b_lock", "c_lock").replace("work_on", "later")
    cover = "From 0 Mon Sep 17 00:00:00 2001\nSubject: [PATCH 0/2] x\n\nTwo patches.\n"
    start = f"From {'1' * 40} Mon Sep 17 00:00:00 2001\n"
    return f"{cover}\n{start}{MAIL}\n{start}{second}"


def test_several_mails_are_a_series(tmp_path: Path) -> None:
    report = read(tmp_path, series(), "a.mbox")
    assert added(report) == {PAIR, ("a_mutex", "c_lock")}
    assert [subject[:11] for subject in report.subjects] == ["[PATCH 1/2]", "[PATCH 2/2]"]


def test_gzip_standard_input_and_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "series.mbox.gz"
    packed.write_bytes(gzip.compress(series().encode()))
    assert len(added(analyse_path(packed))) == 2
    folder = tmp_path / "patches"
    folder.mkdir()
    (folder / "0001-x.patch").write_text(MAIL)
    (folder / "0002-y.patch").write_text(MAIL.replace("b_lock", "c_lock"))
    assert len(added(analyse_path(folder))) == 2
    with packed.open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("Piped", (), {"buffer": file}))
        assert len(added(analyse_path(Path("-")))) == 2


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "a.patch.gz"
    whole = gzip.compress(MAIL.encode())
    for damaged, words in ((whole[:-20], "ends early"), (whole[:10] + b"!" * 20, "damaged")):
        packed.write_bytes(damaged)
        with pytest.raises(LocksError, match=words):
            analyse_path(packed)


def test_a_patch_without_code_says_so(tmp_path: Path) -> None:
    text = "--- a/x.h\n+++ b/x.h\n@@ -5,2 +5,3 @@ struct x {\n \tint a;\n+\tint b;\n \tint c;\n"
    report = read(tmp_path, text)
    assert report.not_seen == [f"{tmp_path / 'one.patch'}: no hunk touches the body of a function"]
