"""SPIN on identical steps: the C steps of the C engine inside a Promela shell.

One process chooses a thread; its step runs on a copy of the state and is taken over if the thread
could move.  So SPIN explores exactly what the C engine explores, with its own storage, hashing and
search, and only that differs: no partial-order reduction, safety only, no invalid end states looked
for.  The shell can also collect the projections and note which predicates were ever true, so that
more than sizes can be compared.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.spin import TABLES, needs, run, timed, unexpected
from powercut.checkers.engine.cengine import prelude, store
from powercut.checkers.engine.emit_geometry import emit_c
from powercut.checkers.engine.system import Build, System

_GLUE = """
static uint8_t bench_constants[PC_CONSTANTS + 1], bench_initial[PC_SIZE], bench_next[PC_SIZE];

static void bench_read(const char *name, uint8_t *to, size_t size)
{
    FILE *file = fopen(name, "rb");

    if (!file || fread(to, 1, size, file) != size)
        abort();
    fclose(file);
}

static int bench_try(unsigned thread, const uint8_t *state)
{
    memcpy(bench_next, state, PC_SIZE);
    return pc_step(thread, bench_next, bench_constants);
}

#ifdef BENCH_LOOK
static struct memory bench_memory = {0, SIZE_MAX};
static struct pool bench_pool;
static uint64_t bench_hits;

static void bench_report(void)
{
    FILE *file = fopen("projections.bin", "wb");

    printf("predicates %lx\\n", (unsigned long)bench_hits);
    if (!file || fwrite(bench_pool.bytes.at, PC_PROJECTED_SIZE, bench_pool.table.count, file)
                 != bench_pool.table.count)
        abort();
    fclose(file);
}

static void bench_look(uint8_t *state)
{
    int is_new = 0;
    unsigned p;

    if (!bench_pool.width) {
        bench_pool.width = PC_PROJECTED_SIZE;
        if (!table_make(&bench_memory, &bench_pool.table, 1024))
            abort();
        atexit(bench_report);
    }
    pool_number(&bench_memory, &bench_pool, state + PC_PROJECTED_START, PC_PROJECTED_SIZE,
                &is_new);
    for (p = 0; p < BENCH_LOOK; p++)
        if (pc_predicate(p, state, bench_constants))
            bench_hits |= (uint64_t)1 << p;
}
#else
#define bench_look(state) (void)0
#endif
"""


@dataclass(frozen=True)
class Explored:
    """What SPIN explored; ``predicates`` are those true in some state, by number."""

    states: int
    transitions: int
    seconds: float
    projections: frozenset[bytes] = frozenset()
    predicates: frozenset[int] = frozenset()


class Shell:
    """A verifier for every system of ``build``, made in ``folder``.

    ``look`` collects projections and predicates, which costs time.  Raises :class:`Unavailable`
    without SPIN or a C compiler.
    """

    def __init__(
        self, build: Build, folder: Path, *, look: bool = False, optimise: str = "-O2"
    ) -> None:
        self.build = build
        self.folder = folder
        self.look = look
        needs("spin", "gcc")
        steps = "\n".join([prelude(), emit_c(build), store(), _GLUE])
        (folder / "steps.h").write_text(steps, encoding="utf-8")
        (folder / "shell.pml").write_text(_shell(build), encoding="utf-8")
        run(folder, "spin", "-a", "shell.pml")
        flags = [
            optimise,
            "-DSAFETY",
            "-DNOREDUCE",
            f"-DVECTORSZ={max(1024, 2 * build.size)}",
            "-DMEMLIM=8000",
            "-DPC_ABORT",
        ]
        if look:
            flags.append(f"-DBENCH_LOOK={len(build.predicate_names)}")
        run(folder, "gcc", *flags, "-o", "pan", "pan.c")

    def explore(self, system: System, tries: int = 1) -> Explored:
        """Explore ``system`` exhaustively; return the fastest run, ``tries`` with each table."""
        (self.folder / "constants.bin").write_bytes(system.constants)
        (self.folder / "initial.bin").write_bytes(system.initial)
        command = ("./pan", "-E", "-m1000000")
        tables = TABLES if tries > 1 else TABLES[:1]
        runs = [
            self._read(*timed(self.folder, *command, table))
            for _ in range(tries)
            for table in tables
        ]
        return min(runs, key=lambda explored: explored.seconds)

    def _read(self, report: str, cpu_s: float) -> Explored:
        """Read a report; the shell adds a state and two transitions before its first step."""
        found = [
            re.search(pattern, report)
            for pattern in (
                r"(\d+) states, stored",
                r"(\d+) transitions",
                r"elapsed time ([\d.]+)",
            )
        ]
        unexpected(report)
        states, transitions, seconds = (float(number[1]) for number in found if number)
        sizes = (int(states) - 1, int(transitions) - 2, min(cpu_s, seconds))
        if not self.look:
            return Explored(*sizes)
        content = (self.folder / "projections.bin").read_bytes()
        size = self.build.layout.projected.stop - self.build.layout.projected.start
        projections = {content[n : n + size] for n in range(0, len(content), size)}
        hits = re.search(r"predicates ([0-9a-f]+)", report)
        mask = int(hits[1], 16) if hits else 0
        predicates = {p for p in range(64) if mask >> p & 1}
        return Explored(*sizes, frozenset(projections), frozenset(predicates))


def _shell(build: Build) -> str:
    """Return the Promela: the state is one array in the state vector."""
    options = "\n".join(
        f"    :: d_step {{ c_expr {{ (bench_try({t}, now.bench_state) != 0) }} -> take() }}"
        for t in range(len(build.threads))
    )
    return f"""c_decl {{
\\#include "steps.h"
}}
c_state "unsigned char bench_state[{build.size}]" "Global"

inline take()
{{
    c_code {{ memcpy(now.bench_state, bench_next, PC_SIZE); bench_look(now.bench_state); }}
}}

init {{
    c_code {{
        bench_read("constants.bin", bench_constants, PC_CONSTANTS);
        bench_read("initial.bin", bench_initial, PC_SIZE);
        memcpy(now.bench_state, bench_initial, PC_SIZE);
        bench_look(now.bench_state);
    }};
    do
{options}
    od
}}
"""
