"""Kills at random moments: no finding that was written is damaged, nothing stays behind.

A moment is one after the run is at work, in a run that would not end by itself: while Python starts
or ends it hears no signal, and the system's own way of ending a process applies.
The number of kills is ``POWERCUT_KILLS`` in the environment, or 20.
"""

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from powercut.checkers.engine.cache import Cache
from powercut.checkers.run.replay import replay
from powercut.checkers.traces import load_trace
from powercut.inputs.files import make_writable
from powercut.model.mutants import FOLDER
from tests.cli.support import end_of, environment, start, wait_until
from tests.cli.test_interrupts import all_gone
from tests.cli.test_processes import ENDLESS, children, cpu_seconds

KILLS = int(os.environ.get("POWERCUT_KILLS", "20"))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
CHECK = ("check", "--design", "seed", "bh-ordered", "--scope", "eio-overwrite", "folio-tail")
SWEEP = ("sweep", "--level", "2", "--design", "seed", "--jobs", "2")
FUZZ = ("fuzz", "--profile", "soak", "--design", "seed", "--patch", FOLDER / "no-preflush.patch")
AT_WORK_S = 3.0
LATEST_S = 2.0


def command(seed: int, folder: Path) -> tuple[str | Path, ...]:
    """Return a command that would not end: one of three, by the seed."""
    found = ("--save-traces", folder / "found")
    which = seed // len(SIGNALS) % 3
    if which == 1:
        return (*SWEEP, *found)
    if which == 2:
        return (*FUZZ, "--seed", str(seed), *found)
    endless = folder / "endless.workload"
    endless.write_text(ENDLESS)
    return (*CHECK, "--workload", endless, "--engine", "python", "--jobs", "2", *found)


def whole_or_absent(folder: Path) -> None:
    """See that what a killed run has kept is what it wrote, to the last byte."""
    names = [path.name for path in folder.iterdir() if path.is_file()]
    kept = [name for name in names if not name.endswith(".lock") and not name.startswith(".")]
    assert [name for name in kept if Cache(folder).read(name) is None] == []


def next_run_cleans(found: Path, number: signal.Signals) -> None:
    """See that only SIGKILL leaves a file in the making, and that the next run removes it."""
    parts = [path for path in found.iterdir() if path.name.startswith(".")]
    assert not parts or number == signal.SIGKILL
    for path in parts:
        os.utime(path, (0, 0))  # as if some seconds had passed
    make_writable("--save-traces", found)
    assert not any(path.exists() for path in parts)


@pytest.mark.quality
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kill_loses_no_finding_and_leaves_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    number = SIGNALS[seed % len(SIGNALS)]
    argv = command(seed, tmp_path)
    compiles_itself = argv[0] == "fuzz" and number == signal.SIGKILL  # see docs/trust.md
    found, temporary = tmp_path / "found", tmp_path / "tmp"
    temporary.mkdir()
    cache = tmp_path / "cache"
    env = {
        **environment(),
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": str(cache),
        "PYTHONUNBUFFERED": "1",
    }
    with (
        (tmp_path / "out").open("w") as out,
        start(*argv, env=env, stdout=out) as process,
    ):
        wait_until(lambda: cpu_seconds(process.pid) > AT_WORK_S, process)
        try:
            process.wait(timeout=chance.uniform(0.0, LATEST_S))
        except subprocess.TimeoutExpired:
            workers = children(process)
            process.send_signal(number)
            ended = end_of(process)
            assert ended.code in {signal.SIGKILL: (-9,)}.get(number, (0, 1, 3)), ended
            assert all_gone(workers) or compiles_itself
            assert "Traceback" not in ended.err
    if cache.exists():
        whole_or_absent(cache / "powercut")
    printed = (tmp_path / "out").read_text()
    if found.exists():
        next_run_cleans(found, number)
    for path in found.glob("*") if found.exists() else ():
        assert replay(load_trace(path)).reproduced
    named = [word.strip("(),") for word in printed.split() if word.endswith(".trace.json")]
    assert [name for name in named if not Path(name).exists()] == []
    left = [path.name for path in temporary.iterdir()]
    assert [name for name in left if not (compiles_itself and name.startswith("powercut-"))] == []
