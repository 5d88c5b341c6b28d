"""A patch with its tree: whole functions, callers and callees, and only what differs."""

import subprocess
import tarfile
from pathlib import Path

import pytest

from powercut.checkers.locks.csource.analyse import SourceReport, given_patches
from powercut.checkers.locks.csource.apply import applied, line_map
from powercut.checkers.locks.csource.index import report_in_tree
from powercut.checkers.locks.csource.patch import read_patches
from powercut.checkers.locks.csource.program import Program
from powercut.checkers.locks.csource.tree import open_tree
from powercut.checkers.locks.errors import LocksError
from powercut.checkers.locks.report import report_on_source
from tests.cli.support import Runner, assert_refused

OUTER = """#include "x.h"

/* x_outer() is what the pointer leads to; x_never() is only named. */
int x_outer(struct x *x)
{
\tint err;

\tmutex_lock(&x->a_mutex);
\terr = x_inner(x, 1);
\tmutex_unlock(&x->a_mutex);
\treturn err;
}

int x_never(struct x *x)
{
\tspin_lock(&x->n_lock);
\tspin_unlock(&x->n_lock);
\treturn 0;
}
"""
INNER = """int x_inner(struct x *x, int n)
{
\tx->n = n;
\tdown_read(&x->b_sem);
\tx->n++;
\tup_read(&x->b_sem);
\treturn 0;
}

void x_other(struct x *x)
{
\tspin_lock(&x->c_lock);
\tx->n--;
\tspin_unlock(&x->c_lock);
}
"""
MOVED = """--- a/drivers/x/inner.c
+++ b/drivers/x/inner.c
@@ -2,5 +2,7 @@
 {
 \tx->n = n;
+\tspin_lock(&x->c_lock);
+\tspin_unlock(&x->c_lock);
 \tdown_read(&x->b_sem);
 \tx->n++;
 \tup_read(&x->b_sem);
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "powercut"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with two files."""
    folder = tmp_path / "linux" / "drivers" / "x"
    folder.mkdir(parents=True)
    (folder / "outer.c").write_text(OUTER)
    (folder / "inner.c").write_text(INNER)
    return tmp_path / "linux"


def report_of(text: str, tree: Path, rev: str | None = None) -> SourceReport:
    return report_in_tree(
        "one.patch", read_patches("one.patch", text.encode()), open_tree(tree, rev)
    )


def told(report: SourceReport) -> list[tuple[str, tuple[str, str]]]:
    return [(change.kind, change.pair) for change in report.changes]


def test_a_caller_in_another_file_holds_the_lock(tree: Path) -> None:
    report = report_of(MOVED, tree)
    assert told(report) == [("added", ("a_mutex", "c_lock"))]
    (change,) = report.changes
    assert change.after is not None
    assert change.after.chain == ("x_outer", "x_inner")
    assert change.after.where is not None
    assert (change.after.where.file, change.after.where.line) == ("drivers/x/inner.c", 4)
    assert (report.open_places, report_on_source("", report).verdict) == ([], "holds")


def test_an_order_that_moves_has_a_path_on_both_sides(tree: Path) -> None:
    text = """--- a/drivers/x/outer.c
+++ b/drivers/x/outer.c
@@ -6,6 +6,12 @@
 \tint err;

-\tmutex_lock(&x->a_mutex);
 \terr = x_inner(x, 1);
-\tmutex_unlock(&x->a_mutex);
 \treturn err;
 }
+
+void x_instead(struct x *x)
+{
+\tmutex_lock(&x->a_mutex);
+\tx_inner(x, 2);
+\tmutex_unlock(&x->a_mutex);
+}
"""
    (change,) = report_of(text, tree).changes
    assert (change.kind, change.pair) == ("moved", ("a_mutex", "b_sem"))
    assert change.before is not None
    assert change.after is not None
    assert (change.before.chain, change.after.chain) == (
        ("x_outer", "x_inner"),
        ("x_instead", "x_inner"),
    )


def test_an_order_that_is_gone(tree: Path) -> None:
    text = """--- a/drivers/x/inner.c
+++ b/drivers/x/inner.c
@@ -3,5 +3,3 @@
 \tx->n = n;
-\tdown_read(&x->b_sem);
 \tx->n++;
-\tup_read(&x->b_sem);
 \treturn 0;
"""
    assert told(report_of(text, tree)) == [("removed", ("a_mutex", "b_sem"))]


def test_a_new_circle_is_reported_and_an_old_one_is_not(tree: Path) -> None:
    extra = """void x_wrong(struct x *x)
{
\tspin_lock(&x->c_lock);
\tmutex_lock(&x->a_mutex);
\tmutex_unlock(&x->a_mutex);
\tspin_unlock(&x->c_lock);
\tspin_lock(&x->d_lock);
\tspin_lock(&x->e_lock);
\tspin_unlock(&x->e_lock);
\tspin_unlock(&x->d_lock);
\tspin_lock(&x->e_lock);
\tspin_lock(&x->d_lock);
\tspin_unlock(&x->d_lock);
\tspin_unlock(&x->e_lock);
}
"""
    (tree / "drivers/x/wrong.c").write_text(extra)
    report = report_on_source("", report_of(MOVED, tree))
    assert [cycle.classes for cycle in report.cycles] == [("a_mutex", "c_lock")]
    assert report.verdict == "inconclusive"
    assert report.source is not None
    assert report.source.mistakes == []


def test_a_contradiction_that_another_function_has_already(tree: Path) -> None:
    wrong = """void %s(struct inode *inode)
{
\thandle_t *handle;

\tdown_read(&EXT4_I(inode)->i_data_sem);
\thandle = ext4_journal_start(inode, 0, 1);
\tif (!IS_ERR(handle))
\t\text4_journal_stop(handle);
\tup_read(&EXT4_I(inode)->i_data_sem);
}
"""
    (tree / "drivers/x/wrong.c").write_text(wrong % "x_first")
    added = "".join(f"+{line}\n" for line in (wrong % "x_second").splitlines())
    text = f"--- a/drivers/x/inner.c\n+++ b/drivers/x/inner.c\n@@ -0,0 +1,10 @@\n{added}"
    report = report_on_source("", report_of(text, tree))
    assert [(c.kind, c.edge.target) for c in report.contradictions] == [
        ("contradicts", "jbd2_handle")
    ]
    assert report.verdict == "violated"
    assert report_on_source("", report_of(MOVED, tree)).contradictions == []


def test_a_new_mistake_is_reported_with_its_path(tree: Path) -> None:
    text = """--- a/drivers/x/inner.c
+++ b/drivers/x/inner.c
@@ -4,4 +4,6 @@
 \tdown_read(&x->b_sem);
 \tx->n++;
+\tif (x->n > 7)
+\t\treturn -EINVAL;
 \tup_read(&x->b_sem);
 \treturn 0;
"""
    (mistake,) = report_of(text, tree).mistakes
    assert (mistake.what, mistake.lock, mistake.where.line) == ("lock not released", "b_sem", 7)
    assert mistake.steps == (
        "line 4: b_sem is taken",
        "line 6: x->n>7 is true",
        "line 7: the function is left",
    )


def test_the_second_look_follows_less(
    tree: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[str] = []
    original = Program._follow

    def counted(self: Program, function: object) -> object:
        followed.append(function.name)  # type: ignore[attr-defined]
        return original(self, function)  # type: ignore[arg-type]

    monkeypatch.setattr(Program, "_follow", counted)
    first = report_of(MOVED, tree)
    assert sorted(followed) == [
        *("x_inner", "x_inner", "x_never", "x_other", "x_other", "x_outer", "x_outer"),
    ]
    followed.clear()
    second = report_of(MOVED, tree)
    assert sorted(followed) == ["x_inner", "x_other", "x_outer"]
    assert told(second) == told(first)
    assert len([*own_cache.glob("locks-*")]) == 1
    (tree / "drivers/x/outer.c").write_text(OUTER + "\n")
    report_of(MOVED, tree)
    assert len([*own_cache.glob("locks-*")]) == 2


def test_a_damaged_index_is_made_again(tree: Path, own_cache: Path) -> None:
    first = report_of(MOVED, tree)
    (kept,) = own_cache.glob("locks-*")
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    assert told(report_of(MOVED, tree)) == told(first)


def git(tree: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", tree, *who, *words], check=True, capture_output=True)


def test_a_repository_at_a_revision(tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "one")
    (tree / "drivers/x/inner.c").write_text("int nothing;\n")
    git(tree, "commit", "-qam", "two")
    assert told(report_of(MOVED, tree, "HEAD~1")) == [("added", ("a_mutex", "c_lock"))]
    assert told(report_of(MOVED, tree / ".git", "HEAD~1")) == [("added", ("a_mutex", "c_lock"))]
    with pytest.raises(LocksError, match="no revision v9"):
        report_of(MOVED, tree, "v9")
    with pytest.raises(LocksError, match="does not apply"):
        report_of(MOVED, tree, "HEAD")


def test_a_source_tar(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "linux.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tree, "linux-6.0")
    assert told(report_of(MOVED, path)) == [("added", ("a_mutex", "c_lock"))]
    assert told(report_of(MOVED, path)) == [("added", ("a_mutex", "c_lock"))]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LocksError, match="not a tar"):
        report_of(MOVED, path)


def test_a_series_is_applied_in_order() -> None:
    first = "--- a/f.c\n+++ b/f.c\n@@ -1,2 +1,3 @@\n one\n+two\n three\n"
    second = "--- a/f.c\n+++ b/f.c\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n"
    start = f"From {'0' * 40} Mon Sep 17 00:00:00 2001\n\n"
    patches = read_patches("s", f"{start}{first}\n{start}{second}".encode())
    assert applied({"f.c": "one\nthree\n"}, patches) == {"f.c": "one\nTWO\nthree\n"}


@pytest.mark.parametrize(
    ("hunk", "after"),
    [
        ("@@ -9,1 +9,2 @@\n three\n+four\n", "one\ntwo\nthree\nfour\n"),
        ("@@ -2,1 +2,1 @@\n-  two\n+2\n", "one\n2\nthree\n"),
        ("@@ -3,0 +4,1 @@\n+four\n", "one\ntwo\nthree\nfour\n"),
    ],
)
def test_where_a_hunk_fits(hunk: str, after: str) -> None:
    patches = read_patches("p", f"--- a/f.c\n+++ b/f.c\n{hunk}".encode())
    assert applied({"f.c": "one\ntwo\nthree\n"}, patches) == {"f.c": after}


def test_a_new_file_a_renamed_file_and_one_that_is_not_there() -> None:
    new = read_patches("p", b"--- /dev/null\n+++ b/n.c\n@@ -0,0 +1,1 @@\n+int n;\n")
    assert applied({}, new) == {"n.c": "int n;\n"}
    renamed = read_patches("p", b"--- a/o.c\n+++ b/n.c\n@@ -1,1 +1,1 @@\n-a\n+b\n")
    assert applied({"o.c": "a\n"}, renamed) == {"n.c": "b\n"}
    with pytest.raises(LocksError, match=r"p:3: o\.c is not in the tree"):
        applied({}, renamed)


def test_lines_after_a_change() -> None:
    moved = line_map("a\nb\nc", "a\nnew\nb\nc")
    assert [moved(line) for line in (1, 2, 3)] == [1, 3, 4]


def test_the_command(powercut: Runner, tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.patch"
    path.write_text(MOVED)
    ended = powercut("locks", path, "--tree", tree, "--json")
    (change,) = ended.document["source"]["changes"]
    assert (ended.code, change["kind"], change["to"]) == (0, "added", "c_lock")
    assert change["after"]["path"] == ["x_outer", "x_inner"]
    text = powercut("locks", path, "--tree", tree).out
    assert "after: x_outer > x_inner at drivers/x/inner.c:4" in text
    path.write_text(MOVED.replace("x->n++", "x->m++"))
    assert_refused(powercut("locks", path, "--tree", tree), "one.patch:3", "hunk 1")
    assert_refused(powercut("locks", path, "--rev", "v6.1"), "--tree")
    assert_refused(powercut("locks", "--tree", tree), "give the patch")
    assert_refused(powercut("locks", path, "--tree", tmp_path / "none"), "no tree there")
    assert_refused(powercut("locks", path, "--tree", tmp_path / "cache"), "root of a kernel")
    assert given_patches(path)[1][0].files == ["drivers/x/inner.c"]
