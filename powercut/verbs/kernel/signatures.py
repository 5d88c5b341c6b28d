"""The verbs below ``powercut kernel``: their options, their help, and nothing else."""

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from powercut.errors import InputError
from powercut.inputs.names import quoted, suggestion
from powercut.inputs.parameters import JsonFlag, SchemaFlag, flag, one

VERBS = ("log",)

app = cyclopts.App(
    name="kernel",
    help="""Judge what a real kernel wrote to a disk, as the model is judged.

Every verb takes --json for one document on standard output.""",
    help_format="plaintext",
)


@app.default
def no_verb(*words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]) -> int:
    """Raise: a verb is needed."""
    if words:
        raise InputError(f"kernel: unknown verb {quoted(words[0])}; {suggestion(words[0], VERBS)}")
    raise InputError(f"kernel: no verb given; give one of {', '.join(VERBS)}, or --help")


@app.command
def log(
    base: Annotated[Path, Parameter(name="BASE", help="The image that the log starts from.")],
    log: Annotated[Path, Parameter(name="LOG", help="A log of dm-log-writes or blklogwrites.")],
    /,
    *,
    workload: Annotated[
        Path | None, one("--workload", "Judge the files by this workload, which ran in rounds.")
    ] = None,
    check: Annotated[
        str | None,
        one("--check", "Judge each state by a command; {image} in it is a copy of the state."),
    ] = None,
    subsets: Annotated[
        int, one("--subsets", "Subsets of unflushed writes to try at a place, beside prefixes.")
    ] = 32,
    seed: Annotated[int, one("--seed", "Where the sample of subsets starts from.")] = 1,
    torn: Annotated[bool, flag("--torn", "Let unflushed writes survive sector by sector.")] = False,
    opinion_every: Annotated[
        int,
        one(
            "--opinion-every", "Every nth state goes to e2fsck and debugfs too; 0: violating ones."
        ),
    ] = 0,
    save: Annotated[
        Path | None, one("--save", "Write the first violating state of each kind there.")
    ] = None,
    time_limit: Annotated[float | None, one("--time-limit", "Seconds for all states.")] = None,
    json: JsonFlag = False,
    schema: SchemaFlag = False,
) -> int:
    """Recover every state that a power cut may leave of a block log, and judge it.

    Unflushed writes may be lost: all prefixes are tried, and all subsets or a
    sample.  The structure of the files in the root directory is always judged.

    Exit codes: 0 no state violates and every subset was tried, 1 some do,
    2 bad usage or input, 3 none does but states are missing, 4 internal error,
    or e2fsck or debugfs recover something else.
    """
    from powercut.verbs.kernel import log as verb

    options = verb.Options(
        workload, check, subsets, seed, torn, opinion_every, save, time_limit, json
    )
    return verb.run_log(base, log, options)
