"""The verbs: their options, their help, and nothing else.

Why so: one place shows the whole command line, and importing it costs the command line library
only; what a verb does is imported when it runs.  Rejected: one signature module per verb (options
that several verbs share drift apart).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import cyclopts
from cyclopts import Parameter

from powercut.errors import InputError
from powercut.inputs.parameters import JsonFlag, flag, many, one
from powercut.verbs import VERBS
from powercut.verbs.trace.signatures import app as trace_app

T = TypeVar("T")
Names = tuple[str, ...] | None
Files = tuple[Path, ...] | None


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

Compact = Annotated[
    bool,
    flag(
        "--compact",
        "Keep 8 bytes a state, for scopes beyond memory: finds violations; without one the "
        "verdict is inconclusive, with the probability that a state was left out.",
    ),
]

app = cyclopts.App(
    name="powercut",
    help_format="plaintext",
    version_flags=["--version"],
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command(trace_app)


def call(argv: Sequence[str]) -> int:
    """Parse ``argv``, run the verb and return its exit code.  Raises :class:`InputError`."""
    try:
        result = app(argv, print_error=False, exit_on_error=False)
    except cyclopts.CycloptsError as error:
        verb = f" {argv[0]}" if argv[0] in VERBS else ""
        raise InputError(f'{error} "powercut{verb} --help" shows what is possible') from None
    return result if isinstance(result, int) else 0


@app.command
def check(
    *,
    design: Annotated[Names, many("--design", 'Designs [default: those marked in "list"].')] = None,
    scope: Annotated[
        Names, many("--scope", "Scopes [default: all, or the given workloads].")
    ] = None,
    workload: Annotated[
        Files, many("--workload", "Workload files (text, or fsx op files), each one scope more.")
    ] = None,
    properties: Annotated[
        Names, many("--property", "Properties that decide [default: all but the advisory ones].")
    ] = None,
    mutant: Annotated[str | None, one("--mutant", "Plant this mistake in every design.")] = None,
    engine: Annotated[str, one("--engine", "auto, python or c.")] = "auto",
    max_states: Annotated[
        int | None, one("--max-states", "States a search may reach, for each mount of each run.")
    ] = None,
    max_memory: Annotated[
        int | None,
        one("--max-memory", "MiB a process may use [default: what fits, at most 8192]."),
    ] = None,
    time_limit: Annotated[
        float | None, one("--time-limit", "Seconds for the whole command.")
    ] = None,
    save_traces: SaveTraces = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    swarm: Annotated[
        int | None,
        one(
            "--swarm",
            "Make each run this many bounded searches in orders of chance, each of "
            "--max-states [default: 1000000]; finds, never proves.",
        ),
    ] = None,
    seed: Annotated[
        int | None, one("--seed", "Seed of a swarm's first member [default: 1].")
    ] = None,
    audit: Annotated[
        bool,
        flag(
            "--audit",
            "Instead, run with and without each reduction of the search, and compare "
            "[default: small scopes].",
        ),
    ] = False,
    compact: Compact = False,
    json: JsonFlag = False,
) -> int:
    """Explore designs × scopes with a power cut at every step.

    Every verdict comes with its bound; a run that a limit or Ctrl-C cuts short
    is inconclusive, never "holds".  A violation counts only after the native
    model has replayed its trace.

    Exit codes: 0 all hold, 1 some violated, 2 bad usage or input,
    3 inconclusive, 4 internal error.
    """
    from powercut.verbs import check as verb

    options = verb.Options(
        _given("--design", design),
        _given("--scope", scope),
        _given("--workload", workload),
        _given("--property", properties),
        mutant,
        engine,
        max_states,
        max_memory,
        time_limit,
        save_traces,
        jobs,
        swarm,
        seed,
        cluster,
        audit,
        compact,
        json,
    )
    return verb.run_check(options)


@app.command
def exam(
    *,
    mutant: Annotated[Names, many("--mutant", "Mutants [default: all].")] = None,
    save_traces: SaveTraces = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    json: JsonFlag = False,
) -> int:
    """Plant every mutant in its design and say which property catches it.

    The design without the mutant must be clean of that property in the same
    scope.

    Exit codes: 0 all are caught by the property they name, 1 some are not,
    2 bad usage or input, 3 cut short, 4 internal error.
    """
    from powercut.verbs import exam as verb

    return verb.run_exam(_given("--mutant", mutant), save_traces, jobs, cluster, json)


@app.command
def prove(
    *,
    design: Annotated[
        str, one("--design", "Design whose obligations are decided.")
    ] = "seed-eof-ordered",
    wrong: Annotated[
        Names, many("--wrong", 'Refute these wrong designs instead ("all": every one).')
    ] = None,
    mounts: Annotated[
        str, one("--mounts", "one, or any (then recovery must leave what a mount starts from).")
    ] = "one",
    smt2: Annotated[
        Path | None, one("--smt2", "Write each protocol obligation there as SMT-LIB 2.")
    ] = None,
    cross_check: Annotated[
        bool,
        flag("--cross-check", "Have cvc5 decide them too; a disagreement is an error."),
    ] = False,
    tables: Annotated[
        bool, flag("--tables", "Print properties, conjuncts and steps as tables, and end.")
    ] = False,
    save_traces: SaveTraces = None,
    json: JsonFlag = False,
) -> int:
    """Decide proof obligations over any number of blocks and ioends, a row each.

    A property that does not hold is refuted by a run of the protocol, which
    the executable model replays.  Findings are statements that are refuted and
    that the verdict does not rest on; they are listed apart.  Resource limits
    decide, not the clock; "unknown" is inconclusive.

    Exit codes: 0 all proved (--wrong: all refuted), 1 some property refuted,
    2 bad usage or input, 3 inconclusive (--wrong: a run that the model does
    not show, or none), 4 internal error.
    """
    from powercut.verbs import prove as verb

    options = verb.Options(
        design, _given("--wrong", wrong), mounts, smt2, cross_check, save_traces, json, tables
    )
    return verb.run_prove(options)


@app.command
def replay(
    *traces: Annotated[Path, Parameter(name="TRACE", help="Trace files.")],
    ladder: Annotated[
        bool, Parameter(name="--ladder", help="Print each run, one column a context.")
    ] = True,
    json: JsonFlag = False,
) -> int:
    """Re-run saved traces on the native model and compare the verdict.

    Exit codes: 0 every trace kept its recorded verdict, 1 some did not,
    2 some could not be used (the others are still replayed), 3 interrupted,
    with nothing wrong until then.
    """
    from powercut.verbs import replay as verb

    return verb.run_replay(traces, ladder, json)


@app.command
def fuzz(
    *,
    profile: Annotated[
        str, one("--profile", "dev (seconds), ci (minutes) or soak (until --time-limit).")
    ] = "dev",
    machine: Annotated[
        str,
        one(
            "--machine",
            "crash (all properties), reference (a plain specification) or "
            "differential (what differs from bh-ordered).",
        ),
    ] = "crash",
    design: Annotated[Names, many("--design", "Designs [default: all].")] = None,
    mutant: Annotated[
        Names, many("--mutant", 'Look for these planted mistakes instead ("all": every one).')
    ] = None,
    seed: Annotated[int, one("--seed", "Where the seeds count from.")] = 1,
    seeds: Annotated[int, one("--seeds", "With --mutant: how many seeds each.")] = 1,
    time_limit: Annotated[
        float | None, one("--time-limit", "Seconds for the search [default: the profile's].")
    ] = None,
    save_traces: SaveTraces = None,
    json: JsonFlag = False,
) -> int:
    """Search at random what is too big to exhaust: operations, schedules, power cuts.

    Fails on a violation that the design is not known for; each is shrunk,
    replayed natively and saved.  Ctrl-C keeps what was found.  A profile also
    names situations: one never reached makes the search inconclusive.

    Exit codes: 0 nothing new in what was sampled (--mutant: all found),
    1 something new (--mutant: some not found), 2 bad usage or input,
    3 cut short, or a situation was never reached, 4 internal error.
    """
    from powercut.verbs import fuzz as verb

    options = verb.Options(
        profile,
        machine,
        _given("--design", design),
        _given("--mutant", mutant),
        seed,
        seeds,
        time_limit,
        save_traces,
        json,
    )
    return verb.run_fuzz(options)


@app.command(name="list")
def list_(*, json: JsonFlag = False) -> int:
    """Show designs, scopes, mutants, properties, situations and kernel paths."""
    from powercut.verbs import list as listing

    return listing.run_list(json)


@app.command
def explore(
    trace: Annotated[
        Path | None, Parameter(help='Start from this trace; "next" follows it.')
    ] = None,
    *,
    design: Annotated[str | None, one("--design", "Design to walk [default: seed].")] = None,
    scope: Annotated[str | None, one("--scope", "Scope to walk.")] = None,
    workload: Annotated[Path | None, one("--workload", "Workload file to walk.")] = None,
    mutant: Annotated[str | None, one("--mutant", "Plant this mistake.")] = None,
    script: Annotated[Path | None, one("--script", "Read commands from this file.")] = None,
    json: JsonFlag = False,
) -> int:
    """Walk a run step by step, cut the power, choose what survives, see the recovered file.

    Commands come from the terminal, from standard input or from --script;
    "help" lists them.

    Exit codes at the end of a script: 1 if the point where it ends violates a
    property, else 0; 2 for a bad command (nothing after it is run).  On a
    terminal always 0.
    """
    from powercut.explore import shell

    return shell.run_explore(trace, design, scope, workload, mutant, script, json)


@app.command
def litmus(
    *files: Annotated[
        Path, Parameter(name="FILE", help="Litmus files, or folders [default: those shipped].")
    ],
    design: Annotated[
        Names, many("--design", "Designs to run [default: those each file names].")
    ] = None,
    update: Annotated[
        bool,
        Parameter(
            name="--update",
            negative=(),
            show_default=False,
            help="Rewrite the allowed sets, keep the comments, show the difference.",
        ),
    ] = False,
    ladder: Annotated[
        bool, Parameter(name="--ladder", help="Draw a run that reaches what is not allowed.")
    ] = True,
    jobs: Jobs = None,
    json: JsonFlag = False,
) -> int:
    """Run litmus files: each design must show exactly the outcomes it is allowed.

    An outcome too many and one too few both fail.  With --update the sets are
    made from the exhaustive run instead; read them before you keep them.

    Exit codes: 0 all exact, 1 some differ, 2 bad usage or input (the other files
    still run), 3 cut short, 4 internal error.
    """
    from powercut.verbs import litmus as verb

    return verb.run_litmus_files(
        verb.Options(files, _given("--design", design), update, ladder, jobs, json)
    )


@app.command
def locks(
    path: Annotated[
        Path | None, Parameter(help="A patch, a C file, or a folder with C files.")
    ] = None,
    *,
    lockdep: Annotated[
        Path | None, one("--lockdep", "A folder with copies of /proc/lockdep and lockdep_chains.")
    ] = None,
    design: Annotated[
        str | None, one("--design", "Compare with this design; alone: show its graph.")
    ] = None,
    dot: Annotated[Path | None, one("--dot", "Write the graph there, for Graphviz.")] = None,
    mermaid: Annotated[Path | None, one("--mermaid", "Write the graph there, for Mermaid.")] = None,
    svg: Annotated[Path | None, one("--svg", "Write a picture of the graph there.")] = None,
    json: JsonFlag = False,
) -> int:
    """Show what is taken and waited for while what is held: in C source, a kernel, a design.

    Of a patch: the edges it adds and removes, orders that contradict the
    documented ones, sleeping in atomic context, locks kept on error paths.

    Exit codes: 0 nothing wrong, 1 a mistake, a contradiction, a reachable cycle
    or an unexplained difference, 2 bad usage or input, 3 a cycle is undecided,
    or no lock was seen.
    """
    from powercut.verbs import locks as verb

    return verb.run_locks(verb.Options(path, lockdep, design, dot, mermaid, svg, json))


def _given(option: str, values: tuple[T, ...] | None) -> tuple[T, ...]:
    if values is None:
        return ()
    if not values:
        raise InputError(f"{option}: give at least one value")
    return values
