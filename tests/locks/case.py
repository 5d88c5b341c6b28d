"""The form of a case: C source, the edges expected, the mistakes expected."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """C source, the edges and the mistakes in it."""

    name: str
    code: str
    edges: frozenset[tuple[str, str]]
    mistakes: frozenset[tuple[str, str]] = frozenset()


def case(name: str, code: str, edges: str = "", mistakes: str = "") -> Case:
    """Return a case; ``edges`` as ``a > b; c > d``, ``mistakes`` as ``kind: lock; ...``."""
    pairs = (line.split(" > ") for line in edges.split("; ") if line)
    wrong = (text.split(": ") for text in mistakes.split("; ") if text)
    return Case(
        name, code, frozenset((a, b) for a, b in pairs), frozenset((a, b) for a, b in wrong)
    )
