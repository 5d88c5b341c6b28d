"""Is every clause of every property there for something?  Each is left out once; who notices?

A clause is a condition of a property, or one of several.  Without it a property says less or more.
What it says is asked of every state and of every power cut that saved runs pass: a clause that
changes no answer there is one that nobody would miss, and the report names it.

Rejected: running all scopes with every clause left out (the states of saved runs answer in seconds,
and a clause that only unsaved runs need is better saved).
"""

import ast
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from powercut.checkers.engine.errors import STEP_ERRORS
from powercut.checkers.mistakes.effects import EffectTable
from powercut.checkers.mistakes.generate import Mistake, made_by
from powercut.checkers.mistakes.operators import OPERATORS, Place
from powercut.checkers.mistakes.source import SourceFile
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import subject_of
from powercut.checkers.traces.format import Trace, disk_of
from powercut.properties import crash, live
from powercut.properties.catalog import STATE_PROPERTIES
from powercut.properties.crash_state import CrashState

KINDS = ("guard", "off-by-one", "and-or", "bound")
"""The operators that leave a clause out or make it another one."""
_MODULES = {"properties/live.py": live, "properties/crash.py": crash}


@dataclass(frozen=True, slots=True)
class _Clauses(Place):
    """A function of a property; what it says of the oracle is its own."""

    def is_oracle(self, node: ast.stmt) -> bool:
        """Tell that nothing here is anybody else's."""
        del node
        return False


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause that is left out or changed: as a mistake, and the text of the file with it."""

    mistake: Mistake
    text: str


@cache
def all_clauses() -> tuple[Clause, ...]:
    """Return every clause, left out or changed, in the order of the text."""
    found: list[Clause] = []
    operators = {kind: OPERATORS[kind] for kind in KINDS}
    for name in _MODULES:
        text = files("powercut.properties").joinpath(name.rpartition("/")[2]).read_text("utf-8")
        file = SourceFile(name, text)
        effects = EffectTable([file])
        for function in file.functions():
            place = _Clauses(file, function, effects)
            for mistake, change in made_by(place, operators):
                found.append(Clause(mistake, file.edited(change.edits)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What saved runs pass: states as declared objects, and what power cuts leave, by trace."""

    states: tuple[tuple[str, Any], ...]
    crashes: tuple[tuple[str, CrashState], ...]


def corpus_of(traces: Iterable[tuple[str, Trace]]) -> Corpus:
    """Return the states of the runs in ``traces`` (name and trace), each different one once."""
    return _corpus((name, *passed) for name, trace in traces for passed in _passed(trace))


def corpus_of_runs(questions: Iterable[Question], most_states: int) -> Corpus:
    """Return the first states of the first mounts of runs, up to ``most_states`` of each."""
    return _corpus((q.title, *passed) for q in questions for passed in _reached(q, most_states))


def _reached(question: Question, most_states: int) -> Iterator[tuple[Mount, bytes]]:
    mount = Mount.of(question, 0)
    seen = {mount.start: None}
    for state in _growing(seen):
        yield mount, state
        for thread in mount.enabled(state) if len(seen) < most_states else ():
            seen.setdefault(mount.step(state, thread))


def _growing(states: Mapping[bytes, None]) -> Iterator[bytes]:
    """Yield the keys of a dictionary that grows meanwhile."""
    at = 0
    while at < len(states):
        for state in list(states)[at:]:
            at += 1
            yield state


def _corpus(passed: Iterable[tuple[str, Mount, bytes]]) -> Corpus:
    states: dict[object, tuple[str, Any]] = {}
    crashes: dict[object, tuple[str, CrashState]] = {}
    for name, mount, state in passed:
        sizes, constants = mount.scope.geometry, mount.system.constants
        variables = mount.system.shared(state)
        key = (sizes, constants, variables)
        states.setdefault(key, (name, mount.view(state)))
        left = state[mount.system.projected]
        if (sizes, left) not in crashes:
            crashes[sizes, left] = (name, mount.crash(state))
    return Corpus(tuple(states.values()), tuple(crashes.values()))


def _passed(trace: Trace) -> Iterator[tuple[Mount, bytes]]:
    question = subject_of(trace)
    for number, epoch in enumerate(trace.epochs):
        mount = Mount.of(question, number, disk_of(epoch.start, question.scope.geometry))
        indexes = {info.name: index for index, info in enumerate(mount.threads)}
        state = mount.start
        yield mount, state
        for step in epoch.steps:
            try:
                state = mount.step(state, indexes[step.thread])
            except STEP_ERRORS:  # the assertion that the trace is about
                break
            yield mount, state


def _names(file: str, text: str) -> Mapping[str, Any]:
    installed = _MODULES[file]
    module = types.ModuleType(installed.__name__)
    module.__file__ = installed.__file__
    exec(compile(text, str(installed.__file__), "exec"), module.__dict__)
    return module.__dict__


def noticed_by(clause: Clause, corpus: Corpus) -> str:
    """Return the trace whose run passes a state where ``clause`` matters; empty if there is none.

    An error counts: a property that cannot be evaluated is noticed by whoever asks.
    """
    names = _names(clause.mistake.file, clause.text)
    if clause.mistake.file == "properties/live.py":
        checks = [(check, names[check.__name__]) for check in STATE_PROPERTIES.values()]
        for trace, root in corpus.states:
            if any(_said(new, root) != _said(old, root) for old, new in checks):
                return trace
        return ""
    for trace, state in corpus.crashes:
        if _said(_findings_by(names), state) != _said(_findings_by(vars(crash)), state):
            return trace
    return ""


def _findings_by(names: Mapping[str, Any]) -> Callable[[CrashState], object]:
    def findings(state: CrashState) -> object:
        return [(f.prop, f.inode, f.cell, f.colour, f.text) for f in names["factored"](state)]

    return findings


def _said(check: Callable[[Any], object], about: Any) -> object:
    try:
        answer = check(about)
    except (AssertionError, IndexError, ValueError, *STEP_ERRORS) as error:
        return type(error).__name__
    return answer if isinstance(answer, list) else bool(answer)
