"""Does anybody notice a mistake?  Runs that execute it, the cheapest first, until one does.

A run notices if it violates a property that the unmutated run of the same design and scope does not
violate.  What was violated before is not looked at again: a mistake behind a known violation
survives, and the report says so.  What notices is replayed by the native model with the one patch,
which knows nothing of the program that many mistakes share.
"""

import ast
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from types import FrameType
from typing import Literal

from powercut.checkers.engine.c_library import CannotCompile, NoCompiler
from powercut.checkers.engine.errors import (
    DeclarationError,
    EngineError,
    LanguageError,
    RangeError,
)
from powercut.checkers.engine.search.engines import PYTHON, C
from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.mistakes.batch import Batch
from powercut.checkers.mistakes.coverage import Seen
from powercut.checkers.mistakes.generate import Mistake
from powercut.checkers.mistakes.source import kernel_files
from powercut.checkers.run.mount import build_asked
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import replay_as
from powercut.checkers.run.result import RunResult, Violation
from powercut.checkers.run.runner import run_scope
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces.errors import TraceMismatch
from powercut.checkers.weave.errors import PatchError
from powercut.model.designs import DESIGNS
from powercut.model.scope import Scope
from powercut.properties.catalog import PROPERTIES

Status = Literal["caught", "survived", "not executed", "not translated", "failed"]
"""``failed`` is a bug of powercut: searches that do not agree, or a violation without a replay."""

_MORE_STATES = 4
_SOME_STATES = 20_000
"""A mistake may make this many times the states, and some, before a run is cut short."""
_RUN_S = 20.0
_FEW_STATES = 1_000
"""What Python explores for a whole batch in less time than a compiler needs for it."""


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """Interrupt the search after so much processor time: a step may loop for ever."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one mistake fared: who noticed, in which run, and what it cost.

    ``runs`` is how many runs executed it and were asked, ``cut`` those that a limit ended, and
    ``hidden`` the properties that were violated already wherever it was executed.  Runs of more
    than ``most_states`` states (of the unmutated model; 0: no limit) were not asked.
    """

    name: str
    status: Status
    prop: str = ""
    design: str = ""
    scope: str = ""
    steps: int = 0
    runs: int = 0
    states: int = 0
    seconds: float = 0.0
    cut: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    detail: str = ""
    most_states: int = 0

    def is_enough(self, most_states: int) -> bool:
        """Tell whether nothing more would be known after asking runs up to ``most_states``."""
        if self.status not in ("survived", "not executed") or not self.most_states:
            return True
        return 0 < most_states <= self.most_states


@dataclass(frozen=True, slots=True)
class Judge:
    """The runs of the unmutated model, in the order in which they are asked.

    ``scope_of`` gives the scope behind a name.  Runs of designs that are not ``first`` are asked
    only where a mistake is theirs: no other run executes it, or its function asks for the design.
    """

    seen: Sequence[Seen]
    scope_of: Callable[[str], Scope]
    first: frozenset[str]
    most_states: int = 0
    limits: Limits = field(default_factory=Limits)

    def runs_of(self, mistake: Mistake) -> list[Seen]:
        """Return the runs that are to judge ``mistake``: all of them execute it."""
        lines = {(mistake.file, line) for line in mistake.lines}
        runs = [seen for seen in self.seen if not lines.isdisjoint(seen.lines)]
        if self.most_states:
            runs = [seen for seen in runs if seen.states <= self.most_states]
        first = [seen for seen in runs if seen.design in self.first]
        return first if first and mistake.function not in _asking() else runs

    def judge(self, batch: Batch, number: int) -> Judgement:
        """Return how mistake ``number`` (from 1) of ``batch`` fares in the runs that execute it.

        Raises :class:`NoCompiler` and :class:`CannotCompile`, which say nothing of a mistake.
        """
        return self.judge_in(self.runs_of(batch.mistakes[number - 1]), batch, number)

    def judge_in(self, runs_asked: Sequence[Seen], batch: Batch, number: int) -> Judgement:
        """Return how mistake ``number`` of ``batch`` fares in these runs."""
        mistake = batch.mistakes[number - 1]
        began, states, runs = time.process_time(), 0, 0
        cut: list[str] = []
        hidden: set[str] = set()
        for seen in runs_asked:
            try:
                with _ended_after(_RUN_S):
                    result = run_scope(self._question(batch, number, seen))
            except (NoCompiler, CannotCompile):
                raise
            except EngineError as error:
                return _failed(mistake, f"{seen.design} {seen.scope}: {error}")
            states, runs = states + result.states, runs + 1
            hidden.update(set(seen.violated) & {v.prop for v in result.violations})
            new = [v for v in result.violations if v.prop not in seen.violated]
            if new:
                prop, why_not = _confirm(result, new[0])
                if why_not:
                    return _failed(mistake, why_not)
                return Judgement(
                    mistake.name,
                    "caught",
                    prop,
                    seen.design,
                    seen.scope,
                    new[0].steps,
                    runs,
                    states,
                    round(time.process_time() - began, 3),
                    tuple(cut),
                )
            if not result.exhaustive:
                cut.append(f"{seen.design} {seen.scope}: {result.stopped}")
        return Judgement(
            mistake.name,
            "survived" if runs else "not executed",
            runs=runs,
            states=states,
            seconds=round(time.process_time() - began, 3),
            cut=tuple(cut),
            hidden=tuple(sorted(hidden)),
            most_states=self.most_states,
        )

    def _question(self, batch: Batch, number: int, seen: Seen) -> Question:
        limits = replace(
            self.limits,
            max_states=seen.states * _MORE_STATES + _SOME_STATES,
            time_limit_s=_RUN_S,
        )
        return Question(
            DESIGNS[seen.design],
            self.scope_of(seen.scope),
            batch.mutant(number),
            limits=limits,
            engine=PYTHON if 0 < self.most_states <= _FEW_STATES else C,
            known=frozenset(seen.violated) | _ADVISORY,
            variants=batch,
        )


_ADVISORY = frozenset(name for name, prop in PROPERTIES.items() if prop.advisory)


OUT_OF_RANGE = "range"
"""What notices where a compiled step writes outside its array: the native model refuses to."""


def _confirm(result: RunResult, violation: Violation) -> tuple[str, str]:
    """Replay ``violation`` natively; return who noticed, and why it does not replay, if so."""
    question = result.question
    try:
        trace = make_trace(question, violation.prop, violation.epochs, violation.detail or "-")
        outcome = replay_as(question, trace, question.slug)
    except TraceMismatch as error:
        if RangeError.__name__ in error.message:
            return OUT_OF_RANGE, ""
        return "", f"{question.title}: {violation.prop}: {error}"
    if not outcome.reproduced:
        return "", f"{question.title}: {violation.prop} does not replay: {outcome.detail}"
    return violation.prop, ""


def _failed(mistake: Mistake, why: str) -> Judgement:
    return Judgement(mistake.name, "failed", detail=why)


_SWITCHES = frozenset(
    {"eof_rule", "revision", "orders_iomap", "submits_first", "iomap_inodes", "buffered_iomap"}
)


@cache
def _asking() -> frozenset[str]:
    """Return the functions that ask which design runs."""
    return frozenset(
        node.name
        for file in kernel_files()
        for node in file.functions()
        if any(isinstance(n, ast.Attribute) and n.attr in _SWITCHES for n in ast.walk(node))
    )


def translatable(
    mistakes: Sequence[Mistake], scope: Scope
) -> Iterator[tuple[Batch | None, Mistake, str]]:
    """Yield batches that can be built, as (batch, its first, ""), and what cannot, with the reason.

    A batch that cannot is halved until the mistake stands alone: it is outside the language then,
    or breaks an invariant of the model's text.
    """
    batch = Batch(tuple(mistakes))
    try:
        build_asked(Question(DESIGNS["seed"], scope, variants=batch), 0)
    except (LanguageError, DeclarationError, PatchError, RecursionError) as error:
        if len(mistakes) == 1:
            yield None, mistakes[0], str(error)
            return
        half = len(mistakes) // 2
        yield from translatable(mistakes[:half], scope)
        yield from translatable(mistakes[half:], scope)
        return
    yield batch, mistakes[0], ""


def order(seen: Sequence[Seen], designs: Sequence[str]) -> list[Seen]:
    """Return the runs of ``designs``: those of the first two first, each part by its cost."""
    rank = {name: max(0, at - 1) for at, name in enumerate(designs)}
    kept = [each for each in seen if each.design in rank and each.exhaustive]
    return sorted(kept, key=lambda each: (rank[each.design], each.states))
