"""``replay``: which traces kept their verdict, one bad file among good ones, one out of step."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Runner


def test_a_kept_verdict(powercut: Runner, one_mount: Path) -> None:
    ended = powercut("replay", one_mount)
    assert (ended.code, ended.err) == (0, "")
    assert "power cut" in ended.out
    assert f"{one_mount}: reproduced: stale-data violated in" in ended.out
    short = powercut("replay", one_mount, "--no-ladder")
    assert short.code == 0
    assert len(short.out.splitlines()) == 1


def test_the_document(powercut: Runner, traces: Path) -> None:
    ended = powercut("replay", *sorted(traces.iterdir()), "--json")
    document = ended.document
    assert (ended.code, document["exit_code"], document["verdict"]) == (0, 0, "reproduced")
    assert document["schema"] == "powercut.replay/1"
    assert len(document["traces"]) == 3
    for trace in document["traces"]:
        assert trace["reproduced"] is True
        assert trace["verdict"] == "violated"
        assert trace["steps"] > 0
        assert trace["error"] is None
    assert document["stopped"] is None


def test_a_bad_file_does_not_stop_the_others(
    powercut: Runner, one_mount: Path, live: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.trace.json"
    bad.write_text("{")
    ended = powercut("replay", one_mount, bad, live, "--no-ladder")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert "bad.trace.json" in ended.err
    assert ended.out.count(": reproduced: ") == 2
    assert "2 of 3 traces kept their verdict (exit code 2)" in ended.out
    document = powercut("replay", bad, live, "--json").document
    assert [trace["reproduced"] for trace in document["traces"]] == [False, True]
    assert "bad.trace.json" in document["traces"][0]["error"]


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the second file is replayed."""
    from powercut.verbs import replay

    seen: list[Path] = []

    def replay_first(path: Path, patches: object) -> replay.Replayed:
        assert patches == ()
        seen.append(path)
        if len(seen) % 2 == 0:
            raise KeyboardInterrupt
        return replay_file(path)

    replay_file = replay.replay_file
    monkeypatch.setattr(replay, "replay_file", replay_first)


@pytest.mark.usefixtures("interrupted")
def test_an_interrupt_keeps_what_was_replayed(
    powercut: Runner, one_mount: Path, live: Path, tmp_path: Path
) -> None:
    document = powercut("replay", one_mount, live, live, "--json").document
    assert (document["verdict"], document["exit_code"]) == ("inconclusive", 3)
    assert document["stopped"] == "interrupted, 2 not replayed"
    assert [trace["trace"] for trace in document["traces"]] == [str(one_mount)]
    ended = powercut("replay", one_mount, live, "--no-ladder")
    assert ended.code == 3
    assert "1 of 2 traces kept their verdict; interrupted, 1 not replayed" in ended.out
    bad = tmp_path / "bad.trace.json"
    bad.write_text("{")
    document = powercut("replay", bad, live, "--json").document
    assert (document["verdict"], document["exit_code"]) == ("bad input", 2)


def test_another_verdict(powercut: Runner, one_mount: Path, tmp_path: Path) -> None:
    document = json.loads(one_mount.read_text())
    document["verdict"] = "holds"
    path = tmp_path / "claims.trace.json"
    path.write_text(json.dumps(document))
    ended = powercut("replay", path, "--no-ladder")
    assert (ended.code, ended.err) == (1, "")
    assert "NOT reproduced: stale-data holds" in ended.out
    document = powercut("replay", path, "--json").document
    assert (document["verdict"], document["exit_code"]) == ("not reproduced", 1)


def _reverse(document: Any) -> None:
    document["epochs"][0]["steps"].reverse()


def _put_an_end_first(document: Any) -> None:
    steps = document["epochs"][0]["steps"]
    steps.insert(0, steps[-1])


def _step(**values: str) -> Callable[[Any], None]:
    return lambda document: document["epochs"][0]["steps"][0].update(values)


def _cell(which: str) -> Callable[[Any], None]:
    def edit(document: Any) -> None:
        document["epochs"][0][which]["cells"][0] = "write4"

    return edit


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (_reverse, "steps[0]: step 1: "),
        (_put_an_end_first, "steps[0]: step 1: "),
        (_step(thread="task77"), "steps[0]: step 1: there is no thread task77"),
        (_step(function="ext5_setattr"), "steps[0]: step 1: task0 should be at ext5_setattr"),
        (_cell("start"), "start: mount 1: not the disk that the workload starts from"),
        (_cell("crash"), "crash.cells[0]: after step"),
    ],
    ids=["reversed", "a step too many", "thread", "function", "start", "crash"],
)
def test_a_trace_the_model_does_not_follow(
    powercut: Runner, one_mount: Path, tmp_path: Path, edit: Callable[[Any], None], place: str
) -> None:
    """Well-formed, but no run of this model: the trace has not kept its verdict."""
    document = json.loads(one_mount.read_text())
    edit(document)
    path = tmp_path / "old.trace.json"
    path.write_text(json.dumps(document))
    ended = powercut("replay", path)
    assert (ended.code, ended.err) == (1, "")
    (line,) = ended.out.splitlines()
    assert line.startswith(f"{path}: NOT reproduced: $.epochs[0].{place}")
    document = powercut("replay", path, "--json").document
    assert (document["verdict"], document["exit_code"]) == ("not reproduced", 1)
    assert place in document["traces"][0]["error"]
