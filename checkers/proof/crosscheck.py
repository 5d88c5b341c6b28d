"""A second opinion: cvc5 on the SMT-LIB text of an obligation.

What: the text that ``--smt2`` writes is parsed and decided by cvc5 (the optional extra ``cvc5``).
Why so: the text is what both solvers see, so a fault in our use of z3's interface shows as well.
Rejected: building the terms a second time through cvc5's interface.
"""

import re
from typing import Any

from powercut.errors import MissingExtraError

RLIMIT = 2_000_000


def version() -> str:
    """Return cvc5's version.  Raises :class:`MissingExtraError` if it is not installed."""
    try:
        import cvc5
    except ImportError:
        raise MissingExtraError("--cross-check", "cvc5", "cvc5") from None
    return str(getattr(cvc5, "__version__", "?"))


def answer(text: str) -> str:
    """Return ``unsat``, ``sat`` or ``unknown`` for SMT-LIB 2 ``text``."""
    import cvc5

    solver: Any = cvc5.Solver(cvc5.TermManager())
    solver.setOption("rlimit-per", str(RLIMIT))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
    symbols = parser.getSymbolManager()
    said = ""
    while True:
        command = parser.nextCommand()
        if command.isNull():
            break
        said += str(command.invoke(solver, symbols))
    found = re.search(r"\b(unsat|sat|unknown)\b", said)
    return found.group(1) if found else "unknown"
