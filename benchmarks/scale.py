"""How cost grows with the scope: explore a ladder of scopes and write ``docs/scale.md``.

``python -m benchmarks.scale`` measures and rewrites the page; ``--large`` adds the scope of tens of
millions of states (minutes, gigabytes).  Every scope runs in a process of its own, so that the
memory shown is its own; every crash projection is checked, as in any run.
"""

import argparse
import multiprocessing
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from powercut.checkers.engine.c_library import compiler
from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult
from powercut.checkers.run.runner import run_scope
from powercut.model.designs import DESIGNS
from powercut.model.ops import FSYNC, store, truncate, write
from powercut.model.scope import Geometry, Mount, Scope, Timer

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
LARGE_DESIGN = "seed-eof-ordered"
LARGE_LIMITS = Limits(max_states=200_000_000, max_memory_mib=8_192, time_limit_s=1_800)


@dataclass(frozen=True)
class Row:
    """One measured scope."""

    grows: str
    scope: Scope
    result: RunResult
    mib: int


def scope(name: str, *mounts: Mount, geometry: Geometry | None = None) -> Scope:
    """Return a scope whose commit timer may fire at any time."""
    return Scope(name, "", mounts, geometry=geometry or Geometry(), timer=Timer.FREE)


def small_tasks(count: int) -> Mount:
    """Return the first ``count`` of three tasks."""
    tasks = ((write(1, 2), FSYNC), (truncate(1),), (store(0),))
    return Mount(tasks[:count])


def long_write(cells: int) -> Mount:
    """Return a write of ``cells`` cells behind the first, synced, against a truncate."""
    return Mount(((write(1, cells), FSYNC), (truncate(1),)))


def ladder() -> list[tuple[str, Scope]]:
    """Return the scopes with what each step of the ladder adds."""
    three = Geometry(nr_blocks=3, nr_phys=4)
    four = Geometry(nr_blocks=4, nr_phys=5)
    wide = replace(four, blocks_per_folio=2)
    append = Mount(((write(1, 2), FSYNC),))
    return [
        *(("threads", scope(f"{n} tasks", small_tasks(n))) for n in (1, 2, 3)),
        ("blocks", scope("2 blocks", long_write(3))),
        ("blocks", scope("3 blocks", long_write(5), geometry=three)),
        ("blocks", scope("4 blocks", long_write(7), geometry=four)),
        ("folios", scope("4 blocks, 2 folios", long_write(7), geometry=wide)),
        ("mounts", scope("1 mount", append)),
        ("mounts", scope("2 mounts", append, append)),
        ("mounts", scope("3 mounts", append, append, append)),
        ("flusher passes", scope("0 passes", Mount(small_tasks(2).tasks, flusher_passes=0))),
        ("flusher passes", scope("2 passes", Mount(small_tasks(2).tasks, flusher_passes=2))),
    ]


def large_scope() -> Scope:
    """Return the scope that has more than 50 million states under ``LARGE_DESIGN``."""
    tasks = ((write(1, 4), FSYNC), (truncate(1), write(2)), (store(0),))
    name = f"3 tasks, 3 blocks ({LARGE_DESIGN})"
    return scope(name, Mount(tasks), geometry=Geometry(nr_blocks=3, nr_phys=4))


def _measure(where: Scope, limits: Limits, design: str) -> tuple[RunResult, int]:
    import resource

    result = run_scope(Question(DESIGNS[design], where, limits=limits, engine="c"))
    result = replace(result, files=frozenset())  # not worth sending
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(scopes: Iterable[tuple[str, Scope]], limits: Limits, design: str = "seed") -> list[Row]:
    """Explore every scope in a fresh process."""
    rows = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for grows, where in scopes:
            result, mib = pool.apply(_measure, (where, limits, design))
            rows.append(Row(grows, where, result, mib))
            print(_line(rows[-1]), flush=True)
    return rows


def _line(row: Row) -> str:
    result = row.result
    bound = result.verdict if result.exhaustive else f"inconclusive ({result.stopped})"
    return (
        f"| {row.grows} | {row.scope.name} | {result.states:,} | {result.transitions:,} "
        f"| {result.crash_projections:,} | {result.crash_images:,} | {result.seconds:.1f} "
        f"| {row.mib:,} | {bound} |"
    )


HEAD = """# Scale

What a scope costs as it grows.  Written by `python -m benchmarks.scale{option}`.  Design `seed`
unless another is named, C engine, one process on one core, every crash projection checked.

{machine}

| grows | scope | states | transitions | projections | images | s | MiB | verdict |
|---|---|--:|--:|--:|--:|--:|--:|---|
"""

TAIL = """
## What it says

* {threads}
* {blocks}
* {mounts}
* Seconds grow a little faster than states: tables outgrow the caches.
* Images grow faster than projections; verdicts do not pay for that, they are judged cell by cell.

## How states are kept

A state is cut into pieces of about 32 bytes; a piece that was seen before is stored once.  Memory
is {bytes_per_state} bytes a state in the largest scope above (the vector itself has {size}), edges
for the livelock search and all tables included.  Nothing is lost: the search is exact.

Reaching `--max-memory` is *inconclusive*, with what was covered so far.
"""


def growth(rows: Sequence[Row], what: str, each: str) -> str:
    """Say by how much each further one multiplies the states."""
    states = [row.result.states for row in rows if row.grows == what]
    factors = ", ".join(f"{b / a:.1f}" for a, b in pairwise(states))
    return f"{each} multiplies the states by {factors}."


def page(rows: Sequence[Row], option: str) -> str:
    """Return the whole page."""
    version = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False)
    machine = (
        f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}, "
        f"{version.stdout.splitlines()[0] if version.stdout else 'cc'}."
    )
    largest = max(rows, key=lambda row: row.result.states)
    from powercut.checkers.run.mount import build_of

    tail = TAIL.format(
        threads=growth(rows, "threads", "Each further task"),
        blocks=growth(rows, "blocks", "Each further block, written in the same write,"),
        mounts=growth(rows, "mounts", "Each further mount"),
        bytes_per_state=round(largest.mib * 1024 * 1024 / largest.result.states),
        size=build_of(largest.scope, 0).size,
    )
    return HEAD.format(option=option, machine=machine) + "\n".join(map(_line, rows)) + "\n" + tail


def main() -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--large", action="store_true", help="also the largest scope (minutes)")
    parser.add_argument("--dry-run", action="store_true", help="measure, do not write the page")
    options = parser.parse_args()
    rows = measure(ladder(), Limits(max_states=30_000_000))
    if options.large:
        rows += measure([("everything", large_scope())], LARGE_LIMITS, LARGE_DESIGN)
    if not options.dry_run:
        PAGE.write_text(page(rows, " --large" if options.large else ""), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
