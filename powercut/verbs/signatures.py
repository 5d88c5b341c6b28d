"""The verbs as the command line library sees them: their help, their options, their functions.

Why so: importing this costs the command line library only; what a verb does is imported when the
verb runs.
"""

import json
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from powercut.errors import HOLDS, InputError
from powercut.inputs.parameters import JsonFlag, SchemaFlag, one
from powercut.verbs import VERBS
from powercut.verbs.kernel.signatures import app as kernel_app
from powercut.verbs.options import (
    CheckOptions,
    ExamOptions,
    ExploreOptions,
    FuzzOptions,
    ListOptions,
    LitmusOptions,
    LocksOptions,
    ProveOptions,
    ReplayOptions,
    SweepOptions,
)
from powercut.verbs.trace.signatures import app as trace_app

app = cyclopts.App(
    name="powercut",
    help_format="plaintext",
    version_flags=["--version"],
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command(trace_app)
app.command(kernel_app)


def call(argv: Sequence[str]) -> int:
    """Parse ``argv``, run the verb and return its exit code.  Raises :class:`InputError`."""
    words = [*takewhile(lambda word: word != "--", argv)]
    if "--schema" in words and _print_schema(words):
        return HOLDS
    try:
        result = app(argv, print_error=False, exit_on_error=False)
    except cyclopts.CycloptsError as error:
        verb = f" {argv[0]}" if argv[0] in VERBS else ""
        raise InputError(f'{error} "powercut{verb} --help" shows what is possible') from None
    return result if isinstance(result, int) else 0


def _print_schema(words: Sequence[str]) -> bool:
    """Print the JSON Schema of the verb's documents; return whether it has any."""
    from powercut.documents.schema import schema_of, verb_of

    verb = verb_of(words)
    if verb is None:
        return False
    json.dump(schema_of(verb), sys.stdout, indent=1, ensure_ascii=False)
    print()
    return True


@app.command
def check(
    file: Annotated[
        Path | None,
        Parameter(
            name="FILE",
            negative=(),
            show_default=False,
            help="Instead of ext4, check the protocols that this Python file declares; the file "
            "is executed.",
        ),
    ] = None,
    /,
    *,
    options: CheckOptions = CheckOptions(),
) -> int:
    """Explore designs × scopes with a power cut at every step.

    With FILE, explore protocols of your own (docs/own-protocol.md).  FILE is
    a program: it is executed with your rights.

    Every verdict comes with its bound; a run that a limit or Ctrl-C cuts short
    is inconclusive, never "holds".  A violation counts only after the native
    model has replayed its trace.

    Exit codes: 0 all hold, 1 some violated, 2 bad usage or input,
    3 inconclusive, 4 internal error.
    """
    if file is not None:
        from powercut.verbs import protocol

        return protocol.run(file, options)
    from powercut.verbs import check as verb

    return verb.run(options)


@app.command
def exam(
    *,
    options: ExamOptions = ExamOptions(),
) -> int:
    """Plant every mutant in its design and say which property catches it.

    The design without the mutant must be clean of that property in the same
    scope.

    With --generate the mistakes are made by rule, in every line of the
    kernel's paths: the runs of the shipped scopes that execute the line judge
    it, and what nobody notices is listed with its patch.

    Exit codes: 0 all are caught by the property they name (--generate: by
    any), 1 some are not, 2 bad usage or input, 3 cut short, 4 internal error.
    """
    from powercut.verbs import exam as verb

    return verb.run(options)


@app.command
def prove(
    *,
    options: ProveOptions = ProveOptions(),
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

    return verb.run(options)


@app.command
def replay(
    *traces: Annotated[Path, Parameter(name="TRACE", help="Trace files.")],
    options: ReplayOptions = ReplayOptions(),
) -> int:
    """Re-run saved traces on the native model and compare the verdict.

    Exit codes: 0 every trace kept its recorded verdict, 1 some did not,
    2 some could not be used (the others are still replayed), 3 interrupted,
    with nothing wrong until then.
    """
    from powercut.verbs import replay as verb

    return verb.run(traces, options)


@app.command
def fuzz(
    *,
    options: FuzzOptions = FuzzOptions(),
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

    return verb.run(options)


@app.command
def sweep(
    *,
    options: SweepOptions = SweepOptions(),
) -> int:
    """Explore every workload of a level, each to its end, with a power cut at every step.

    What a finding explains is listed and decides nothing; what none explains is
    new, comes first, is replayed natively and saved.  Rows are kept between
    runs, so that an interrupted sweep goes on where it ended.

    Exit codes: 0 nothing new, 1 something new, 2 bad usage or input,
    3 not finished, or a workload was cut short, 4 internal error.
    """
    from powercut.verbs import sweep as verb

    return verb.run(options)


@app.command(name="list")
def list_(
    *,
    options: ListOptions = ListOptions(),
) -> int:
    """Show designs, scopes, mutants, properties, situations and kernel paths."""
    from powercut.verbs import list as verb

    return verb.run(options)


@app.command
def explore(
    trace: Annotated[
        Path | None, Parameter(help='Start from this trace; "next" follows it.')
    ] = None,
    *,
    options: ExploreOptions = ExploreOptions(),
) -> int:
    """Walk a run step by step, cut the power, choose what survives, see the recovered file.

    Commands come from the terminal, from standard input or from --script;
    "help" lists them.

    Exit codes at the end of a script: 1 if the point where it ends violates a
    property, else 0; 2 for a bad command (nothing after it is run).  On a
    terminal always 0.
    """
    from powercut.verbs import explore as verb

    return verb.run(trace, options)


@app.command
def litmus(
    *files: Annotated[
        Path, Parameter(name="FILE", help="Litmus files, or folders [default: those shipped].")
    ],
    options: LitmusOptions = LitmusOptions(),
) -> int:
    """Run litmus files: each design must show exactly the outcomes it is allowed.

    An outcome too many and one too few both fail.  With --update the sets are
    made from the exhaustive run instead; read them before you keep them.

    Exit codes: 0 all exact, 1 some differ, 2 bad usage or input (the other files
    still run), 3 cut short, 4 internal error.
    """
    from powercut.verbs import litmus as verb

    return verb.run(files, options)


@app.command
def locks(
    path: Annotated[
        Path | None, Parameter(help="A patch, a C file, or a folder with C files.")
    ] = None,
    *,
    options: LocksOptions = LocksOptions(),
) -> int:
    """Show what is taken and waited for while what is held: in C source, a kernel, a design.

    Of a patch: the edges it adds and removes, orders that contradict the
    documented ones, sleeping in atomic context, locks kept on error paths.

    Exit codes: 0 nothing wrong, 1 a mistake, a contradiction, a reachable cycle
    or an unexplained difference, 2 bad usage or input, 3 a cycle is undecided,
    or no lock was seen.
    """
    from powercut.verbs import locks as verb

    return verb.run(path, options)


@app.command
def image(
    trace: Annotated[Path, Parameter(name="TRACE", help="A trace whose run ends in a power cut.")],
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], negative=(), help="Write the image there, whole."),
    ] = None,
    mount: Annotated[
        int | None, one("--mount", "The power cut of this mount, from 1 [default: the last].")
    ] = None,
    block_size: Annotated[
        int | None,
        one("--block-size", "1024, 2048 or 4096 [default: 4096; 1024 for folios of many blocks]."),
    ] = None,
    journal: Annotated[
        str,
        one("--journal", "clean, or committed: the metadata is in the journal only."),
    ] = "clean",
    json: JsonFlag = False,
    schema: SchemaFlag = False,
) -> int:
    """Write the crash state of a trace as a real ext4 image.

    Needs mke2fs, e2fsck and debugfs.  The image is written once the model's
    recovery, our own reader, and e2fsck with debugfs find the same files in it.
    It has no metadata checksums.

    Exit codes: 0 written, 2 bad usage or input, 4 the readers disagree.
    """
    from powercut.verbs import image as verb

    return verb.run_image(trace, verb.Options(output, mount, block_size, journal, json))
