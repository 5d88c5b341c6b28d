"""Text, DOT, Mermaid and SVG: complete, well-formed, not too wide, the same every time."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from powercut.checkers.locks.csource.analyse import analyse_path
from powercut.checkers.locks.cycles import find_cycles
from powercut.checkers.locks.graph import Edge, LockGraph, Where
from powercut.checkers.locks.pictures import render_dot, render_mermaid, render_svg
from powercut.checkers.locks.render import WIDTH, chains, render_text, side_by_side
from powercut.checkers.locks.report import merged_edges, report_on
from powercut.documents.locks import locks_document
from tests.locks.corpus import CASES

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def tangled() -> LockGraph:
    """A graph with a cycle, a wait, a trylock and names that need quoting."""
    made = LockGraph("tangled")
    place = Where("a_function_with_a_name_that_is_as_long_as_they_get_in_kernels", "fs/x/y.c", 4711)
    chain = ("outer", "middle", place.function)
    made.add(Edge("a", "b", where=place, chain=chain, held=("a",)))
    made.add(Edge("b", "c", mode="read", context="worker", where=place, chain=chain))
    made.add(Edge("c", "a", held_mode="read", context="kjournald", where=place))
    made.add(Edge("a", "folio_writeback[bh]", kind="wait", where=place))
    made.add(Edge("a", 'odd"<name>&|', trylock=True))
    made.add(Edge("b", "b"))
    return made


def test_text_is_not_too_wide(tangled: LockGraph) -> None:
    text = render_text(report_on("title", tangled))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.endswith("\n")
    assert "a -> b -> c -> a" in text
    assert "wait(folio_writeback[bh])" in text
    assert 'try(odd"<name>&|)' in text


def test_contexts_stand_side_by_side(tangled: LockGraph) -> None:
    text = render_text(report_on("title", tangled))
    row = next(line for line in text.splitlines() if "[kjournald]" in line)
    assert re.search(r"\[task\] +\| \[worker\] +\| \[kjournald\]", row)


def test_columns_wrap_and_come_in_rows_of_three() -> None:
    lines = side_by_side([["word " * 30], ["b"], ["c"], ["d"]])
    assert max(map(len, lines)) <= WIDTH
    assert "" in lines


def test_a_chain_is_what_is_held_together() -> None:
    made = LockGraph()
    for one, two in (("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")):
        made.add(Edge(one, two))
    found = [
        [seen.edge.source for seen in chain] + [chain[-1].edge.target]
        for chain in chains(made, "task")
    ]
    assert found == [["a", "b", "c"], ["c", "d"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_can_be_shown(tmp_path: Path, case: object) -> None:
    path = tmp_path / "case.c"
    path.write_text(case.code)  # type: ignore[attr-defined]
    source = analyse_path(path)
    report = report_on("title", source.graph)
    report.source = source
    assert max(map(len, render_text(report).splitlines())) <= WIDTH
    assert len(locks_document(report, 0).edges) == len(merged_edges(report.graph))
    for draw in (render_dot, render_mermaid, render_svg):
        assert draw(report.graph, report.cycles)


def test_svg_is_well_formed_and_complete(tangled: LockGraph) -> None:
    root = ElementTree.fromstring(render_svg(tangled, find_cycles(tangled)))
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert texts == {"a", "b", "c", "folio_writeback[bh]", 'odd"<name>&|'}
    arrows = [p for p in root.iter(f"{SVG}path") if p.get("marker-end")]
    assert len(arrows) == 6
    width = float(root.get("width", "0"))
    for box in root.iter(f"{SVG}rect"):
        assert float(box.get("x", "0")) + float(box.get("width", "0")) <= width


def test_boxes_do_not_overlap(tangled: LockGraph) -> None:
    root = ElementTree.fromstring(render_svg(tangled, []))
    boxes = [
        tuple(float(rect.get(name, "0")) for name in ("x", "y", "width", "height"))
        for group in root.iter(f"{SVG}g")
        for rect in group.iter(f"{SVG}rect")
    ]
    for index, (x, y, w, h) in enumerate(boxes):
        for x2, y2, w2, h2 in boxes[index + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_an_empty_graph_can_be_drawn() -> None:
    ElementTree.fromstring(render_svg(LockGraph(), []))
    assert render_dot(LockGraph(), []).startswith("digraph")
    assert render_mermaid(LockGraph(), []) == "flowchart TD\n"
    assert "no lock is taken" in render_text(report_on("title", LockGraph()))


def test_dot_quotes(tangled: LockGraph) -> None:
    text = render_dot(tangled, find_cycles(tangled))
    assert r'"odd\"<name>&|"' in text
    assert text.count(" -> ") == 6
    assert "style=dashed" in text
    assert "color=red" in text


def test_mermaid_quotes(tangled: LockGraph) -> None:
    text = render_mermaid(tangled, find_cycles(tangled))
    assert "odd&quot;&lt;name&gt;&amp;|" in text
    assert "-.->" in text
    assert "linkStyle" in text


def test_the_same_every_time(tangled: LockGraph) -> None:
    for draw in (render_dot, render_mermaid, render_svg):
        assert draw(tangled, find_cycles(tangled)) == draw(tangled, find_cycles(tangled))
