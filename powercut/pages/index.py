"""The index of a run of ``check``: what breaks, worst first, and a page for the shortest of each.

Why so: equal violations are one line, as in the text report, and one page: two hundred pages of the
same race help nobody, and each costs a replay of every point.
Rejected: a script (there is nothing to look up here).
"""

import html
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from powercut.checkers.run.result import HOLDS, VIOLATED
from powercut.checkers.traces.codec import load_trace
from powercut.documents.check import RunReport, overall, summary_of
from powercut.documents.check_brief import Group, grouped
from powercut.inputs.files import write_whole
from powercut.pages.trace_page import page_of
from powercut.properties.catalog import PROPERTIES

INDEX = "index.html"


def write_pages(folder: Path, runs: Sequence[RunReport]) -> Path:
    """Write a page for the shortest run of each group, and the index; return where that is.

    ``runs`` have their traces saved.  Raises :class:`~powercut.errors.InputError` where ``folder``
    cannot be written.
    """
    links: list[tuple[Group, str]] = []
    for group in grouped(runs):
        run, violation = group.shortest
        saved = run.traces.get(violation.prop)
        if saved is None:
            links.append((group, ""))
            continue
        name = Path(saved).name.removesuffix(".trace.json") + ".html"
        write_whole(folder / name, page_of(load_trace(Path(saved)), saved).encode())
        links.append((group, name))
    index = folder / INDEX
    write_whole(index, "\n".join(_index(runs, links)).encode())
    return index


def _index(runs: Sequence[RunReport], links: Sequence[tuple[Group, str]]) -> Iterator[str]:
    style = (files("powercut.pages") / "page.css").read_text(encoding="utf-8")
    designs = list(dict.fromkeys(run.result.design for run in runs))
    states = sum(run.result.states for run in runs)
    cut = sum(not run.result.exhaustive for run in runs)
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f"<title>powercut check</title><style>{style}</style></head><body class=index><header>"
    yield "<h1>powercut check</h1>"
    bound = f"{cut} of them cut short" if cut else "all exhausted"
    yield f"<p>{len(runs)} runs, {states:,} states, {bound}</p></header>"
    yield "<h2>property × design</h2><table><tr><th></th>"
    yield from (f"<th>{html.escape(design)}</th>" for design in designs)
    yield "</tr>"
    for name in PROPERTIES:
        yield f"<tr><td title='{html.escape(PROPERTIES[name].statement, quote=True)}'>{name}</td>"
        yield from (_cell(runs, name, design) for design in designs)
        yield "</tr>"
    yield "</table><h2>what breaks, worst first</h2><table>"
    yield "<tr><th>property</th><th>finding</th><th>runs</th><th>steps</th><th>shortest</th></tr>"
    for group, name in links:
        yield _row(group, name)
    yield "</table></body></html>"


def _cell(runs: Sequence[RunReport], prop: str, design: str) -> str:
    results = [run.result for run in runs if run.result.design == design]
    verdict = overall([result.verdict_of(prop) for result in results])
    if verdict != VIOLATED:
        return f"<td class='{'' if verdict == HOLDS else 'warn'}'>{verdict}</td>"
    steps = min(
        violation.steps
        for result in results
        for violation in (*result.violations, *result.observations)
        if violation.prop == prop
    )
    return f"<td class=badword>{steps} steps</td>"


def _row(group: Group, name: str) -> str:
    run, violation = group.shortest
    place = html.escape(f"{run.result.design}, {run.result.scope}: {summary_of(violation)}")
    link = f"<a href='{html.escape(name, quote=True)}'>{place}</a>" if name else place
    finding = html.escape(group.finding) if group.finding else "<b class=badword>new</b>"
    return (
        f"<tr><td>{group.prop}</td><td>{finding}</td><td>{len(group.found)}</td>"
        f"<td>{violation.steps}</td><td>{link}</td></tr>"
    )
