"""Write the tables of docs/sweep.md from the definition of its levels, in ``checkers/sweep``.

Usage: ``.venv/bin/python scripts/sweep_tables.py``
"""

from pathlib import Path

from powercut.checkers.sweep.levels import (
    BACKGROUNDS,
    FREE,
    LEVELS,
    STARTS,
    Background,
    Shape,
    Start,
    calls,
)
from powercut.checkers.sweep.partitions import PARTITIONS, Partition
from powercut.model.scope import BlockKind, InitialBlock

PAGE = Path(__file__).parents[1] / "docs" / "sweep.md"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _names(chosen: tuple[str, ...], every: tuple[str, ...]) -> str:
    left = [name for name in every if name not in chosen]
    if not left:
        return "all"
    if len(left) < len(chosen):
        return "all but " + ", ".join(left)
    return ", ".join(chosen)


def _as_written(shape: Shape) -> int:
    """Return how many workloads the shape spells, equal ones counted each time."""
    free = sum(shape.pattern.count(letter) for letter in FREE)
    tables = [
        len(calls(reads=bool(BACKGROUNDS[name].mount.get("evictions"))))
        for name in shape.backgrounds
    ]
    return len(shape.starts) * sum(table**free for table in tables)


def levels_table() -> str:
    """Return a row a shape: its pattern, files, backgrounds and how many workloads it spells."""
    rows = ["| level | pattern | files | backgrounds | workloads |", "|--:|---|---|---|--:|"]
    for level, shapes in LEVELS.items():
        rows += [
            _row(
                str(level),
                f"`{shape.pattern}`".replace("|", "\\|"),
                _names(shape.starts, tuple(STARTS)),
                _names(shape.backgrounds, tuple(BACKGROUNDS)),
                f"{_as_written(shape):,}",
            )
            for shape in shapes
        ]
    return "\n".join(rows) + "\n"


def _block(block: InitialBlock) -> str:
    name = block.kind.name.lower()
    return name if block.kind == BlockKind.HOLE else f"{name}@{block.phys}"


def _file(start: Start) -> str:
    said = [f"size={start.size_cells}"]
    if start.blocks:
        said.append("blocks=" + ",".join(map(_block, start.blocks)))
    if start.dirty_tail:
        said.append("dirty-tail")
    return f"`file {' '.join(said)}`"


def starts_table() -> str:
    """Return a row an initial file, in the words of a workload."""
    rows = ["| file | as a workload says it |", "|---|---|"]
    return "\n".join([*rows, *(_row(s.name, _file(s)) for s in STARTS.values())]) + "\n"


def _around(background: Background) -> str:
    changes = {**background.scope, **background.geometry, **background.mount}
    return ", ".join(f"`{name}={value}`" for name, value in changes.items()) or "nothing"


def backgrounds_table() -> str:
    """Return a row a background: what it changes."""
    rows = ["| background | what it changes |", "|---|---|"]
    return "\n".join([*rows, *(_row(b.name, _around(b)) for b in BACKGROUNDS.values())]) + "\n"


def _part(partition: Partition) -> str:
    said = "covered" if partition.test is not None else f"struck out: {partition.reason}"
    return _row(partition.dimension, partition.name, said)


def partitions_table() -> str:
    """Return a row a partition: covered, or struck out with the reason."""
    return "\n".join(["| of | part | |", "|---|---|---|", *map(_part, PARTITIONS)]) + "\n"


TABLES = {
    "levels": levels_table,
    "files": starts_table,
    "backgrounds": backgrounds_table,
    "partitions": partitions_table,
}


def page(text: str) -> str:
    """Return the page ``text`` with each table between its marks."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, rest = text.split(begin)
        text = before + begin + table() + end + rest.split(end, 1)[1]
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
