"""The proof obligations of a design: stated, decided by z3, written as SMT-LIB, cross-checked.

What: initial ⇒ invariant, invariant ∧ step ⇒ invariant (a step and a conjunct each), invariant ⇒
property; all over unbounded cells.  ``proved`` means the negation is unsatisfiable.  A refutation
is looked for on a finite instance (``checkers.proof.bounded``), because z3 answers "unknown" where
a quantified invariant fails.
Why so: the limit is z3's resource counter and not the clock, so a verdict does not depend on the
machine.
Rejected: one query for everything (no name for what fails), a time limit.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from powercut.checkers.proof.answers import UNKNOWN, UNSAT, ask, look
from powercut.checkers.proof.invariant import conjuncts_of, initial, properties_of
from powercut.checkers.proof.logic import Term, Unbounded
from powercut.checkers.proof.protocol import Params
from powercut.checkers.proof.rules import Rules
from powercut.checkers.proof.state import BOOL, FIELDS, SCALAR, State
from powercut.checkers.proof.steps import STEPS

PROVED = "proved"
REFUTED = "refuted"

DEFAULT_RLIMIT = 20_000_000

ATTEMPTS: tuple[dict[str, Any], ...] = (
    {"mbqi": False},
    {"mbqi": False, "relevancy": 0, "auto_config": False},
    {"mbqi": True},
)
"""Settings tried in turn: which instances E-matching finds depends on them."""


@dataclass(slots=True)
class Obligation:
    """One sentence to prove: ``hypotheses`` ⇒ ``goal``."""

    name: str
    statement: str
    kind: str
    hypotheses: list[Term]
    goal: Term
    step: str = ""
    target: str = ""


@dataclass(slots=True)
class Decision:
    """What came of an obligation; ``trace`` names a saved counterexample, if there is one."""

    name: str
    statement: str
    kind: str
    result: str
    seconds: float
    solver: str
    reason: str = ""
    trace: str = ""


def symbolic_state(x: Unbounded, prefix: str = "") -> State:
    """Return a state of uninterpreted constants and functions."""
    return State({n: _symbol(x, prefix + n, f.kind == SCALAR, f.sort) for n, f in FIELDS.items()})


def parameters(x: Unbounded, params: Params) -> State:
    """Return uninterpreted parameters of a step."""
    return State(
        {n: _symbol(x, f"p_{n}", kind == SCALAR, sort) for n, (kind, sort) in params.items()}
    )


def _symbol(x: Unbounded, name: str, is_scalar: bool, sort: str) -> Any:
    target = x.z3.BoolSort() if sort == BOOL else x.sort()
    if is_scalar:
        return x.z3.Const(name, target)
    return x.z3.Function(name, x.sort(), target)


def obligations(rules: Rules, x: Unbounded | None = None) -> Iterator[Obligation]:
    """Yield every obligation of ``rules``: initial, steps, properties."""
    x = x or Unbounded()
    s = symbolic_state(x)
    claimed = conjuncts_of(rules)
    axioms = x.axioms()
    start = [*axioms, initial(x, s)]
    for c in claimed:
        yield Obligation(
            f"initial/{c.name}",
            f"a fresh mount: {c.statement}",
            "initial",
            start,
            c.sentence(x, s),
            "",
            c.name,
        )
    holds = [*axioms, *(c.sentence(x, s) for c in claimed)]
    for step in STEPS.values():
        look()
        move = step.take(x, rules, s, parameters(x, step.params))
        after = s.updated(move.changes)
        for c in claimed:
            yield Obligation(
                f"step/{step.name}/{c.name}",
                f"after {step.name}: {c.statement}",
                "step",
                [*holds, move.guard],
                c.sentence(x, after),
                step.name,
                c.name,
            )
    for prop in properties_of(rules):
        yield Obligation(
            f"property/{prop.name}",
            f"{prop.statement} (about {prop.about})",
            "property",
            holds,
            prop.sentence(x, s),
            "",
            prop.name,
        )


def solver_for(x: Unbounded, obligation: Obligation, rlimit: int, attempt: int = 0) -> Any:
    """Return a z3 solver that holds the negated obligation."""
    solver = x.z3.SimpleSolver()
    solver.set("rlimit", rlimit)
    for option, value in ATTEMPTS[attempt].items():
        solver.set(option, value)
    for hypothesis in obligation.hypotheses:
        solver.add(hypothesis)
    solver.add(x.lnot(obligation.goal))
    return solver


def decide(x: Unbounded, obligation: Obligation, rlimit: int = DEFAULT_RLIMIT) -> Decision:
    """Prove ``obligation``, or say that it is not known.  ``rlimit`` is for each attempt."""
    started = time.perf_counter()
    reason = ""
    for attempt in range(len(ATTEMPTS)):
        # The last settings seldom help and never end by themselves.
        share = rlimit // 10 if attempt + 1 == len(ATTEMPTS) else rlimit
        solver = solver_for(x, obligation, share, attempt)
        answer = ask(solver)
        if answer.kind == UNSAT:
            reason = ""
            break
        reason = answer.reason or "the negation has a model"
    return Decision(
        obligation.name,
        obligation.statement,
        obligation.kind,
        UNKNOWN if reason else PROVED,
        time.perf_counter() - started,
        f"z3 {x.z3.get_version_string()}",
        reason,
    )


def smt2(x: Unbounded, obligation: Obligation) -> str:
    """Return the negated obligation as SMT-LIB 2; ``unsat`` is what a proof answers."""
    text = solver_for(x, obligation, DEFAULT_RLIMIT).to_smt2()
    return f"; {obligation.name}: {obligation.statement}\n(set-logic ALL)\n{text}"
