"""Patches of the model: read, put where they belong, refused with the place if they do not fit."""

import pytest

from powercut.checkers.weave.errors import PatchError
from powercut.checkers.weave.patch import apply_patch, parse_patch
from powercut.errors import BAD_INPUT

BASE = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
SOURCES = {"model/a.py": BASE}
HEAD = "--- model/a.py\n+++ model/a.py\n"


def applied(diff: str, sources: dict[str, str] = SOURCES) -> tuple[str, tuple[int, ...]]:
    patched = apply_patch(parse_patch(HEAD + diff, "my.patch"), sources)["model/a.py"]
    return patched.text, patched.lines


def test_a_line_is_replaced_where_the_hunk_says() -> None:
    text, lines = applied("@@ -2,3 +2,4 @@\n two\n-three\n+drei\n+vier\n four\n")
    assert text == BASE.replace("three\n", "drei\nvier\n")
    assert lines == (1, 2, 3, 3, 4, 5, 6, 7, 8)


def test_a_removed_line_leaves_the_numbers_of_the_others() -> None:
    text, lines = applied("@@ -5,2 +5,1 @@\n five\n-six\n")
    assert text == BASE.replace("six\n", "")
    assert lines == (1, 2, 3, 4, 5, 7, 8)


def test_a_hunk_is_found_where_its_lines_have_gone() -> None:
    text, _ = applied("@@ -2,2 +2,2 @@\n five\n-six\n+sechs\n")
    assert text == BASE.replace("six", "sechs")


@pytest.mark.parametrize(
    ("diff", "words"),
    [
        (HEAD + "@@ -2,2 +2,2 @@\n two\n-other\n+drei\n", ("hunk 1, line 2", '"three"', '"other"')),
        (HEAD + "@@ -7,2 +7,2 @@\n seven\n-eight\n+acht\n", ("hunk 1, line 7", "line 8")),
        ("", ("no hunk",)),
        ("--- model/b.py\n+++ model/b.py\n@@ -1,1 +1,1 @@\n-a\n+b\n", ("no such file",)),
        ("--- checkers/a.py\n+++ checkers/a.py\n@@ -1,1 +1,1 @@\n-a\n+b\n", ("outside the model",)),
        ("--- model/../x.py\n+++ model/../x.py\n@@ -1,1 +1,1 @@\n-a\n+b\n", ("outside the model",)),
        ("--- /dev/null\n+++ model/n.py\n@@ -0,0 +1,1 @@\n+b\n", ("adds none",)),
        (HEAD + "@@ -1,3 +1,3 @@\n one\n", ("unified diff",)),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_place(diff: str, words: tuple[str, ...]) -> None:
    with pytest.raises(PatchError) as caught:
        apply_patch(parse_patch(diff, "my.patch"), SOURCES)
    message = str(caught.value)
    assert message.startswith("my.patch: ")
    assert len(message.splitlines()) == 1
    assert all(word in message for word in words), message
    assert caught.value.exit_code == BAD_INPUT


def test_two_places_as_good_as_each_other_are_refused() -> None:
    twice = {"model/a.py": "x\nsame\nx\nx\nsame\nx\n"}
    with pytest.raises(PatchError, match="two places"):
        applied(
            "@@ -3,2 +3,2 @@\n x\n-gone\n+there\n".replace("gone", "same"),
            {"model/a.py": "x\nsame\n\n\nx\nsame\n"},
        )
    assert applied("@@ -1,2 +1,2 @@\n x\n-same\n+there\n", twice)[0].startswith("x\nthere")
