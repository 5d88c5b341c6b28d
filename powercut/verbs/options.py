"""The options of the verbs, a frozen record a verb; the command line library fills them in.

Why so: a record goes from the command line to the verb as it is, so a new option is a field here
and its use in the verb.  The records are apart from the verbs because help must not import what a
verb runs.  Rejected: signatures of functions whose values are passed on one by one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from powercut.inputs.parameters import JsonFlag, SchemaFlag, again, flag, many, one

Names = tuple[str, ...] | None
Jobs = Annotated[int | None, one("--jobs", "Runs explored at a time [default: one a core].")]
SaveTraces = Annotated[
    Path | None,
    one("--save-traces", "Write the counterexamples there, as *.trace.json; made if missing."),
]
Cluster = Annotated[
    str | None,
    one(
        "--cluster",
        "Run on a Dask cluster: its scheduler's address, or local (needs the extra [cluster]).",
    ),
]
Patches = Annotated[
    tuple[Path, ...] | None,
    again("--patch", "Change the model by this patch first (a unified diff; may be repeated)."),
]
Compact = Annotated[
    bool,
    flag(
        "--compact",
        "Keep 8 bytes a state, for scopes beyond memory: finds violations; without one the "
        "verdict is inconclusive, with the probability that a state was left out.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The options of ``powercut check``, as typed."""

    designs: Annotated[Names, many("--design", 'Designs [default: those marked in "list"].')] = None
    scopes: Annotated[Names, many("--scope", "Scopes [default: all, or the given workloads].")] = (
        None
    )
    workloads: Annotated[
        tuple[Path, ...] | None,
        many("--workload", "Workload files (text, or fsx op files), each one scope more."),
    ] = None
    properties: Annotated[
        Names, many("--property", "Properties that decide [default: all but the advisory ones].")
    ] = None
    mutant: Annotated[str | None, one("--mutant", "Plant this mistake in every design.")] = None
    patches: Patches = None
    engine: Annotated[str, one("--engine", "auto, python or c.")] = "auto"
    max_states: Annotated[
        int | None, one("--max-states", "States a search may reach, for each mount of each run.")
    ] = None
    max_memory: Annotated[
        int | None,
        one("--max-memory", "MiB a process may use [default: what fits, at most 8192]."),
    ] = None
    time_limit: Annotated[float | None, one("--time-limit", "Seconds for the whole command.")] = (
        None
    )
    save_traces: SaveTraces = None
    jobs: Jobs = None
    cluster: Cluster = None
    swarm: Annotated[
        int | None,
        one(
            "--swarm",
            "Make each run this many bounded searches in orders of chance, each of "
            "--max-states [default: 1000000]; finds, never proves.",
        ),
    ] = None
    seed: Annotated[int | None, one("--seed", "Seed of a swarm's first member [default: 1].")] = (
        None
    )
    audit: Annotated[
        bool,
        flag(
            "--audit",
            "Instead, run with and without each reduction of the search, and compare "
            "[default: small scopes].",
        ),
    ] = False
    compact: Compact = False
    strict: Annotated[
        bool,
        flag("--strict", "A run that touches what the model leaves out is inconclusive."),
    ] = False
    html: Annotated[
        Path | None,
        one("--html", "Write an index and a page for each kind of violation into this folder."),
    ] = None
    verbose: Annotated[bool, flag("--verbose", "A line a run, however many, and all details.")] = (
        False
    )
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """The options of ``powercut sweep``, as typed."""

    level: Annotated[int, one("--level", "1 (seconds), 2 (minutes) or 3 (a day).")] = 1
    designs: Annotated[Names, many("--design", 'Designs [default: those marked in "list"].')] = None
    mutant: Annotated[str | None, one("--mutant", "Plant this mistake in every design.")] = None
    patches: Patches = None
    engine: Annotated[str, one("--engine", "auto, python or c.")] = "auto"
    max_states: Annotated[
        int | None, one("--max-states", "States a search may reach, for each mount of a workload.")
    ] = None
    time_limit: Annotated[float | None, one("--time-limit", "Seconds for the whole command.")] = (
        None
    )
    save_traces: SaveTraces = None
    jobs: Jobs = None
    fresh: Annotated[bool, flag("--fresh", "Neither use nor keep rows of earlier sweeps.")] = False
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ExamOptions:
    """The options of ``powercut exam``, as typed."""

    mutants: Annotated[Names, many("--mutant", "Mutants [default: all].")] = None
    generate: Annotated[
        bool,
        flag("--generate", "Instead, make every line of the kernel's paths wrong, one at a time."),
    ] = False
    sample: Annotated[
        int | None, one("--sample", "Generated mistakes to judge, by chance [default: all].")
    ] = None
    seed: Annotated[int | None, one("--seed", "Seed of that sample [default: 1].")] = None
    max_states: Annotated[
        int | None,
        one(
            "--max-states", "Ask generated mistakes only in runs of so many states [default: all]."
        ),
    ] = None
    results: Annotated[
        Path | None,
        one("--results", "Keep each judgement there as it comes, and go on with what is there."),
    ] = None
    patches: Patches = None
    save_traces: SaveTraces = None
    jobs: Jobs = None
    cluster: Cluster = None
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ProveOptions:
    """The options of ``powercut prove``, as typed."""

    design: Annotated[str, one("--design", "Design whose obligations are decided.")] = (
        "seed-eof-ordered"
    )
    wrong: Annotated[
        Names, many("--wrong", 'Refute these wrong designs instead ("all": every one).')
    ] = None
    mounts: Annotated[
        str, one("--mounts", "one, or any (then recovery must leave what a mount starts from).")
    ] = "one"
    smt2: Annotated[
        Path | None, one("--smt2", "Write each protocol obligation there as SMT-LIB 2.")
    ] = None
    cross_check: Annotated[
        bool,
        flag("--cross-check", "Have cvc5 decide them too; a disagreement is an error."),
    ] = False
    tables: Annotated[
        bool, flag("--tables", "Print properties, conjuncts and steps as tables, and end.")
    ] = False
    save_traces: SaveTraces = None
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """The options of ``powercut replay``, as typed."""

    patches: Patches = None
    ladder: Annotated[
        bool, Parameter(name="--ladder", help="Print each run, one column a context.")
    ] = True
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzOptions:
    """The options of ``powercut fuzz``, as typed."""

    profile: Annotated[
        str, one("--profile", "dev (seconds), ci (minutes) or soak (until --time-limit).")
    ] = "dev"
    machine: Annotated[
        str,
        one(
            "--machine",
            "crash (all properties), reference (a plain specification) or "
            "differential (what differs from bh-ordered).",
        ),
    ] = "crash"
    designs: Annotated[Names, many("--design", "Designs [default: all].")] = None
    mutants: Annotated[
        Names, many("--mutant", 'Look for these planted mistakes instead ("all": every one).')
    ] = None
    patches: Patches = None
    seed: Annotated[int, one("--seed", "Where the seeds count from.")] = 1
    seeds: Annotated[int, one("--seeds", "With --mutant: how many seeds each.")] = 1
    time_limit: Annotated[
        float | None, one("--time-limit", "Seconds for the search [default: the profile's].")
    ] = None
    save_traces: SaveTraces = None
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """The options of ``powercut list``, as typed."""

    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreOptions:
    """The options of ``powercut explore``, as typed."""

    design: Annotated[str | None, one("--design", "Design to walk [default: seed].")] = None
    scope: Annotated[str | None, one("--scope", "Scope to walk.")] = None
    workload: Annotated[Path | None, one("--workload", "Workload file to walk.")] = None
    mutant: Annotated[str | None, one("--mutant", "Plant this mistake.")] = None
    patches: Patches = None
    script: Annotated[Path | None, one("--script", "Read commands from this file.")] = None
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class LitmusOptions:
    """The options of ``powercut litmus``, as typed."""

    designs: Annotated[
        Names, many("--design", "Designs to run [default: those each file names].")
    ] = None
    update: Annotated[
        bool,
        Parameter(
            name="--update",
            negative=(),
            show_default=False,
            help="Rewrite the allowed sets, keep the comments, show the difference.",
        ),
    ] = False
    ladder: Annotated[
        bool, Parameter(name="--ladder", help="Draw a run that reaches what is not allowed.")
    ] = True
    jobs: Jobs = None
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class LocksOptions:
    """The options of ``powercut locks``, as typed."""

    lockdep: Annotated[
        Path | None, one("--lockdep", "A folder with copies of /proc/lockdep and lockdep_chains.")
    ] = None
    tree: Annotated[
        Path | None,
        one("--tree", "Apply the patch to this kernel (folder, git repository or source tar)."),
    ] = None
    rev: Annotated[str | None, one("--rev", "The revision of the tree.")] = None
    report: Annotated[
        Path | None, one("--report", "Read a kernel's report of a deadlock (- is standard input).")
    ] = None
    design: Annotated[
        str | None, one("--design", "Compare with this design; alone: show its graph.")
    ] = None
    dot: Annotated[Path | None, one("--dot", "Write the graph there, for Graphviz.")] = None
    mermaid: Annotated[Path | None, one("--mermaid", "Write the graph there, for Mermaid.")] = None
    svg: Annotated[Path | None, one("--svg", "Write a picture of the graph there.")] = None
    json: JsonFlag = False
    schema: SchemaFlag = False
