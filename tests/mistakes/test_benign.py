"""No false alarm: what is right in another way violates nothing that was not violated before."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from powercut.checkers.engine.cache import kept_in
from powercut.checkers.mistakes.batch import Batch
from powercut.checkers.mistakes.benign import FOLDER, parse_variation, variations
from powercut.checkers.mistakes.coverage import Seen
from powercut.checkers.mistakes.generate import Mistake
from powercut.checkers.mistakes.judge import Judge
from powercut.checkers.weave.patch import apply_patch, model_sources
from powercut.checkers.workload.shipped import SCOPES
from powercut.errors import InputError
from powercut.properties.findings.loader import shipped
from tests.tiers import EXHAUSTIVE

CHEAP = ("append-fsync", "cut-twice", "eio-rewrite", "evict-folio", "truncate-nodelalloc")
"""Scopes of up to 5,000 states: syncs, two truncates, errors, evictions, no delayed allocation."""


def _run(design: str, scope: str) -> Seen:
    known = {
        p for f in shipped().values() for d, s, p in f.violations() if (d, s) == (design, scope)
    }
    return Seen(design, scope, 5_000, 0.1, tuple(sorted(known)), True, frozenset())


RUNS = [_run(design, scope) for design in ("seed", "bh-ordered") for scope in CHEAP]


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    with tempfile.TemporaryDirectory() as folder, kept_in(Path(folder)):
        yield Batch(variations())


def test_there_are_enough_of_them_and_each_applies() -> None:
    sources = model_sources()
    assert len(variations()) >= 15
    for variation in variations():
        for file, patched in apply_patch(variation.parsed, sources).items():
            assert patched.text != sources[file]


@pytest.mark.parametrize("text", ["", "Title: x\n\n--- a\n", "Why: x\nTitle: y\n\n--- a\n"])
def test_a_header_says_what_and_why(text: str) -> None:
    with pytest.raises(InputError, match="expected a header of Title and Why"):
        parse_variation(text, "x")


@EXHAUSTIVE
def test_nothing_new_is_violated(batch: Batch) -> None:
    judge = Judge((), SCOPES.__getitem__, frozenset())
    judged = [judge.judge_in(RUNS, batch, n) for n in range(1, len(batch.mistakes) + 1)]
    assert [j for j in judged if j.status != "survived" or j.cut] == []


@EXHAUSTIVE
def test_what_is_wrong_would_be_told(batch: Batch) -> None:
    """The same runs report a variation that forgets to flush."""
    text = (FOLDER / "fsync-always-flushes.patch").read_text(encoding="utf-8")
    wrong = parse_variation(
        text.replace("+    needs_barrier = 1", "+    needs_barrier = 0"), "wrong"
    )
    assert isinstance(wrong, Mistake)
    judge = Judge((), SCOPES.__getitem__, frozenset())
    assert judge.judge_in(RUNS, Batch((wrong,)), 1).prop == "durability"
