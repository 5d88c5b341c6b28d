"""Writing new allowed sets into a litmus file, for review: comments and good lines stay.

Why so: the reason why an outcome is legal is written beside it and must survive; a line goes only
if part of it is no longer shown, and what is new is added behind the lines that stayed.  Designs
of one block that no longer show the same get blocks of their own.
Rejected: writing the whole file from the parsed test (comments and order would be lost).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from powercut.checkers.litmus.format import Allowed, Litmus
from powercut.checkers.run.observation import Outcome, compress, format_pattern

_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Shown:
    """What a design shows: outcomes and violated properties, as a set of allowed outcomes."""

    outcomes: frozenset[Outcome]
    violates: tuple[str, ...]


def updated(litmus: Litmus, shown: Mapping[str, Shown]) -> str:
    """Return the text of ``litmus`` with the sets of the designs in ``shown`` replaced.

    Designs that the file does not name join a block with an equal set, or get one at the end.
    """
    end = "\r\n" if _ends_in_crlf(litmus.text) else "\n"
    lines = litmus.text.rstrip(end).split(end)
    sets = {
        design: shown.get(design) or _allowed(block)
        for block in litmus.blocks
        for design in block.designs
    }
    new = [design for design in shown if design not in sets]
    text: list[str] = []
    at = 0
    for block in litmus.blocks:
        groups = _groups(block.designs, sets)
        joining = [d for d in new if shown[d] == groups[0][1]]
        new = [d for d in new if d not in joining]
        groups[0] = ([*groups[0][0], *joining], groups[0][1])
        text += lines[at : block.first - 1]
        for number, (designs, wanted) in enumerate(groups):
            text += _block(litmus, block, lines, designs, wanted, is_copy=number > 0)
        at = block.last
    text += lines[at:]
    for designs, wanted in _groups(new, shown):
        text += ["", *_fresh_block(litmus, designs, wanted)]
    return end.join(text) + end


def _ends_in_crlf(text: str) -> bool:
    """Tell whether every line of ``text`` ends as in files of Windows."""
    return 0 < text.count("\r\n") == text.count("\n")


def _allowed(block: Allowed) -> Shown:
    return Shown(frozenset(block.outcomes()), block.violates)


def _groups(designs: Sequence[str], sets: Mapping[str, Shown]) -> list[tuple[list[str], Shown]]:
    """Group designs that show the same, in order."""
    groups: list[tuple[list[str], Shown]] = []
    for design in designs:
        for names, wanted in groups:
            if wanted == sets[design]:
                names.append(design)
                break
        else:
            groups.append(([design], sets[design]))
    return groups


def _block(
    litmus: Litmus,
    block: Allowed,
    lines: Sequence[str],
    designs: Sequence[str],
    wanted: Shown,
    *,
    is_copy: bool,
) -> list[str]:
    """Return the lines of ``block`` for ``designs`` with the set ``wanted``."""
    patterns = {entry.line: entry.pattern for entry in block.lines}
    head = lines[block.first - 1]
    if tuple(designs) != block.designs:
        comment = head.find("#")
        head = f"allowed {' '.join(designs)}" + (f"  {head[comment:]}" if comment >= 0 else "")
    text = ["", head] if is_copy else [head]
    left = set(wanted.outcomes)
    outcomes_end = violates_at = 0
    for number in range(block.first + 1, block.last + 1):
        raw = lines[number - 1]
        if number in patterns:
            outcomes = set(patterns[number].outcomes())
            if not outcomes <= left:
                continue
            left -= outcomes
        elif number == block.violates_line:
            if block.violates != wanted.violates:
                continue
            violates_at = len(text)
        text.append(raw)
        if number in patterns:
            outcomes_end = len(text)
    at = outcomes_end or violates_at or len(text)
    text[at:at] = _outcome_lines(litmus, left)
    if wanted.violates and not violates_at:
        text.append(f"{_INDENT}violates {' '.join(wanted.violates)}")
    return text


def _fresh_block(litmus: Litmus, designs: Sequence[str], wanted: Shown) -> list[str]:
    text = [f"allowed {' '.join(designs)}", *_outcome_lines(litmus, wanted.outcomes)]
    if wanted.violates:
        text.append(f"{_INDENT}violates {' '.join(wanted.violates)}")
    return text


def _outcome_lines(litmus: Litmus, outcomes: frozenset[Outcome] | set[Outcome]) -> list[str]:
    per_block = litmus.scope.geometry.cells_per_block
    return [_INDENT + format_pattern(pattern, per_block) for pattern in compress(outcomes)]
