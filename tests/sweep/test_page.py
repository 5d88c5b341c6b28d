"""The page about the sweep says what the levels say."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tables_are_made_from_the_levels() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "sweep_tables.py"))
    text = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")
    assert script["page"](text) == text
    assert "dirty-last-tail" in script["starts_table"]()
