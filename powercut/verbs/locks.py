"""``powercut locks``: the order in which locks are taken and waits entered.

Why so: a graph comes from one of three places (C source, a running kernel, the model) and whatever
is said about it afterwards is the same, so the places differ only in how the report is begun.
Pictures are written before anything is printed: a file that cannot be written is bad input, and
then nothing else is on standard output.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from powercut.errors import InputError, exit_code_of
from powercut.inputs.files import write_whole
from powercut.inputs.names import pick
from powercut.verbs.options import LocksOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from powercut.checkers.locks.graph import LockGraph
    from powercut.checkers.locks.report import Report


def run(path: Path | None, options: LocksOptions) -> int:
    """Make the report that ``options`` ask for, print it and return the exit code."""
    from powercut.checkers.locks.render import render_text

    if path and options.lockdep:
        raise InputError("locks: give a path or --lockdep, not both")
    if options.design is not None:
        from powercut.model.designs import DESIGNS

        pick("--design", options.design, DESIGNS)
    report = _report(path, options)
    code = exit_code_of(report.verdict)
    _draw(options, report)
    if options.json:
        from powercut.documents.document import print_document
        from powercut.documents.locks import locks_document

        print_document(locks_document(report, code))
    else:
        sys.stdout.write(render_text(report))
    return code


def model_graph(design: str) -> "LockGraph":
    """Return the graph of a design, complete for the scopes about locks."""
    from powercut.checkers.locks.model_cycles import lock_scopes
    from powercut.checkers.locks.model_edges import edges_of
    from powercut.model.designs import DESIGNS

    return edges_of(DESIGNS[design], lock_scopes())


def design_report(design: str) -> "Report":
    """Return the report on a design, with a verdict for every cycle."""
    from powercut.checkers.locks.model_cycles import decide, lock_scopes
    from powercut.checkers.locks.report import report_on
    from powercut.model.designs import DESIGNS

    decided = decide(DESIGNS[design], lock_scopes())
    report = report_on(f"locks of the design {design}", decided.graph)
    report.cycles, report.decided = decided.cycles, decided.verdict
    explored = decided.explorations
    states = sum(each.outcome.states for each in explored)
    whole = "all explored whole" if all(each.exhaustive for each in explored) else "some cut short"
    report.notes.append(f"{len(explored)} scopes, {states:,} states, {whole}")
    report.notes += [f"scope {name}: a deadlock without a circle" for name in decided.unexplained]
    return report


def _report(path: Path | None, options: LocksOptions) -> "Report":
    if path is not None:
        return _source_report(path, options.design)
    if options.lockdep is not None:
        return _lockdep_report(options.lockdep, options.design)
    if options.design is None:
        raise InputError("locks: nothing to look at", "give a path, --lockdep or --design")
    return design_report(options.design)


def _source_report(path: Path, design: str | None) -> "Report":
    from powercut.checkers.locks.csource.analyse import analyse_path
    from powercut.checkers.locks.report import report_on

    source = analyse_path(path)
    report = report_on(f"locks of the {source.kind} {source.name}", source.graph)
    report.source = source
    if design is not None:
        from powercut.checkers.locks.compare import compare

        report.comparison = compare(model_graph(design), source.graph)
        report.compared_with = f"the design {design}"
    return report


def _lockdep_report(folder: Path, design: str | None) -> "Report":
    from powercut.checkers.locks.lockdep import name_map, read_lockdep
    from powercut.checkers.locks.report import report_on

    real = read_lockdep(folder)
    report = report_on(f"locks that the kernel of {folder} took", real.graph)
    report.real = real
    if design is not None:
        from powercut.checkers.locks.compare import compare

        report.comparison = compare(model_graph(design), real.graph, name_map())
        report.compared_with = f"the design {design}"
    return report


def _draw(options: LocksOptions, report: "Report") -> None:
    from powercut.checkers.locks.pictures import render_dot, render_mermaid, render_svg

    wanted: tuple[tuple[Path | None, Callable[..., str]], ...] = (
        (options.dot, render_dot),
        (options.mermaid, render_mermaid),
        (options.svg, render_svg),
    )
    drawn = [(path, draw(report.graph, report.cycles)) for path, draw in wanted if path]
    for path, text in drawn:
        write_whole(path, text.encode("utf-8"))
