"""The score does not fall: of mistakes that a campaign caught, a sample is caught again."""

import json
import random
from pathlib import Path
from typing import Any

from powercut.checkers.mistakes.batch import Batch
from powercut.checkers.mistakes.coverage import Seen
from powercut.checkers.mistakes.generate import Mistake, all_mistakes
from powercut.checkers.mistakes.judge import Judge
from powercut.checkers.workload.shipped import SCOPES
from powercut.properties.findings.loader import shipped
from tests.tiers import EXHAUSTIVE

CAUGHT = json.loads(Path(__file__).with_name("caught.json").read_text(encoding="utf-8"))
"""Mistakes that a campaign caught in a small run: the key of each, the run, the property."""
SAMPLE = 24
FEW_STATES = 1_000


def _key(row: dict[str, Any]) -> tuple[object, ...]:
    function, kind, was, now, nth = row["key"]
    return (function, kind, tuple(was), tuple(now), nth)


def _run(design: str, scope: str) -> Seen:
    known = {
        p for f in shipped().values() for d, s, p in f.violations() if (d, s) == (design, scope)
    }
    return Seen(design, scope, FEW_STATES, 0.1, tuple(sorted(known)), True, frozenset())


def test_most_of_what_was_caught_is_still_a_mistake() -> None:
    """An edit of the model makes some of them go; with many gone, record them anew."""
    there = {mistake.key for mistake in all_mistakes()}
    kept = [row for row in CAUGHT if _key(row) in there]
    assert len(kept) > 0.8 * len(CAUGHT)


@EXHAUSTIVE
def test_a_sample_of_what_was_caught_is_caught_by_the_same_run() -> None:
    by_key = {mistake.key: mistake for mistake in all_mistakes()}
    rows = [row for row in CAUGHT if _key(row) in by_key]
    rows = random.Random(1).sample(rows, SAMPLE)
    mistakes: list[Mistake] = [by_key[_key(row)] for row in rows]
    batch = Batch(tuple(mistakes))
    judge = Judge((), SCOPES.__getitem__, frozenset(), most_states=FEW_STATES)
    for number, row in enumerate(rows, 1):
        run = _run(row["design"], row["scope"])
        judgement = judge.judge_in([run], batch, number)
        assert (judgement.name, judgement.status) == (mistakes[number - 1].name, "caught")
