"""Schedules for a kernel, from counterexamples of the model."""

import dataclasses
from pathlib import Path

import pytest

from powercut.checkers.kernel import steering
from powercut.checkers.kernel.rounds import Situation
from powercut.checkers.kernel.steering import Hold, schedule_of, schedule_of_trace
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.traces.codec import load_trace
from powercut.checkers.workload import parse_workload
from powercut.model.designs import DESIGNS
from powercut.properties.findings.loader import shipped
from powercut.verbs.kernel.run import situation_of_finding

TRACES = Path(__file__).parents[2] / "traces"
START = "hold __ext4_journal_start_sb entry task0"
SUBMIT = "hold ext4_journal_submit_inode_data_buffers entry jbd2"
DROPPED = "hold truncate_inode_pages_range return task0"


@pytest.mark.parametrize(
    ("finding", "lines"),
    [
        ("cut-twice", (START, SUBMIT, "arm 0 2")),
        ("truncate-nodelalloc", (START, SUBMIT, "arm 0 1")),
        ("punch-nodelalloc", (DROPPED, "arm 0 1")),
        ("zero-range-tail", (DROPPED, "arm 0 1")),
    ],
)
def test_where_threads_wait(finding: str, lines: tuple[str, ...]) -> None:
    assert schedule_of(situation_of_finding(finding), "bh-ordered").lines == lines


def test_a_trace_has_the_schedule_of_its_scope() -> None:
    trace = load_trace(TRACES / "bh-ordered-zero-range-tail-stale-data.trace.json")
    found = schedule_of(situation_of_finding("zero-range-tail"), "bh-ordered")
    assert schedule_of_trace(trace) == found


def test_what_needs_no_wait_is_not_steered() -> None:
    with pytest.raises(ValueError, match="no call waits for the journal"):
        schedule_of(situation_of_finding("folio-tail"), "bh-ordered")
    situation = Situation.of_scope(parse_workload("file size=1\nmount\n  task fsync\n", "x"))
    with pytest.raises(ValueError, match="shows nothing to steer to in x"):
        schedule_of(situation, "bh-ordered")
    with pytest.raises(ValueError, match="give its trace"):
        schedule_of(dataclasses.replace(situation, scope=None), "bh-ordered")


def test_a_place_without_a_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain name of the model is left out behind the last wait, and refused before that."""
    with pytest.raises(ValueError, match="is no function of a kernel"):
        schedule_of(situation_of_finding("eof-in-block"), "bh-ordered")
    names = {"ext4_journal_start": "start_of_a_handle"}
    monkeypatch.setattr(steering, "_SYMBOLS", {**steering._SYMBOLS, **names})
    with pytest.raises(ValueError, match="start_of_a_handle is no function of a kernel"):
        schedule_of(situation_of_finding("cut-twice"), "bh-ordered")
    assert Hold("f", True, "jbd2").line == "hold f return jbd2"


@pytest.mark.parametrize("name", [n for n, f in shipped().items() if f.kernel_program])
def test_a_program_for_kernels_shows_the_finding(name: str) -> None:
    finding = shipped()[name]
    scope = parse_workload(finding.kernel_program, name)
    result = run_scope(Question(DESIGNS["bh-ordered"], scope))
    assert {v.prop for v in result.violations} & set(finding.properties)
