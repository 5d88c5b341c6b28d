"""What follows for a design: its obligations decided, its properties proved or refuted.

Why so: a proof is worth what its rows say, so every row names its statement and its solver, the
assumptions belong to the result, and a design's properties (``theorem`` rows) hold only if every
row they rest on is proved.  An interrupt leaves the rows that are decided, and one that says that
the others are not.  A property that does not hold is refuted by a run of the protocol, and
the run counts fully only once the executable model has replayed it.
Rejected: time limits (z3's resource counter decides).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from powercut.checkers.engine.search.outcome import INTERRUPTED
from powercut.checkers.proof import crosscheck
from powercut.checkers.proof.answers import UNKNOWN, Undecided
from powercut.checkers.proof.bounded import (
    RUN_DEPTH,
    Escape,
    Run,
    escapes,
    induction_fails,
    property_fails,
    search,
)
from powercut.checkers.proof.invariant import PROPERTIES, Property, properties_of
from powercut.checkers.proof.logic import Unbounded
from powercut.checkers.proof.obligations import (
    PROVED,
    REFUTED,
    Decision,
    Obligation,
    decide,
    obligations,
    smt2,
)
from powercut.checkers.proof.rules import (
    DEFER,
    HOLD,
    Rules,
    WrongDesign,
    has_rule,
    is_covered,
    rules_of,
)
from powercut.checkers.proof.runs import replay_run
from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED
from powercut.checkers.traces.format import Trace
from powercut.errors import InputError
from powercut.model.designs import DESIGNS

MAX_RUNS = 24
"""Runs to try on the executable model: it does not show every run of the freer protocol."""
ONE_MOUNT = "one"
ANY_MOUNTS = "any"
_OVER_MOUNTS = frozenset({"sound-disk"})

ASSUMPTIONS = (
    "one file on the iomap path; a folio is one block (a store behind EOF stays in the EOF block)",
    "a mount starts from a disk with nothing written behind its EOF block",
    "a bio's content is what the pages hold when it completes; bios to one block do not overlap",
    "no journal abort, no punch, zero range, fallocate, direct I/O, reclaim, sync(2) or unlink",
    "the fsync that is watched began before any write of the file's data failed",
    "a clean unwritten block reads as zeros; the data and the log are on one device",
)
NO_ERRORS = "no data bio fails (the mark of a failed EOF write is lost: see deferred-io-error)"


KeepTrace = Callable[[str, Trace], str]
"""Keeps the trace of a refutation under a file name; returns where it is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be decided, and what is to be kept of it.

    ``keep_smt2`` takes the file name and the SMT-LIB text of each protocol obligation;
    ``cross_check`` has cvc5 decide them too.
    """

    design: str
    mounts: str = ONE_MOUNT
    cross_check: bool = False
    keep_smt2: Callable[[str, str], object] | None = None
    keep_trace: KeepTrace | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The verdict on a design, the rows it rests on, and the findings that it does not rest on."""

    design: str
    mounts: str
    verdict: str
    assumptions: tuple[str, ...]
    obligations: tuple[Decision, ...]
    findings: tuple[Decision, ...]


def prove(asked: Asked) -> Proof:
    """Decide the obligations of a design; see :func:`require_covered` for which."""
    rules = rules_of(asked.design)
    rows: list[Decision] = []
    findings: list[Decision] = []
    with until_interrupted(rows):
        _decide_rows(rules, asked, rows)
        findings.extend(_findings(rules, asked))
    return Proof(
        asked.design,
        asked.mounts,
        verdict_of(rows),
        (*ASSUMPTIONS, *(() if rules.bio_errors else (NO_ERRORS,))),
        tuple(rows),
        tuple(findings),
    )


def require_covered(design: str, name: str) -> None:
    """Raise :class:`InputError`, which begins with ``name``, unless proofs are about ``design``."""
    if not is_covered(design):
        raise InputError(
            f'"{design}" has files on the buffer_head path or ordered data',
            "the proof is about designs whose files are all on the iomap path",
            place=name,
        )
    if not has_rule(design):
        raise InputError(
            f'"{design}" orders EOF blocks by a rule that the protocol does not have',
            f"proofs are about {', '.join(n for n in DESIGNS if has_rule(n))}",
            place=name,
        )


def require_mounts(mounts: str, name: str) -> None:
    """Raise :class:`InputError`, which begins with ``name``, unless ``mounts`` is a known word."""
    if mounts not in (ONE_MOUNT, ANY_MOUNTS):
        raise InputError(f'"{mounts}"', f"expected {ONE_MOUNT} or {ANY_MOUNTS}", place=name)


def verdict_of(rows: Iterable[Decision]) -> str:
    """Return the verdict that ``rows`` add up to."""
    rows = list(rows)
    decisive = [row for row in rows if row.kind not in ("initial", "step", "property")]
    if any(row.result == REFUTED for row in decisive):
        return VIOLATED
    return HOLDS if all(row.result == PROVED for row in rows) else INCONCLUSIVE


@contextmanager
def until_interrupted(rows: list[Decision]) -> Iterator[None]:
    """Decide until the end or an interrupt; after one a row says that the rest is not known."""
    try:
        yield
    except KeyboardInterrupt:
        what = "every row that is missing here"
        rows.append(Decision("not-decided", what, "interrupt", UNKNOWN, 0.0, "none", INTERRUPTED))


def _decide_rows(rules: Rules, asked: Asked, rows: list[Decision]) -> None:
    """Append a row for everything that the verdict rests on, each when it is decided."""
    from powercut.checkers.proof import arithmetic, conversion_credits, ranks

    _decide_protocol(rules, asked, rows)
    rows.extend(ranks.decisions(ranks.edges_of(DESIGNS[asked.design])))
    rows.extend(arithmetic.decisions())
    rows.extend(conversion_credits.decisions())


def _findings(rules: Rules, asked: Asked) -> Iterator[Decision]:
    """Yield what is refuted although one would wish it, and what the verdict does not rest on.

    With one mount that is what the next mount finds; for every design, the credits of the patch.
    """
    from powercut.checkers.proof import conversion_credits

    if asked.mounts == ONE_MOUNT and rules.eof == HOLD:
        follows = Decision("", "", "", UNKNOWN, 0.0, "z3 (finite instance)")
        yield _theorem(rules, PROPERTIES["sound-disk"], True, follows, asked)
    yield from conversion_credits.findings()


def _decide_protocol(rules: Rules, asked: Asked, rows: list[Decision]) -> None:
    """Decide the obligations of the protocol, then what follows for every property."""
    x = Unbounded()
    chosen = [
        o
        for o in obligations(rules, x)
        if not (asked.mounts == ONE_MOUNT and o.kind == "property" and o.target in _OVER_MOUNTS)
    ]
    for obligation in chosen:
        row = decide(x, obligation)
        rows.append(row)
        text = smt2(x, obligation) if asked.keep_smt2 or asked.cross_check else ""
        if asked.keep_smt2:
            asked.keep_smt2(obligation.name.replace("/", ".") + ".smt2", text)
        if asked.cross_check:
            _cross_check(row, text)
    _refute_steps(rules, chosen, rows)
    supported = all(r.result == PROVED for r in rows if r.kind in ("initial", "step"))
    by_target = {o.target: r for o, r in zip(chosen, rows, strict=True) if o.kind == "property"}
    wanted = [prop for prop in properties_of(rules) if prop.name in by_target]
    rows.extend(_theorem(rules, p, supported, by_target[p.name], asked) for p in wanted)


def _cross_check(row: Decision, text: str) -> None:
    said = crosscheck.answer(text)
    row.solver += f", cvc5 {crosscheck.version()}: {said}"
    if row.result == PROVED and said == "sat":
        raise RuntimeError(f"{row.name}: z3 says unsat and cvc5 says sat")


def _refute_steps(rules: Rules, chosen: Sequence[Obligation], rows: list[Decision]) -> None:
    """Turn "unknown" into "refuted" where the finite instance has a counterexample to induction."""
    open_steps = {
        (o.step, o.target)
        for o, row in zip(chosen, rows, strict=True)
        if row.result == UNKNOWN and o.kind == "step"
    }
    found = induction_fails(rules, open_steps) if open_steps else {}
    for o, row in zip(chosen, rows, strict=True):
        if row.result != UNKNOWN:
            continue
        escape = found.get((o.step, o.target))
        if o.kind == "property":
            escape = _property_fails(rules, o.target)
        if isinstance(escape, Undecided):
            row.reason += f"; no answer on {escape}"
        elif escape is not None:
            row.result = REFUTED
            row.reason = f"counterexample: {escape}"


def _property_fails(rules: Rules, prop: str) -> Escape | Undecided | None:
    try:
        return property_fails(rules, prop)
    except Undecided as error:
        return error


def _theorem(
    rules: Rules, prop: Property, supported: bool, follows: Decision, asked: Asked
) -> Decision:
    """Say whether a property holds in every reachable state."""
    started = time.perf_counter()
    span = "one mount" if asked.mounts == ONE_MOUNT else "any number of mounts"
    row = Decision(
        f"theorem/{prop.name}",
        f"always: {prop.statement} (about {prop.about})",
        "theorem",
        PROVED,
        0.0,
        follows.solver,
        "all initial and step obligations, and its property obligation, are proved",
    )
    if not supported or follows.result != PROVED:
        wrong = WrongDesign("", "", asked.design, (), prop.name, asked.design)
        row.result, row.reason = UNKNOWN, f"not proved, and no run of {RUN_DEPTH} steps breaks it"
        try:
            for run in islice(search(rules, prop.name), MAX_RUNS):
                row.reason, row.trace, is_real = _shown(run, wrong, asked.keep_trace)
                row.result = REFUTED if is_real else UNKNOWN
                if is_real:
                    break
        except Undecided as error:
            row.result, row.reason = UNKNOWN, f"not proved, and no answer on {error}"
    elif rules.eof in (HOLD, DEFER):
        row.statement += f"; {span} of a sound disk"
    row.seconds = time.perf_counter() - started
    return row


def _shown(run: Run, wrong: WrongDesign, keep: KeepTrace | None) -> tuple[str, str, bool]:
    """Replay ``run`` on the executable model; return reason, where it went, and if it counts.

    A run of a mistake that the model has no switch for counts without a replay.
    """
    steps = " → ".join(str(taken.step) for taken in run.steps)
    done = replay_run(run, wrong)
    if done.trace is None:
        return f"a run of {len(run.steps)} steps ({steps}); {done.reason}", "", not wrong.design
    name = ""
    if keep is not None:
        file = f"proof-{wrong.slug or wrong.design}-{wrong.prop}.trace.json"
        name = keep(file, done.trace)
    return (
        (
            f"a run of {len(run.steps)} steps ({steps}), "
            f"replayed on the model in {done.steps} steps: "
            f"{done.reason}"
        ),
        name,
        True,
    )


def refute(wrong: WrongDesign, keep: KeepTrace | None = None) -> tuple[Decision, str, str]:
    """Refute a wrong design; return the row, the first broken step, and the run, in words."""
    started = time.perf_counter()
    induction, broken = _induction_of(wrong)
    row = Decision(
        f"wrong/{wrong.slug}",
        f"{wrong.summary}: {wrong.prop} holds",
        "wrong-design",
        UNKNOWN,
        0.0,
        "z3 (finite instance)",
        induction,
    )
    shown = f"none in {RUN_DEPTH} | "
    try:
        for run in islice(search(wrong.rules, wrong.prop, without=wrong.without), MAX_RUNS):
            reason, row.trace, is_real = _shown(run, wrong, keep)
            row.result = REFUTED if is_real else UNKNOWN
            row.reason = f"{induction}; {reason}"
            shown = f"{len(run.steps)} steps | {_in_the_model(reason, wrong)}"
            if is_real:
                break
    except Undecided as error:
        row.result, row.reason = UNKNOWN, f"{induction}; no answer on {error}"
        shown = f"no answer on {error} | "
    row.seconds = time.perf_counter() - started
    return row, broken, shown


def _induction_of(wrong: WrongDesign) -> tuple[str, str]:
    """Return the counterexample to induction in words, and what it breaks in short."""
    try:
        escape = next(iter(escapes(wrong.rules)), None)
    except Undecided as error:
        return f"counterexample to induction: no answer on {error}", "no answer"
    broken = "none"
    if escape is not None:
        broken = f"{escape.step or 'invariant'}: {', '.join(escape.broken[:3])}"
    return f"counterexample to induction: {escape}", broken


def _in_the_model(reason: str, wrong: WrongDesign) -> str:
    if "replayed on the model" in reason:
        again = reason.rpartition("replayed on the model in ")[2].partition(" steps")[0]
        return f"replayed, {again} steps"
    return "no such switch" if not wrong.design else "spurious"
