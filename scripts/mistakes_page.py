"""Write the tables of docs/mistakes.md from the results of a campaign.

Usage: ``.venv/bin/python scripts/mistakes_page.py RESULTS``, where RESULTS is what
``powercut exam --generate --results RESULTS`` has written.
"""

import sys
from collections import Counter
from pathlib import Path

from powercut.checkers.mistakes.campaign import Results
from powercut.checkers.mistakes.generate import all_mistakes
from powercut.checkers.mistakes.score import Case, Line, cases, line, lines, survivors
from powercut.checkers.mistakes.triage import shipped_entries, triaged

PAGE = Path(__file__).parents[1] / "docs" / "mistakes.md"
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->"


def tables(found: list[Case]) -> str:
    """Return the score by file, by kind and by who noticed, and the survivors."""
    head = "| | made | mistakes | caught | score | equivalent | not run | no model |"
    rule = "|---|--:|--:|--:|--:|--:|--:|--:|"
    asked = " or ".join(sorted({_limit(case) for case in survivors(found)}))
    share = f"{len(found):,} of {len(all_mistakes()):,} mistakes"
    out = [
        f"{share}, judged in runs of {asked} states.",
        "",
        *("By file:", "", head, rule, *map(_row, lines(found, lambda m: m.file)), ""),
        *("By kind:", "", head, rule, *map(_row, lines(found, lambda m: m.kind))),
        *(_row(line("all", found)), ""),
        *("Who noticed first:", "", "| property | mistakes |", "|---|--:|"),
    ]
    noticed = Counter(case.judgement.prop for case in found if case.caught)
    out += [f"| {prop} | {count} |" for prop, count in noticed.most_common()]
    out += ["", "What nobody noticed, and what is missing:", ""]
    out += ["| mistake | missing | known violations in its runs |", "|---|---|---|"]
    out += [_survivor(case) for case in survivors(found)]
    return "\n".join(out) + "\n"


def _limit(case: Case) -> str:
    most = case.judgement.most_states
    return f"at most {most:,}" if most else "any number of"


def _row(each: Line) -> str:
    cells = (each.made, each.mistakes, each.caught, f"{each.score:.0f} %", each.equivalent)
    rest = (each.not_executed, each.not_translated)
    return f"| {each.name.removeprefix('model/')} | {' | '.join(map(str, (*cells, *rest)))} |"


def _survivor(case: Case) -> str:
    why = case.entry.reason if case.entry else ""
    missing = f"{case.missing}: {why}" if why else case.missing
    return f"| `{case.mistake.name}` | {missing} | {', '.join(case.judgement.hidden)} |"


def page(text: str, found: list[Case]) -> str:
    """Return the page ``text`` with the tables of ``found`` between its marks."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + tables(found) + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    judgements = Results(Path(sys.argv[1])).read()
    entries = triaged(all_mistakes(), shipped_entries())
    known = cases(all_mistakes(), judgements, entries)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), known), encoding="utf-8")
