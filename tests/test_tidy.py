"""The source tree stays readable: short, documented, nothing dead, nothing left over.

The rules are in ``tests/tidy.py``; the second half shows that each of them can fail.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tidy

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "checkers", "properties", "powercut")
FOLDERS = (*PACKAGES, "tests", "traces", "docs", "benchmarks", "examples", "scripts", ".ci")
LINKED = tuple(ROOT / "powercut" / name for name in PACKAGES if name != "powercut")

CALLED_FROM_OUTSIDE = {
    "pytest_addoption": "pytest calls its hooks by name",
    "pytest_configure": "pytest calls its hooks by name",
    "pytest_collect_file": "pytest calls its hooks by name",
    "pytest_runtest_makereport": "pytest calls its hooks by name",
    "list_": "registered by its decorator",
    "no_verb": "registered by its decorator",
}

NOT_OURS = (
    "fs/",  # the kernel's
    "page-io.c",  # the kernel's
    "append.litmus",  # a user's, in docs/pytest.md
    "test_append.py",  # the same
    "powercut.litmus",  # a fixture's method
)

# Subjects are looked at from the first commit after this one on.
SINCE = "6f922c6"


def paths(*folders: str) -> Iterator[Path]:
    """All files at the top and below the folders, without what tools leave there."""
    top = (path for path in ROOT.iterdir() if path.suffix != ".log" and path.name != ".git")
    below = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    for path in sorted((*top, *below)):
        linked = any(link in path.parents for link in LINKED)
        if path.is_file() and not linked and "__pycache__" not in path.parts:
            yield path


def texts(*suffixes: str, folders: tuple[str, ...] = FOLDERS) -> dict[Path, str]:
    """The files with one of the suffixes, or all that are not binary."""
    found = {
        path.relative_to(ROOT): path.read_bytes()
        for path in paths(*folders)
        if not suffixes or path.suffix in suffixes
    }
    return {
        path: data.decode(errors="replace") for path, data in found.items() if b"\0" not in data
    }


def packages() -> dict[Path, str]:
    """The Python modules that are installed."""
    return {path: text for path, text in texts(".py").items() if path.parts[0] in PACKAGES}


@pytest.fixture(scope="module")
def modules() -> dict[Path, str]:
    """All modules, parsed: that is the dear part of the rules that walk trees."""
    found = texts(".py")
    tidy.parse(found)
    return found


def test_there_is_something_to_look_at() -> None:
    assert len(packages()) > 100
    assert len(texts(".md")) > 10
    assert len(texts(".c", ".h")) > 3


def test_modules_are_short() -> None:
    assert tidy.long_modules(texts(".py", ".c", ".h")) == []


def test_functions_are_short(modules: dict[Path, str]) -> None:
    assert tidy.long_functions(modules) == []


def test_modules_say_what_they_are_for() -> None:
    assert tidy.silent_modules(packages()) == []


def test_nothing_is_left_over() -> None:
    assert tidy.matches(tidy.LEFT_OVER, texts()) == []


def test_no_path_of_one_machine() -> None:
    assert tidy.matches(tidy.MACHINE_PATH, texts()) == []


def test_the_formatter_formats_everything() -> None:
    assert tidy.matches(tidy.UNFORMATTED, texts(".py")) == []


def test_prose_fits_its_columns() -> None:
    assert tidy.wide_lines(texts(".md")) == []


def test_links_lead_somewhere() -> None:
    assert tidy.dead_links(texts(".md"), ROOT) == []


def test_files_that_are_named_exist() -> None:
    pages = texts(".md")
    del pages[Path("CHANGELOG.md")]  # it tells of files that are gone
    known = [path.relative_to(ROOT) for path in paths(*FOLDERS)]
    assert tidy.dead_file_names(pages, known, NOT_OURS) == []


def test_every_name_is_used() -> None:
    using = texts(".py")
    del using[Path("tests/test_tidy.py")]  # it names what it excuses
    unused = tidy.dead_names(packages(), using)
    assert [line for line in unused if line.split()[-1] not in CALLED_FROM_OUTSIDE] == []
    assert {line.split()[-1] for line in unused} == CALLED_FROM_OUTSIDE.keys()


def git(*words: str) -> subprocess.CompletedProcess[str]:
    """Ask git about this checkout."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("there is no history here")
    return subprocess.run(
        ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
    )


def test_subjects_of_commits_are_short() -> None:
    """A shallow clone has the newest commit only."""
    log = git("log", "--no-merges", "--format=%h %s", f"{SINCE}..HEAD")
    if log.returncode:
        log = git("log", "--no-merges", "--format=%h %s", "-1")
    assert log.returncode == 0, log.stderr
    assert tidy.long_subjects(log.stdout) == []


# ---- each rule can fail -------------------------------------------------------------------------

HERE = Path("here.py")
PAGE = Path("docs/page.md")


def test_a_long_file_is_noticed() -> None:
    assert tidy.long_modules({HERE: "x\n" * 600, Path("a.c"): "x\n" * 601}) == ["a.c: 601 lines"]


def test_a_long_function_is_noticed() -> None:
    source = "class A:\n    def f(self):\n" + "        pass\n" * 69
    assert tidy.long_functions({HERE: source}) == []
    assert tidy.long_functions({HERE: source + "        pass\n"}) == ["here.py: f has 71 lines"]


def test_a_silent_module_is_noticed() -> None:
    assert tidy.silent_modules({HERE: "x = 1\n", Path("b.py"): '"""It says."""\n'}) == ["here.py"]


@pytest.mark.parametrize(
    ("pattern", "line", "is_found"),
    [
        (tidy.LEFT_OVER, "# TO" + "DO: later", True),
        (tidy.LEFT_OVER, "mastodon", False),
        (tidy.MACHINE_PATH, 'open("/ro' + 'ot/x")', True),
        (tidy.MACHINE_PATH, "docs/wo" + "rk/notes", False),
        (tidy.UNFORMATTED, "x = [1,  2]  # fmt: " + "skip", True),
        (tidy.UNFORMATTED, "# fmt:" + "off", True),
        (tidy.UNFORMATTED, "# fmt: on", False),
    ],
)
def test_the_searches_find_what_they_should(
    pattern: re.Pattern[str], line: str, is_found: bool
) -> None:
    assert tidy.matches(pattern, {HERE: f"\n{line}\n"}) == ([f"here.py:2: {line}"] * is_found)


def test_wide_prose_is_noticed_but_no_code_and_no_table() -> None:
    wide = "x" * 101
    page = f"{wide[1:]}\n{wide}\n- {wide}\n    {wide}\n| {wide} |\n```\n{wide}\n```\n{wide}\n"
    assert tidy.wide_lines({PAGE: page}) == [
        "docs/page.md:2: 101 columns",
        "docs/page.md:3: 103 columns",
        "docs/page.md:9: 101 columns",
    ]


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "top.md").write_text("# One title: of `two`\n")
    page = "[a](../top.md) [b](../gone.md) [c](https://example.org/x)\n| [d](gone.md) |\n"
    anchored = "# Here\n[e](../top.md#one-title-of-two) [f](../top.md#no) [g](#here) [h](#there)\n"
    (tmp_path / PAGE).write_text(anchored)
    assert tidy.dead_links({PAGE: page}, tmp_path) == [
        "docs/page.md: ../gone.md",
        "docs/page.md: gone.md",
    ]
    assert tidy.dead_links({PAGE: anchored}, tmp_path) == [
        "docs/page.md: ../top.md#no: no such heading",
        "docs/page.md: #there: no such heading",
    ]


def test_the_name_of_a_missing_file_is_noticed() -> None:
    page = (
        "`checkers/engine/bfs.py` `bfs.py` `engine/bfs.py` `checkers/` `checkers/engine/`\n"
        "`python -m bfs.py` `dfs.py` `checkers/bfs.py` `checkers/run/` `fs/inode.c` `bfs.run`\n"
        "| `gone.md` |\n```\n`gone.md`\n```\n"
    )
    known = [Path("checkers/engine/bfs.py")]
    assert tidy.dead_file_names({PAGE: page}, known, ("fs/",)) == [
        "docs/page.md:2: dfs.py",
        "docs/page.md:2: checkers/bfs.py",
        "docs/page.md:2: checkers/run/",
        "docs/page.md:3: gone.md",
    ]


def test_a_dead_name_is_noticed() -> None:
    defining = {
        Path("a.py"): (
            '"""About dead."""\n'
            "__all__ = ['dead']\n"
            "LIMIT = 1\n"
            "DEAD: int = 2\n"
            "def dead():\n    '''It is dead, as is Dead.'''\n    return LIMIT\n"
            "class Dead: ...\n"
            "def imported(): ...\n"
            "def patched(): ...\n"
            "def attribute(): ...\n"
            "def handed_on(): ...\n"
        )
    }
    using = {
        **defining,
        Path("b.py"): "import a\nfrom a import imported\na.attribute()\nf('x.patched')\n",
        Path("__init__.py"): "from a import handed_on\n__all__ = ['handed_on']\n",
    }
    found = [line.split()[-1] for line in tidy.dead_names(defining, using)]
    assert found == ["DEAD", "dead", "Dead", "handed_on"]


def test_a_long_subject_is_noticed() -> None:
    short, long = f"abc1234 tests: {'x' * 65}", f"abc1235 tests: {'x' * 66}"
    assert tidy.long_subjects(f"{short}\n{long}\n") == [long]
