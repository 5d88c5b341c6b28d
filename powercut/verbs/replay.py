"""``powercut replay``: does every saved trace still show what it says?

Why so: a trace that cannot be read must not hide what the others say, so each file is judged alone
and the exit code is the worst of them.  A trace that the model does not follow has not kept
its verdict, whichever of the two was edited: the line about it names the first step that differs.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from powercut.checkers.run.replay import ReplayResult, replay
from powercut.checkers.traces.codec import load_trace
from powercut.checkers.traces.errors import TraceError, TraceMismatch
from powercut.checkers.traces.format import Trace
from powercut.checkers.traces.ladder import render_ladder
from powercut.checkers.weave.patch import ModelPatch
from powercut.documents.document import print_document
from powercut.documents.replay import ReplayDocument, ReplayedTrace
from powercut.errors import BAD_INPUT, HOLDS, INCONCLUSIVE, VIOLATED, InputError, one_line
from powercut.inputs.patches import read_patches
from powercut.terminal.style import Style
from powercut.verbs.options import ReplayOptions

_WORDS = {
    HOLDS: "reproduced",
    VIOLATED: "not reproduced",
    BAD_INPUT: "bad input",
    INCONCLUSIVE: "inconclusive",
}


@dataclass(frozen=True, slots=True)
class Replayed:
    """One file: the trace and its replay as far as there are any, and what went wrong."""

    path: Path
    trace: Trace | None = None
    result: ReplayResult | None = None
    error: str = ""
    code: int = HOLDS

    @property
    def reason(self) -> str:
        """What went wrong, without the name of the file."""
        return self.error.removeprefix(f"{self.path}: ")


def run(paths: Sequence[Path], options: ReplayOptions) -> int:
    """Replay every trace, print what came out and return the exit code."""
    if not paths:
        raise InputError("replay: no trace given", "give files that end in .trace.json")
    patches = read_patches(options.patches or ())
    replays: list[Replayed] = []
    try:
        for path in paths:
            done = replay_file(path, patches)
            replays.append(done)
            if done.code == BAD_INPUT:
                print(f"powercut: {one_line(done.error)}", file=sys.stderr)
            elif not options.json:
                _print_replay(done, options.ladder, len(replays) > 1)
    except KeyboardInterrupt:
        pass  # those that were replayed count, and the others are counted
    missing = len(paths) - len(replays)
    code = max((done.code for done in replays), default=HOLDS)
    code = INCONCLUSIVE if missing and code == HOLDS else code
    if options.json:
        print_document(replay_document(replays, code, missing))
    elif len(paths) > 1 or missing:
        kept = sum(done.code == HOLDS for done in replays)
        stopped = f"; interrupted, {missing} not replayed" if missing else ""
        print(f"\n{kept} of {len(paths)} traces kept their verdict{stopped} (exit code {code})")
    return code


def replay_file(path: Path, patches: Sequence[ModelPatch] = ()) -> Replayed:
    """Load and replay one file, over the model with ``patches``."""
    trace = None
    try:
        trace = load_trace(path)
        result = replay(trace, str(path), patches)
    except TraceMismatch as error:
        return Replayed(path, trace, None, str(error), VIOLATED)
    except TraceError as error:
        return Replayed(path, trace, None, str(error), BAD_INPUT)
    return Replayed(path, trace, result, "", HOLDS if result.reproduced else VIOLATED)


def replay_document(replays: Sequence[Replayed], code: int, missing: int = 0) -> ReplayDocument:
    """Return the document of ``powercut replay --json``; ``missing`` traces were not replayed."""
    return ReplayDocument(
        verdict=_WORDS[code],
        exit_code=code,
        stopped=f"interrupted, {missing} not replayed" if missing else None,
        traces=[_entry(done) for done in replays],
    )


def _entry(done: Replayed) -> ReplayedTrace:
    trace, result = done.trace, done.result
    return ReplayedTrace(
        trace=str(done.path),
        reproduced=done.code == HOLDS,
        design=trace.design if trace else None,
        mutant=(trace.mutant or None) if trace else None,
        scope=trace.scope if trace else None,
        property=trace.property if trace else None,
        verdict=trace.verdict if trace else None,
        summary=trace.summary if trace else None,
        steps=result.steps if result else None,
        expected=result.expected if result else None,
        detail=result.detail if result else None,
        error=done.error or None,
    )


def _print_replay(done: Replayed, ladder: bool, is_later: bool) -> None:
    style = Style.of(sys.stdout)
    assert done.trace is not None
    if is_later and ladder:
        print()
    if ladder and done.result is not None:
        print(render_ladder(done.trace, done.result.epochs).rstrip())
        print()
    if done.result is None:
        print(f"{done.path}: {style.paint('violated', 'NOT reproduced')}: {one_line(done.reason)}")
        return
    result = done.result
    word = style.paint("holds", "reproduced")
    if not result.reproduced:
        word = style.paint("violated", "NOT reproduced")
    print(f"{done.path}: {word}: {result.expected} in {result.steps} steps: {result.detail}")
