"""``check``: verdicts, bounds, the JSON contract, limits, traces, several processes."""

from pathlib import Path
from typing import Any

import pytest

from powercut.checkers.workload import format_workload
from powercut.checkers.workload.shipped import SCOPES
from powercut.properties.catalog import PROPERTIES, SITUATIONS
from tests.cli.support import Runner, assert_refused, files_below

HOLDS = ("check", "--design", "seed", "--scope", "append-fsync", "--jobs", "1")
STALE = ("check", "--design", "seed", "--scope", "eof-truncate-up", "--jobs", "1")

RUN_TYPES: dict[str, type | tuple[type, ...]] = {
    "design": str,
    "scope": str,
    "mutant": (str, type(None)),
    "verdict": str,
    "exhaustive": bool,
    "stopped": (str, type(None)),
    "bound": str,
    "states": int,
    "transitions": int,
    "crash_projections": int,
    "crash_images": int,
    "recovered_files": int,
    "seconds": float,
    "engine": str,
    "reached": dict,
    "properties": dict,
    "violations": list,
    "observations": list,
}


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without what differs from run to run.

    The engine does: another process may have filled the cache with a compiled one meanwhile.
    """
    runs = [{**run, "seconds": 0, "engine": ""} for run in document["runs"]]
    return {**document, "seconds": 0, "runs": runs}


def test_a_clean_scope_holds(powercut: Runner) -> None:
    ended = powercut(*HOLDS)
    assert ended.code == 0
    assert ended.err == ""
    assert "holds" in ended.out
    assert "exhausted" in ended.out
    assert "VIOLATED" not in ended.out


def test_the_document_of_a_violated_run(powercut: Runner) -> None:
    ended = powercut(*STALE, "--json")
    document = ended.document
    assert ended.err == ""
    assert (ended.code, document["exit_code"]) == (1, 1)
    assert document["schema"] == "powercut.check/1"
    assert document["verdict"] == "violated"
    (run,) = document["runs"]
    for key, kind in RUN_TYPES.items():
        assert isinstance(run[key], kind), key
    assert set(run["reached"]) == set(SITUATIONS)
    assert all(isinstance(reached, bool) for reached in run["reached"].values())
    assert set(run["properties"]) == set(PROPERTIES)
    assert set(run["properties"].values()) <= {"holds", "violated", "inconclusive"}
    assert run["exhaustive"]
    assert run["mutant"] is None
    (violation,) = run["violations"]
    assert set(violation) == {"property", "steps", "summary", "finding", "trace"}
    assert violation["property"] == "stale-data"
    assert violation["trace"] is None
    assert violation["finding"] == "eof-tail"
    assert 0 < violation["steps"] < 40
    assert all(o["property"] == "zeros-for-data" for o in run["observations"])


def test_the_document_of_a_clean_run(powercut: Runner) -> None:
    ended = powercut(*HOLDS, "--json")
    assert (ended.code, ended.document["exit_code"], ended.document["verdict"]) == (0, 0, "holds")


def test_the_report_says_what_was_never_reached(powercut: Runner) -> None:
    ended = powercut(*STALE)
    assert "nothing reached synced: durability says little" in ended.out
    assert "+ nothing it needs was reached" in ended.out


@pytest.mark.exhaustive
def test_saved_traces_replay(powercut: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    scopes = ("append-fsync", "eio-overwrite", "eof-truncate-up", "eof-two-mounts")
    argv = ("check", "--design", "seed", "--scope", *scopes, "--save-traces", folder, "--json")
    ended = powercut(*argv)
    assert ended.code == 1
    named = [v["trace"] for run in ended.document["runs"] for v in run["violations"]]
    assert sorted(named) == sorted(str(path) for path in folder.iterdir())
    assert len(named) == 3
    assert all(name.endswith(".trace.json") for name in named)
    replayed = powercut("replay", *named, "--json")
    assert replayed.code == 0
    assert all(trace["reproduced"] for trace in replayed.document["traces"])
    before = files_below(folder)
    powercut(*argv)
    assert files_below(folder) == before


def test_a_mutant_is_named_in_the_trace(powercut: Runner, tmp_path: Path) -> None:
    ended = powercut(*HOLDS, "--mutant", "no-preflush", "--save-traces", tmp_path, "--json")
    assert ended.code == 1
    (run,) = ended.document["runs"]
    assert run["mutant"] == "no-preflush"
    names = {path.name for path in tmp_path.iterdir()}
    assert "seed-append-fsync-unstable-conversion-no-preflush.trace.json" in names


def test_an_advisory_property_decides_when_asked_for(powercut: Runner) -> None:
    ended = powercut(*STALE, "--property", "zeros-for-data", "--json")
    (run,) = ended.document["runs"]
    assert [v["property"] for v in run["violations"]] == ["zeros-for-data"]
    assert [v["property"] for v in run["observations"]] == ["stale-data"]
    assert powercut(*STALE, "--property", "sizes").code == 0


@pytest.mark.parametrize("limit", [("--max-states", "100"), ("--time-limit", "0.000001")])
def test_cut_short_is_inconclusive(powercut: Runner, limit: tuple[str, str]) -> None:
    ended = powercut(*HOLDS, *limit, "--json")
    assert (ended.code, ended.document["verdict"]) == (3, "inconclusive")
    (run,) = ended.document["runs"]
    assert not run["exhaustive"]
    assert limit[0].partition("-")[2].split("-")[-1] in run["stopped"] + "states limit"
    assert run["stopped"] in run["bound"]
    assert "holds" not in run["properties"].values()
    text = powercut(*HOLDS, *limit)
    assert text.code == 3
    assert "cut short" in text.out
    assert "inconclusive" in text.out


def test_the_time_limit_is_for_the_whole_command(powercut: Runner) -> None:
    argv = ("check", "--design", "seed", "--scope", "span-truncate", "two-block-folio")
    ended = powercut(*argv, "--engine", "python", "--time-limit", "1", "--jobs", "1", "--json")
    assert ended.code == 3
    first, second = ended.document["runs"]
    assert "time limit of 1 s reached" in first["stopped"]
    assert second["stopped"] == "not started: time limit of 1 s reached"
    assert ended.document["seconds"] < 10


def test_memory_limit(powercut: Runner) -> None:
    ended = powercut(*HOLDS, "--max-memory", "1", "--json")
    assert ended.code == 3
    assert "1 MiB" in ended.document["runs"][0]["stopped"]


def test_violated_outweighs_inconclusive(powercut: Runner) -> None:
    argv = ("check", "--design", "seed", "--scope", "append-fsync", "eio-overwrite")
    ended = powercut(*argv, "--max-states", "100", "--jobs", "1", "--json")
    assert [run["verdict"] for run in ended.document["runs"]] == ["inconclusive", "violated"]
    assert ended.code == 1


def test_two_processes_give_the_same_document(powercut: Runner) -> None:
    argv = (
        "check",
        "--design",
        "seed",
        "seed-eof-ordered",
        "--scope",
        "append-fsync",
        "eof-truncate-up",
        "eof-two-mounts",
        "--json",
        "--jobs",
    )
    alone, together = powercut(*argv, "1"), powercut(*argv, "2")
    assert alone.code == together.code == 1
    assert timeless(alone.document) == timeless(together.document)


def test_names_given_twice_run_once(powercut: Runner) -> None:
    ended = powercut(*HOLDS, "--design", "seed", "--scope", "append-fsync", "--json")
    assert len(ended.document["runs"]) == 1


def test_a_workload_is_a_scope_of_its_own(powercut: Runner, tmp_path: Path) -> None:
    file = tmp_path / "mine.workload"
    text = format_workload(SCOPES["eof-truncate-up"])
    file.write_text(text.replace("name eof-truncate-up", "name mine"))
    argv = ("check", "--design", "seed", "--workload", file, "--jobs", "1", "--json")
    ended = powercut(*argv)
    (run,) = ended.document["runs"]
    assert run["scope"] == "mine"
    (built_in,) = powercut(*STALE, "--json").document["runs"]
    assert run["violations"][0]["finding"] == "eof-tail"
    differs = {"scope": "", "seconds": 0, "workload": None}
    assert {**run, **differs} == {**built_in, **differs}
    both = powercut(*argv, "--scope", "append-fsync")
    assert [run["scope"] for run in both.document["runs"]] == ["append-fsync", "mine"]


def test_two_scopes_of_one_name_are_refused(powercut: Runner, tmp_path: Path) -> None:
    file = tmp_path / "mine.workload"
    file.write_text(format_workload(SCOPES["append-fsync"]))
    assert_refused(powercut(*HOLDS, "--workload", file), "append-fsync", "mine.workload")


def test_what_does_not_replay_is_a_bug(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: object) -> tuple[None, str]:
        return None, "another verdict"

    monkeypatch.setattr("powercut.execute.job._confirm", fails)
    ended = powercut(*STALE)
    assert ended.code == 4
    assert "does not replay on the native model: another verdict" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "ERROR" in ended.out
    assert "VIOLATED" not in ended.out
    document = powercut(*STALE, "--json").document
    assert (document["exit_code"], document["verdict"]) == (4, "error")
    (run,) = document["runs"]
    assert "does not replay" in run["failure"]
    assert (run["violations"], run["observations"]) == ([], [])
    assert run["states"] > 0


@pytest.mark.exhaustive
def test_three_designs_fit_a_mail(powercut: Runner) -> None:
    designs = ("seed", "seed-eof-ordered", "seed-gap-ordered")
    ended = powercut("check", "--design", *designs, "--scope", "eof-two-mounts", "append-fsync")
    assert max(map(len, ended.out.splitlines())) <= 100


MANY = ("overwrite-fsync", "evict-folio", "pending-punch", "eio-overwrite", "sync-overwrite")
MORE = ("evict-overwrite", "evict-append", "punch-folio", "enospc-folio")


def test_many_runs_are_answered_first_and_shortly(powercut: Runner, tmp_path: Path) -> None:
    command = ("check", "--design", "seed", "--jobs", "1", "--scope", *MANY, *MORE)
    shown = powercut(*command, "--save-traces", tmp_path).out.splitlines()
    assert len(shown) <= 40
    assert "what breaks, worst first (0 of 2 new)" in shown
    (known,) = [line for line in shown if line.startswith("  data-err-abort")]
    assert known.split() == [
        "data-err-abort",
        "eio-overwrite",
        "1",
        "run,",
        "6",
        "steps",
        "seed,",
        "eio-overwrite",
    ]
    rows = powercut(*command, "--verbose").out
    assert all(f"seed    {scope} " in rows for scope in (*MANY, *MORE))


def test_what_no_finding_explains_is_new_and_comes_first(powercut: Runner) -> None:
    scopes = (*MANY, *MORE, "append-fsync")
    argv = ("check", "--design", "seed", "--jobs", "1", "--scope", *scopes)
    shown = powercut(*argv, "--mutant", "fsync-no-commit-wait").out.splitlines()
    first = shown[shown.index(next(line for line in shown if line.startswith("what breaks"))) + 1]
    assert first.split()[:2] == ["durability", "NEW"]


WRITES_TWICE = "file size=1 dirty-tail\nmount\n  task write 0 1; truncate 0; fsync\n"


def test_a_workload_is_shown_as_it_became_and_what_it_says_nothing_about(
    powercut: Runner, tmp_path: Path
) -> None:
    path = tmp_path / "mine.workload"
    path.write_text(WRITES_TWICE)
    argv = ("check", "--design", "seed", "--workload", path, "--jobs", "1")
    ended = powercut(*argv)
    assert "  geometry blocks=2 cells=2 folio=1 phys=3\n" in ended.out
    assert "    task write 0 1; truncate 0; fsync\n" in ended.out
    assert "what holds, holds without (docs/model.md)\n  handle-restart: " in ended.out
    (run,) = powercut(*argv, "--json").document["runs"]
    assert run["without"] == ["handle-restart"]
    assert "task write 0 1; truncate 0; fsync" in run["workload"]
    (shipped,) = powercut(*HOLDS, "--json").document["runs"]
    assert (shipped["without"], shipped["workload"]) == ([], None)


def test_strict_makes_a_run_inconclusive_that_touches_what_is_left_out(
    powercut: Runner, tmp_path: Path
) -> None:
    argv = ("check", "--design", "seed", "--scope", "sync-overwrite", "--jobs", "1", "--json")
    assert powercut(*argv).code == 0
    ended = powercut(*argv, "--strict")
    (run,) = ended.document["runs"]
    assert (ended.code, run["verdict"]) == (3, "inconclusive")
    assert run["properties"]["deadlock"] == "inconclusive"
    assert powercut(*HOLDS, "--strict").code == 0


def test_a_violation_of_an_own_workload_is_matched_with_the_findings(
    powercut: Runner, tmp_path: Path
) -> None:
    path = tmp_path / "mine.workload"
    path.write_text("file size=1 dirty-tail\nmount\n  task write 2 1\n")
    document = powercut("check", "--design", "seed", "--workload", path, "--json").document
    (violation,) = document["runs"][0]["violations"]
    assert (violation["property"], violation["finding"]) == ("stale-data", "eof-tail")
