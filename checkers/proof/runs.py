"""From a run of the protocol to a trace of the executable model, or the reason why there is none.

What: the calls a run makes become a workload; the executable model explores that workload under
the same design and mistake, until it finds the same violation; the native replay has the last word.
Why so: the protocol is freer than the model (sets of cells, writeback at any time), so a run proves
nothing about the model until the model itself shows it.  The model decides the order of its own
steps: the search is over all of them.
Rejected: translating step by step (one protocol step is between none and five steps of the model,
and the choice among them is what a search is for).
"""

from dataclasses import dataclass

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.proof.answers import model_work
from powercut.checkers.proof.bounded import NR_CELLS, Run
from powercut.checkers.proof.invariant import PROPERTIES
from powercut.checkers.proof.rules import WrongDesign
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import replay
from powercut.checkers.run.runner import run_scope
from powercut.checkers.run.trace_of import trace_of
from powercut.checkers.traces.format import Trace
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope, Timer

_MAX_STATES = 2_000_000
_PER_BLOCK = 2
_MAX_OPS = 4


@dataclass(frozen=True, slots=True)
class Replayed:
    """``trace`` if the executable model shows the violation, else ``reason`` says why not."""

    trace: Trace | None
    reason: str
    steps: int = 0
    states: int = 0


def scope_of_run(run: Run, wrong: WrongDesign) -> Scope:
    """Return the workload of a run: calls in order in one task, mmap stores in another."""
    calls: list[Op] = []
    stores: list[Op] = []
    submits = [0] * (NR_CELLS // _PER_BLOCK)
    errors = 0
    for taken in run.steps:
        p = taken.params
        if taken.step == "write":
            calls.append(Op(OpCode.WRITE, p["start"], p["stop"] - p["start"]))
        elif taken.step in ("truncate_up", "truncate_begin"):
            calls.append(Op(OpCode.TRUNCATE, p["size"]))
        elif taken.step == "sync_begin":
            calls.append(Op(OpCode.FSYNC))
        elif taken.step == "store":
            stores.append(Op(OpCode.STORE, p["at"], 1))
        elif taken.step == "submit":
            for block in range(len(submits)):
                submits[block] += p["cells"][block * _PER_BLOCK]
        elif taken.step == "complete" and p["error"]:
            errors += 1
    size = run.start["isz"]
    if wrong.slug == "error-ignored":
        # The model ignores an error only by merging with a good ioend beside it: add one.
        size, calls = 0, [Op(OpCode.WRITE, 0, _PER_BLOCK), Op(OpCode.WRITE, _PER_BLOCK, 2)]
        submits.append(2)
    tasks = tuple(tuple(ops[:_MAX_OPS]) for ops in (calls, stores) if ops)
    mounts = [Mount(tasks or ((),), flusher_passes=max(1, *submits))]
    if wrong.mounts > 1:
        mounts.append(Mount(((Op(OpCode.TRUNCATE, NR_CELLS),),)))
    tail = range(size, -(-size // _PER_BLOCK) * _PER_BLOCK)
    per_folio = 2 if wrong.slug == "large-folios" else 1
    nr_phys = 2 if wrong.slug == "reuse-before-commit" else 3
    return Scope(
        f"proof-{wrong.slug}",
        f"{wrong.summary}: the calls of a run of the protocol",
        tuple(mounts),
        geometry=Geometry(blocks_per_folio=per_folio, nr_phys=nr_phys),
        initial_size_cells=size,
        initial_dirty_tail=any(run.start["cached"][cell] for cell in tail),
        timer=Timer.FREE if len(tasks) < 2 else Timer.ONCE,
        max_errors=errors,
    )


def replay_run(run: Run, wrong: WrongDesign) -> Replayed:
    """Search the executable model for the violation of ``run``, and replay what it finds."""
    if not wrong.design:
        return Replayed(None, "the executable model has no switch for this mistake")
    scope = scope_of_run(run, wrong)
    prop = "stale-data" if wrong.mounts > 1 else PROPERTIES[wrong.prop].replays_as
    design = DESIGNS[wrong.design]
    mutant = MUTANTS[wrong.mutant] if wrong.mutant else None
    limits = Limits(max_states=_MAX_STATES)
    question = Question(design, scope, mutant, (prop,), limits=limits, stop_at=prop)
    with model_work():
        result = run_scope(question)
    found = next((v for v in result.violations if v.prop == prop), None)
    if found is None:
        others = ", ".join(v.prop for v in result.observations) or "nothing"
        bound = "exhaustively" if result.exhaustive else f"cut short: {result.stopped}"
        reason = (
            f"spurious: the model, given the same calls and explored {bound} "
            f"({result.states} states), shows {others} and not {prop}"
        )
        return Replayed(None, reason, states=result.states)
    trace = trace_of(found, result, "proof")
    with model_work():
        again = replay(trace)
    if not again.reproduced:
        return Replayed(None, f"the native replay does not agree: {again.detail}")
    return Replayed(trace, again.detail, again.steps, result.states)
