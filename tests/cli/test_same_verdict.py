"""One verdict, whatever runs: engines, processes, hash seeds, a cold cache and a warm one."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import environment, run_apart

ARGV = ("check", "--design", "seed", "bh-ordered", "--scope", "eio-overwrite")
NO_CACHE = "no cache"
WAYS = (
    ("python", "1", "0", NO_CACHE),
    ("c", "2", "1", "new"),
    ("c", "1", "2", "new"),
)
"""Engine, processes, hash seed and cache; the third finds what the second has compiled."""


def answer(engine: str, jobs: str, seed: str, cache: Path) -> list[dict[str, Any]]:
    """Run a check in a process of its own; return what it says of every run, without the time."""
    env = {**environment(), "PYTHONHASHSEED": seed, "XDG_CACHE_HOME": str(cache)}
    ended = run_apart(*ARGV, "--engine", engine, "--jobs", jobs, "--json", env=env)
    assert ended.code == 1, ended
    kept = ("design", "scope", "verdict", "states", "transitions", "crash_projections")
    return [
        {name: run[name] for name in kept}
        | {"violations": [(v["property"], v["steps"]) for v in run["violations"]]}
        for run in ended.document["runs"]
    ]


@pytest.mark.exhaustive
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_every_way_gives_the_same_answer(tmp_path: Path) -> None:
    (tmp_path / NO_CACHE).write_text("a file where the cache would be")
    answers = [answer(*way[:3], tmp_path / way[3]) for way in WAYS]
    assert answers[0][0]["verdict"] == "violated"
    assert all(other == answers[0] for other in answers[1:])
