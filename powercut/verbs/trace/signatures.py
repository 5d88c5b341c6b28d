"""The verbs below ``powercut trace``: their options, their help, and nothing else."""

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from powercut.errors import InputError
from powercut.inputs.names import quoted, suggestion
from powercut.inputs.parameters import JsonFlag, flag, one

VERBS = ("show", "minimise", "diff", "convert", "schema")

app = cyclopts.App(
    name="trace",
    help="""Show, minimise, compare and convert saved traces.

Every verb takes --json for one document on standard output.""",
    help_format="plaintext",
)


@app.default
def no_verb(*words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]) -> int:
    """Raise: a verb is needed."""
    if words:
        raise InputError(
            f"trace: unknown verb {quoted(words[0])}", f"{suggestion(words[0], VERBS)}"
        )
    raise InputError("trace: no verb given", f"give one of {', '.join(VERBS)}, or --help")


TraceFile = Annotated[Path, Parameter(name="TRACE", help="A trace file.")]
Output = Annotated[Path | None, one("--output", "Write there instead, whole or not at all.")]
InPlace = Annotated[bool, flag("--in-place", "Write over the input.")]


@app.command
def show(
    trace: TraceFile,
    /,
    *,
    shape: Annotated[str, one("--format", "text, mermaid or json.")] = "text",
    why: Annotated[bool, flag("--why", "Only the steps that carry what is wrong.")] = False,
    json: JsonFlag = False,
) -> int:
    """Draw a trace, a column a context, with the steps that matter marked.

    Says which single waits would have prevented the run.  They were tried,
    each on this schedule; they are no proof of a fix.

    Exit codes: 0 the trace kept its recorded verdict, 1 it did not,
    2 it could not be used.
    """
    from powercut.verbs.trace import show as verb

    return verb.run_show(trace, shape, why, json)


@app.command
def minimise(
    trace: TraceFile,
    /,
    *,
    output: Annotated[Path | None, one("--output", "Write the smaller trace there.")] = None,
    in_place: InPlace = False,
    keep_workload: Annotated[
        bool, flag("--keep-workload", "Keep all mounts and operations.")
    ] = False,
    max_runs: Annotated[int, one("--max-runs", "Candidates to try.")] = 5_000,
    max_states: Annotated[int, one("--max-states", "States of each search; 0: none.")] = 20_000,
    json: JsonFlag = False,
) -> int:
    """Make a counterexample smaller: mounts, operations, steps, switches, survivors.

    Every accepted step was replayed natively and shows the same violation.
    Ctrl-C keeps the best so far.

    Exit codes: 0 nothing that was tried makes it smaller, 2 bad usage or input,
    3 cut short by a limit or Ctrl-C.
    """
    from powercut.verbs.trace import minimise as verb

    options = verb.Options(output, in_place, keep_workload, max_runs, max_states, json)
    return verb.run_minimise(trace, options)


@app.command
def diff(
    trace: TraceFile,
    other: Annotated[Path | None, Parameter(name="OTHER", help="A second trace.")] = None,
    /,
    *,
    under: Annotated[
        str | None, one("--under", "Follow the schedule under this design instead.")
    ] = None,
    mutant: Annotated[str | None, one("--mutant", "Follow it with this mistake planted.")] = None,
    output: Annotated[Path | None, one("--output", "Write the followed run there.")] = None,
    json: JsonFlag = False,
) -> int:
    """Show where two traces part: steps, first different state, what the crash leaves.

    With --under (or --mutant) the schedule is taken as far as it goes under
    that design; steps that do not exist or cannot run there are left out.

    Exit codes: 0 the same, 1 different, 2 bad usage or input.
    """
    from powercut.verbs.trace import diff as verb

    return verb.run_diff(trace, verb.Options(other, under, mutant, output, json))


@app.command
def convert(
    trace: TraceFile,
    /,
    *,
    to: Annotated[
        str, one("--to", "trace (the current version), compact, text, mermaid or workload.")
    ] = "trace",
    output: Output = None,
    in_place: InPlace = False,
    json: JsonFlag = False,
) -> int:
    """Write a trace in the current version, or as something else.

    Exit codes: 0 converted, 2 bad usage or input.
    """
    from powercut.verbs.trace import convert as verb

    return verb.run_convert(trace, to, output, in_place, json)


@app.command
def schema(*, output: Output = None, json: JsonFlag = False) -> int:
    """Print the JSON Schema of trace files.

    Exit code: 0.
    """
    from powercut.verbs.trace import convert as verb

    return verb.run_schema(output, json)
