"""A report as text, in the manner of lockdep's: the chain, then the contexts side by side.

Why so: people who will read it have read lockdep reports.  Nothing is wider than 100 columns, so
that it survives being quoted in a mail.  Edges are shown as chains (each class was held while all
that follow were taken), because a list of pairs hides what a path does.
"""

import textwrap
from collections.abc import Sequence
from itertools import pairwise

from powercut.checkers.locks.compare import Comparison, Difference
from powercut.checkers.locks.csource.analyse import SourceReport
from powercut.checkers.locks.csource.difference import ADDED, MOVED, REMOVED, Change
from powercut.checkers.locks.cycles import Cycle
from powercut.checkers.locks.documented import ACCEPTED, CONTRADICTS, OPPOSITE, Contradiction
from powercut.checkers.locks.graph import CONTEXTS, Edge, LockGraph, Seen, Where
from powercut.checkers.locks.lockdep import RealGraph
from powercut.checkers.locks.report import Report

WIDTH = 100
MAX_CHAINS = 24
MAX_LISTED = 40
_MARKS = {"read": " (r)", "write": "", "recursive_read": " (rr)"}


def render_text(report: Report) -> str:
    """Return the report as text that ends with a newline."""
    lines: list[str] = [report.title, ""]
    if report.source:
        lines += _size_of(report.source)
    if not (report.source and report.source.tree):
        lines += _order(report.graph)
    if report.source:
        lines += _changes(report.source)
    for number, found in enumerate(report.contradictions, 1):
        lines += ["", *_contradiction(number, found)]
    for cycle in report.cycles:
        lines += ["", *render_cycle(cycle)]
    if report.source:
        lines += _mistakes(report.source)
    if report.real:
        lines += _invisible(report.real)
    if report.comparison:
        lines += _comparison(report.comparison, report.compared_with)
    if report.source:
        lines += _not_seen(report.source)
    for note in report.notes:
        lines += ["", *_wrapped(note, "")]
    lines += ["", *_wrapped(_last_line(report), "")]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def chains(graph: LockGraph, context: str) -> list[tuple[Seen, ...]]:
    """Return the longest chains of a context: every class was held while all after it were taken.

    A chain is given by the edges between neighbours.  What is waited for ends it.
    """
    follows: dict[str, dict[str, Seen]] = {}
    for seen in graph.seen():
        edge = seen.edge
        if edge.context == context and edge.source != edge.target:
            follows.setdefault(edge.source, {}).setdefault(edge.target, seen)
    found: list[tuple[str, ...]] = []

    def extend(path: tuple[str, ...]) -> None:
        if len(found) >= 20 * MAX_CHAINS:
            return
        onward = follows.get(path[-1], {})
        ends = len(path) > 1 and follows[path[-2]][path[-1]].edge.kind == "wait"
        nexts = (
            []
            if ends
            else [
                name
                for name in sorted(onward)
                if name not in path and all(name in follows.get(held, {}) for held in path)
            ]
        )
        for name in nexts:
            extend((*path, name))
        if not nexts and len(path) > 1:
            found.append(path)

    for name in sorted(follows):
        extend((name,))
    kept = [p for p in found if not any(p != q and _within(p, q) for q in found)]
    ordered = sorted(dict.fromkeys(kept), key=lambda path: (-len(path), path))[:MAX_CHAINS]
    return [tuple(follows[one][two] for one, two in pairwise(path)) for path in ordered]


def _within(short: Sequence[str], long: Sequence[str]) -> bool:
    places = iter(long)
    return all(name in places for name in short)


def render_cycle(cycle: Cycle) -> list[str]:
    """Return a cycle: the chain, then one column for each context that takes part."""
    word = cycle.verdict.upper() if cycle.verdict == "reachable" else cycle.verdict
    lines = [f"possible circular waiting, {word}:"]
    lines += _wrapped(" -> ".join([*cycle.classes, cycle.classes[0]]), "    ")
    if cycle.guard:
        lines += _wrapped(f"guarded: {cycle.guard}", "    ")
    for note in cycle.notes:
        lines += _wrapped(note, "    ")
    lines += ["", *side_by_side([_column(step.edge, step.where) for step in cycle.steps])]
    if cycle.trace is not None:
        from powercut.checkers.run.replay import placed
        from powercut.checkers.traces.ladder import render_list

        schedule = render_list(cycle.trace, placed(cycle.trace))
        lines += ["", "a schedule that deadlocks:", *schedule.splitlines()]
    return lines


def side_by_side(columns: Sequence[Sequence[str]]) -> list[str]:
    """Return columns of lines next to each other, at most three in a row of columns."""
    lines: list[str] = []
    for start in range(0, len(columns), 3):
        group = columns[start : start + 3]
        width = (WIDTH - 4 - 3 * (len(group) - 1)) // len(group)
        cells = [[part for text in column for part in _cell(text, width)] for column in group]
        height = max(map(len, cells))
        for row in range(height):
            texts = [cell[row] if row < len(cell) else "" for cell in cells]
            lines.append("    " + " | ".join(f"{text:{width}}" for text in texts))
        lines.append("")
    return lines[:-1]


def _cell(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False) or [""]


def _column(edge: Edge, where: Sequence[Where]) -> list[str]:
    lines = [f"[{edge.context}]"]
    lines += [f"{'  ' * min(depth, 4)}{name}()" for depth, name in enumerate(edge.chain[-5:])]
    lines.append(f"holds {edge.source}{_MARKS[edge.held_mode]}")
    verb = "waits for" if edge.kind == "wait" else "wants"
    lines.append(f"{verb} {edge.target}{_MARKS[edge.mode]}")
    return lines + [f"at {place.file}:{place.line}" for place in where[:1]]


def _size_of(source: SourceReport) -> list[str]:
    plural = "file" if source.files == 1 else "files"
    lines = [f"with the tree {source.tree}"] if source.tree else []
    for number, subject in enumerate(source.subjects, 1):
        lines += _wrapped(f"patch {number}: {subject}", "")
    return [
        *lines,
        f"{source.files} {plural}, {source.functions} functions, {source.lines:,} lines",
        "",
    ]


def _order(graph: LockGraph) -> list[str]:
    lines: list[str] = []
    if not len(graph):
        return ["no lock is taken while another is held"]
    for context in CONTEXTS:
        found = chains(graph, context)
        if found:
            lines += [f"order in {context} context (each held while what follows is taken):"]
            for chain in found:
                lines += _chain(chain)
            lines.append("")
    return lines[:-1]


def _chain(chain: tuple[Seen, ...]) -> list[str]:
    first = chain[0].edge
    words = [first.source + _MARKS[first.held_mode]]
    for seen in chain:
        edge = seen.edge
        words.append(
            f"wait({edge.target})"
            if edge.kind == "wait"
            else f"try({edge.target})"
            if edge.trylock
            else edge.target + _MARKS[edge.mode]
        )
    lines = _wrapped(" -> ".join(words), "  ")
    for seen in chain:
        if seen.where:
            arrow = f"{seen.edge.source} -> {seen.edge.target}"
            lines.append(_placed(f"      {arrow}", 46, seen.where[0]))
    return lines


def _changes(source: SourceReport) -> list[str]:
    if source.before is None:
        return []
    lines: list[str] = []
    known = [change for change in source.changes if not change.helpers]
    for kind, word in ((ADDED, "adds"), (MOVED, "moves"), (REMOVED, "removes")):
        found = [change for change in known if change.kind == kind]
        if found or kind != MOVED:
            end = ":" if found else ""
            lines += ["", f"the patch {word} {_count(len(found), 'order')}{end}"]
            lines += _each_change(found)
    open_ones = [change for change in source.changes if change.helpers]
    if open_ones:
        lines += ["", f"not known, {_count(len(open_ones), 'order')} that a helper may hide:"]
        lines += _each_change(open_ones)
    return lines


def _each_change(changes: list[Change]) -> list[str]:
    lines: list[str] = []
    for change in changes[:MAX_LISTED]:
        pair = f"{change.edge.source} -> {change.edge.target} [{change.edge.context}]"
        lines.append(_placed(f"  {pair}", 46, change.edge.where))
        for word, edge in (("before", change.before), ("after", change.after)):
            if edge is not None and (len(edge.chain) > 1 or change.kind == MOVED):
                lines += _wrapped(f"{word}: {_path(edge)}", "      ")
        if change.elsewhere is not None:
            lines += _wrapped(f"also, unchanged: {_path(change.elsewhere)}", "      ")
        if change.helpers:
            side = "before" if change.kind == ADDED else "after"
            lines += _wrapped(f"{side}: perhaps in {', '.join(change.helpers)}", "      ")
    if len(changes) > MAX_LISTED:
        lines.append(f"  and {len(changes) - MAX_LISTED} more")
    return lines


def _path(edge: Edge) -> str:
    place = f" at {edge.where.file}:{edge.where.line}" if edge.where else ""
    return f"{' > '.join(edge.chain)}{place}"


def _contradiction(number: int, found: Contradiction) -> list[str]:
    head = {
        CONTRADICTS: "contradicts a documented order",
        OPPOSITE: "opposite to the order for other inodes",
        ACCEPTED: "against a documented order, and right",
    }.get(found.kind, "taken in both orders")
    lines = [f"{number}. {found.edge.source} -> {found.edge.target}: {head}"]
    if found.order:
        chain = [f"{'  ' * depth}{name}" for depth, name in enumerate(found.order.chain)]
        theirs = [f"[documented: {found.order.path}]", found.order.source, *chain]
    elif found.other:
        theirs = _column(found.other.edge, found.other.where)
    else:
        theirs = []
    lines += side_by_side([_column(found.edge, found.where), theirs])
    if found.allowed_by:
        text = f"documented for these inodes: {found.allowed_by.path} ({found.allowed_by})"
        lines += _wrapped(text, "    ")
    if found.reason:
        lines += _wrapped(found.reason, "    ")
    return lines


def _mistakes(source: SourceReport) -> list[str]:
    lines: list[str] = []
    for mistake in source.mistakes:
        before = " (was there before the patch)" if mistake in source.old_mistakes else ""
        lines += ["", *_wrapped(f"{mistake.what}{before}: {mistake.message}", "")]
        lines.append(_cut(f"    at {mistake.where.file}:{mistake.where.line}"))
        if len(mistake.chain) > 1:
            lines += _wrapped(" > ".join(mistake.chain), "    ")
        for step in mistake.steps:
            lines += _wrapped(step, "      ")
    for mistake in source.fixed:
        lines += ["", *_wrapped(f"mended by the patch: {mistake.message}", "")]
    return lines


def _invisible(real: RealGraph) -> list[str]:
    text = ", ".join(lock.name for lock in real.invisible)
    lines = ["", *_wrapped(f"lockdep cannot see: {text}", "")]
    if real.never_seen:
        lines += _wrapped(f"never taken in this run: {', '.join(real.never_seen)}", "")
    return [*lines, f"{real.foreign} classes of other subsystems were left out"]


def _comparison(comparison: Comparison, other: str) -> list[str]:
    lines = ["", f"compared with {other}: {_count(comparison.agreed, 'edge')} in both"]
    lines += _wrapped(f"classes: {', '.join(comparison.compared)}", "  ")
    for word, found in (
        ("not in the model", comparison.missing),
        ("only in the model", comparison.extra),
    ):
        for difference in found:
            lines += _difference(word, difference)
    if comparison.not_compared:
        lines += _wrapped(f"not compared: {', '.join(comparison.not_compared)}", "  ")
    return lines


def _difference(word: str, found: Difference) -> list[str]:
    state = f"explained: {found.reason}" if found.explained else "UNEXPLAINED"
    lines = _wrapped(f"{word}: {found.source} -> {found.target}, {state}", "  ")
    return lines + [_cut(f"      {where}") for where in found.seen.where[:2]]


def _not_seen(source: SourceReport) -> list[str]:
    lines: list[str] = []
    if source.not_seen:
        lines += ["", "not seen, or not in full:"]
        for text in source.not_seen[:MAX_LISTED]:
            lines += _wrapped(text, "  ")
        if len(source.not_seen) > MAX_LISTED:
            lines.append(f"  and {len(source.not_seen) - MAX_LISTED} more")
    if source.open_places:
        lines += ["", "so nothing can be said to hold:"]
        for text in source.open_places[:MAX_LISTED]:
            lines += _wrapped(text, "  ")
        if not source.tree:
            lines += _wrapped("--tree LINUX shows whole functions with their callers", "  ")
    if source.unknown_calls:
        shown = source.unknown_calls[:MAX_LISTED]
        more = len(source.unknown_calls) - len(shown)
        text = ", ".join(shown) + (f" and {more} more" if more else "")
        lines += ["", *_wrapped(f"functions outside, taken for ones without locks: {text}", "")]
    return lines


def _last_line(report: Report) -> str:
    verdict = report.verdict.upper() if report.verdict == "violated" else report.verdict
    parts = [
        f"{_count(len(report.graph.classes()), 'class', 'classes')}",
        f"{_count(len(report.graph.pairs(blocking=False)), 'edge')}",
        f"{_count(len(report.cycles), 'cycle')}",
        f"{_count(len(report.contradictions), 'contradiction')}",
    ]
    if report.source:
        parts.append(_count(len(report.source.mistakes), "mistake"))
    if report.comparison:
        parts.append(_count(len(report.comparison.unexplained), "unexplained difference"))
    return f"{', '.join(parts)}: {verdict}"


def _placed(text: str, column: int, place: Where | None) -> str:
    """Return the text with a place in its column, the folder left out if it does not fit."""
    if place is None:
        return text
    line = f"{text:{column}}  {place.function} {place.file}:{place.line}"
    if len(line) > WIDTH:
        line = f"{text:{column}}  {place.function} {place.file.rpartition('/')[2]}:{place.line}"
    return _cut(line)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number or 'no'} {one if number == 1 else many or one + 's'}"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
    ) or [indent]


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
