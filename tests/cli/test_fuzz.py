"""``powercut fuzz``: verdicts, traces that replay, reports, an interrupt."""

from dataclasses import replace
from pathlib import Path

import pytest

from powercut.checkers.machines import differential_machine
from powercut.checkers.machines import search as searching
from powercut.checkers.machines.known import Known
from powercut.checkers.machines.live import LiveRun
from powercut.checkers.machines.quality import Mark
from powercut.checkers.machines.search import PROFILES, SearchResult
from powercut.model.mutants import MUTANTS
from powercut.verbs.fuzz import document, verdict_of
from tests.cli.support import Ended, Runner, assert_refused
from tests.machines.seeds import until_found

TINY = replace(
    PROFILES["dev"],
    examples=6,
    searches=1,
    states=2_000,
    states_by_chance=2_000,
    schedules=2,
    needs=("data-in-flight",),
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile ``dev``, as short as it gets."""
    monkeypatch.setitem(searching.PROFILES, "dev", TINY)


def nothing_is_known(run: LiveRun, seen: object, before: object) -> Known | None:
    return None


@pytest.mark.usefixtures("tiny")
def test_a_search_says_what_it_did(powercut: Runner) -> None:
    ended = powercut("fuzz", "--design", "seed", "--seed", "3", "--json")
    report = ended.document
    assert (ended.code, report["verdict"], report["failures"]) == (0, "holds", [])
    assert report["examples"] >= TINY.examples
    assert report["steps"] > 0
    assert report["states"] > 0
    assert report["crash_situations"] > 0
    text = powercut("fuzz", "--design", "seed", "--seed", "3")
    assert text.out.endswith("holds (exit code 0)\n")
    assert "states explored" in text.out


@pytest.mark.usefixtures("tiny")
@pytest.mark.exhaustive
def test_what_is_not_known_is_saved_as_a_trace_that_replays(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powercut.checkers.machines.crash_machine.known", nothing_is_known)
    monkeypatch.setitem(searching.PROFILES, "dev", replace(TINY, examples=30))

    def look(seed: int) -> Ended | None:
        argv = ("--design", "seed", "--seed", str(seed), "--save-traces", tmp_path, "--json")
        ended = powercut("fuzz", *argv)
        return ended if ended.code == 1 else None

    ended = until_found(look)
    assert (ended.code, ended.document["verdict"]) == (1, "violated")
    (failure, *_) = ended.document["failures"]
    assert failure["design"] == "seed"
    assert failure["blob"]
    assert powercut("replay", failure["trace"], "--no-ladder").code == 0


@pytest.mark.usefixtures("tiny")
def test_a_situation_that_was_not_reached_is_inconclusive(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(searching.PROFILES, "dev", replace(TINY, needs=("size-held-back",)))
    ended = powercut("fuzz", "--design", "bh-ordered")
    assert ended.code == 3
    assert "never reached: size-held-back" in ended.out


def test_two_designs_are_compared(powercut: Runner) -> None:
    kind = "crash-larger-size-on-buffer_head"

    def look(seed: int) -> tuple[str, ...] | None:
        argv = ("fuzz", "--machine", "differential", "--design", "seed", "--seed", str(seed))
        ended = powercut(*argv, "--json")
        assert (ended.code, ended.document["verdict"]) == (0, "holds")
        met = {entry["property"] for entry in ended.document["known"]}
        return argv if ended.document["remounts"] and kind in met else None

    text = powercut(*until_found(look))
    assert text.code == 0
    assert f"known: {kind}: " in text.out
    assert text.out.endswith("0 failures\nholds (exit code 0)\n")


def test_a_difference_that_is_not_legal_is_reported(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differential_machine.DifferentialMachine, "explains", lambda *_: "")

    def look(seed: int) -> Ended | None:
        argv = ("--machine", "differential", "--design", "seed", "--seed", str(seed))
        ended = powercut("fuzz", *argv)
        return ended if ended.code == 1 else None

    ended = until_found(look)
    assert "seed: difference crash-" in ended.out
    assert "bh-ordered: task0" in ended.out


@pytest.mark.quality
def test_the_exam_prints_a_row_a_mutant(powercut: Runner, tmp_path: Path) -> None:
    argv = ("fuzz", "--mutant", "no-preflush", "--seeds", "2", "--save-traces", tmp_path)
    ended = powercut(*argv)
    row = next(line for line in ended.out.splitlines() if "no-preflush" in line)
    design, examples, found, steps = row.split("|")[2:6]
    assert (design.strip(), found.split()[0]) == ("`seed`", "stale-data")
    assert len(examples.split(",")) == len(steps.split(",")) == 2
    assert "2 of 2 searches found their mutant" in ended.out
    assert ended.code == 0
    assert len(list(tmp_path.glob("*no-preflush*.trace.json"))) >= 1


def test_an_exam_that_is_cut_short_says_so(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its second seed is interrupted; nothing is said to be not found."""
    mutant = MUTANTS["no-preflush"]
    marks = [Mark(mutant, 1, 7, None, 0.1), Mark(mutant, 2, 9, None, 0.1, "interrupted")]
    monkeypatch.setattr("powercut.verbs.fuzz.examine", lambda *_, **__: iter(marks))
    argv = ("fuzz", "--mutant", "no-preflush", "--mutant", "no-relookup", "--seeds", "2")
    ended = powercut(*argv)
    assert ended.code == 3
    assert "| 7, 9 | **not found**, cut short | –, – |" in ended.out
    assert "0 of 2 searches found their mutant" in ended.out
    assert "cut short (exit code 3)" in ended.out
    assert powercut(*argv, "--json").document["verdict"] == "inconclusive"


def test_an_interrupt_keeps_what_there_is() -> None:
    result = SearchResult(TINY, 1)
    result.tally.reached["data-in-flight"] += 1
    assert verdict_of(result) == "holds"
    result.stopped = "interrupted"
    assert verdict_of(result) == "inconclusive"
    report = document(result, "inconclusive", {})
    assert (report.stopped, report.exit_code) == ("interrupted", 3)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--seed", "-1"), ("--seed",)),
        (("--time-limit", "0"), ("--time-limit",)),
        (("--time-limit", "nan"), ("--time-limit",)),
        (("--seeds", "3"), ("--seeds", "--mutant")),
        (("--mutant", "no-preflush", "--design", "seed"), ("--design", "leave it out")),
        (("--mutant", "no-preflush", "--profile", "ci"), ("--profile", "leave it out")),
        (("--mutant", "no-preflush", "--machine", "reference"), ("--machine", "leave it out")),
        (("--mutant", "no-preflush", "--time-limit", "9"), ("--time-limit", "leave it out")),
        (("--design", "sed"), ("--design", "seed")),
        (("--mutant", "no-preflash"), ("--mutant", "no-preflush")),
        (("--profile", "long"), ("--profile", "soak")),
        (("--machine", "crush"), ("--machine", "crash")),
        (("--machine", "differential", "--design", "mixed"), ("--design", "mixed", "iomap")),
        (("--machine", "differential", "--save-traces", "none"), ("--save-traces", "leave it out")),
    ],
)
def test_bad_options_are_refused(
    powercut: Runner, argv: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_refused(powercut("fuzz", *argv), *words)
