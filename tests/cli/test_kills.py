"""Kills at random moments: no finding that was written is damaged, nothing stays behind.

A moment is one after the first line of the report, in a run that would not end by itself: while
Python starts or ends it hears no signal, and the system's own way of ending a process applies.
The number of kills is ``POWERCUT_KILLS`` in the environment, or 20.
"""

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from powercut.checkers.run.replay import replay
from powercut.checkers.traces import load_trace
from powercut.inputs.files import make_writable
from tests.cli.support import end_of, environment, start, wait_until
from tests.cli.test_interrupts import all_gone
from tests.cli.test_processes import ENDLESS, children

KILLS = int(os.environ.get("POWERCUT_KILLS", "20"))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
ARGV = ("check", "--design", "seed", "bh-ordered", "--scope", "eio-overwrite", "folio-tail")
LATEST_S = 4.0


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
    found, temporary = tmp_path / "found", tmp_path / "tmp"
    temporary.mkdir()
    env = {**environment(), "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    endless = tmp_path / "endless.workload"
    endless.write_text(ENDLESS)
    argv = (
        *ARGV,
        "--workload",
        endless,
        "--engine",
        "python",
        "--jobs",
        "2",
        "--save-traces",
        found,
    )
    with (
        (tmp_path / "out").open("w") as out,
        start(*argv, env=env, stdout=out) as process,
    ):
        wait_until(lambda: (tmp_path / "out").stat().st_size > 0, process)
        try:
            process.wait(timeout=chance.uniform(0.0, LATEST_S))
        except subprocess.TimeoutExpired:
            workers = children(process)
            process.send_signal(number)
            ended = end_of(process)
            assert ended.code in {signal.SIGKILL: (-9,)}.get(number, (0, 1, 3)), ended
            assert all_gone(workers)
            assert "Traceback" not in ended.err
    printed = (tmp_path / "out").read_text()
    if found.exists():
        next_run_cleans(found, number)
    for path in found.glob("*") if found.exists() else ():
        assert replay(load_trace(path)).reproduced
    named = [word.strip("(),") for word in printed.split() if word.endswith(".trace.json")]
    assert [name for name in named if not Path(name).exists()] == []
    assert list(temporary.iterdir()) == []
