"""``powercut locks``: exit codes, the document, files written, bad input in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from powercut.checkers.locks.graph import Edge, LockGraph
from tests.cli.support import Runner, assert_refused, files_below, run_apart

GOOD = """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	mutex_unlock(&x->a_mutex);
}
"""
WRONG = "int f(struct x *x)\n{\n\tmutex_lock(&x->m_mutex);\n\tif (x->a)\n\t\treturn -EIO;\n"
WRONG += "\tmutex_unlock(&x->m_mutex);\n\treturn 0;\n}\n"
UNDECIDED = (
    GOOD
    + """
void g(struct x *x)
{
	spin_lock(&x->b_lock);
	spin_lock(&x->c_lock);
	spin_unlock(&x->c_lock);
	spin_unlock(&x->b_lock);
	spin_lock(&x->c_lock);
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	spin_unlock(&x->c_lock);
}
"""
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A C file with nothing wrong in it."""
    path = tmp_path / "good.c"
    path.write_text(GOOD)
    return path


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_exit_codes(powercut: Runner, tmp_path: Path, good: Path) -> None:
    assert powercut("locks", good).code == 0
    assert powercut("locks", written(tmp_path, "wrong.c", WRONG)).code == 1
    assert powercut("locks", written(tmp_path, "undecided.c", UNDECIDED)).code == 3
    assert powercut("locks", written(tmp_path, "nothing.c", "int f(void) { return 0; }")).code == 3


def test_the_document(powercut: Runner, good: Path) -> None:
    ended = powercut("locks", good, "--json")
    document = ended.document
    assert (ended.code, document["exit_code"], document["verdict"]) == (0, 0, "holds")
    assert document["schema"] == "powercut.locks/1"
    assert [c["name"] for c in document["classes"]] == ["a_mutex", "b_lock"]
    (edge,) = document["edges"]
    assert (edge["from"], edge["to"], edge["kind"]) == ("a_mutex", "b_lock", "acquire")
    assert (edge["modes"], edge["context"]) == ([["write", "write"]], "task")
    assert edge["where"] == [{"function": "f", "file": str(good), "line": 5}]
    assert (document["cycles"], document["contradictions"]) == ([], [])
    assert "missing" not in document


def test_the_document_of_a_cycle(powercut: Runner, tmp_path: Path) -> None:
    ended = powercut("locks", written(tmp_path, "undecided.c", UNDECIDED), "--json")
    (cycle,) = ended.document["cycles"]
    assert cycle["classes"] == ["b_lock", "c_lock"]
    assert (cycle["verdict"], cycle["guard"], cycle["trace"]) == ("unknown", None, None)
    assert ended.document["verdict"] == "inconclusive"


def test_the_document_of_a_mistake(powercut: Runner, tmp_path: Path) -> None:
    ended = powercut("locks", written(tmp_path, "wrong.c", WRONG), "--json")
    (mistake,) = ended.document["source"]["mistakes"]
    assert (mistake["what"], mistake["lock"]) == ("lock not released", "m_mutex")
    assert mistake["where"]["line"] == 5


def test_a_folder(powercut: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "fs"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.c").write_text(
        "void inner(struct x *x) { spin_lock(&x->b_lock); spin_unlock(&x->b_lock); }"
    )
    (folder / "b.c").write_text(
        "void f(struct x *x) { mutex_lock(&x->a_mutex); inner(x); mutex_unlock(&x->a_mutex); }"
    )
    (folder / "README").write_text("not C")
    ended = powercut("locks", folder, "--json")
    (edge,) = ended.document["edges"]
    assert edge["where"][0]["file"] == "fs/inner/a.c"
    assert edge["path"] == ["f", "inner"]


def test_pictures_are_written(powercut: Runner, tmp_path: Path, good: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    ended = powercut(
        "locks", good, "--dot", out / "a.dot", "--mermaid", out / "a.mmd", "--svg", out / "a.svg"
    )
    assert ended.code == 0
    assert set(files_below(out)) == {str(out / name) for name in ("a.dot", "a.mmd", "a.svg")}
    assert (out / "a.svg").read_text().startswith("<svg")


def test_a_picture_that_cannot_be_written(powercut: Runner, tmp_path: Path, good: Path) -> None:
    for option in ("--dot", "--mermaid", "--svg"):
        assert_refused(powercut("locks", good, option, tmp_path / "none" / "a"), "none")


BAD = {
    "empty.patch": b"",
    "blank.patch": b"\n\n",
    "no-hunk.patch": b"From: a@example.org\nSubject: hello\n\nNothing to see.\n",
    "binary.patch": bytes(range(256)) * 20,
    "binary.c": b"int f(void) {\0 return 0; }",
    "text.txt": b"just some words\n",
    "broken.c": b"this is ) not ( C at all {{{\n",
    "declarations.c": b"int a;\nstruct b;\n",
    "cut.patch": b"--- a/f.c\n+++ b/f.c\n@@ -1,9 +1,9 @@\n context\n",
    "no-name.patch": b"Subject: x\n\n@@ -1,1 +1,1 @@\n-a\n+b\n",
    "combined.patch": b"--- a/f.c\n+++ b/f.c\n@@@ -1,1 -1,1 +1,1 @@@\n",
    "docs.patch": b"--- a/f.rst\n+++ b/f.rst\n@@ -1,1 +1,1 @@\n-a\n+b\n",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(powercut: Runner, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BAD[name])
    assert_refused(powercut("locks", path), name)
    assert_refused(powercut("locks", path, "--json"), name)


def test_what_is_no_source(powercut: Runner, tmp_path: Path) -> None:
    assert_refused(powercut("locks", tmp_path / "missing.c"), "missing.c")
    assert_refused(powercut("locks", tmp_path), "no C file")
    assert_refused(powercut("locks", "nul\0byte"), "nul")
    assert_refused(powercut("locks", "/dev/null"), "not a regular file")


def test_bad_usage(powercut: Runner, good: Path, tmp_path: Path) -> None:
    assert_refused(powercut("locks"), "--lockdep", "--design")
    assert_refused(powercut("locks", good, "--lockdep", tmp_path), "not both")
    assert_refused(powercut("locks", good, "--design", "sede"), 'did you mean "seed"?')
    assert_refused(powercut("locks", good, "--dsign", "seed"), "--dsign")


def test_half_understood_c_says_what_was_not_seen(powercut: Runner, tmp_path: Path) -> None:
    path = written(tmp_path, "half.c", GOOD + "\nint broken( {{{ ) = 5;\n")
    ended = powercut("locks", path, "--json")
    assert [edge["from"] for edge in ended.document["edges"]] == ["a_mutex"]
    assert ended.document["source"]["not_seen"]


def model(*pairs: tuple[str, str]) -> Callable[[str], LockGraph]:
    made = LockGraph("model")
    for one, two in pairs:
        made.add(Edge(one, two))
    return lambda _design: made


def test_comparison_with_a_dump(
    powercut: Runner, dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powercut.verbs.locks.model_graph", model(("jbd2_handle", "i_data_sem")))
    ended = powercut("locks", "--lockdep", dump, "--design", "bh-ordered", "--json")
    document = ended.document
    assert (ended.code, document["verdict"], document["agreed"]) == (1, "violated", 1)
    assert {"from", "to", "explained", "reason", "where"} <= set(document["missing"][0])
    assert len(document["missing"]) == 7
    assert document["extra"] == []
    assert "folio_lock" in document["lockdep"]["invisible"]
    text = powercut("locks", "--lockdep", dump, "--design", "bh-ordered").out
    assert "UNEXPLAINED" in text
    assert "lockdep cannot see: folio_lock" in text


def test_comparison_with_source(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "void f(struct inode *i) { inode_lock(i); down_read(&EXT4_I(i)->i_data_sem); "
    code += "up_read(&EXT4_I(i)->i_data_sem); inode_unlock(i); }"
    path = written(tmp_path, "a.c", code)
    monkeypatch.setattr("powercut.verbs.locks.model_graph", model(("i_rwsem", "i_data_sem")))
    assert powercut("locks", path, "--design", "seed").code == 0
    monkeypatch.setattr("powercut.verbs.locks.model_graph", model(("jbd2_handle", "i_data_sem")))
    assert powercut("locks", path, "--design", "seed").code == 1


@pytest.mark.parametrize(
    ("design", "scope", "verdict"),
    [
        ("bh-ordered", "append-fsync", "holds"),
        pytest.param("mixed", "two-files", "violated", marks=pytest.mark.exhaustive),
    ],
)
def test_a_design_alone(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch, design: str, scope: str, verdict: str
) -> None:
    monkeypatch.setattr("powercut.checkers.locks.model_cycles.LOCK_SCOPES", (scope,))
    ended = powercut("locks", "--design", design, "--json")
    document = ended.document
    assert (ended.code, document["verdict"]) == ({"holds": 0, "violated": 1}[verdict], verdict)
    reached = [cycle for cycle in document["cycles"] if cycle["verdict"] == "reachable"]
    assert bool(reached) is (verdict == "violated")
    assert all(cycle["trace"]["property"] == "deadlock" for cycle in reached)
    assert "explored whole" in document["notes"][0]


@pytest.mark.exhaustive
def test_a_reachable_cycle_shows_its_schedule(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powercut.checkers.locks.model_cycles.LOCK_SCOPES", ("two-files",))
    text = powercut("locks", "--design", "mixed").out
    assert "possible circular waiting, REACHABLE" in text
    assert "a schedule that deadlocks" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_seed_in_a_process_of_its_own(shared: Callable[[str], Path]) -> None:
    patch = shared("seed/v3-09-22.patch")
    ended = run_apart("locks", patch, "--json")
    document = ended.document
    assert (ended.code, ended.err) == (1, "")
    opposite = [c for c in document["contradictions"] if c["kind"] == "opposite"]
    assert [(c["from"], c["to"]) for c in opposite] == [("folio_lock[iomap]", "jbd2_handle")]
    assert opposite[0]["documented_path"] == "writepages, buffer_head path"
