"""``powercut sweep``: every workload of a level, in each design, with a power cut at every step.

Why so: what a finding explains is listed and decides nothing, as in a random search: every design
has known violations, and the question is what nobody has seen yet.  Each new one is made again from
its smallest workload, replayed by the native model, and saved.
"""

import sys
import time
from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import replay_found
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.sweep.levels import LEVELS, workloads
from powercut.checkers.sweep.row import explored
from powercut.checkers.sweep.sighting import Sighting
from powercut.checkers.sweep.tally import Broken, Key, SweepTally
from powercut.checkers.traces.codec import encode_trace, trace_file_name
from powercut.documents.document import print_document
from powercut.documents.sweep import SweepDocument, SweptDesign, swept_design
from powercut.documents.sweep_report import sweep_lines
from powercut.errors import (
    ERROR,
    HOLDS,
    INCONCLUSIVE,
    VIOLATED,
    InputError,
    InternalError,
)
from powercut.execute.pool import run_all
from powercut.execute.progress import ProgressLine
from powercut.execute.sweep import Chunk, ChunkResult, chunks
from powercut.inputs.files import Findings, make_writable
from powercut.inputs.limits import at_least_one, check_engine, some_seconds
from powercut.inputs.names import pick, pick_all
from powercut.inputs.patches import check_language, read_patches
from powercut.model.designs import DEFAULT_DESIGNS, DESIGNS, Design
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Scope
from powercut.verbs.check import process_count
from powercut.verbs.options import SweepOptions

_WORDS = {HOLDS: "nothing new", VIOLATED: "violated", INCONCLUSIVE: "inconclusive", ERROR: "error"}


def run(options: SweepOptions) -> int:
    """Sweep what ``options`` ask for, print the report and return the exit code."""
    started = time.monotonic()
    if options.level not in LEVELS:
        raise InputError(f"--level {options.level}: there is no such level", "give 1, 2 or 3")
    check_engine(options.engine)
    designs = pick_all("--design", options.designs or DEFAULT_DESIGNS, DESIGNS)
    processes = process_count(options.jobs)
    if options.save_traces is not None:
        make_writable("--save-traces", options.save_traces)
    scopes = list(workloads(options.level))
    deadline = None
    if options.time_limit is not None:
        deadline = started + some_seconds("--time-limit", options.time_limit)
    findings = Findings(options.save_traces)
    swept: list[SweptDesign] = []
    for design in designs:
        swept.append(_sweep(options, design, scopes, processes, deadline, findings))
        if swept[-1].stopped:
            break
    code = _code(swept, len(designs))
    document = SweepDocument(
        verdict=_WORDS[code],
        exit_code=code,
        level=options.level,
        seconds=round(time.monotonic() - started, 3),
        designs=swept,
    )
    if options.json:
        print_document(document)
    else:
        for line in sweep_lines(document):
            print(line)
    findings.tell()
    return code


def _code(swept: Sequence[SweptDesign], asked: int) -> int:
    if any(one.new for one in swept):
        return VIOLATED
    is_whole = len(swept) == asked and not any(one.stopped or one.cut for one in swept)
    return HOLDS if is_whole else INCONCLUSIVE


def _sweep(
    options: SweepOptions,
    design: Design,
    scopes: Sequence[Scope],
    processes: int,
    deadline: float | None,
    findings: Findings,
) -> SweptDesign:
    """Sweep one design; at its end confirm, and save, what is new in it."""
    question = _question(options, design, scopes[0])
    work = list(chunks(question, iter(scopes), deadline=deadline, keeps=not options.fresh))
    names = {scope.name: scope for scope in scopes}
    tally = SweepTally(len(scopes))
    old = {chunk.file_name: known for chunk in work if (known := chunk.known()) is not None}
    for known in old.values():
        tally.add(known.rows, names)
    from_cache = tally.workloads
    stopped = _explore(
        [chunk for chunk in work if chunk.file_name not in old], processes, tally, names
    )
    traces: dict[Key, str] = {}
    for key, broken in tally.new.items():
        traces[key] = _confirmed(question, key, broken, findings)
    return swept_design(design.name, tally, from_cache, stopped, traces)


def _question(options: SweepOptions, design: Design, scope: Scope) -> Question:
    mutant = None if options.mutant is None else pick("--mutant", options.mutant, MUTANTS)
    patches = read_patches(options.patches or ())
    question = Question(design, scope, mutant, patches=patches, engine=options.engine, splits=True)
    if options.max_states is not None:
        states = at_least_one("--max-states", options.max_states)
        question = replace(question, limits=replace(question.limits, max_states=states))
    if patches:
        check_language(question)
    return question


def _explore(
    work: Sequence[Chunk], processes: int, tally: SweepTally, names: dict[str, Scope]
) -> str:
    """Do the chunks; return what ended them early, if anything did."""
    line = ProgressLine(len(work))
    stopped = ""
    for done in run_all(work, processes, line):
        _check(done)
        tally.add(done.rows, names)
        stopped = stopped or done.stopped
    line.clear()
    return stopped


def _check(done: ChunkResult) -> None:
    """Raise what is wrong with the patches, or :class:`InternalError` for a failure of our own."""
    if done.refusal is not None:
        raise copy(done.refusal)  # the result would keep the traceback, and that the processes
    if done.failure:
        sys.stdout.flush()
        raise InternalError(done.failure, done.origin)


def _confirmed(question: Question, key: Key, broken: Broken, findings: Findings) -> str:
    """Replay a new violation natively and save its trace; return where, or nothing."""
    asked = replace(question, scope=broken.scope)
    _, sightings = explored(asked)
    found = next(s for s in sightings if _key_of(s) == key)
    trace = make_trace(asked, key[0], found.violation.epochs, found.violation.detail or key[0])
    if not replay_found(trace).reproduced:
        raise InternalError(f"{asked.title}: {key[0]} does not replay on the native model", "")
    return findings.add(trace_file_name(trace), encode_trace(trace))


def _key_of(sighting: Sighting) -> Key:
    return sighting.violation.prop, sighting.kind, sighting.finding
