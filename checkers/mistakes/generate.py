"""Every mistake that the operators make, each once, as a patch with a name that stays.

A name is the function, the kind and a number within both: ``ext4_setattr.wait.1``.  An edit of
another function changes no name.  Two mistakes with the same text, comments left out, are one; so
is one that changes nothing.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from functools import cache
from itertools import takewhile

from powercut.checkers.mistakes.effects import EffectTable
from powercut.checkers.mistakes.operators import OPERATORS, Change, Operator, Place
from powercut.checkers.mistakes.source import SourceFile, kernel_files
from powercut.checkers.weave.patch import ModelPatch, model_sources, parse_patch

_AROUND = 3
"""Lines of context, as in any patch."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake; ``was`` and ``now`` are the lines from the first to the last one that
    differs, without indentation.  The ``nth`` (from 1) that reads so in its function has these.

    ``lines`` are where its statements begin: a run that executes none of them cannot notice.
    """

    name: str
    kind: str
    file: str
    function: str
    was: tuple[str, ...]
    now: tuple[str, ...]
    lines: tuple[int, ...]
    patch: str
    nth: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from all others and stays the same when other lines change."""
        return (self.function, self.kind, self.was, self.now, self.nth)

    @property
    def parsed(self) -> ModelPatch:
        """The patch, ready to be applied."""
        return parse_patch(self.patch, self.name)


@cache
def all_mistakes() -> tuple[Mistake, ...]:
    """Return all mistakes of the model, in the order of files, functions and kinds."""
    return tuple(mistakes_of(kernel_files(), _whole_model()))


def _whole_model() -> list[SourceFile]:
    return [SourceFile(name, text) for name, text in model_sources().items()]


def mistakes_of(files: Sequence[SourceFile], whole: Sequence[SourceFile]) -> Iterator[Mistake]:
    """Yield the mistakes of ``files``, each once; what they call is in ``whole``."""
    effects = EffectTable(whole)
    for file in files:
        for function in file.functions():
            place = Place(file, function, effects)
            yield from (mistake for mistake, _ in made_by(place, OPERATORS))


def made_by(place: Place, operators: Mapping[str, Operator]) -> Iterator[tuple[Mistake, Change]]:
    """Yield what ``operators`` (by kind) make wrong in one function, each once."""
    seen = {_bare(place.text())}
    read = Counter[tuple[object, ...]]()
    numbers = Counter[str]()
    for kind, operator in operators.items():
        for change in operator(place):
            text = _bare(place.text(change.edits))
            if text in seen:
                continue
            seen.add(text)
            numbers[kind] += 1
            mistake = _mistake(place, kind, numbers[kind], change)
            read[mistake.key] += 1
            yield replace(mistake, nth=read[mistake.key]), change


def _bare(text: str) -> str:
    """Return a function's text without comments and without how its lines are broken."""
    return re.sub(r"\s+", " ", re.sub(r"#[^\n]*", "", text))


def _mistake(place: Place, kind: str, number: int, change: Change) -> Mistake:
    file, function = place.file.name, place.function.name
    diff = _diff(place, change)
    was, now = _differing(place.text().splitlines(), place.text(change.edits).splitlines())
    lines = tuple(sorted({node.lineno for node in change.statements}))
    name = f"{function}.{kind}.{number}"
    return Mistake(name, kind, file, function, was, now, lines, "".join(diff))


def _differing(old: list[str], new: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return both texts from the first line that differs to the last one, indentation left out."""
    same = sum(1 for _ in takewhile(_is_pair, zip(old, new, strict=False)))
    old, new = old[same:], new[same:]
    ends = zip(reversed(old), reversed(new), strict=False)
    behind = sum(1 for _ in takewhile(_is_pair, ends))
    words = [[line.strip() for line in lines[: len(lines) - behind]] for lines in (old, new)]
    return tuple(words[0]), tuple(words[1])


def _is_pair(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _diff(place: Place, change: Change) -> list[str]:
    """Return the lines of the patch; a mistake lies within its function, with lines around it."""
    file, node = place.file, place.function
    assert node.end_lineno is not None
    old = file.text.splitlines(keepends=True)
    new = file.edited(change.edits).splitlines(keepends=True)
    first, behind = max(0, node.lineno - 1 - _AROUND), len(old) - node.end_lineno - _AROUND
    last = len(old) - max(0, behind)
    part = unified_diff(
        old[first:last], new[first : last + len(new) - len(old)], file.name, file.name
    )
    return [_shifted(line, first) if line.startswith("@@") else line for line in part]


def _shifted(head: str, lines: int) -> str:
    """Return the head of a hunk that begins so many lines later."""
    return re.sub(r"([-+])(\d+)", lambda m: f"{m[1]}{int(m[2]) + lines}", head)


def sample(mistakes: Sequence[Mistake], size: int, seed: int) -> list[Mistake]:
    """Return ``size`` of the mistakes by chance: of each file and kind its share, at least one.

    The order stays; all of them if there are no more.
    """
    if size >= len(mistakes):
        return list(mistakes)
    chance = random.Random(seed)
    strata: dict[tuple[str, str], list[Mistake]] = {}
    for mistake in mistakes:
        strata.setdefault((mistake.file, mistake.kind), []).append(mistake)
    ranks: dict[str, tuple[float, float]] = {}
    for group in strata.values():
        for at, mistake in enumerate(chance.sample(group, len(group))):
            ranks[mistake.name] = ((at + chance.random()) / len(group), chance.random())
    chosen = set(sorted(ranks, key=ranks.__getitem__)[:size])
    return [mistake for mistake in mistakes if mistake.name in chosen]


def counts(mistakes: Sequence[Mistake]) -> Counter[str]:
    """Return how many mistakes there are of each kind."""
    return Counter(mistake.kind for mistake in mistakes)
