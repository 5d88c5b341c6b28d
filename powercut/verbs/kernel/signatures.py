"""The verbs below ``powercut kernel``: their options, their help, and nothing else."""

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from powercut.errors import InputError
from powercut.inputs.names import quoted, suggestion
from powercut.inputs.parameters import JsonFlag, SchemaFlag, flag, one

VERBS = ("conform", "log", "run")

app = cyclopts.App(
    name="kernel",
    help="""Run programs on a real kernel and judge what it wrote, as the model is judged.

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


@app.command
def run(
    *,
    kernel: Annotated[
        Path | None, one("--kernel", "A bzImage, an unpacked kernel package, or a folder of .deb.")
    ] = None,
    finding: Annotated[str | None, one("--finding", "The situation of a finding.")] = None,
    workload: Annotated[Path | None, one("--workload", "The program of a workload file.")] = None,
    trace: Annotated[
        Path | None, one("--trace", "The last mount of a trace, from the disk it starts from.")
    ] = None,
    litmus: Annotated[Path | None, one("--litmus", "The program of a litmus file.")] = None,
    mount_options: Annotated[
        str, one("--mount-options", "Options of the mount, beside those of the situation.")
    ] = "",
    rounds: Annotated[int, one("--rounds", "Attempts, each on files of its own.")] = 200,
    help_: Annotated[
        str, one("--helpers", "What helps, in turns: words of letters, see docs/kernel.md.")
    ] = "s p phc fs sh pfw sw phcw",
    subsets: Annotated[
        int, one("--subsets", "Subsets of unflushed writes to try at a place, beside prefixes.")
    ] = 8,
    seed: Annotated[int, one("--seed", "Where pauses and samples start from.")] = 1,
    control: Annotated[
        bool, Parameter(negative="--no-control", help="Run the control, too.")
    ] = True,
    steer: Annotated[
        bool, flag("--steer", "Hold threads where the model's counterexample has them wait.")
    ] = False,
    save: Annotated[
        Path | None, one("--save", "Keep image, log and console of what violates there.")
    ] = None,
    time_limit: Annotated[
        float, one("--time-limit", "Seconds for a boot, and for judging its log.")
    ] = 120.0,
    json: JsonFlag = False,
    schema: SchemaFlag = False,
) -> int:
    """Run a program in rounds on a kernel, cut its power everywhere, judge what is left.

    The kernel boots in QEMU, its disk is logged from outside.  Every crash state
    is recovered and judged; a control, almost the same and clean in the model,
    runs too.  Violating states are mounted by the kernel as well.

    Exit codes: 0 never, 1 a crash state violates, 2 bad usage or input,
    3 none was seen to, or the guest died, 4 internal error, or e2fsck, debugfs
    or the kernel recover something else.
    """
    from powercut.verbs.kernel import run as verb

    options = verb.Options(
        kernel,
        finding,
        workload,
        trace,
        litmus,
        mount_options,
        rounds,
        tuple(help_.split()),
        subsets,
        seed,
        control,
        steer,
        save,
        time_limit,
        json,
    )
    return verb.run_rounds(options)


@app.command
def conform(
    *files: Annotated[
        Path, Parameter(name="FILE", help="Litmus files, or folders [default: those shipped].")
    ],
    kernel: Annotated[
        Path | None, one("--kernel", "A bzImage, an unpacked kernel package, or a folder of .deb.")
    ] = None,
    design: Annotated[
        str, one("--design", "Whose exact sets the outcomes must be in.")
    ] = "bh-ordered",
    rounds: Annotated[int, one("--rounds", "Attempts a litmus test, each on its own files.")] = 8,
    help_: Annotated[
        str, one("--helpers", "What helps, in turns: words of letters, see docs/kernel.md.")
    ] = "s p phc fs sh pfw sw phcw",
    subsets: Annotated[
        int, one("--subsets", "Subsets of unflushed writes to try at a place, beside prefixes.")
    ] = 8,
    seed: Annotated[int, one("--seed", "Where pauses and samples start from.")] = 1,
    save: Annotated[
        Path | None, one("--save", "Keep image, log and console of what is outside there.")
    ] = None,
    time_limit: Annotated[
        float, one("--time-limit", "Seconds for a boot, and for looking at its crash states.")
    ] = 240.0,
    json: JsonFlag = False,
    schema: SchemaFlag = False,
) -> int:
    """Ask a kernel what litmus tests show; every outcome must be in the model's exact set.

    The programs run in rounds, several tests a boot.  The sets are those of the
    design with a kernel's budgets: commits at any time, two flusher passes, a log
    and a disk with room.  What has several mounts or a failing bio is not asked.

    Exit codes: 0 every outcome that was seen is in its set, 1 some are outside,
    2 bad usage or input, 3 cut short or the guest died, 4 internal error.
    """
    from powercut.verbs.kernel import conform as verb

    options = verb.Options(
        kernel, design, rounds, tuple(help_.split()), subsets, seed, save, time_limit, json
    )
    return verb.run_conform(files, options)
