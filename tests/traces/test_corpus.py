"""Every saved trace still replays, natively, to the verdict in its file, and says why."""

from pathlib import Path

import pytest

from powercut.checkers.explain.diff import follow
from powercut.checkers.explain.why import explain
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import placed, replay, subject_of
from powercut.checkers.traces import (
    encode_trace,
    load_trace,
    render_ladder,
    render_list,
    render_mermaid,
    trace_file_name,
)
from powercut.checkers.traces.codec import scope_of
from powercut.explore.session import CommandError, Session
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.tiers import every
from tests.traces.corpus import CASES, ENDING, FOLDER, names

FILES = sorted(FOLDER.glob(f"*{ENDING}"))
REMEDY = "python -m tests.traces.corpus makes the files again (--missing: only new ones)"


def stem(path: Path) -> str:
    return path.name.removesuffix(ENDING)


@pytest.mark.parametrize("path", FILES, ids=stem)
def test_saved_trace_replays(path: Path) -> None:
    trace = load_trace(path)
    result = replay(trace, path.name)
    assert result.reproduced, f"{result.expected}: {result.detail}"
    assert result.steps == sum(len(epoch.steps) for epoch in trace.epochs)
    assert path.name == trace_file_name(trace)
    assert path.read_bytes() == encode_trace(trace)
    marks = [epoch.why for epoch in trace.epochs if epoch.why is not None]
    places = placed(trace)
    for steps, epoch in zip(places, result.epochs, strict=True):
        assert [(s.file, s.line) for s in steps] == [(s.file, s.line) for s in epoch.steps]
    for text in (render_ladder(trace, result.epochs, marks), render_list(trace, places)):
        assert max(map(len, text.splitlines())) <= 100
    assert render_mermaid(trace, result.epochs, marks).startswith("sequenceDiagram\n")


@pytest.mark.parametrize("path", every(10, FILES), ids=stem)
def test_the_explorer_walks_a_saved_trace(path: Path) -> None:
    trace = load_trace(path)
    session = Session(subject_of(trace), trace)
    for n, epoch in enumerate(trace.epochs):
        for _ in epoch.steps:
            session.next()
        assert session.at == len(epoch.steps)
        if epoch.crash is not None:
            session.next()
        if n + 1 < len(trace.epochs):
            session.next()
    with pytest.raises(CommandError, match="the trace ends here"):
        session.next()
    (verdict,) = (v for v in session.verdicts() if v.prop == trace.property)
    assert not verdict.known or verdict.violated == (trace.verdict == "violated")


@pytest.mark.parametrize(
    "path", every(10, [p for p in FILES if "-holds-in-" not in p.name]), ids=stem
)
def test_saved_violation_says_why(path: Path) -> None:
    trace = load_trace(path)
    assert trace.verdict == "violated"
    assert trace.origin.minimised
    why = explain(trace, waits=False)
    assert [epoch.why for epoch in trace.epochs] == list(why.mounts), REMEDY
    assert why.confirmed, "the needed steps alone show it"
    assert why.mounts[-1].carrying


@pytest.mark.parametrize("path", every(10, [p for p in FILES if "-holds-in-" in p.name]), ids=stem)
def test_saved_counterpart_follows_its_trace(path: Path) -> None:
    """The same schedule: without the mutant, or under a design that prevents the violation."""
    trace = load_trace(path)
    assert trace.verdict == "holds"
    violated = load_trace(FOLDER / f"{trace.origin.counterpart}{ENDING}")
    assert violated.verdict == "violated"
    assert (trace.design, trace.mutant) != (violated.design, violated.mutant)
    question = Question(DESIGNS[trace.design], scope_of(violated))
    assert follow(violated, question, counterpart=trace.origin.counterpart).epochs == trace.epochs


def test_the_corpus_is_complete() -> None:
    """One counterexample a mutant and a finding, and nothing that cannot be made again."""
    known = {name for case in CASES for name in names(case)}
    assert {path.name for path in FILES} == known, REMEDY
    assert {case.mutant for case in CASES} == {"", *MUTANTS}
    designs = {case.design for case in CASES if not case.mutant}
    assert designs >= DESIGNS.keys() - {"series-v5-submit-first"}
