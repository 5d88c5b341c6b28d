"""``powercut prove``: obligations over any number of blocks, a row each, and what follows.

Why so: a proof is worth what its rows say, so every row names its statement and its solver, the
assumptions are printed with it, and a design's properties (``theorem`` rows) hold only if every row
they rest on is proved.  A property that does not hold is refuted by a run of the protocol, and the
run counts fully only once the executable model has replayed it.
Rejected: "unknown" as a warning (it is inconclusive, exit code 3), time limits (z3's resource
counter decides).
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from powercut.checkers.proof.bounded import (
    RUN_DEPTH,
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
    UNKNOWN,
    Decision,
    Obligation,
    decide,
    obligations,
    smt2,
)
from powercut.checkers.proof.rules import (
    DEFER,
    HOLD,
    WRONG_DESIGNS,
    Rules,
    WrongDesign,
    has_rule,
    is_covered,
    rules_of,
)
from powercut.checkers.proof.runs import replay_run
from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED
from powercut.checkers.traces.codec import encode_trace
from powercut.errors import InputError, exit_code_of
from powercut.inputs.files import make_writable, write_whole
from powercut.inputs.names import pick, pick_all
from powercut.model.designs import DESIGNS

MAX_RUNS = 24
"""Runs to try on the executable model: it does not show every run of the freer protocol."""
SCHEMA = "powercut.prove/1"
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


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    design: str
    wrong: tuple[str, ...]
    mounts: str
    smt2: Path | None
    cross_check: bool
    traces: Path | None
    as_json: bool
    tables: bool = False


def run_prove(options: Options) -> int:
    """Decide the obligations of a design, or refute wrong designs; return the exit code."""
    for option, folder in (("--smt2", options.smt2), ("--save-traces", options.traces)):
        if folder is not None:
            make_writable(option, folder)
    if options.tables:
        from powercut.checkers.proof import tables

        print(
            "\n\n".join(
                [
                    tables.properties_table(),
                    tables.conjuncts_table(),
                    tables.steps_table(),
                ]
            )
        )
        return 0
    if options.wrong:
        return _run_wrong(options)
    pick("--design", options.design, DESIGNS)
    if not is_covered(options.design):
        raise InputError(
            f'--design: "{options.design}" has files on the buffer_head path or ordered data; the '
            "proof is about designs whose files are all on the iomap path"
        )
    if not has_rule(options.design):
        raise InputError(
            f'--design: "{options.design}" orders EOF blocks by a rule that the protocol does not '
            f"have; proofs are about {', '.join(n for n in DESIGNS if has_rule(n))}"
        )
    if options.mounts not in (ONE_MOUNT, ANY_MOUNTS):
        raise InputError(f'--mounts: "{options.mounts}"; expected {ONE_MOUNT} or {ANY_MOUNTS}')
    rules = rules_of(options.design)
    assumptions = [*ASSUMPTIONS, *(() if rules.bio_errors else (NO_ERRORS,))]
    rows = list(_rows(rules, options))
    findings = list(_findings(rules, options))
    verdict = verdict_of(rows)
    if options.as_json:
        document = {
            "schema": SCHEMA,
            "verdict": verdict,
            "exit_code": exit_code_of(verdict),
            "design": options.design,
            "mounts": options.mounts,
            "assumptions": assumptions,
            "obligations": [_entry(row) for row in rows],
            "findings": [_entry(row) for row in findings],
        }
        _dump(document)
    else:
        _print_rows(options, rows, findings, assumptions, verdict)
    return exit_code_of(verdict)


def verdict_of(rows: Iterable[Decision]) -> str:
    """Return the verdict that ``rows`` add up to."""
    rows = list(rows)
    decisive = [row for row in rows if row.kind not in ("initial", "step", "property")]
    if any(row.result == REFUTED for row in decisive):
        return VIOLATED
    return HOLDS if all(row.result == PROVED for row in rows) else INCONCLUSIVE


def _rows(rules: Rules, options: Options) -> Iterator[Decision]:
    from powercut.checkers.proof import arithmetic, conversion_credits, ranks

    yield from protocol_rows(rules, options)
    yield from ranks.decisions(ranks.edges_of(DESIGNS[options.design]))
    yield from arithmetic.decisions()
    yield from conversion_credits.decisions()


def _findings(rules: Rules, options: Options) -> Iterator[Decision]:
    """Yield what is refuted although one would wish it, and what the verdict does not rest on.

    With one mount that is what the next mount finds; for every design, the credits of the patch.
    """
    from powercut.checkers.proof import conversion_credits

    if options.mounts == ONE_MOUNT and rules.eof == HOLD:
        follows = Decision("", "", "", UNKNOWN, 0.0, "z3 (finite instance)")
        yield _theorem(rules, PROPERTIES["sound-disk"], True, follows, options)
    yield from conversion_credits.findings()


def protocol_rows(rules: Rules, options: Options) -> list[Decision]:
    """Decide the obligations of the protocol, then what follows for every property."""
    x = Unbounded()
    chosen = [
        o
        for o in obligations(rules, x)
        if not (options.mounts == ONE_MOUNT and o.kind == "property" and o.target in _OVER_MOUNTS)
    ]
    rows = []
    for obligation in chosen:
        row = decide(x, obligation)
        rows.append(row)
        text = smt2(x, obligation) if options.smt2 or options.cross_check else ""
        if options.smt2:
            name = obligation.name.replace("/", ".") + ".smt2"
            (options.smt2 / name).write_text(text, encoding="utf-8")
        if options.cross_check:
            _cross_check(row, text)
    _refute_steps(rules, chosen, rows)
    supported = all(r.result == PROVED for r in rows if r.kind in ("initial", "step"))
    by_target = {o.target: r for o, r in zip(chosen, rows, strict=True) if o.kind == "property"}
    asked = [prop for prop in properties_of(rules) if prop.name in by_target]
    return rows + [_theorem(rules, p, supported, by_target[p.name], options) for p in asked]


def _cross_check(row: Decision, text: str) -> None:
    from powercut.checkers.proof import crosscheck

    version = crosscheck.available()
    if not version:
        raise InputError('--cross-check: cvc5 is not installed; pip install "powercut[cvc5]"')
    said = crosscheck.answer(text)
    row.solver += f", cvc5 {version}: {said}"
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
        escape = found.get((o.step, o.target))
        if row.result == UNKNOWN and o.kind == "property":
            escape = property_fails(rules, o.target)
        if row.result == UNKNOWN and escape is not None:
            row.result = REFUTED
            row.reason = f"counterexample: {escape}"


def _theorem(
    rules: Rules, prop: Property, supported: bool, follows: Decision, options: Options
) -> Decision:
    """Say whether a property holds in every reachable state."""
    started = time.perf_counter()
    span = "one mount" if options.mounts == ONE_MOUNT else "any number of mounts"
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
        wrong = WrongDesign("", "", options.design, (), prop.name, options.design)
        row.result, row.reason = UNKNOWN, f"not proved, and no run of {RUN_DEPTH} steps breaks it"
        for run in islice(search(rules, prop.name), MAX_RUNS):
            row.reason, row.trace, is_real = _shown(run, wrong, options.traces)
            row.result = REFUTED if is_real else UNKNOWN
            if is_real:
                break
    elif rules.eof in (HOLD, DEFER):
        row.statement += f"; {span} of a sound disk"
    row.seconds = time.perf_counter() - started
    return row


def _shown(run: Run, wrong: WrongDesign, folder: Path | None) -> tuple[str, str, bool]:
    """Replay ``run`` on the executable model; return reason, trace file, and if it counts.

    A run of a mistake that the model has no switch for counts without a replay.
    """
    steps = " → ".join(str(taken.step) for taken in run.steps)
    done = replay_run(run, wrong)
    if done.trace is None:
        return f"a run of {len(run.steps)} steps ({steps}); {done.reason}", "", not wrong.design
    name = ""
    if folder is not None:
        path = folder / f"proof-{wrong.slug or wrong.design}-{wrong.prop}.trace.json"
        write_whole(path, encode_trace(done.trace))
        name = str(path)
    return (
        (
            f"a run of {len(run.steps)} steps ({steps}), "
            f"replayed on the model in {done.steps} steps: "
            f"{done.reason}"
        ),
        name,
        True,
    )


def _run_wrong(options: Options) -> int:
    """Refute every chosen wrong design; print the table."""
    slugs = list(WRONG_DESIGNS) if "all" in options.wrong else options.wrong
    chosen = pick_all("--wrong", slugs, WRONG_DESIGNS)
    rows = [_refuted(wrong, options) for wrong in chosen]
    verdict = HOLDS if all(row.result == REFUTED for row, _, _ in rows) else INCONCLUSIVE
    if options.as_json:
        _dump(
            {
                "schema": SCHEMA,
                "verdict": verdict,
                "exit_code": exit_code_of(verdict),
                "wrong_designs": True,
                "assumptions": list(ASSUMPTIONS),
                "obligations": [_entry(row) for row, _, _ in rows],
            }
        )
    else:
        print("| wrong design | breaks | first broken step and conjunct | run | in the model |")
        print("|---|---|---|---|---|")
        for wrong, (_, broken, shown) in zip(chosen, rows, strict=True):
            print(f"| {wrong.slug}: {wrong.summary} | {wrong.prop} | {broken} | {shown} |")
    return exit_code_of(verdict)


def _refuted(wrong: WrongDesign, options: Options) -> tuple[Decision, str, str]:
    started = time.perf_counter()
    escape = next(iter(escapes(wrong.rules)), None)
    broken = "none"
    if escape is not None:
        broken = f"{escape.step or 'invariant'}: {', '.join(escape.broken[:3])}"
    row = Decision(
        f"wrong/{wrong.slug}",
        f"{wrong.summary}: {wrong.prop} holds",
        "wrong-design",
        UNKNOWN,
        0.0,
        "z3 (finite instance)",
        f"counterexample to induction: {escape}",
    )
    shown = f"none in {RUN_DEPTH} | "
    induction = row.reason
    for run in islice(search(wrong.rules, wrong.prop, without=wrong.without), MAX_RUNS):
        reason, row.trace, is_real = _shown(run, wrong, options.traces)
        row.result = REFUTED if is_real else UNKNOWN
        row.reason = f"{induction}; {reason}"
        again = reason.rpartition("replayed on the model in ")[2].partition(" steps")[0]
        replayed = (
            f"replayed, {again} steps"
            if "replayed on the model" in reason
            else ("no such switch" if not wrong.design else "spurious")
        )
        shown = f"{len(run.steps)} steps | {replayed}"
        if is_real:
            break
    row.seconds = time.perf_counter() - started
    return row, broken, shown


def _entry(row: Decision) -> dict[str, Any]:
    return {
        "name": row.name,
        "statement": row.statement,
        "kind": row.kind,
        "result": row.result,
        "seconds": round(row.seconds, 4),
        "solver": row.solver,
        "reason": row.reason or None,
        "trace": row.trace or None,
    }


def _dump(document: dict[str, Any]) -> None:
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()


def _print_rows(
    options: Options,
    rows: Sequence[Decision],
    findings: Sequence[Decision],
    assumptions: Sequence[str],
    verdict: str,
) -> None:
    width = max(len(row.name) for row in rows)
    for group in (rows, findings):
        if group is findings:
            print("\nFindings, which the verdict does not rest on:")
        for row in group:
            print(f"{row.result:8} {row.seconds:7.3f} s  {row.name:{width}}  {row.statement}")
            if row.result != PROVED or row.kind == "theorem":
                print(f"{'':20}{row.reason}")
    print("\nAssumptions:")
    for text in assumptions:
        print(f"  - {text}")
    counts = {r: sum(row.result == r for row in rows) for r in (PROVED, REFUTED, UNKNOWN)}
    print(
        f"\n{options.design}, {options.mounts} mount{'s' * (options.mounts != ONE_MOUNT)}: "
        f"{counts[PROVED]} proved, {counts[REFUTED]} refuted, {counts[UNKNOWN]} unknown, "
        f"{sum(row.seconds for row in rows):.1f} s: {verdict} (exit code {exit_code_of(verdict)})"
    )
