"""What is known about conditions on a path: ``IS_ERR(handle)`` is false, ``ret<0`` is true.

Why so: whether a lock is held usually depends on the answer to a question that is asked again
later, in the same words.  Answers about memory that others may change are believed only where the
paths that meet disagree about them, because only then does the answer say which path it was.
Rejected: a solver (the questions that matter are asked twice, literally).
"""

import re
from collections.abc import Iterable, Mapping

Facts = Mapping[str, bool]

_LOCAL = re.compile(
    r"#.*|(?:(?:IS_ERR|IS_ERR_OR_NULL)\()?[A-Za-z_@]\w*\)?(?:(?:==|[<>]=?)-?\w+|&\(?[\w|]+\)?)?"
)
_ERRNO = re.compile(r"-E[A-Z0-9]+")
_TEMPLATES = ("{}", "{}<0", "IS_ERR({})")

FAILED_POINTER = {"{}": True, "IS_ERR({})": True}
GOOD_POINTER = {"{}": True, "IS_ERR({})": False}
ZERO = {"{}": False, "{}<0": False, "IS_ERR({})": False}
NEGATIVE = {"{}": True, "{}<0": True}


def is_local(atom: str) -> bool:
    """Whether an answer about ``atom`` stays true until this function assigns to it."""
    return _LOCAL.fullmatch(atom) is not None


def filled(templates: Facts, name: str) -> dict[str, bool]:
    """Return facts about ``name`` from facts about a result."""
    return {template.format(name): truth for template, truth in templates.items()}


def templates_of(facts: Facts, name: str) -> dict[str, bool]:
    """Return what is known about ``name`` as facts about a result."""
    found = {}
    for template in _TEMPLATES:
        truth = answer(template.format(name), facts)
        if truth is not None:
            found[template] = truth
    return found


def without(facts: Facts, target: str) -> dict[str, bool]:
    """Return the facts that an assignment to ``target`` leaves."""
    if not facts:
        return {}
    pattern = re.compile(rf"(?<![\w>.]){re.escape(target)}(?!\w)")
    return {atom: truth for atom, truth in facts.items() if not pattern.search(atom)}


def learn(facts: Facts, atom: str, truth: bool) -> dict[str, bool]:
    """Return the facts with one more answer and what follows from it."""
    more = dict(facts)
    more[atom] = truth
    base = _subject(atom)
    if base and truth and (atom.endswith("<0") or atom.startswith("IS_ERR(") or "==-E" in atom):
        more[base] = True
        if "==-E" in atom:
            more[f"{base}<0"] = True
    if atom.startswith("IS_ERR_OR_NULL(") and not truth and base:
        more.update(filled(GOOD_POINTER, base))
    if not truth and re.fullmatch(r"[A-Za-z_@]\w*", atom):
        more.update(filled(ZERO, atom))
    return more


def answer(atom: str, facts: Facts) -> bool | None:
    """Return the answer to a question, if the facts have one."""
    if atom in facts:
        return facts[atom]
    positive = re.fullmatch(r"(.+)==[1-9]\d*", atom)
    if positive and (facts.get(f"{positive[1]}<0") or facts.get(positive[1]) is False):
        return False
    base = _subject(atom)
    if not base:
        return None
    if atom.startswith("IS_ERR_OR_NULL("):
        if facts.get(base) is False or facts.get(f"IS_ERR({base})"):
            return True
        known = facts.get(base) and facts.get(f"IS_ERR({base})") is False
        return False if known else None
    if facts.get(base) is False and (
        atom.startswith("IS_ERR(") or atom.endswith((f"{base}<0", f"{base}>0")) or "==-E" in atom
    ):
        return False
    if "==-E" in atom and facts.get(f"{base}<0") is False:
        return False
    return None


def _subject(atom: str) -> str:
    match = re.match(r"IS_ERR(?:_OR_NULL)?\((.+)\)$", atom) or re.match(
        r"(.+?)(?:<0|>0|==-E[A-Z0-9]+)$", atom
    )
    return match[1] if match else ""


def of_value(value: str, facts: Facts) -> dict[str, bool]:
    """Return facts about a variable that ``value`` was assigned to."""
    if value in ("0", "NULL", "false"):
        return dict(ZERO)
    if _ERRNO.fullmatch(value):
        return dict(NEGATIVE)
    if re.fullmatch(r"[1-9]\d*|true", value):
        return {"{}": True, "{}<0": False}
    match = re.fullmatch(r"([A-Za-z_@]\w*)<0\?\1:0", value)
    if match:
        truth = answer(f"{match[1]}<0", facts)
        return dict(ZERO) if truth is False else dict(NEGATIVE) if truth else {}
    if re.fullmatch(r"[A-Za-z_@]\w*", value):
        return templates_of(facts, value)
    return {}


_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*|-?\d\w*")


def of_call(atom: str, facts: Facts) -> bool | None:
    """Return the answer to a question about an argument, which may be a constant."""
    masked = re.fullmatch(r"\(?([^&]+?)\)?&\(?([\w|]+)\)?", atom)
    if masked:
        flags, wanted = masked[1].split("|"), masked[2].split("|")
        if set(flags) & set(wanted):
            return True
        if all(_CONSTANT.fullmatch(flag) for flag in flags):
            return False
    compared = re.fullmatch(r"(-?\w+)==(-?\w+)", atom)
    if compared and all(_CONSTANT.fullmatch(word) for word in compared.groups()):
        return compared[1] == compared[2]
    if atom in ("NULL", "0", "false"):
        return False
    if atom == "true" or re.fullmatch(r"[1-9]\d*|&[\w>.-]+", atom):
        return True
    return answer(atom, facts)


_ABOUT = re.compile(r"([A-Za-z_]\w*)(?:(?:==|[<>]=?)-?\w+|&\(?[\w|]+\)?)?")


def about_arguments(facts: Facts, parameters: Mapping[str, int]) -> dict[str, bool]:
    """Return the facts that are about one parameter and constants, as questions to the caller."""
    found: dict[str, bool] = {}
    for atom, truth in facts.items() if parameters else ():
        match = _ABOUT.fullmatch(atom)
        if match and match[1] in parameters:
            found[f"@{parameters[match[1]]}{atom[len(match[1]) :]}"] = truth
    return found


def common(one: Facts, other: Facts) -> dict[str, bool]:
    """Return the answers that both agree on."""
    return {atom: truth for atom, truth in one.items() if other.get(atom) is truth}


def believed(atom: str, known: Iterable[Facts]) -> bool:
    """Whether the paths disagree about ``atom``, so that it tells them apart."""
    answers = {answer(atom, facts) for facts in known}
    return True in answers and False in answers
