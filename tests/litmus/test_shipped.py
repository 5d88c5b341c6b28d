"""The litmus files that come with powercut: complete, well formed, and able to fail.

Whether their sets are exact is what collecting ``properties/litmus`` tests.
"""

from pathlib import Path

import pytest

from powercut.checkers.litmus import (
    DIFFERENT,
    EXACT,
    SHIPPED,
    explain,
    load_litmus,
    run_litmus,
    shipped_files,
)
from powercut.model.mutants import MUTANTS
from tests.litmus.support import parse

ROOT = Path(__file__).parents[2]
MAIN_DESIGNS = {"seed", "seed-eof-ordered", "seed-gap-ordered", "bh-ordered"}


def test_there_are_enough() -> None:
    assert len(shipped_files()) >= 40


@pytest.mark.parametrize("path", shipped_files(), ids=lambda path: path.stem)
def test_a_file_says_what_it_is(path: Path) -> None:
    litmus = load_litmus(path)
    assert litmus.name == path.stem
    assert litmus.scope.summary
    assert litmus.source
    if litmus.looks_at_outcomes:
        assert set(litmus.designs) >= MAIN_DESIGNS
    else:
        assert len(litmus.blocks) > 1, "every design says the same: nothing is shown"
    before = litmus.text.partition("\nallowed ")[0]
    assert "\n# " in before, "no word on why the outcomes are as they are"


PLANTED = [
    ("reuse-before-commit", "reuse-before-commit"),
    ("generic-047", "fsync-no-commit-wait"),
    ("generic-482", "no-preflush"),
    ("generic-042-fallocate", "written-allocation"),
    ("generic-475", "no-mapping-error"),
    ("generic-475", "merge-across-error"),
    ("generic-464", "cookie-unchecked"),
    ("generic-371", "retry-without-commit"),
    ("crashmonkey-append-fsync", "disksize-at-map"),
    ("generic-048", "sync-no-commit-wait"),
    ("generic-474", "sync-no-barrier"),
    ("evict-new-block", "writeback-ends-early"),
    ("evict-partial-write", "new-over-written"),
    ("unlink-reuse", "reuse-before-commit"),
]


@pytest.mark.parametrize(("name", "mutant"), PLANTED)
def test_a_planted_mistake_is_noticed(name: str, mutant: str) -> None:
    litmus = load_litmus(SHIPPED / f"{name}.litmus")
    planted = MUTANTS[mutant]
    assert run_litmus(litmus, planted.design, planted).verdict == DIFFERENT
    assert run_litmus(litmus, planted.design).verdict == EXACT


def test_the_example_of_the_page_is_exact() -> None:
    page = (ROOT / "docs" / "litmus.md").read_text(encoding="utf-8")
    (text,) = (part for part in page.split("```\n")[1::2] if part.startswith("name "))
    litmus = parse(text)
    for design in litmus.designs:
        run = run_litmus(litmus, design)
        assert run.verdict == EXACT, explain(run, ladder=False)


def test_every_file_is_on_the_page() -> None:
    """A prefix with a star stands for several files; a range of fstests is named by its numbers."""
    page = (ROOT / "docs" / "litmus.md").read_text(encoding="utf-8")
    words = [word.strip("`:;") for word in page.replace(",", " ").split()]
    starred = {word.removesuffix("*") for word in words if word.endswith("*") and "-" in word}
    for path in shipped_files():
        number = path.stem.split("-")[1]
        named = path.stem in page or any(path.stem.startswith(prefix) for prefix in starred)
        in_range = path.stem.startswith("generic-") and (number in page or 42 <= int(number) <= 49)
        assert named or in_range, path.stem
