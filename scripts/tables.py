"""Write the tables of the docs that are made from data: findings and abstractions.

Usage: ``.venv/bin/python scripts/tables.py``
"""

from pathlib import Path

from powercut.properties.abstractions import Abstraction, abstractions
from powercut.properties.findings.loader import Finding, shipped

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"
DESIGNS = ("seed", "seed-eof-ordered", "seed-gap-ordered", "series-v5", "bh-ordered", "mixed")
"""The designs of README.md, in its order."""


def _cell(design: str, *, stale: bool) -> str:
    links = []
    for finding in shipped().values():
        props = {prop for where, _, prop in finding.violations() if where == design}
        if props and ("stale-data" in props) is stale:
            told = "" if stale else f": {', '.join(sorted(props))}"
            links.append(f"[{finding.name}](docs/findings.md#{finding.name}){told}")
    return "; ".join(links) or "holds"


def readme_table() -> str:
    """Return a row a design: what exhaustive runs show, by finding."""
    rows = ["| design | stale data | only other properties |", "|---|---|---|"]
    rows += [f"| `{d}` | {_cell(d, stale=True)} | {_cell(d, stale=False)} |" for d in DESIGNS]
    return "\n".join(rows) + "\n"


def _row(finding: Finding) -> str:
    shortest = min(finding.example, key=lambda example: example.steps, default=None)
    where = f"`{shortest.design}`, `{shortest.scope}`: {shortest.steps}" if shortest else "none"
    advisory = dict.fromkeys(f"{observed.prop} (advisory)" for observed in finding.observed)
    props = ", ".join([*finding.properties, *advisory])
    link = f"[{finding.name}](#{finding.name})"
    cells = (link, finding.title, props, where, finding.basis, finding.status)
    return f"| {' | '.join(cells)} |"


def index_table() -> str:
    """Return a row a finding."""
    head = "| finding | what | properties | shortest saved: steps | rests on | status |"
    return "\n".join([head, "|---|---|---|---|---|---|", *map(_row, shipped().values())]) + "\n"


def _touched_by(entry: Abstraction) -> str:
    words = [f"`{name}`" for name in (*entry.operations, *entry.options, *entry.situations)]
    where = f" on {' and '.join(entry.paths)} files" if entry.paths else ""
    return f"{', '.join(words)}{where}" if words else "every run"


def abstraction_table() -> str:
    """Return a row an abstraction: what is left out, and which runs touch that."""
    head = "| name | left out | touched by |\n|---|---|---|\n"
    rows = (
        f"| {entry.name} | {entry.left_out} | {_touched_by(entry)} |\n"
        for entry in abstractions().values()
    )
    return head + "".join(rows)


def page(path: Path, table: str) -> str:
    """Return the page at ``path`` with ``table`` between its marks."""
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + table + END + rest.split(END, 1)[1]


PAGES = {
    "README.md": readme_table,
    "docs/findings.md": index_table,
    "docs/model.md": abstraction_table,
}

if __name__ == "__main__":
    for name, table in PAGES.items():
        (ROOT / name).write_text(page(ROOT / name, table()), encoding="utf-8")
