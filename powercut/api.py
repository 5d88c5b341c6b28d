"""The library: what ``from powercut import ...`` offers, as thin functions over the checkers.

Why so: a name here is a promise, so there are few, each is one call of what the command line calls
too, and what comes back is what the checkers return.  Each function imports what it needs when it
is called: ``import powercut`` costs nothing, and ``replay`` loads no solver.
Rejected: exporting the checkers' modules (every one of their names would be a promise).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from powercut.checkers.explain.why import Why
    from powercut.checkers.proof.theorems import Proof
    from powercut.checkers.run.replay import ReplayResult
    from powercut.checkers.run.result import RunResult
    from powercut.checkers.traces.format import Trace
    from powercut.model.designs import Design
    from powercut.model.mutants import Mutant
    from powercut.model.scope import Scope

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What :func:`check` found.

    ``verdict`` is ``holds``, ``violated`` or ``inconclusive``; ``traces`` has the counterexample of
    each violated property, replayed natively; ``run`` has the bound: states, transitions, crash
    projections, and ``stopped``, which says why a search was cut short.
    """

    verdict: str
    run: RunResult
    traces: dict[str, Trace] = field(default_factory=dict)


def check(
    design: str | Design,
    scope: str | Scope,
    mutant: str | Mutant | None = None,
    *,
    properties: Sequence[str] = (),
    engine: str = "auto",
    max_states: int | None = None,
    time_limit_s: float | None = None,
) -> CheckResult:
    """Explore every interleaving of ``scope`` under ``design``, a power cut at every step.

    ``design``, ``scope`` and ``mutant`` are objects, or names of the tables ``DESIGNS``, ``SCOPES``
    and ``MUTANTS``.  ``properties`` decide the verdict (default: all but the advisory ones).
    ``engine`` is ``auto``, ``python`` or ``c``; ``max_states`` bounds each mount's search and
    ``time_limit_s`` (seconds) the whole run.  A run that a limit cuts short never "holds".

    Raises :class:`InputError` for an unknown name, :class:`PowercutError` for a bug of powercut.
    """
    from powercut.checkers.engine.search.engines import ENGINES
    from powercut.checkers.engine.search.outcome import Limits
    from powercut.checkers.run.question import Question
    from powercut.checkers.traces.codec import decode_trace
    from powercut.checkers.workload.shipped import SCOPES
    from powercut.errors import InternalError
    from powercut.execute.job import Job, execute
    from powercut.inputs.names import pick, pick_all
    from powercut.model.designs import DESIGNS
    from powercut.model.mutants import MUTANTS
    from powercut.properties.catalog import PROPERTIES

    pick_all("properties", properties, PROPERTIES)
    default = Limits()
    limits = Limits(
        default.max_states if max_states is None else max_states,
        default.max_memory_mib,
        default.time_limit_s if time_limit_s is None else time_limit_s,
    )
    pick("engine", engine, {name: name for name in ENGINES})
    question = Question(
        _named("design", design, DESIGNS),
        _named("scope", scope, SCOPES),
        None if mutant is None else _named("mutant", mutant, MUTANTS),
        tuple(properties),
        limits=limits,
        engine=engine,
    )
    done = execute(Job(question), lambda _progress: None, lambda: False)
    if done.failure:
        raise InternalError(done.failure, done.origin)
    traces = {prop: decode_trace(content, name) for prop, (name, content) in done.traces.items()}
    return CheckResult(done.result.verdict, done.result, traces)


def _named(what: str, given: str | T, table: Mapping[str, T]) -> T:
    from powercut.inputs.names import pick

    return pick(what, given, table) if isinstance(given, str) else given


def load_trace(path: str | Path) -> Trace:
    """Read a saved trace, of this version or an older one.

    Raises :class:`InputError` (with the place in the document) for a file that is no trace.
    """
    from pathlib import Path

    from powercut.checkers.traces.codec import load_trace

    return load_trace(Path(path))


def save_trace(trace: Trace, path: str | Path) -> None:
    """Write ``trace`` to ``path``, whole or not at all.  Raises :class:`InputError`."""
    from pathlib import Path

    from powercut.checkers.traces.codec import encode_trace
    from powercut.inputs.files import write_whole

    write_whole(Path(path), encode_trace(trace))


def replay(trace: Trace) -> ReplayResult:
    """Run ``trace`` on the native model; ``reproduced`` says whether it kept its verdict.

    Raises :class:`InputError` for a trace that the model, as it is now, does not follow.
    """
    from powercut.checkers.run.replay import replay

    return replay(trace)


def draw(trace: Trace) -> str:
    """Replay ``trace`` and return the run as a ladder, one column a context."""
    from powercut.checkers.traces.ladder import render_ladder

    return render_ladder(trace, replay(trace).epochs)


def explain(trace: Trace) -> Why:
    """Say which steps of a counterexample carry the violation, and which waits prevent it.

    Raises :class:`InputError` for a trace that does not replay as a violation.
    """
    from powercut.checkers.explain.why import explain
    from powercut.errors import InputError

    found = replay(trace)
    if trace.verdict != "violated" or not found.reproduced:
        raise InputError("the trace does not replay as a violation", "give a counterexample")
    return explain(trace)


def minimise(trace: Trace, *, keep_workload: bool = False, max_runs: int = 5_000) -> Trace:
    """Return a counterexample that is no bigger than ``trace`` and shows the same violation.

    ``keep_workload`` keeps all mounts and operations; ``max_runs`` bounds the candidates tried.
    Raises :class:`InputError` for a trace that does not replay as a violation.
    """
    from powercut.checkers.explain.minimise import minimise

    return minimise(trace, reduce_workload=not keep_workload, max_runs=max_runs)


def prove(design: str = "seed-eof-ordered", *, mounts: str = "one") -> Proof:
    """Decide the proof obligations of ``design`` over any number of blocks and ioends.

    ``mounts`` is ``one`` or ``any`` (then recovery must leave what a mount starts from).  Raises
    :class:`InputError` for a design that the proofs do not cover.
    """
    from powercut.checkers.proof.theorems import Asked, prove, require_covered, require_mounts
    from powercut.inputs.names import pick
    from powercut.model.designs import DESIGNS

    pick("design", design, DESIGNS)
    require_covered(design, "design")
    require_mounts(mounts, "mounts")
    return prove(Asked(design, mounts))


def load_workload(path: str | Path) -> Scope:
    """Read a workload file (text, or fsx operations) as a scope.  Raises :class:`InputError`."""
    from pathlib import Path

    from powercut.inputs.scopes import read_workload

    return read_workload(Path(path))


def parse_workload(text: str, name: str = "workload") -> Scope:
    """Read the text of a workload as a scope; ``name`` is its name in messages and results.

    Raises :class:`InputError` with line and column.
    """
    from powercut.checkers.workload import check_scope, parse_workload

    scope = parse_workload(text, name)
    check_scope(scope)
    return scope
