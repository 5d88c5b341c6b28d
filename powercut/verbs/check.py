"""``powercut check``: explore designs × scopes and report a verdict per property with its bound."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.engine.search.strategy import COMPACT, EXHAUSTIVE
from powercut.checkers.run.question import Question
from powercut.documents.check import RunReport, check_document
from powercut.documents.check_report import CheckReport
from powercut.documents.document import print_document
from powercut.errors import InputError, InternalError, exit_code_of, one_line
from powercut.execute.job import Job, JobResult
from powercut.execute.pool import default_jobs, run_all
from powercut.execute.progress import ProgressLine
from powercut.execute.swarm import MEMBER_STATES, member_jobs, merged
from powercut.inputs.files import Findings, make_writable
from powercut.inputs.limits import at_least_one, check_engine, fair_share_mib, some_seconds
from powercut.inputs.names import pick, pick_all
from powercut.inputs.patches import check_language, read_patches
from powercut.inputs.scopes import chosen_scopes
from powercut.model.designs import DEFAULT_DESIGNS, DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.properties.catalog import PROPERTIES
from powercut.verbs.options import CheckOptions

Run = Callable[..., Iterator[JobResult]]
"""Does jobs (a sequence, and ``line`` for progress) and yields their results in order."""


def run(options: CheckOptions) -> int:
    """Check what ``options`` ask for, print the report and return the exit code."""
    if options.audit:
        return _audit(options)
    check_engine(options.engine)
    processes = process_count(options.jobs, options.cluster)
    members = _members(options)
    jobs = _jobs(options, processes)
    if options.save_traces is not None:
        make_writable("--save-traces", options.save_traces)
    if options.html is not None:
        make_writable("--html", options.html)
        options = replace(options, save_traces=options.save_traces or options.html)
    with executor(options.cluster, processes) as (run, at_a_time):
        return _report(options, jobs, members, run, min(at_a_time, len(jobs) * members))


def _report(options: CheckOptions, jobs: list[Job], members: int, run: Run, at_a_time: int) -> int:
    started = time.perf_counter()
    report = CheckReport(jobs, at_a_time, sys.stdout, members, verbose=options.verbose)
    reports: list[RunReport] = []
    findings = Findings(options.save_traces)
    if not options.json:
        report.begin()
    for ended in _runs(jobs, run, options, findings):
        reports.append(ended)
        if not options.json:
            report.add(ended)
    document = check_document(reports, time.perf_counter() - started)
    verdict = document.verdict
    if options.json:
        print_document(document)
    else:
        report.finish(verdict, time.perf_counter() - started)
    findings.tell()
    if options.html is not None and not findings.failures:
        _write_html(options.html, reports, is_text=not options.json)
    for ended in reports:
        if ended.failure:
            sys.stdout.flush()
            raise InternalError(ended.failure, ended.origin)
    return exit_code_of(verdict)


def _write_html(folder: Path, reports: list[RunReport], *, is_text: bool) -> None:
    """Write the pages; where that fails a line says so, and the verdict stands."""
    from powercut.pages.index import write_pages

    try:
        index = write_pages(folder, reports)
    except InputError as error:
        sys.stdout.flush()
        print(f"powercut: {one_line(str(error))}", file=sys.stderr)
        return
    if is_text:
        print(f"{index}: what breaks, with a page for each")


def _audit(options: CheckOptions) -> int:
    """Audit the reductions in the chosen runs.  Raises :class:`InputError`."""
    from powercut.verbs.audit import AUDIT_SCOPES, run_audit

    useless = {
        "--property": options.properties,
        "--save-traces": options.save_traces,
        "--jobs": options.jobs,
        "--swarm": options.swarm,
        "--seed": options.seed,
        "--cluster": options.cluster,
        "--compact": options.compact,
        "--engine": options.engine != "auto",
    }
    for name, given in useless.items():
        if given:
            raise InputError(f"{name}: an audit has no use for it", "leave it out")
    if not options.scopes and not options.workloads:
        options = replace(options, scopes=AUDIT_SCOPES)
    return run_audit(_jobs(options, 1), options.json)


@contextmanager
def executor(cluster: str | None, processes: int) -> Iterator[tuple[Run, int]]:
    """Yield what does jobs, and how many at a time.  Raises :class:`InputError`."""
    if cluster is None:
        yield partial(run_all, processes=processes), processes
        return
    from powercut.execute.cluster import open_cluster

    with open_cluster(cluster, processes) as opened:
        yield opened.run, opened.workers


def process_count(jobs: int | None, cluster: str | None = None) -> int:
    """Return how many runs to explore at a time on this machine.  Raises :class:`InputError`."""
    if jobs is not None and cluster not in (None, "local"):
        raise InputError(f"--jobs: the workers at {cluster} say how many runs there are at a time")
    if jobs is None:
        return default_jobs()
    return at_least_one("--jobs", jobs)


def _members(options: CheckOptions) -> int:
    """Return how many searches make a run: 1, or the size of the swarm."""
    if options.swarm is None:
        if options.seed is not None:
            raise InputError("--seed: only a swarm has seeds", "give --swarm N as well")
        return 1
    if options.compact:
        raise InputError("--compact: the members of a swarm keep digests anyway", "leave it out")
    at_least_one("--seed", 1 if options.seed is None else options.seed)
    return at_least_one("--swarm", options.swarm)


def _jobs(options: CheckOptions, processes: int) -> list[Job]:
    designs = pick_all("--design", options.designs or DEFAULT_DESIGNS, DESIGNS)
    mutant = None if options.mutant is None else pick("--mutant", options.mutant, MUTANTS)
    properties = tuple(dict.fromkeys(options.properties or ()))
    pick_all("--property", properties, PROPERTIES)
    limits = _limits(options, processes)
    deadline = None
    if options.time_limit is not None:
        deadline = time.monotonic() + some_seconds("--time-limit", options.time_limit)
    scopes = chosen_scopes(options.scopes or (), options.workloads or ())
    patches = read_patches(options.patches or ())
    jobs = [
        Job(
            Question(
                design,
                scope,
                mutant,
                properties,
                patches,
                strategy=COMPACT if options.compact else EXHAUSTIVE,
                limits=limits,
                engine=options.engine,
            ),
            deadline,
            options.time_limit or 0.0,
        )
        for design in designs
        for scope in scopes
    ]
    if patches:
        check_language(jobs[0].question)
    return jobs


def _limits(options: CheckOptions, processes: int) -> Limits:
    defaults = Limits()
    states = defaults.max_states if options.swarm is None else MEMBER_STATES
    if options.max_states is not None:
        states = at_least_one("--max-states", options.max_states)
    if options.max_memory is not None:
        memory = at_least_one("--max-memory", options.max_memory)
    else:
        here = options.cluster in (None, "local")
        memory = min(defaults.max_memory_mib, fair_share_mib(processes if here else 1))
    return Limits(states, memory, options.time_limit or defaults.time_limit_s)


def _runs(
    jobs: list[Job], run: Run, options: CheckOptions, findings: Findings
) -> Iterator[RunReport]:
    count, seed = options.swarm, options.seed or 1
    shares = [[job] if count is None else member_jobs(job, count, seed) for job in jobs]
    flat = [share for group in shares for share in group]
    line = ProgressLine(len(flat))
    results = run(flat, line=line, keep=lambda done: saved(done.traces, findings))
    notes: set[str] = set()
    for job, group in zip(jobs, shares, strict=True):
        parts = list(islice(results, len(group)))
        raise_refusal(parts)
        done, swarm = parts[0], None
        if count is not None:
            done, swarm = merged(job, seed, parts)
        if done.result.engine_note and not notes:  # one line is enough, whatever the others say
            notes.add(done.result.engine_note)
            print(f"powercut: {done.result.engine_note}", file=sys.stderr)
        traces = saved(done.traces, findings)
        yield RunReport(job, done.result, traces, done.failure, done.origin, swarm, options.strict)
    line.clear()


def raise_refusal(results: Iterable[JobResult]) -> None:
    """Raise what is wrong with the patches, if a model failed by them.

    A copy, because the result would keep the traceback, and that the processes that are to end.
    """
    for done in results:
        if done.refusal is not None:
            raise copy(done.refusal)


def saved(traces: Mapping[str, tuple[str, bytes]], findings: Findings) -> dict[str, str]:
    """Write ``traces`` (by property: name, content); return the paths of those that are there."""
    paths = {prop: findings.add(name, content) for prop, (name, content) in traces.items()}
    return {prop: path for prop, path in paths.items() if path}
