"""The mutants as patches: each applies and changes a path; the kernel's text knows of none."""

import re
from pathlib import Path

import pytest

from powercut.checkers.weave.patch import apply_patch, model_sources, parse_patch
from powercut.checkers.weave.program import (
    MODEL,
    mutant_patch,
    mutated_program,
    patched_program,
    woven_program,
)
from powercut.model.kernel.tasks import PROGRAM
from powercut.model.mutants import MUTANTS, load_mutants, parse_mutant

ROOT = Path(__file__).parents[2]
PATHS = ("model/fs/", "model/mm/", "model/block/", "model/kernel/")
HEADER = "Title: t\nSource: s\nCaught-by: sizes\nScope: punch\nDesign: seed\n"


def test_the_kernels_text_knows_of_no_mutant() -> None:
    told = [
        f"{file}: {line.strip()}"
        for file, text in model_sources().items()
        if file.startswith(PATHS)
        for line in text.splitlines()
        if "mutant" in line.lower()
    ]
    assert told == []


def test_numbers_are_those_of_the_constants() -> None:
    assert [m.number for m in MUTANTS.values()] == list(range(1, len(MUTANTS) + 1))
    assert len(MUTANTS) < 256


@pytest.mark.parametrize("slug", MUTANTS)
def test_a_patch_applies_and_changes_the_paths_only(slug: str) -> None:
    patch = mutant_patch(MUTANTS[slug])
    sources = model_sources()
    patched = apply_patch(patch, sources)
    assert all(file.startswith(PATHS) for file in patched)
    assert all(changed.text != sources[file] for file, changed in patched.items())


def test_the_woven_model_has_the_threads_of_the_model() -> None:
    assert MODEL.variants is not None
    woven = MODEL.variants.woven()
    assert [t.name for t in woven.threads] == [t.name for t in PROGRAM.threads]
    assert all(
        a.path is not b.path
        for a, b in zip(woven.threads, PROGRAM.threads, strict=True)
        if b.name in ("task", "flusher", "kjournald")
    )


def test_a_function_that_a_user_patched_stands_where_the_user_sees_it() -> None:
    file = "model/fs/jbd2/journal/kjournald.py"
    first = (ROOT / file).read_text(encoding="utf-8").splitlines()[0]
    head = f"--- {file}\n+++ {file}\n@@ -1,1 +1,3 @@\n"
    patch = parse_patch(f"{head}+# two lines\n+# in front\n {first}\n", "my.patch")
    patched = patched_program([patch])
    here = {t.name: t.path.__code__.co_firstlineno for t in PROGRAM.threads}
    there = {t.name: t.path.__code__.co_firstlineno for t in patched.threads}
    assert there == {**here, "kjournald": here["kjournald"] + 2, "timer": here["timer"] + 2}


def test_a_function_of_a_mutated_module_keeps_its_lines() -> None:
    """Lines before and behind a hunk are those of the file; what is new stands at the hunk."""
    patched = mutated_program(mutant_patch(MUTANTS["no-orphan"]))
    here = {t.name: t.path.__code__.co_firstlineno for t in PROGRAM.threads}
    assert {t.name: t.path.__code__.co_firstlineno for t in patched.threads} == here


def test_a_model_without_mutants_is_the_model() -> None:
    bare = woven_program({})
    assert [t.path for t in bare.threads] == [t.path for t in PROGRAM.threads]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Title t\n\n", 'x.patch:1: expected "Key: value", not "Title t"'),
        ("Title: t\nColour: red\n\n", "x.patch:2: unknown or repeated key Colour"),
        ("Title: t\nTitle: u\n\n", "x.patch:2: unknown or repeated key Title"),
        ("Title: t\n\n", "x.patch:1: no Source, Caught-by, Scope, Design in the header"),
    ],
)
def test_a_wrong_header_names_its_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_mutant(text, "x", 1)


def test_mutants_are_numbered_by_name(tmp_path: Path) -> None:
    for slug in ("b", "a"):
        (tmp_path / f"{slug}.patch").write_text(f"{HEADER}\n--- model/x.py\n")
    found = load_mutants(tmp_path)
    assert [(m.slug, m.number, m.patch) for m in found.values()] == [
        ("a", 1, "--- model/x.py\n"),
        ("b", 2, "--- model/x.py\n"),
    ]
