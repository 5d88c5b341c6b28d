"""A graph as DOT, Mermaid and SVG.

Why so: the SVG is drawn here, in layers from what is held to what is taken, so that a picture needs
no other program and is the same everywhere; who wants a better layout has the DOT.  Rejected:
calling ``dot`` when it is there (the picture would depend on the machine).
"""

from collections import defaultdict
from dataclasses import dataclass
from html import escape

from powercut.checkers.locks.cycles import Cycle
from powercut.checkers.locks.graph import LockGraph
from powercut.checkers.locks.report import MergedEdge, merged_edges

_BOX_HEIGHT, _GAP_X, _GAP_Y, _MARGIN, _CHAR = 34, 36, 70, 24, 7.4
_RED, _INK, _FAINT = "#b3261e", "#222222", "#8a8a8a"


@dataclass(frozen=True, slots=True)
class _Arrow:
    source: str
    target: str
    label: str
    wait: bool
    cyclic: bool


def _arrows(graph: LockGraph, cycles: list[Cycle]) -> list[_Arrow]:
    on_cycle = {(e.source, e.target) for cycle in cycles for e in cycle.edges}
    groups: dict[tuple[str, str], list[MergedEdge]] = defaultdict(list)
    for edge in merged_edges(graph):
        groups[edge.source, edge.target].append(edge)
    return [
        _Arrow(*pair, _label(edges), all(e.kind == "wait" for e in edges), pair in on_cycle)
        for pair, edges in sorted(groups.items())
    ]


def _label(edges: list[MergedEdge]) -> str:
    contexts = ", ".join(sorted({edge.context for edge in edges}))
    place = next((edge.where[0] for edge in edges if edge.where), None)
    return f"{contexts}: {place.function}:{place.line}" if place else contexts


def render_dot(graph: LockGraph, cycles: list[Cycle]) -> str:
    """Return the graph in the language of Graphviz."""
    lines = ["digraph locks {", "  rankdir=TB;", "  node [shape=box, fontname=monospace];"]
    for lock in graph.classes():
        shape = ", style=rounded" if lock.kind == "wait" else ""
        lines.append(f"  {_quoted(lock.name)} [tooltip={_quoted(lock.kind)}{shape}];")
    for arrow in _arrows(graph, cycles):
        style = ", style=dashed" if arrow.wait else ""
        colour = ", color=red" if arrow.cyclic else ""
        lines.append(
            f"  {_quoted(arrow.source)} -> {_quoted(arrow.target)} "
            f"[label={_quoted(arrow.label)}{style}{colour}];"
        )
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def render_mermaid(graph: LockGraph, cycles: list[Cycle]) -> str:
    """Return the graph as a Mermaid flow chart."""
    number = {lock.name: index for index, lock in enumerate(graph.classes())}
    lines = ["flowchart TD"]
    for lock in graph.classes():
        text = escape(lock.name, quote=True)
        box = f'(["{text}"])' if lock.kind == "wait" else f'["{text}"]'
        lines.append(f"  n{number[lock.name]}{box}")
    red = []
    for index, arrow in enumerate(_arrows(graph, cycles)):
        line = "-.->" if arrow.wait else "-->"
        label = escape(arrow.label, quote=True).replace("|", "/")
        lines.append(f'  n{number[arrow.source]} {line}|"{label}"| n{number[arrow.target]}')
        if arrow.cyclic:
            red.append(str(index))
    if red:
        lines.append(f"  linkStyle {','.join(red)} stroke:{_RED}")
    return "\n".join(lines) + "\n"


def render_svg(graph: LockGraph, cycles: list[Cycle]) -> str:
    """Return the graph as a picture: what is held above what is taken."""
    arrows = _arrows(graph, cycles)
    rows = _rows(graph, arrows)
    boxes, width, height = _places(rows)
    size = f'width="{width:.0f}" height="{height:.0f}"'
    font = 'font-family="monospace" font-size="12"'
    box = f'viewBox="0 0 {width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} {font}>',
        "<defs>",
        *(_marker(name, colour) for name, colour in (("plain", _FAINT), ("red", _RED))),
        "</defs>",
        f'<rect {size} fill="#ffffff"/>',
    ]
    parts += [_svg_arrow(arrow, boxes) for arrow in arrows]
    for lock in graph.classes():
        x, y, w = boxes[lock.name]
        round_ = 16 if lock.kind == "wait" else 3
        parts.append(
            f'<g><title>{escape(lock.name)}: {escape(lock.kind)}</title><rect x="{x:.1f}" '
            f'y="{y:.1f}" width="{w:.1f}" height="{_BOX_HEIGHT}" rx="{round_}" fill="#f4f4f0" '
            f'stroke="{_INK}"/><text x="{x + w / 2:.1f}" y="{y + 21:.1f}" text-anchor="middle" '
            f'fill="{_INK}">{escape(lock.name)}</text></g>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _marker(name: str, colour: str) -> str:
    shape = 'viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"'
    return f'<marker id="{name}" {shape}><path d="M0,0 L10,5 L0,10 z" fill="{colour}"/></marker>'


def _svg_arrow(arrow: _Arrow, boxes: dict[str, tuple[float, float, float]]) -> str:
    x1, y1, w1 = boxes[arrow.source]
    x2, y2, w2 = boxes[arrow.target]
    colour, marker = (_RED, "red") if arrow.cyclic else (_FAINT, "plain")
    if arrow.source == arrow.target:
        right = x1 + w1
        path = f"M{right:.1f},{y1 + 8:.1f} C{right + 30:.1f},{y1:.1f} {right + 30:.1f},"
        path += f"{y1 + _BOX_HEIGHT:.1f} {right + 2:.1f},{y1 + _BOX_HEIGHT - 8:.1f}"
    else:
        down = y2 > y1
        sx, tx = x1 + w1 / 2, x2 + w2 / 2
        sy, ty = (y1 + _BOX_HEIGHT, y2) if down else (y1, y2 + _BOX_HEIGHT)
        if y1 == y2:
            sy = ty = y1
        bend = (ty - sy) / 2 if y1 != y2 else -28
        side = 0.35 * (tx - sx) if abs(ty - sy) > 2 * _GAP_Y + _BOX_HEIGHT else 0
        path = f"M{sx:.1f},{sy:.1f} C{sx + side:.1f},{sy + bend:.1f} "
        path += f"{tx - side:.1f},{ty - bend if y1 != y2 else ty - 28:.1f} {tx:.1f},{ty:.1f}"
    dash = ' stroke-dasharray="5 4"' if arrow.wait else ""
    text = escape(f"{arrow.source} -> {arrow.target} ({arrow.label})")
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3"{dash} '
        f'marker-end="url(#{marker})"><title>{text}</title></path>'
    )


def _rows(graph: LockGraph, arrows: list[_Arrow]) -> list[list[str]]:
    """Put each class below all that are held around it; arrows that close a cycle go up."""
    follows: dict[str, set[str]] = defaultdict(set)
    for arrow in arrows:
        if arrow.source != arrow.target:
            follows[arrow.source].add(arrow.target)
    order = _without_back_arrows([lock.name for lock in graph.classes()], follows)
    level: dict[str, int] = dict.fromkeys(order, 0)
    for place, name in enumerate(order):
        for target in follows[name]:
            if order.index(target) > place:
                level[target] = max(level[target], level[name] + 1)
    rows: list[list[str]] = [[] for _ in range(max(level.values(), default=0) + 1)]
    for name in order:
        rows[level[name]].append(name)
    return rows


def _without_back_arrows(names: list[str], follows: dict[str, set[str]]) -> list[str]:
    """Return the names so that, cycles apart, each comes before those it leads to."""
    done: list[str] = []
    visited: set[str] = set()
    for root in names:
        if root in visited:
            continue
        visited.add(root)
        stack = [(root, iter(sorted(follows[root])))]
        while stack:
            name, targets = stack[-1]
            target = next((t for t in targets if t not in visited), None)
            if target is None:
                done.append(name)
                stack.pop()
            else:
                visited.add(target)
                stack.append((target, iter(sorted(follows[target]))))
    return done[::-1]


def _places(
    rows: list[list[str]],
) -> tuple[dict[str, tuple[float, float, float]], float, float]:
    widths = {name: max(60.0, len(name) * _CHAR + 18) for row in rows for name in row}
    lengths = [sum(widths[n] for n in row) + _GAP_X * max(len(row) - 1, 0) for row in rows]
    total = max([*lengths, 120.0])
    boxes: dict[str, tuple[float, float, float]] = {}
    for number, row in enumerate(rows):
        x = _MARGIN + (total - lengths[number]) / 2
        for name in row:
            boxes[name] = (x, _MARGIN + number * (_BOX_HEIGHT + _GAP_Y), widths[name])
            x += widths[name] + _GAP_X
    height = 2 * _MARGIN + len(rows) * _BOX_HEIGHT + max(len(rows) - 1, 0) * _GAP_Y
    return boxes, total + 2 * _MARGIN + 30, height
