"""Replay: refuses what the model does not follow, and judges every kind of property."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from powercut.checkers.engine.errors import NondeterminismError, ScheduleError
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.run import mount as mount_module
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.run.replay import placed, replay
from powercut.checkers.run.runner import run_scope
from powercut.checkers.run.trace_of import trace_of, trace_steps
from powercut.checkers.traces import Trace, TraceError, TraceMismatch, decode_trace, encode_trace
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.recovery import mkfs
from tests.traces.corpus import FOLDER, Case, find


def saved(name: str) -> Trace:
    return decode_trace((FOLDER / f"{name}.trace.json").read_bytes(), name)


def changed(name: str, change: Callable[[Any], object]) -> Trace:
    """Return a saved trace after ``change`` of its document."""
    document = json.loads(encode_trace(saved(name)))
    for epoch in document["epochs"]:
        epoch.pop("why", None)
    change(document)
    return decode_trace(json.dumps(document).encode(), name)


TWO = "seed-eof-two-mounts-stale-data"
EIO = "seed-eio-overwrite-data-err-abort"


def refusal(trace: Trace) -> str:
    with pytest.raises(TraceMismatch) as caught:
        replay(trace, "a.json")
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith("a.json: $.epochs[")
    return message


def test_another_label_names_the_step() -> None:
    trace = changed(EIO, lambda d: d["epochs"][0]["steps"][1].update(label="folio trylock"))
    assert re.search(
        r"\$\.epochs\[0\]\.steps\[1\]: step 2: task0 should be at folio_lock 'folio trylock', "
        r"is at folio_lock '.+'; this model has no such step any more$",
        refusal(trace),
    )


def test_another_function_names_the_step() -> None:
    trace = changed(TWO, lambda d: d["epochs"][1]["steps"][6].update(function="folio_trylock"))
    assert re.search("mount 2, step 7: flusher0 should be at folio_trylock ", refusal(trace))


def test_a_finished_thread_names_the_step() -> None:
    def repeat(document: Any) -> None:
        steps = document["epochs"][0]["steps"]
        steps.insert(2, dict(steps[0]))

    message = refusal(changed(TWO, repeat))
    assert "mount 1, step 3: task0 should be at down_write " in message
    assert message.endswith("has finished")


def test_a_blocked_thread_names_the_step() -> None:
    def early(document: Any) -> None:
        steps = document["epochs"][0]["steps"]
        steps.insert(0, steps.pop())

    message = refusal(changed(EIO, early))
    assert message.endswith(
        "step 1: failing_disk0 cannot run at failing_disk 'bio fails': it has to wait"
    )


def test_an_unknown_thread_names_the_step() -> None:
    message = refusal(changed(EIO, lambda d: d["epochs"][0]["steps"][0].update(thread="kswapd")))
    assert "step 1: there is no thread kswapd; there are task0, flusher0" in message


def test_a_function_has_a_label_once() -> None:
    """So thread, function and label of a saved step are one line of the model."""
    mount = Mount.of(Question(DESIGNS["seed"], SCOPES["eio-append"]))
    points: dict[tuple[str, str], set[tuple[str, int]]] = {}
    for frames in mount.system.build.frames.values():
        for place in frames.places.values():
            lines = points.setdefault((place.function, place.label), set())
            lines.add((place.file, place.line))
    assert len(points) > 30
    assert {point: lines for point, lines in points.items() if len(lines) > 1} == {}


def test_steps_have_places_without_a_replay() -> None:
    trace = changed(TWO, lambda d: d["epochs"][1]["steps"][6].update(function="folio_trylock"))
    first, second = placed(trace)
    for step in (*first, *second):
        if step.file is not None and step.line is not None:
            text = (FOLDER.parent / step.file).read_text(encoding="utf-8").splitlines()
            assert "yield" in text[step.line - 1]
            assert any(step.label in each for each in text[step.line - 1 : step.line + 7])
    assert [n for n, step in enumerate(second) if step.file is None] == [6]
    strange = changed(TWO, lambda d: d["epochs"][0]["steps"][0].update(thread="kswapd"))
    assert placed(strange)[0][0].line is None


def test_a_colour_that_cannot_be_there_is_refused() -> None:
    def tamper(document: Any) -> None:
        document["epochs"][1]["crash"]["cells"][0] = "write4"

    message = refusal(changed(TWO, tamper))
    assert "$.epochs[1].crash.cells[0]: mount 2, after step" in message
    assert message.endswith("the disk cannot show write4, only old")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda crash: crash["inodes"][0].update(size_cells=2), "not the committed inode"),
        (lambda crash: crash["inodes"][0].update(orphan=True), "not the committed inode"),
        (lambda crash: crash["inodes"][0]["extents"].reverse(), "not the committed inode"),
        (lambda crash: crash.update(used_blocks=[0]), "not the committed bitmap"),
    ],
    ids=["size", "orphan", "extents", "bitmap"],
)
def test_metadata_that_is_not_committed_is_refused(
    change: Callable[[Any], object], words: str
) -> None:
    assert words in refusal(changed(TWO, lambda d: change(d["epochs"][1]["crash"])))


@pytest.mark.parametrize("mount", [0, 1])
def test_a_start_from_nowhere_is_refused(mount: int) -> None:
    def tamper(document: Any) -> None:
        cells = document["epochs"][mount]["start"]["cells"]
        cells[1] = "zero" if cells[1] == "pollution" else "pollution"

    message = refusal(changed(TWO, tamper))
    assert f"$.epochs[{mount}].start: mount {mount + 1}: not the disk that" in message


def test_an_image_without_the_fault_is_not_reproduced() -> None:
    def harmless(document: Any) -> None:
        document["epochs"] = document["epochs"][:1]

    result = replay(changed(TWO, harmless))
    assert not result.reproduced
    assert result.detail == "stale-data holds on this image"
    document = json.loads(encode_trace(saved(TWO)))
    harmless(document)
    document["verdict"] = "holds"
    assert replay(decode_trace(json.dumps(document).encode(), "t")).reproduced


def test_a_shorter_run_is_not_reproduced() -> None:
    result = replay(changed(EIO, lambda d: d["epochs"][0]["steps"].pop()))
    assert not result.reproduced
    assert result.detail.startswith("so: ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"property": "beauty"}, 't: $.property: unknown property "beauty"; expected stale-data'),
        ({"property": "durability"}, "t: $.epochs[0].crash: null, but durability is about"),
    ],
    ids=["unknown", "crash"],
)
def test_a_property_it_cannot_judge_is_refused(change: dict[str, str], words: str) -> None:
    with pytest.raises(TraceError) as caught:
        replay(changed(EIO, lambda d: d.update(change)), "t")
    assert str(caught.value).startswith(words)


def test_deadlock() -> None:
    name = "seed-span-truncate-deadlock-truncate-under-handle"
    result = replay(saved(name))
    assert result.detail == "nobody can run; waiting for ever: task0, task1, flusher0"
    waiting = "\n".join(result.epochs[-1].waiting)
    assert "task1 holding i_rwsem, invalidate_lock, folio_lock 0, handle waits in" in waiting
    assert "kjournald waits in jbd2_journal_commit_transaction(): T_LOCKED" in waiting
    assert not replay(changed(name, lambda d: d["epochs"][0]["steps"].pop())).reproduced


def test_livelock_says_what_it_confirms() -> None:
    result = replay(saved("seed-enospc-livelock-retry-without-commit"))
    assert result.reproduced
    assert "needs the search" in result.detail


def test_assertion_fails_in_the_last_step_only() -> None:
    trace = find(Case("seed", "two-block-folio", "assertion", "no-pending-bias"))
    result = replay(trace)
    assert result.reproduced
    assert result.detail.startswith("assertion failed: assert ")
    assert result.epochs[-1].steps[-1].changes[-1] == result.detail
    document = json.loads(encode_trace(trace))
    document["property"] = "accounting"
    message = refusal(decode_trace(json.dumps(document).encode(), "t"))
    assert re.search(r"step \d+: \w+ fails here: assertion failed", message)
    document["property"] = "assertion"
    document["epochs"][0]["steps"].pop()
    assert not replay(decode_trace(json.dumps(document).encode(), "t")).reproduced


def test_a_difference_of_the_engines_is_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drifting(NativeRun):
        def step(self, thread: int) -> None:
            super().step(thread)
            self.root.timer_fired = 1

    monkeypatch.setattr(mount_module, "NativeRun", Drifting)
    with pytest.raises(NondeterminismError, match="timer_fired"):
        replay(saved(EIO))


def test_a_trace_is_of_its_result() -> None:
    scope, design = SCOPES["eio-overwrite"], DESIGNS["seed"]
    result = run_scope(Question(design, scope))
    (violation,) = (v for v in result.violations if v.prop == "data-err-abort")
    made, kept = trace_of(violation, result), saved(EIO)
    assert made.epochs[0].steps == kept.epochs[0].steps
    assert (made.property, made.summary, made.workload) == (
        kept.property,
        kept.summary,
        kept.workload,
    )
    long = replace(violation, detail="long\n" * 200)
    summary = trace_of(long, replace(result, violations=(violation, long))).summary
    assert len(summary) == 400
    assert summary.isprintable()
    with pytest.raises(ValueError, match="not one of this result"):
        trace_of(violation, replace(result, violations=()))


def test_a_schedule_that_cannot_run_has_no_trace() -> None:
    scope = SCOPES["eio-overwrite"]
    mount = Mount.of(Question(DESIGNS["seed"], scope))
    assert mkfs(scope).inodes[0].size == 2
    with pytest.raises(ScheduleError, match="step 1: there is no thread 99"):
        trace_steps(mount, [99])
    (disk,) = (n for n, info in enumerate(mount.threads) if info.name == "disk0")
    with pytest.raises(ScheduleError, match="step 2: disk0 cannot run here"):
        trace_steps(mount, [0, disk])
