"""The verbs below ``powercut trace``: their options, their help, and nothing else."""

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from powercut.errors import InputError
from powercut.inputs.names import quoted, suggestion
from powercut.verbs.trace.options import (
    ConvertOptions,
    DiffOptions,
    MinimiseOptions,
    SchemaOptions,
    ShowOptions,
)

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


@app.command
def show(
    trace: TraceFile,
    /,
    *,
    options: ShowOptions = ShowOptions(),
) -> int:
    """Draw a trace, a column a context, with the steps that matter marked.

    Says which single waits would have prevented the run.  They were tried,
    each on this schedule; they are no proof of a fix.

    Exit codes: 0 the trace kept its recorded verdict, 1 it did not,
    2 it could not be used.
    """
    from powercut.verbs.trace import show as verb

    return verb.run(trace, options)


@app.command
def minimise(
    trace: TraceFile,
    /,
    *,
    options: MinimiseOptions = MinimiseOptions(),
) -> int:
    """Make a counterexample smaller: mounts, operations, steps, switches, survivors.

    Every accepted step was replayed natively and shows the same violation.
    Ctrl-C keeps the best so far.

    Exit codes: 0 nothing that was tried makes it smaller, 2 bad usage or input,
    3 cut short by a limit or Ctrl-C.
    """
    from powercut.verbs.trace import minimise as verb

    return verb.run(trace, options)


@app.command
def diff(
    trace: TraceFile,
    other: Annotated[Path | None, Parameter(name="OTHER", help="A second trace.")] = None,
    /,
    *,
    options: DiffOptions = DiffOptions(),
) -> int:
    """Show where two traces part: steps, first different state, what the crash leaves.

    With --under (or --mutant) the schedule is taken as far as it goes under
    that design; steps that do not exist or cannot run there are left out.

    Exit codes: 0 the same, 1 different, 2 bad usage or input.
    """
    from powercut.verbs.trace import diff as verb

    return verb.run(trace, other, options)


@app.command
def convert(
    trace: TraceFile,
    /,
    *,
    options: ConvertOptions = ConvertOptions(),
) -> int:
    """Write a trace in the current version, or as something else.

    Exit codes: 0 converted, 2 bad usage or input.
    """
    from powercut.verbs.trace import convert as verb

    return verb.run(trace, options)


@app.command
def schema(
    *,
    options: SchemaOptions = SchemaOptions(),
) -> int:
    """Print the JSON Schema of trace files.

    Exit code: 0.
    """
    from powercut.verbs.trace import convert as verb

    return verb.run_schema(options)
