"""``powercut explore``: which walk is meant, and where its commands come from."""

import sys
from pathlib import Path

from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import subject_of
from powercut.checkers.traces.codec import load_trace
from powercut.checkers.workload.shipped import SCOPES
from powercut.errors import InputError
from powercut.explore.session import Session
from powercut.explore.shell import interactive, script_lines, scripted, stdin_lines
from powercut.inputs.names import pick
from powercut.inputs.patches import check_language, read_patches
from powercut.inputs.scopes import read_workload
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.scope import Scope
from powercut.verbs.options import ExploreOptions


def run(trace: Path | None, options: ExploreOptions) -> int:
    """Run the explorer and return the exit code."""
    session = _chosen(options) if trace is None else _from_trace(trace, options)
    if options.script is None and sys.stdin.isatty() and not options.json:
        return interactive(session)
    name = "standard input" if options.script is None else str(options.script)
    lines = stdin_lines() if options.script is None else script_lines(options.script)
    return scripted(session, name, lines, options.json)


def _chosen(options: ExploreOptions) -> Session:
    question = Question(
        pick("--design", options.design or "seed", DESIGNS),
        _chosen_scope(options.scope, options.workload),
        None if options.mutant is None else pick("--mutant", options.mutant, MUTANTS),
        patches=read_patches(options.patches or ()),
    )
    if question.patches:
        check_language(question)
    return Session(question)


def _from_trace(path: Path, options: ExploreOptions) -> Session:
    given = {
        "design": options.design,
        "scope": options.scope,
        "workload": options.workload,
        "mutant": options.mutant,
        "patch": options.patches,
    }
    for name, value in given.items():
        if value is not None:
            raise InputError(f"--{name}: a trace brings its own", "give one or the other")
    trace = load_trace(path)
    return Session(subject_of(trace, str(path)), trace)


def _chosen_scope(scope: str | None, workload: Path | None) -> Scope:
    if (scope is None) == (workload is None):
        raise InputError(
            "explore: give a trace, --scope or --workload", '"powercut list" shows scopes'
        )
    return (
        pick("--scope", scope, SCOPES) if scope is not None else read_workload(workload or Path())
    )
