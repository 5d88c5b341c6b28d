"""What the protocol consists of, as the tables of docs/proof.md.

Why so: a table that is written by hand is wrong after the next change; a test compares the page
with these.
"""

from powercut.checkers.proof.invariant import CONJUNCTS, PROPERTIES
from powercut.checkers.proof.rules import DEFER, HOLD, NO_RULE
from powercut.checkers.proof.steps import STEPS

_DESIGNS = {NO_RULE: "seed", HOLD: "eof-ordered", DEFER: "eof-deferred"}


def steps_table() -> str:
    """Return the steps and what of the kernel each stands for, as Markdown."""
    rows = [f"| `{step.name}` | {step.mirrors} |" for step in STEPS.values()]
    return "\n".join(["| step | is |", "|---|---|", *rows])


def conjuncts_table() -> str:
    """Return the conjuncts and the kernel code that maintains each, as Markdown."""
    rows = [
        f"| `{c.name}` | {c.statement} | {c.kernel} | {_claimed(c.only)} |"
        for c in CONJUNCTS.values()
    ]
    return "\n".join(["| conjunct | says | kernel | claimed of |", "|---|---|---|---|", *rows])


def properties_table() -> str:
    """Return the properties and what each is about, as Markdown."""
    rows = [f"| `{p.name}` | {p.statement} | {p.about} |" for p in PROPERTIES.values()]
    return "\n".join(["| property | says | about |", "|---|---|---|", *rows])


def _claimed(only: tuple[str, ...]) -> str:
    return ", ".join(_DESIGNS[rule] for rule in only) or "all"
