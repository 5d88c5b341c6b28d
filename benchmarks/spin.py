"""SPIN on ``wal.pml``: the yardstick for exhaustive search, when it is installed.

The verifier is built for speed and for the same work: safety only, no partial-order reduction, and
SPIN's own removal of dead variables off (``-o2``), because ``wal.pml`` zeroes exactly the locals
that the engine zeroes.
"""

import re
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wal import Size

TABLES = ("-w20", "-w22", "-w24")
"""Sizes of the hash table to try: one too large costs time as well, and the best one counts."""

MODEL = Path(__file__).with_name("wal.pml")


class Unavailable(Exception):
    """SPIN cannot be run here; the message says why."""


@dataclass(frozen=True)
class Verified:
    """What SPIN's verifier reports; ``seconds`` by the wall or its processor, what is less."""

    states: int
    transitions: int
    seconds: float


def verify(size: Size, folder: Path, tries: int, *, reduce: bool = False) -> Verified:
    """Build the verifier in ``folder`` and return its fastest run, ``tries`` with each table.

    ``reduce`` keeps SPIN's partial-order reduction, its default.  Raises :class:`Unavailable`
    without SPIN or a C compiler.
    """
    needs("spin", "gcc")
    sizes = [f"-DWRITERS={size.writers}", f"-DROUNDS={size.rounds}", f"-DSLOTS={size.slots}"]
    run(folder, "spin", "-o2", "-a", *sizes, str(MODEL))
    options = [] if reduce else ["-DNOREDUCE"]
    run(folder, "gcc", "-O2", "-DSAFETY", *options, "-o", "pan", "pan.c")
    command = ("./pan", "-m100000")
    runs = [_read(*timed(folder, *command, table)) for _ in range(tries) for table in TABLES]
    return min(runs, key=lambda run: run.seconds)


def needs(*tools: str) -> None:
    """Raise :class:`Unavailable` unless all tools are installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is not installed (Debian, Ubuntu: apt install {tool})")


def run(folder: Path, *command: str) -> str:
    """Run a command in ``folder`` and return what it printed.  Raises :class:`Unavailable`."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        text = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"{command[0]} failed: {text[-1] if text else done.returncode}")
    return done.stdout


def timed(folder: Path, *command: str) -> tuple[str, float]:
    """Run a command; return what it printed and the processor time it took, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = run(folder, *command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return report, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def unexpected(report: str) -> None:
    """Raise :class:`Unavailable` for a search with errors or one that was cut short."""
    if "errors: 0" not in report or "max search depth too small" in report:
        raise Unavailable(f"unexpected verdict of the verifier:\n{report}")


def _read(report: str, cpu_s: float) -> Verified:
    unexpected(report)
    states, transitions, seconds = (
        re.search(pattern, report)
        for pattern in (r"(\d+) states, stored", r"(\d+) transitions", r"elapsed time ([\d.]+)")
    )
    assert states is not None
    assert transitions is not None
    assert seconds is not None
    return Verified(int(states[1]), int(transitions[1]), min(cpu_s, float(seconds[1])))
