"""``powercut prove``: obligations over any number of blocks, a row each, and what follows.

Rejected: "unknown" as a warning (it is inconclusive, exit code 3).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from powercut.checkers.proof import crosscheck
from powercut.checkers.proof.answers import UNKNOWN, in_model_work, stoppable
from powercut.checkers.proof.obligations import PROVED, REFUTED, Decision
from powercut.checkers.proof.rules import WRONG_DESIGNS
from powercut.checkers.proof.theorems import (
    ASSUMPTIONS,
    ONE_MOUNT,
    Asked,
    KeepTrace,
    Proof,
    prove,
    refute,
    require_covered,
    require_mounts,
    until_interrupted,
)
from powercut.checkers.run.result import HOLDS, INCONCLUSIVE
from powercut.checkers.traces.codec import encode_trace
from powercut.documents.document import print_document
from powercut.documents.prove import Decided, ProveDocument, ProveWrongDocument
from powercut.errors import exit_code_of
from powercut.execute.interrupts import first_interrupt
from powercut.inputs.files import Findings, make_writable
from powercut.inputs.names import pick, pick_all
from powercut.model.designs import DESIGNS
from powercut.verbs.options import ProveOptions


def run(options: ProveOptions) -> int:
    """Decide the obligations of a design, or refute wrong designs; return the exit code."""
    for option, folder in (("--smt2", options.smt2), ("--save-traces", options.save_traces)):
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
    require_covered(options.design, "--design")
    require_mounts(options.mounts, "--mounts")
    if options.cross_check:
        crosscheck.version()
    texts, traces = Findings(options.smt2), Findings(options.save_traces)
    asked = Asked(
        options.design,
        options.mounts,
        options.cross_check,
        _smt2_keeper(texts) if options.smt2 else None,
        _keeper(traces) if options.save_traces else None,
    )
    with _interruptible():
        proof = prove(asked)
    if options.json:
        print_document(_document(proof))
    else:
        _print_rows(proof)
    texts.tell()
    traces.tell()
    return exit_code_of(proof.verdict)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first interrupt end what is decided inside, between the calls into z3."""
    stop = threading.Event()
    with first_interrupt(stop.set, raising=_in_the_model_part), stoppable(stop.is_set):
        yield


def _in_the_model_part(_frame: object) -> bool:
    return in_model_work()


def _keeper(findings: Findings) -> KeepTrace:
    """Return what writes a trace, and returns its path if that was possible."""
    return lambda name, trace: findings.add(name, encode_trace(trace))


def _smt2_keeper(findings: Findings) -> Callable[[str, str], object]:
    """Return what writes SMT-LIB text."""
    return lambda name, text: findings.add(name, text.encode())


def _run_wrong(options: ProveOptions) -> int:
    """Refute every chosen wrong design; print the table."""
    asked = options.wrong or ()
    slugs = list(WRONG_DESIGNS) if "all" in asked else asked
    chosen = pick_all("--wrong", slugs, WRONG_DESIGNS)
    traces = Findings(options.save_traces)
    keep = _keeper(traces) if options.save_traces else None
    rows: list[tuple[Decision, str, str]] = []
    left: list[Decision] = []
    with until_interrupted(left), _interruptible():
        rows.extend(refute(wrong, keep) for wrong in chosen)
    decided = [*(row for row, _, _ in rows), *left]
    verdict = HOLDS if all(row.result == REFUTED for row in decided) else INCONCLUSIVE
    if options.json:
        print_document(
            ProveWrongDocument(
                verdict=verdict,
                exit_code=exit_code_of(verdict),
                wrong_designs=True,
                assumptions=list(ASSUMPTIONS),
                obligations=[_entry(row) for row in decided],
            )
        )
    else:
        print("| wrong design | breaks | first broken step and conjunct | run | in the model |")
        print("|---|---|---|---|---|")
        for wrong, (_, broken, shown) in zip(chosen, rows, strict=False):
            print(f"| {wrong.slug}: {wrong.summary} | {wrong.prop} | {broken} | {shown} |")
        if left:
            print(f"\n{len(rows)} of {len(chosen)} wrong designs: {left[0].reason}")
    traces.tell()
    return exit_code_of(verdict)


def _document(proof: Proof) -> ProveDocument:
    return ProveDocument(
        verdict=proof.verdict,
        exit_code=exit_code_of(proof.verdict),
        design=proof.design,
        mounts=proof.mounts,
        assumptions=list(proof.assumptions),
        obligations=[_entry(row) for row in proof.obligations],
        findings=[_entry(row) for row in proof.findings],
    )


def _entry(row: Decision) -> Decided:
    return Decided(
        name=row.name,
        statement=row.statement,
        kind=row.kind,
        result=row.result,
        seconds=round(row.seconds, 4),
        solver=row.solver,
        reason=row.reason or None,
        trace=row.trace or None,
    )


def _print_rows(
    proof: Proof,
) -> None:
    rows, findings = proof.obligations, proof.findings
    width = max(len(row.name) for row in rows)
    for group in (rows, findings):
        if group is findings:
            print("\nFindings, which the verdict does not rest on:")
        for row in group:
            print(f"{row.result:8} {row.seconds:7.3f} s  {row.name:{width}}  {row.statement}")
            if row.result != PROVED or row.kind == "theorem":
                print(f"{'':20}{row.reason}")
    print("\nAssumptions:")
    for text in proof.assumptions:
        print(f"  - {text}")
    counts = {r: sum(row.result == r for row in rows) for r in (PROVED, REFUTED, UNKNOWN)}
    print(
        f"\n{proof.design}, {proof.mounts} mount{'s' * (proof.mounts != ONE_MOUNT)}: "
        f"{counts[PROVED]} proved, {counts[REFUTED]} refuted, {counts[UNKNOWN]} unknown, "
        f"{sum(row.seconds for row in rows):.1f} s: "
        f"{proof.verdict} (exit code {exit_code_of(proof.verdict)})"
    )
