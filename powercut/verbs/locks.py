"""``powercut locks``: the order in which locks are taken and waits entered.

Why so: a graph comes from one of three places (C source, a running kernel, the model) and whatever
is said about it afterwards is the same, so the places differ only in how the report is begun.
Pictures are written before anything is printed: a file that cannot be written is bad input, and
then nothing else is on standard output.
"""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from powercut.errors import InputError, exit_code_of
from powercut.inputs.files import write_whole
from powercut.inputs.names import pick
from powercut.verbs.options import LocksOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from powercut.checkers.locks.csource.analyse import SourceReport
    from powercut.checkers.locks.csource.program import Progress
    from powercut.checkers.locks.graph import LockGraph
    from powercut.checkers.locks.report import Report

_SHOWN_EACH = 25
"""Functions between two sights of the progress line."""


def run(path: Path | None, options: LocksOptions) -> int:
    """Make the report that ``options`` ask for, print it and return the exit code."""
    from powercut.checkers.locks.render import render_text

    if path and options.lockdep:
        raise InputError("locks: give a path or --lockdep, not both")
    if options.rev is not None and options.tree is None:
        raise InputError("locks: --rev is a revision of a tree", "give --tree too")
    if options.tree is not None and path is None:
        raise InputError("locks: --tree is what a patch is applied to", "give the patch too")
    if options.design is not None:
        from powercut.model.designs import DESIGNS

        pick("--design", options.design, DESIGNS)
    if options.report is not None:
        return _kernel_report(path, options)
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


def _kernel_report(path: Path | None, options: LocksOptions) -> int:
    """Print what a kernel's report says and return the exit code."""
    from powercut.checkers.locks.diagnosis import read_report, render_report, verdict_of

    others = (path, options.lockdep, options.design, options.tree, options.dot, options.mermaid)
    if any(other is not None for other in (*others, options.svg)):
        raise InputError("locks: --report is read alone", "leave the rest out")
    assert options.report is not None
    found = read_report(options.report)
    verdict = verdict_of(found)
    code = exit_code_of(verdict)
    if options.json:
        from powercut.documents.document import print_document
        from powercut.documents.locks_report import locks_report_document

        title = f"reports of {options.report}"
        print_document(locks_report_document(title, found, verdict, code))
    else:
        sys.stdout.write(render_report(found))
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
        return _source_report(path, options)
    if options.lockdep is not None:
        return _lockdep_report(options.lockdep, options.design)
    if options.design is None:
        raise InputError(
            "locks: nothing to look at", "give a path, --report, --lockdep or --design"
        )
    return design_report(options.design)


def _source_report(path: Path, options: LocksOptions) -> "Report":
    from powercut.checkers.locks.report import report_on_source

    source = _source(path, options)
    report = report_on_source(f"locks of the {source.kind} {source.name}", source)
    if options.design is not None:
        from powercut.checkers.locks.compare import compare

        report.comparison = compare(model_graph(options.design), source.graph)
        report.compared_with = f"the design {options.design}"
    return report


def _source(path: Path, options: LocksOptions) -> "SourceReport":
    from powercut.checkers.locks.csource.analyse import analyse_path, given_patches

    if options.tree is None:
        return analyse_path(path)
    from powercut.checkers.locks.csource.index import report_in_tree
    from powercut.checkers.locks.csource.tree import open_tree

    name, patches = given_patches(path)
    with _progress() as progress:
        return report_in_tree(name, patches, open_tree(options.tree, options.rev), progress)


@contextmanager
def _progress() -> "Iterator[Progress | None]":
    """Show how far the first look at a tree is, on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return

    def show(done: int, of: int) -> None:
        if done % _SHOWN_EACH == 0:
            sys.stderr.write(f"\r\x1b[Kfollowing functions of the tree: {done:,} of {of:,}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


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
