"""``--patch``: does my fix hold?  And every way in which a patch can be wrong is one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from powercut.checkers.machines import search as searching
from powercut.model.mutants import FOLDER
from tests.cli.support import Runner, assert_refused, run_apart
from tests.cli.test_fuzz import TINY
from tests.tiers import EXHAUSTIVE

ROOT = Path(__file__).parents[2]
FIX = ROOT / "docs" / "patches" / "punch-writes-eof-block.patch"
OTHER_FIX = ROOT / "docs" / "patches" / "ordered-truncate-before-size.patch"
NO_FIX = ROOT / "docs" / "patches" / "ordered-truncate-behind-handle.patch"
HEAD = "--- model/block/bio.py\n+++ model/block/bio.py\n"


def violated(powercut: Runner, *argv: str | Path) -> set[str]:
    ended = powercut("check", "--design", "bh-ordered", "--jobs", "1", *argv, "--json")
    (run,) = ended.document["runs"]
    assert run["exhaustive"]
    return {violation["property"] for violation in run["violations"]}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("scope", "patch"), [("zero-range-tail", FIX), ("cut-twice", OTHER_FIX)])
def test_a_fix_removes_the_finding(powercut: Runner, scope: str, patch: Path) -> None:
    assert violated(powercut, "--scope", scope) == {"stale-data"}
    assert violated(powercut, "--scope", scope, "--patch", patch) == set()


@pytest.mark.exhaustive
def test_a_fix_that_is_none_removes_nothing(powercut: Runner) -> None:
    assert violated(powercut, "--scope", "cut-twice", "--patch", NO_FIX) == {"stale-data"}


@pytest.mark.exhaustive
def test_a_trace_of_a_patched_model_brings_the_patch(powercut: Runner, tmp_path: Path) -> None:
    argv = ("--design", "bh-ordered", "--scope", "cut-twice", "--patch", NO_FIX)
    assert powercut("check", *argv, "--jobs", "1", "--save-traces", tmp_path).code == 1
    (trace,) = tmp_path.iterdir()
    assert NO_FIX.name in trace.read_text()
    assert powercut("replay", trace, "--no-ladder").code == 0
    assert_refused(powercut("replay", "--patch", NO_FIX, trace), NO_FIX.name, "hunk 1")


@pytest.mark.quality
def test_a_random_search_finds_what_a_patch_breaks(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(TINY, examples=60, geometries=("two-blocks",), states=10_000)
    monkeypatch.setitem(searching.PROFILES, "dev", small)
    argv = ("--design", "seed", "--patch", FOLDER / "no-preflush.patch", "--save-traces", tmp_path)
    assert any(powercut("fuzz", *argv, "--seed", str(seed)).code == 1 for seed in range(1, 500, 99))
    for trace in tmp_path.iterdir():
        assert "no-preflush.patch" in trace.read_text()
        assert powercut("replay", trace, "--no-ladder").code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no patch at all\n", ("no hunk",)),
        (HEAD + "@@ -3,1 +3,1 @@\n-nothing of this\n+x\n", ("hunk 1, line 3", "does not apply")),
        ("--- README.md\n+++ README.md\n@@ -1,1 +1,1 @@\n-a\n+b\n", ("outside the model",)),
        ("--- model/x.py\n+++ model/x.py\n@@ -1,1 +1,1 @@\n-a\n+b\n", ("no such file",)),
    ],
)
def test_a_bad_patch_is_one_line(
    powercut: Runner, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    path = tmp_path / "my.patch"
    path.write_text(text)
    for verb in (
        ("check",),
        ("exam",),
        ("explore", "--scope", "punch"),
        ("fuzz",),
        ("fuzz", "--mutant", "all"),
        ("replay", "x"),
    ):
        assert_refused(powercut(*verb, "--patch", path), str(path), *words)


def test_a_trace_may_follow_a_patch(powercut: Runner) -> None:
    trace = ROOT / "traces" / "bh-ordered-cut-twice-stale-data.trace.json"
    ended = powercut("replay", "--patch", OTHER_FIX, trace, "--no-ladder")
    assert ended.code == 1
    assert "NOT reproduced" in ended.out


def changed(old: str, *new: str) -> str:
    """Return a patch of the model's truncate that puts the lines ``new`` for the line ``old``."""
    file = "model/fs/ext4/inode/truncate.py"
    lines = (ROOT / file).read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if line.strip() == old)
    line = lines[number - 1]
    indent = line[: len(line) - len(line.lstrip())]
    added = "".join(f"+{indent}{each}\n" for each in new)
    head = f"--- {file}\n+++ {file}\n@@ -{number},1 +{number},{len(new)} @@\n"
    return f"{head}-{line}\n{added}"


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("inode.i_size = size +", ("no Python", "truncate.py:")),
        ("inode.i_size = [size][0]", ("outside the model's language", "truncate.py:")),
        ("inode.i_size = forgotten(k)", ("forgotten", "truncate.py:")),
    ],
)
def test_a_patch_outside_the_language_names_the_line(
    powercut: Runner, tmp_path: Path, new: str, words: tuple[str, ...]
) -> None:
    path = tmp_path / "my.patch"
    path.write_text(changed("inode.i_size = size", new))
    ended = powercut("check", "--design", "seed", "--scope", "span-truncate", "--patch", path)
    assert_refused(ended, str(path), *words)


def inserted(path: Path, file: str, before: str, new: str) -> str:
    """Write a patch that puts ``new`` before the first line ``before``; return its place."""
    lines = (ROOT / file).read_text().splitlines()
    number = lines.index(before) + 1
    indent = before[: len(before) - len(before.lstrip())]
    head = f"--- {file}\n+++ {file}\n@@ -{number},1 +{number},2 @@\n"
    path.write_text(f"{head}+{indent}{new}\n {before}\n")
    return f"{file}:{number}: "


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=EXHAUSTIVE)])
def test_a_patch_that_fails_before_the_first_step_names_the_line(tmp_path: Path, jobs: str) -> None:
    path, file = tmp_path / "my.patch", "model/fs/fs_writeback.py"
    before = "    for _pass in range(k.conf.flusher_passes):"
    place = inserted(path, file, before, "k.inode[0].i_size = 1 // 0")
    scopes = ("span-truncate", "punch")
    argv = ("check", "--design", "seed", "--scope", *scopes, "--jobs", jobs, "--engine", "python")
    ended = run_apart(*argv, "--patch", path, "--json")
    assert_refused(ended, str(path), f"{place}ZeroDivisionError", "correct the patch")


def test_what_only_the_native_model_notices_names_the_patch(
    powercut: Runner, tmp_path: Path
) -> None:
    path, file = tmp_path / "my.patch", "model/fs/iomap/ioend/finish.py"
    new = "k.inode[0].i_size = k.inode[0].page[k.inode[0].i_size + 70]"
    place = inserted(path, file, "    if ioend.error != next_ioend.error:", new)
    argv = ("check", "--design", "seed", "--scope", "span-truncate", "--engine", "python")
    ended = powercut(*argv, "--jobs", "1", "--patch", path, "--max-states", "4000", "--json")
    assert_refused(ended, str(path), f"{place}RangeError", "correct the patch")


def test_line_ends_of_another_system_are_read(powercut: Runner, tmp_path: Path) -> None:
    path = tmp_path / "my.patch"
    path.write_bytes(OTHER_FIX.read_bytes().replace(b"\n", b"\r\n"))
    trace = ROOT / "traces" / "bh-ordered-cut-twice-stale-data.trace.json"
    assert powercut("replay", "--patch", path, trace, "--no-ladder").code == 1


def test_what_is_no_file_is_one_line(powercut: Runner, tmp_path: Path) -> None:
    assert_refused(powercut("check", "--patch", tmp_path / "none.patch"), "none.patch")
    assert_refused(powercut("check", "--patch", tmp_path), str(tmp_path))
